"""What a detector found beside what is there, and its figures: by class, with intervals over pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lineament.detectors.yolo import decode
from lineament.errors import InsufficientData
from lineament.geometry import boxes as box_geometry
from lineament.kinds import CLASS
from lineament.scoring import detection, detection_rates
from lineament.scoring.matching import Matches, PictureBoxes, match
from lineament.shown import shown
from lineament.training.data import Batch
from lineament.training.detection.scenes import Scene, placement_of
from lineament.types import Faces

LEAST_SCORE = 0.005
"""Of a detection that average precision considers: a cut at 0.25 would leave out half the curve."""
MOST = 1000
"""Detections considered a picture; faces come by the hundred."""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """One scene and its detections, in the same pixels; ``kinds`` ``(N,)`` are numbers of classes."""

    scene: Scene
    faces: Faces
    kinds: NDArray[np.intp]

    __repr__ = shown


def collect(
    decoded: torch.Tensor, batch: Batch, scenes: Sequence[Scene], classes: Sequence[str], nms: float
) -> list[Found]:
    """Detections of each picture of a batch, in the pixels of its scene."""
    found = []
    answers, places = decoded.float().cpu().numpy(), batch.targets["place"].cpu().numpy()
    for answer, place, index in zip(answers, places, batch.index.tolist(), strict=True):
        placement, size_wh = placement_of(place)
        faces = decode(answer, classes, placement, size_wh, score=LEAST_SCORE, nms_iou=nms, top_k=MOST)
        kinds = np.zeros(len(faces), np.intp)
        if len(classes) > 1:
            kinds = np.array([classes.index(str(v)) for v in faces.attributes[CLASS].values], np.intp)
        found.append(Found(scenes[index], faces, kinds))
    return found


def matches_of(found: Sequence[Found], kind: int | None = None) -> Matches:
    """Detections against truths, of one class or, with None, of all as if they were one."""
    pictures = []
    for one in found:
        mine = slice(None) if kind is None else one.scene.labels == kind
        theirs = slice(None) if kind is None else one.kinds == kind
        pictures.append(
            PictureBoxes(
                truths=np.asarray(one.scene.boxes[mine], np.float64),
                boxes=np.asarray(one.faces.boxes[theirs], np.float64),
                scores=np.asarray(one.faces.scores[theirs], np.float64),
                ignored=one.scene.ignored[mine],
            )
        )
    return match(pictures)


def monitored(found: Sequence[Found], classes: Sequence[str]) -> dict[str, float]:
    """mAP50 and mAP50-95, means over the classes that have truths; 0 without any."""
    values = []
    for kind in range(len(classes)):
        matches = matches_of(found, kind)
        if matches.truths:
            values.append(detection.average_precisions(matches))
    if not values:
        return {"map50": 0.0, "map50_95": 0.0}
    mean = np.mean(values, axis=0)
    return {"map50": float(mean[0]), "map50_95": float(mean.mean())}


def summary(found: Sequence[Found], classes: Sequence[str], score: float) -> dict[str, Any]:
    """Means over classes, and each class with intervals; ``any_class`` takes all boxes as one class."""
    result: dict[str, Any] = {"score": score, **monitored(found, classes)}
    by_class: dict[str, Any] = {}
    for kind, name in enumerate(classes):
        by_class[name] = _rates(matches_of(found, kind), score)
    result["classes"] = by_class
    if len(classes) > 1:
        result["any_class"] = _rates(matches_of(found), score)
    result["pictures_measured"] = len(found)
    result["truths"] = int(sum((~one.scene.ignored).sum() for one in found))
    result["ignored"] = int(sum(one.scene.ignored.sum() for one in found))
    return result


def _rates(matches: Matches, score: float) -> detection_rates.DetectionRates | None:
    try:
        return detection_rates.rates(matches, score)
    except InsufficientData:
        return None


def overlaps(one: Found, score: float) -> NDArray[np.bool_]:
    """Which detections at or above a score lie on a truth, IoU at least 0.5."""
    kept = one.faces.scores >= score
    if not len(one.scene.boxes):
        return np.zeros(int(kept.sum()), bool)
    return np.asarray(box_geometry.iou(one.faces.boxes[kept], one.scene.boxes).max(axis=1) >= 0.5)
