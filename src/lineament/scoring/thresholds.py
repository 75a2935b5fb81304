"""Thresholds from non-mated scores, and what an amount of data can support.

A comparison matches when its score is at or above the threshold (ISO/IEC 19795-1). The threshold for
FMR <= a leaves floor(a * n) non-mated scores at or above it, never one more: taking the *nearest* observed
rate, as is common, lands above the target about half of the time.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineament.errors import InsufficientData, InvalidArray, UsageError

RULE_OF = 30
"""Errors one must expect to see before a rate may be quoted (Doddington et al. 2000, Speech
Communication 31:2, "the rule of 30"): with 30, the truth lies within 30 % of the figure nine times in
ten."""


def as_scores(name: str, scores: Any) -> NDArray[Any]:
    """Validate scores: one dimension, float32 or float64, no NaN; -inf stands for a failure to acquire."""
    array = np.asarray(scores)
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float64)
    if array.ndim != 1:
        raise InvalidArray(f"{name}: expected one dimension, got shape {array.shape}")
    if np.isnan(array).any() or np.isposinf(array).any():
        raise InvalidArray(f"{name}: hold NaN or +infinity")
    return array


def allowed_errors(rate: float, comparisons: int) -> int:
    """The most errors among ``comparisons`` that keep the rate at or below ``rate``, in (0, 1).

    The rate is read as the decimal it is written as: 0.29 of 100 allows 29, although 0.29 * 100 in binary
    is 28.999...
    """
    if not 0 < rate < 1:
        raise UsageError(f"a target rate lies between 0 and 1, got {rate}")
    return math.floor(Fraction(repr(float(rate))) * comparisons)


def just_above(score: np.floating[Any]) -> float:
    """The next number above, in the score's own precision.

    A float64 step above a float32 score would round back onto it when compared as float32.
    """
    return float(np.nextafter(score, score.dtype.type(np.inf)))


def at_rate(nonmated: Any, rate: float) -> float:
    """The smallest threshold whose false match rate on these non-mated scores is at or below ``rate``.

    ``nonmated`` is ``(n,)``, n >= 1. For searches, pass the best score of each non-mated search: the
    result then holds the false positive identification rate. Says nothing about how sure the rate is:
    see `supports`. Raises `InsufficientData` without scores.
    """
    scores = as_scores("non-mated scores", nonmated)
    if not len(scores):
        raise InsufficientData("a threshold needs non-mated comparisons, you have 0")
    rank = len(scores) - 1 - allowed_errors(rate, len(scores))
    return just_above(np.partition(scores, rank)[rank])


def needed(rate: float) -> int:
    """How many comparisons a rate takes: `RULE_OF` expected errors."""
    if not 0 < rate < 1:
        raise UsageError(f"a target rate lies between 0 and 1, got {rate}")
    return math.ceil(RULE_OF / Fraction(repr(float(rate))))


def fewest(rate: float, level: float = 0.95) -> int:
    """How many independent trials without an error show at this level that the rate is at most ``rate``.

    The rule of three, about ``3 / rate``: 59 for 5 % (Hanley and Lippman-Hand 1983, Journal of the American
    Medical Association 249:13). Fewer cannot show it however they turn out.
    """
    if not 0 < rate < 1:
        raise UsageError(f"a target rate lies between 0 and 1, got {rate}")
    return math.ceil(math.log(1 - level) / math.log1p(-rate))


def supports(rate: float, comparisons: int) -> bool:
    """Whether so many comparisons can carry a statement about this rate."""
    return comparisons >= needed(rate)


def require(rate: float, comparisons: int, what: str = "FMR", unit: str = "comparisons") -> None:
    """Raise `InsufficientData` unless `supports`."""
    if not supports(rate, comparisons):
        raise InsufficientData(shortfall(rate, comparisons, what, unit))


def shortfall(rate: float, comparisons: int, what: str = "FMR", unit: str = "comparisons") -> str:
    """What is said of a rate that is not supported: what it needs and what there is."""
    return f"{what} {rate:g} needs {needed(rate):,} {unit}, you have {comparisons:,}"


def most_accurate(scores: Any, same: NDArray[np.bool_]) -> float:
    """The threshold with the highest share of right decisions on labelled comparisons, both ``(n,)``.

    Of equally good thresholds the middle one is taken. The candidates are the midpoints between
    neighbouring scores, so that no pair sits on its own threshold, and both ends. A score of -inf never
    matches. Raises `InsufficientData` without scores.
    """
    values = as_scores("scores", scores)
    if not len(values):
        raise InsufficientData("choosing a threshold needs comparisons, you have 0")
    order = np.argsort(values, kind="stable")
    ranked, mated = values[order], np.asarray(same, bool)[order]
    # below[j] mated and non-mated scores lie below candidate j: those mated are errors, the others right.
    below_mated = np.concatenate([[0], np.cumsum(mated)])
    below_other = np.concatenate([[0], np.cumsum(~mated)])
    right = below_other + (below_mated[-1] - below_mated)
    gaps = np.concatenate([[True], ranked[1:] > ranked[:-1], [True]])
    gaps[: int(np.isneginf(ranked).sum())] = False
    best = np.flatnonzero(gaps & (right == right[gaps].max()))
    return _between(ranked, int(best[(len(best) - 1) // 2]))


def _between(ranked: NDArray[Any], j: int) -> float:
    """A threshold that splits ascending scores into the j lowest and the rest, in their own precision."""
    if j == len(ranked):
        return just_above(ranked[-1])
    if j == 0 or not np.isfinite(ranked[j - 1]):
        return float(ranked[j])
    middle = ranked[j - 1] + (ranked[j] - ranked[j - 1]) / 2
    return float(middle if middle > ranked[j - 1] else ranked[j])
