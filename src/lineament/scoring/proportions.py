"""Shares with intervals, from counts by cluster (the subject, or the picture): precision, recall, F1."""

from __future__ import annotations

from typing import Any

import numpy as np

from lineament.errors import InvalidArray
from lineament.scoring.intervals import Sums, by_subject, estimate
from lineament.scoring.rate import Rate


def of_counts(part: Any, whole: Any, level: float = 0.95) -> Rate:
    """The share ``part / whole``, both counts ``(C,)`` a cluster, with its clustered interval.

    Raises `InsufficientData` when there is nothing to divide by.
    """
    parts, wholes = np.asarray(part, np.int64), np.asarray(whole, np.int64)
    if parts.shape != wholes.shape or (parts < 0).any() or (parts > wholes).any():
        raise InvalidArray("a share needs 0 <= part <= whole in every cluster")
    there = wholes > 0
    sums = Sums(
        total=int(wholes.sum()),
        wrong=int((wholes - parts).sum()),
        comparisons=wholes[there],
        errors=(wholes - parts)[there],
        pair_nn=0.0,
        pair_ne=0.0,
        pair_ee=0.0,
        independent=int(there.sum()),
    )
    return _share(sums, level)


def of_flags(flags: Any, clusters: Any, level: float = 0.95) -> Rate:
    """The share of true ones among ``flags`` ``(N,)``; ``clusters`` ``(N,)`` says whose each is."""
    return _share(by_subject(~np.asarray(flags, bool), clusters), level)


def f1_of_counts(right: Any, wrong: Any, missed: Any, level: float = 0.95) -> Rate:
    """F1 from counts ``(C,)`` a cluster, with its interval; ``n`` is right + wrong + missed.

    F1 is ``2 J / (1 + J)`` of Jaccard's share ``J = right / (right + wrong + missed)``, and rises with it:
    the ends of the interval of that share give those of F1.
    """
    hits = np.asarray(right, np.int64)
    j = of_counts(hits, hits + np.asarray(wrong, np.int64) + np.asarray(missed, np.int64), level)
    return Rate(_f1(j.value), _f1(j.low), _f1(j.high), j.n, level)


def _share(sums: Sums, level: float) -> Rate:
    errors = estimate(sums, level).rate
    # Not 1 - errors: 3 of 10 is 0.3 to the last digit.
    return Rate((sums.total - sums.wrong) / sums.total, 1 - errors.high, 1 - errors.low, errors.n, level)


def _f1(jaccard: float) -> float:
    return 2 * jaccard / (1 + jaccard)
