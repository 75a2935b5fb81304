"""Intervals by resampling whole clusters: for figures that are no plain share of comparisons.

Clusters (subjects, pictures) are drawn with replacement, as many as there are, and the figure computed anew
each time: the percentile bootstrap (Efron and Tibshirani 1993) over clusters (Field and Welsh 2007, Journal
of the Royal Statistical Society B 69:369).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from scipy import stats

from lineament.errors import InsufficientData
from lineament.scoring.intervals import exact
from lineament.scoring.rate import Rate
from lineament.types import Float64, Interval

RESAMPLES = 1000
_NUMBERS_AT_ONCE = 4_000_000
_ALIKE = 1e-9
"""A spread of resamples that is the rounding of sums taken in another order."""


def draws(clusters: int, resamples: int = RESAMPLES, seed: int = 0) -> Iterator[Float64]:
    """How often each cluster is drawn, float64 ``(some, clusters)`` at a time, ``resamples`` rows in all.

    The same seed gives the same draws, however many come at a time.
    """
    if clusters < 1:
        raise InsufficientData("an interval needs at least one picture or subject")
    random = np.random.default_rng(seed)
    each = np.full(clusters, 1 / clusters)
    at_once = max(1, _NUMBERS_AT_ONCE // clusters)
    for start in range(0, resamples, at_once):
        rows = min(at_once, resamples - start)
        yield random.multinomial(clusters, each, size=rows).astype(np.float64)


def percentiles(figures: Any, value: float, clusters: int, level: float = 0.95) -> Interval:
    """The middle ``level`` of resampled figures, as wide as so few ``clusters`` ask for; NaN is left out.

    Resamples of few clusters vary less than the figure does: by ``sqrt(1 - 1/S)`` less for S clusters, and
    as if their spread were known. So the interval is stretched about ``value``, the figure itself, by
    ``sqrt(S / (S - 1)) t / z`` with S - 1 degrees of freedom (after Hesterberg 2015, The American
    Statistician 69:4). One cluster, or several that are all alike, tell nothing of others: the interval
    then reaches from minus to plus infinity.
    """
    values = np.asarray(figures, np.float64)
    values = values[np.isfinite(values)]
    if not len(values):
        raise InsufficientData("no resample gave a figure")
    tail = (1 + level) / 2
    low, high = np.quantile(values, [1 - tail, tail])
    if clusters < 2 or not high - low > _ALIKE * max(1.0, abs(value)):
        return Interval(-math.inf, math.inf, level)
    student = float(stats.t.ppf(tail, clusters - 1) / stats.norm.ppf(tail))
    wider = student * math.sqrt(clusters / (clusters - 1))
    # A figure with a bias may lie outside what resampling gave; the interval then reaches to it.
    down, up = max(value - float(low), 0.0), max(float(high) - value, 0.0)
    return Interval(value - wider * down, value + wider * up, level)


def of_sums(
    sums: Float64,
    figure: Callable[[Float64], Float64],
    *,
    resamples: int = RESAMPLES,
    level: float = 0.95,
) -> Interval:
    """The interval of a figure that follows from sums over clusters, see `percentiles`.

    ``sums`` ``(clusters, F)``; ``figure`` takes ``(R, F)`` totals of R resamples and gives ``(R,)``.
    """
    drawn = np.concatenate([figure(some @ sums) for some in draws(len(sums), resamples)])
    value = float(figure(sums.sum(axis=0, keepdims=True))[0])
    return percentiles(drawn, value, len(sums), level)


def share(value: float, interval: Interval, n: int, clusters: int) -> Rate:
    """A figure in [0, 1] with its resampled interval.

    Where resampling gives none (one cluster, or all alike, as at 0 and at 1), it is the exact interval of
    so large a share of as many trials as there are clusters: no figure in [0, 1] varies more than a share.
    """
    if math.isinf(interval.low):
        errors = exact(min(max(1 - value, 0.0), 1.0) * clusters, clusters, interval.level)
        return Rate(value, 1 - errors.high, 1 - errors.low, n, interval.level)
    return Rate(value, max(0.0, interval.low), min(1.0, interval.high), n, interval.level)
