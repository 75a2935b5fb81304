"""1:1 metrics from mated and non-mated scores (ISO/IEC 19795-1).

FMR(t) is the share of non-mated scores >= t, FNMR(t) the share of mated scores < t. A failure to acquire
has the score -inf: a non-match at every threshold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineament.errors import InsufficientData, InvalidArray
from lineament.scoring.thresholds import as_scores, most_accurate
from lineament.types import Float64


def _both(mated: Any, nonmated: Any) -> tuple[Float64, Float64]:
    g = as_scores("mated scores", mated).astype(np.float64)
    i = as_scores("non-mated scores", nonmated).astype(np.float64)
    if not len(g) or not len(i):
        raise InsufficientData(
            f"error rates need mated and non-mated comparisons, you have {len(g)} and {len(i)}"
        )
    return g, i


def fmr(nonmated: Any, threshold: float) -> float:
    """Share of non-mated scores that match."""
    return float(np.mean(as_scores("non-mated scores", nonmated).astype(np.float64) >= threshold))


def fnmr(mated: Any, threshold: float) -> float:
    """Share of mated scores that do not match."""
    return float(np.mean(as_scores("mated scores", mated).astype(np.float64) < threshold))


@dataclass(frozen=True, slots=True, eq=False)
class Roc:
    """Every operating point, strictest first: all float64 ``(K,)``.

    ``thresholds`` starts at +inf (nothing matches) and runs down through the distinct finite scores.
    A DET curve is the same points drawn as FNMR over FMR.
    """

    thresholds: Float64
    fmr: Float64
    fnmr: Float64

    @property
    def tmr(self) -> Float64:
        """True match rate, 1 - FNMR."""
        return 1 - self.fnmr


def roc(mated: Any, nonmated: Any) -> Roc:
    """The receiver operating characteristic with no point left out."""
    g, i = _both(mated, nonmated)
    scores = np.concatenate([g, i])
    thresholds = np.concatenate([[np.inf], np.unique(scores[np.isfinite(scores)])[::-1]])
    g.sort()
    i.sort()
    return Roc(
        thresholds=thresholds,
        fmr=(len(i) - np.searchsorted(i, thresholds, "left")) / len(i),
        fnmr=np.searchsorted(g, thresholds, "left") / len(g),
    )


def auc(mated: Any, nonmated: Any) -> float:
    """Probability that a mated score is above a non-mated one, ties counting one half.

    Equals the area under the ROC with straight lines between its points, taken on to (1, 1).
    """
    g, i = _both(mated, nonmated)
    i.sort()
    below = np.searchsorted(i, g, "left")
    up_to = np.searchsorted(i, g, "right")
    return float((int(below.sum()) + int(up_to.sum())) / (2 * len(g) * len(i)))


def eer(mated: Any, nonmated: Any) -> float:
    """Equal error rate: where straight lines between neighbouring operating points cross FMR = FNMR."""
    curve = roc(mated, nonmated)
    found = crossing(np.append(curve.fmr, 1.0), np.append(curve.fnmr, 0.0))
    assert found is not None  # the point (1, 0) was added
    return found


def crossing(fmr: Float64, fnmr: Float64) -> float | None:
    """Where a curve of operating points, strictest first, meets FMR = FNMR; None if it ends before."""
    difference = fmr - fnmr  # rises from -1 to 1
    j = int(np.argmax(difference >= 0))
    if difference[j] < 0:
        return None
    if j == 0:
        return float(fmr[0])
    before, after = difference[j - 1], difference[j]
    share = -before / (after - before)
    return float(fmr[j - 1] + share * (fmr[j] - fmr[j - 1]))


@dataclass(frozen=True, slots=True)
class FoldAccuracy:
    """Accuracy on one fold at the threshold chosen on the others."""

    fold: int
    threshold: float
    accuracy: float
    pairs: int


@dataclass(frozen=True, slots=True, eq=False)
class Accuracy:
    """Mean accuracy over folds with its standard error, std (ddof 1) / sqrt(folds).

    ``wrong`` ``(n,)`` marks the comparisons decided wrongly on their own fold.
    """

    mean: float
    standard_error: float
    folds: tuple[FoldAccuracy, ...]
    wrong: NDArray[np.bool_]


def cross_validated_accuracy(
    scores: Any, same: NDArray[np.bool_], folds: NDArray[Any], failed: NDArray[np.bool_]
) -> Accuracy:
    """LFW's View 2 protocol for any number of folds; all ``(n,)``.

    On each fold the threshold that is most accurate on all the others (`most_accurate`) decides. A
    comparison with a failure to acquire (``failed``) is an error whichever its label. Raises
    `InsufficientData` with fewer than two folds.
    """
    values = as_scores("scores", scores).astype(np.float64)
    if not len(values) == len(same) == len(folds) == len(failed):
        raise InvalidArray("scores, labels, folds and failures: different numbers of comparisons")
    numbers = np.unique(folds)
    if len(numbers) < 2:
        raise InsufficientData(
            f"accuracy needs 2 folds or more (the threshold comes from the others), you have {len(numbers)}"
        )
    results = []
    wrong = np.zeros(len(values), bool)
    for number in numbers:
        held = folds == number
        usable = ~held & ~failed
        threshold = most_accurate(values[usable], same[usable])
        right = ((values[held] >= threshold) == same[held]) & ~failed[held]
        wrong[held] = ~right
        results.append(FoldAccuracy(int(number), threshold, float(right.mean()), int(held.sum())))
    rates = np.array([r.accuracy for r in results])
    error = float(rates.std(ddof=1) / np.sqrt(len(rates)))
    return Accuracy(float(rates.mean()), error, tuple(results), wrong)
