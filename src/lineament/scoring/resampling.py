"""Intervals by resampling whole clusters: for figures that are no plain share of comparisons.

Clusters (subjects, pictures) are drawn with replacement, as many as there are, and the figure computed anew
each time: the percentile bootstrap (Efron and Tibshirani 1993) over clusters (Field and Welsh 2007, Journal
of the Royal Statistical Society B 69:369).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from lineament.errors import InsufficientData
from lineament.scoring.intervals import exact
from lineament.scoring.rate import Rate
from lineament.types import Float64, Interval

RESAMPLES = 1000
_NUMBERS_AT_ONCE = 4_000_000


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


def percentiles(figures: Any, level: float = 0.95) -> Interval:
    """The middle ``level`` of resampled figures; draws for which there is no figure (NaN) are left out."""
    values = np.asarray(figures, np.float64)
    values = values[np.isfinite(values)]
    if not len(values):
        raise InsufficientData("no resample gave a figure")
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), level)


def of_sums(
    sums: Float64,
    figure: Callable[[Float64], Float64],
    *,
    resamples: int = RESAMPLES,
    level: float = 0.95,
) -> Interval:
    """The interval of a figure that follows from sums over clusters.

    ``sums`` ``(clusters, F)``; ``figure`` takes ``(R, F)`` totals of R resamples and gives ``(R,)``.
    """
    return percentiles(np.concatenate([figure(some @ sums) for some in draws(len(sums), resamples)]), level)


def share(value: float, interval: Interval, n: int, clusters: int) -> Rate:
    """A figure in [0, 1] with its resampled interval.

    At 0 or 1 every resample says the same and the interval would have no width; then it reaches as far as
    the exact interval of no error in as many trials as there are clusters.
    """
    low, high = max(0.0, interval.low), min(1.0, interval.high)
    bound = exact(0, clusters, interval.level).high
    if value == 1 and low == 1:
        low = 1 - bound
    if value == 0 and high == 0:
        high = bound
    return Rate(value, low, high, n, interval.level)
