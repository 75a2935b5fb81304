"""The WIDER FACE protocol, which is not COCO's: its average precisions do not compare with mAP50.

Yang, Luo, Loy and Tang 2016, "WIDER FACE: A Face Detection Benchmark", and the evaluation code published
with it, whose rules are kept even where they surprise:

- scores are scaled so that those of the whole set span 0 to 1, and cut at 1,000 even steps;
- boxes are counted in whole pixels (a side is ``x2 - x1 + 1``), which lifts the overlap of small ones;
- a detection belongs to the truth it overlaps most, taken or not, if their IoU is 0.5 or more; when that
  truth is outside the level, the detection does not count. A second one on the same truth is wrong;
- detections in a picture without any truth do not count at all;
- average precision is the whole area under the envelope of the curve, not 101 samples of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lineament.errors import InsufficientData
from lineament.scoring import resampling
from lineament.scoring.matching import PictureBoxes
from lineament.scoring.rate import Rate
from lineament.scoring.resampling import RESAMPLES
from lineament.types import Float64

STEPS = 1000
LEVEL_HEIGHTS = {"easy": 50.0, "medium": 30.0, "hard": 10.0}
"""Faces of a level by height in pixels, and taller: an approximation. The published levels are lists, made
by how well a proposal method found the faces; they cannot be had from the boxes."""

_IOU = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class WiderCurve:
    """Precision and recall at each of the 1,000 cuts, loosest last, and the area below."""

    precision: Float64
    recall: Float64
    average_precision: Rate


def evaluate(pictures: Sequence[PictureBoxes], *, resamples: int = RESAMPLES) -> WiderCurve:
    """One level of difficulty: truths outside it are those marked as ignored.

    Raises `InsufficientData` when no truth counts.
    """
    truths = np.array([int(one.counted.sum()) for one in pictures], np.float64)
    if not truths.sum():
        raise InsufficientData("the level holds no truth")
    scores = np.concatenate([one.scores for one in pictures])
    low, high = (float(scores.min()), float(scores.max())) if len(scores) else (0.0, 1.0)
    # (P, steps, 2): detections that count and truths found, down to each cut.
    sums = np.stack([_picture(one, low, high) for one in pictures]).reshape(len(pictures), -1)
    precision, recall = _curve(sums.sum(axis=0), truths.sum())
    drawn = [
        _area(*_curve(total, count))
        for some in resampling.draws(len(pictures), resamples)
        for total, count in zip(some @ sums, some @ truths, strict=True)
        if count
    ]
    value = _area(precision, recall)
    clusters = int((truths > 0).sum())
    rate = resampling.share(
        value, resampling.percentiles(drawn, value, clusters), int(truths.sum()), clusters
    )
    return WiderCurve(precision, recall, rate)


def _picture(one: PictureBoxes, low: float, high: float) -> Float64:
    tally = np.zeros((STEPS, 2))
    if not len(one.truths) or not len(one.boxes):
        return tally
    order = np.argsort(-one.scores, kind="stable")
    spread = high - low
    scores = (one.scores[order] - low) / spread if spread > 0 else np.ones(len(order))
    overlap = _overlaps(one.boxes[order], one.truths)
    nearest = overlap.argmax(axis=1)
    hit = overlap[np.arange(len(order)), nearest] >= _IOU
    counts = np.cumsum(~(hit & ~one.counted[nearest]))
    first = np.zeros(len(order), bool)
    good = np.flatnonzero(hit & one.counted[nearest])
    first[good[np.unique(nearest[good], return_index=True)[1]]] = True
    found = np.cumsum(first)
    cuts = 1 - np.arange(1, STEPS + 1) / STEPS
    kept = np.searchsorted(-scores, -cuts, side="right")
    some = kept > 0
    tally[some, 0] = counts[kept[some] - 1]
    tally[some, 1] = found[kept[some] - 1]
    return tally


def _curve(sums: Float64, truths: float) -> tuple[Float64, Float64]:
    counts, found = sums.reshape(STEPS, 2).T
    precision = np.divide(found, counts, out=np.zeros(STEPS), where=counts > 0)
    return precision, np.asarray(found / truths, np.float64)


def _area(precision: Float64, recall: Float64) -> float:
    across = np.concatenate([[0.0], recall, [1.0]])
    best = np.maximum.accumulate(np.concatenate([[0.0], precision, [0.0]])[::-1])[::-1]
    return float((np.diff(across) * best[1:]).sum())


def _overlaps(boxes: Float64, truths: Float64) -> Float64:
    low = np.maximum(boxes[:, None, :2], truths[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], truths[None, :, 2:])
    common = np.clip(high - low + 1, 0, None).prod(axis=2)
    own = (boxes[:, 2:] - boxes[:, :2] + 1).prod(axis=1)
    theirs = (truths[:, 2:] - truths[:, :2] + 1).prod(axis=1)
    return np.asarray(common / (own[:, None] + theirs[None, :] - common), np.float64)
