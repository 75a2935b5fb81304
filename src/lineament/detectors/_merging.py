"""How what the views of a picture show becomes one list of faces.

docs/reference/detectors.md has the measurements behind the numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lineament.detectors._views import LARGE_FACE, SEEN, SMALLEST_FACE, View, ViewSettings
from lineament.geometry.boxes import area, intersection, iou, nms
from lineament.shown import shown
from lineament.types import Faces, Float32

WITHIN = 0.05
"""Share of a box that lies within a larger one from which it may be a part of that face (an ear, a jaw)."""

SAME_BOX_IOU = 0.5
"""Boxes that overlap the best of a face at least so much are averaged with it, where boxes are."""

_LARGER = 1.25
_SAME_FACE_IOU = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Candidates: boxes ``(K, 4)``, scores ``(K,)``, landmarks ``(K, 5, 2)``."""

    boxes: Float32
    scores: Float32
    landmarks: Float32

    __repr__ = shown


def joined(parts: Sequence[Found]) -> Found:
    """All candidates of several findings, in order."""
    return Found(
        boxes=np.concatenate([p.boxes for p in parts]),
        scores=np.concatenate([p.scores for p in parts]),
        landmarks=np.concatenate([p.landmarks for p in parts]),
    )


def to_picture(found: Found, view: View) -> Found:
    """Findings of a view in the picture's pixels, without the faces that a tile's inner edge cuts.

    A face smaller than the overlap lies whole in some tile, and a larger one is found in the shrunk
    picture, so a box that reaches over an inner edge is never the only one of its face.
    """
    left, top, right, bottom = view.edges
    scale = np.array(view.scale_xy, np.float32)
    b = found.boxes / np.tile(scale, 2)
    whole = ~(
        (left & (b[:, 0] <= 0))
        | (top & (b[:, 1] <= 0))
        | (right & (b[:, 2] >= view.width))
        | (bottom & (b[:, 3] >= view.height))
    )
    longer = (b[:, 2:] - b[:, :2]).max(axis=1, initial=0)
    whole &= (longer > view.least) & (longer <= view.most) & (found.scores >= view.score)
    shift = np.array([view.x, view.y], np.float32)
    return Found(
        boxes=(b[whole] + np.tile(shift, 2)).astype(np.float32),
        scores=found.scores[whole],
        landmarks=(found.landmarks[whole] / scale + shift).astype(np.float32),
    )


def merge(
    parts: Sequence[Found],
    settings: ViewSettings,
    *,
    opencv: bool = False,
    shrunk: Sequence[tuple[float, Found]] = (),
    too_large: float = LARGE_FACE,
) -> Faces:
    """One list of faces from the findings of all views, best first.

    ``opencv`` compares boxes with corner and size cut to whole pixels, as OpenCV's suppression does.
    ``shrunk`` are the scale of each shrunk view and all that it found, which tell faces longer than
    ``too_large`` pixels from parts of them.
    """
    found = joined(parts)
    best = np.argsort(-found.scores, kind="stable")[: settings.top_k]
    boxes, scores, landmarks = found.boxes[best], found.scores[best], found.landmarks[best]
    compared = boxes
    if opencv:
        corner, size = np.trunc(boxes[:, :2]), np.trunc(boxes[:, 2:] - boxes[:, :2])
        compared = np.concatenate([corner, corner + size], axis=1).astype(np.float32)
    kept = nms(compared, scores, settings.nms)
    if settings.average:
        alike = np.where(iou(boxes[kept], boxes) >= SAME_BOX_IOU, scores, 0)
        view = np.repeat(np.arange(len(parts)), [len(p.scores) for p in parts])[best]
        boxes[kept] = _shares(alike) @ boxes
        # Points of a shrunk view are coarser: of another view than the best one's they made SFace worse.
        alike[view[kept][:, None] != view] = 0
        landmarks[kept] = np.tensordot(_shares(alike), landmarks, axes=1)
    kept = kept[~parts_of_others(boxes[kept], shrunk, too_large)]
    return Faces(boxes=boxes[kept], scores=scores[kept], landmarks=landmarks[kept])


def _shares(weights: Float32) -> Float32:
    """Weights ``(K, N)``, in each row as shares of 1."""
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


def parts_of_others(
    boxes: Float32, shrunk: Sequence[tuple[float, Found]], too_large: float = LARGE_FACE
) -> NDArray[np.bool_]:
    """Which boxes ``(N, 4)``, best first, are parts of surer ones longer than ``too_large``: ``(N,)``.

    A box is one when some shrunk view that shows the larger face would show it too, by its size, and none
    does. So a face on a poster or a child held before the chest stays.
    """
    longer = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0)
    gone = np.zeros(len(boxes), bool)
    # Without the many boxes around each face, some of which fit a part of it better than the whole.
    looks = [(scale, _faces_seen(found)) for scale, found in shrunk]
    for i in np.flatnonzero(longer > too_large) if looks else ():
        after = np.arange(len(boxes)) > i
        inside = intersection(boxes, boxes[i : i + 1])[:, 0] >= WITHIN * area(boxes)
        doubtful = np.flatnonzero(after & inside & (longer[i] > _LARGER * longer) & ~gone)
        if gone[i] or not len(doubtful):
            continue
        unseen, seen = np.zeros(len(doubtful), bool), np.zeros(len(doubtful), bool)
        for scale, found in looks:
            with_larger = iou(found, boxes[i : i + 1])
            if not (with_larger >= _SAME_FACE_IOU).any():
                continue
            overlap = iou(found, boxes[doubtful])
            shown = ((overlap >= _SAME_FACE_IOU) & (overlap > with_larger)).any(axis=0)
            seen |= shown
            unseen |= ~shown & (longer[doubtful] * scale >= SMALLEST_FACE)
        gone[doubtful[unseen & ~seen]] = True
    return gone


def _faces_seen(found: Found) -> Float32:
    """The boxes ``(K, 4)`` that bear a face out, one a face."""
    sure = found.scores >= SEEN
    boxes, scores = found.boxes[sure], found.scores[sure]
    return boxes[nms(boxes, scores, _SAME_FACE_IOU)]
