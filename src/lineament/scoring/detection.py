"""Detection metrics by COCO's definitions, as plain numbers; `detection_rates` gives them intervals.

Average precision is the mean, over 101 recall levels, of the best precision at that recall or beyond.
Detections of equal score rank in the order of the pictures, as in pycocotools.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lineament.errors import InsufficientData, InvalidArray
from lineament.scoring.matching import Mask, Matches
from lineament.types import Float64

RECALL_LEVELS: Float64 = np.linspace(0, 1, 101)


def average_precisions(matches: Matches) -> Float64:
    """Average precision at each IoU threshold, ``(K,)``; raises `InsufficientData` without truths."""
    truths = _truths(matches)
    return np.array(
        [average_precision(r, w, truths) for r, w in zip(matches.right, matches.wrong, strict=True)]
    )


def mean_average_precision(matches: Matches) -> float:
    """The mean of `average_precisions`: mAP50-95 at COCO's thresholds, mAP50 at IoU 0.5 alone."""
    return float(average_precisions(matches).mean())


def average_precision(right: Mask, wrong: Mask, truths: float) -> float:
    """Average precision of ranked detections, best first, both ``(N,)``, of so many truths."""
    hits = np.flatnonzero(right)
    found = np.arange(1, len(hits) + 1, dtype=np.float64)
    false = np.cumsum(wrong)[hits] if len(hits) else np.zeros(0)
    return at_recall_levels(found / truths, found / (found + false))


def at_recall_levels(recall: Float64, precision: Float64) -> float:
    """Mean over 101 levels of the best precision at that recall or more; recall ascends, both ``(N,)``."""
    if not len(recall):
        return 0.0
    best = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
    return float(best[np.searchsorted(recall, RECALL_LEVELS, side="left")].mean())


@dataclass(frozen=True, slots=True)
class Counts:
    """Detections that are right and wrong, and truths that are missed."""

    right: int
    wrong: int
    missed: int

    @property
    def precision(self) -> float:
        """Share of detections that are right; NaN without detections."""
        return _share(self.right, self.right + self.wrong)

    @property
    def recall(self) -> float:
        """Share of truths that are found; NaN without truths."""
        return _share(self.right, self.right + self.missed)

    @property
    def f1(self) -> float:
        """Harmonic mean of both; NaN with neither detections nor truths."""
        return _share(2 * self.right, 2 * self.right + self.wrong + self.missed)


def counts_at(matches: Matches, score: float, level: int = 0) -> Counts:
    """What detections at or above ``score`` do at IoU threshold number ``level``."""
    kept = matches.scores >= score
    right = int((matches.right[level] & kept).sum())
    return Counts(right, int((matches.wrong[level] & kept).sum()), matches.truths - right)


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Every place one may cut the ranked detections at, strictest first: all float64 ``(C,)``.

    Cutting at ``scores[i]`` keeps what scores that or more; ``false_positives`` are over the whole set.
    """

    scores: Float64
    precision: Float64
    recall: Float64
    f1: Float64
    false_positives: Float64

    @property
    def best(self) -> int:
        """Where F1 is highest, the strictest of equals.

        Chosen on the very data it is quoted for, so that F1 flatters: choose on other pictures.
        """
        if not len(self.scores):
            raise InsufficientData("without detections no score is best")
        return int(np.argmax(self.f1))


def curve(matches: Matches, level: int = 0) -> Curve:
    """Precision, recall, F1 and false positives by score, at IoU threshold number ``level``.

    Recall over false positives is the discrete ROC of FDDB (Jain and Learned-Miller 2010), with COCO's
    matching. Detections that are neither right nor wrong move no point.
    """
    truths = _truths(matches)
    right, wrong = np.cumsum(matches.right[level]), np.cumsum(matches.wrong[level])
    last = np.append(np.diff(matches.scores) < 0, True)[: len(right)]
    last &= right + wrong > 0
    found, false = right[last].astype(np.float64), wrong[last].astype(np.float64)
    return Curve(
        scores=matches.scores[last],
        precision=found / (found + false),
        recall=found / truths,
        f1=2 * found / (found + false + truths),
        false_positives=false,
    )


def level_of(matches: Matches, iou: float) -> int:
    """The number of an IoU threshold among those matched at."""
    near = np.flatnonzero(np.isclose(matches.thresholds, iou))
    if not len(near):
        raise InvalidArray(f"not matched at IoU {iou:g}")
    return int(near[0])


def _truths(matches: Matches) -> int:
    if not matches.truths:
        raise InsufficientData("detection metrics need truths that count, you have 0")
    return matches.truths


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
