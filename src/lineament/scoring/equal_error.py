"""The equal error rate of all comparisons, and an interval for any equal error rate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lineament.errors import InsufficientData
from lineament.scoring import intervals, similarity, verification
from lineament.scoring.comparisons import Comparisons
from lineament.scoring.intervals import ErrorRate, Sums
from lineament.scoring.rate import Rate

_STEPS = 16


def listed(mated: Any, owners: Any, nonmated: Any, first: Any, second: Any) -> Rate:
    """EER of listed comparisons: ``mated`` with the subject of each, ``nonmated`` with both subjects."""
    names = similarity.codes(np.concatenate([first, second]))
    apart = intervals.disjoint_pairs(names[: len(first)], names[len(first) :])

    def at(threshold: float) -> tuple[Sums, Sums]:
        false_matches = np.asarray(nonmated) >= np.float64(threshold)
        return (
            intervals.by_subject_pair(false_matches, first, second, apart),
            intervals.by_subject(np.asarray(mated) < np.float64(threshold), owners),
        )

    value = verification.eer(mated, nonmated)
    return _with_interval(value, len(mated) + len(nonmated), at, -1.0, 1.0)


def of_comparisons(found: Comparisons) -> tuple[Rate, bool]:
    """EER of all comparisons, and whether it is exact or read off the histogram.

    It is exact where the curves cross among the non-mated scores kept, or all are kept. Raises
    `InsufficientData` without mated comparisons.
    """
    if not len(found.mated):
        raise InsufficientData("an EER needs subjects with two samples or more, you have none")
    floor = -np.inf if found.complete else found.scores[-1]
    kept = np.unique(np.concatenate([found.scores, found.mated]))[::-1].astype(np.float64)
    values = np.concatenate([[np.inf], kept[kept > floor]])
    above = np.sort(found.scores)
    fmr = (len(above) - np.searchsorted(above, values.astype(np.float32), "left")) / found.total
    fnmr = np.searchsorted(np.sort(found.mated), values.astype(np.float32), "left") / len(found.mated)
    if found.complete:
        fmr, fnmr = np.append(fmr, 1.0), np.append(fnmr, 0.0)
    value = verification.crossing(fmr, fnmr)
    exact = value is not None
    if value is None:
        curve, exact = found.roc()
        value = verification.crossing(np.append(curve.fmr, 1.0), np.append(curve.fnmr, 0.0))
        assert value is not None

    def at(threshold: float) -> tuple[Sums, Sums]:
        return found.false_matches(threshold), found.false_nonmatches(threshold)

    lowest = -1.0 if found.complete else float(np.nextafter(floor, np.float32(np.inf)))
    return _with_interval(value, found.total + len(found.mated), at, lowest, 1.0), exact


def _with_interval(
    value: float, n: int, at: Callable[[float], tuple[Sums, Sums]], lowest: float, highest: float
) -> Rate:
    """Where the lower ends of the intervals of FMR and FNMR cross, and where the upper ends do.

    If the truth lay below the first crossing, FMR or FNMR would lie below its own interval there; so with
    intervals of 97.5 % each the result holds the truth at least 95 % of the time.
    """

    def ends(threshold: float, pick: Callable[[ErrorRate], float]) -> tuple[float, float]:
        fmr, fnmr = (pick(intervals.estimate(sums, 0.975)) for sums in at(threshold))
        return fmr, fnmr

    def crossing(pick: Callable[[ErrorRate], float], choose: Callable[[float, float], float]) -> float:
        strict, loose = highest, lowest
        for _ in range(_STEPS):
            middle = (strict + loose) / 2
            fmr, fnmr = ends(middle, pick)
            strict, loose = (middle, loose) if fmr < fnmr else (strict, middle)
        # The side on which the answer errs is the careful one, should the crossing lie out of reach.
        return choose(choose(*ends(strict, pick)), choose(*ends(loose, pick)))

    low = crossing(lambda rate: rate.interval.low, min)
    high = crossing(lambda rate: rate.interval.high, max)
    return Rate(value, min(low, value), max(high, value), n)
