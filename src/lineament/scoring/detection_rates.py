"""Detection metrics with intervals: pictures are the clusters, because faces of one picture are alike.

Precision, recall and F1 have the clustered exact interval; average precision is resampled over pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineament.errors import InsufficientData
from lineament.scoring import proportions, resampling
from lineament.scoring.detection import at_recall_levels, average_precisions, level_of
from lineament.scoring.matching import Mask, Matches
from lineament.scoring.rate import Rate
from lineament.scoring.resampling import RESAMPLES
from lineament.types import Float64


@dataclass(frozen=True, slots=True)
class DetectionRates:
    """The figures of a detector on one set: ``precision``, ``recall`` and ``f1`` at ``score`` and IoU 0.5.

    ``precision`` is None when nothing was detected. ``n`` is the number of truths of the average precisions
    and of the recall, and of detections of the precision.
    """

    map50: Rate
    map50_95: Rate
    precision: Rate | None
    recall: Rate
    f1: Rate
    score: float

    def to_json(self) -> dict[str, Any]:
        """Each rate as ``{"value", "low", "high", "n"}``."""
        return {
            "map50": self.map50.to_json(),
            "map50_95": self.map50_95.to_json(),
            "precision": None if self.precision is None else self.precision.to_json(),
            "recall": self.recall.to_json(),
            "f1": self.f1.to_json(),
            "score": self.score,
        }


def rates(matches: Matches, score: float, *, resamples: int = RESAMPLES) -> DetectionRates:
    """Every figure at COCO's ten IoUs; raises `InsufficientData` without truths that count."""
    level = level_of(matches, 0.5)
    map50, map50_95 = precisions_over(matches, [[level], list(range(len(matches.thresholds)))], resamples)
    right, wrong, truths = by_picture(matches, score, level)
    detected = right + wrong
    return DetectionRates(
        map50=map50,
        map50_95=map50_95,
        precision=proportions.of_counts(right, detected) if detected.any() else None,
        recall=proportions.of_counts(right, truths),
        f1=proportions.f1_of_counts(right, wrong, truths - right),
        score=score,
    )


def by_picture(
    matches: Matches, score: float, level: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Right and wrong detections at or above ``score``, and truths, of each picture: each ``(P,)``."""
    kept = matches.scores >= score

    def count(where: NDArray[np.intp]) -> NDArray[np.int64]:
        return np.bincount(where, minlength=matches.pictures)

    return (
        count(matches.picture[matches.right[level] & kept]),
        count(matches.picture[matches.wrong[level] & kept]),
        count(matches.truth_picture[matches.counted]),
    )


def recall_of(matches: Matches, chosen: Mask, score: float, level: int = 0) -> Rate | None:
    """Recall among the ``chosen`` truths ``(T,)`` that count; None when there are none."""
    among = chosen & matches.counted
    if not among.any():
        return None
    found = matches.found_at[level, among] >= score
    return proportions.of_flags(found, matches.truth_picture[among])


def precisions_over(matches: Matches, groups: list[list[int]], resamples: int = RESAMPLES) -> list[Rate]:
    """Mean average precision over each group of IoU thresholds, all from the same resamples."""
    values = average_precisions(matches)
    clusters = matches.pictures_with_truths
    drawn = np.concatenate(
        [_resampled(matches, some) for some in resampling.draws(matches.pictures, resamples)]
    )
    drawn = drawn[np.isfinite(drawn).all(axis=1)]
    if not len(drawn):
        raise InsufficientData("no resample of the pictures held a truth")
    found = []
    for group in groups:
        value = float(values[group].mean())
        interval = resampling.percentiles(drawn[:, group].mean(axis=1), value, clusters)
        found.append(resampling.share(value, interval, matches.truths, clusters))
    return found


def _resampled(matches: Matches, draws: Float64) -> Float64:
    """Average precision ``(R, K)`` of resamples that draw each picture so often, ``(R, P)``."""
    truths = draws @ np.bincount(matches.truth_picture[matches.counted], minlength=matches.pictures)
    found = np.full((len(draws), len(matches.thresholds)), np.nan)
    hits = [np.flatnonzero(right) for right in matches.right]
    misses = [np.flatnonzero(wrong) for wrong in matches.wrong]
    # How many wrong detections stand before each right one, to look their weights' sum up.
    before = [np.searchsorted(miss, hit) for miss, hit in zip(misses, hits, strict=True)]
    for row, times in enumerate(draws):
        if truths[row] == 0:
            continue
        weight = times[matches.picture]
        for k, (hit, miss, ahead) in enumerate(zip(hits, misses, before, strict=True)):
            found[row, k] = _weighted_precision(weight[hit], weight[miss], ahead, truths[row])
    return found


def _weighted_precision(right: Float64, wrong: Float64, ahead: NDArray[np.intp], truths: float) -> float:
    if not len(right):
        return 0.0
    found = np.cumsum(right)
    false = np.concatenate([[0.0], np.cumsum(wrong)])[ahead]
    total = found + false
    precision = np.divide(found, total, out=np.zeros_like(found), where=total > 0)
    return at_recall_levels(found / truths, precision)
