"""Landmarks of tilted faces, from a second look with the face upright.

YuNet finds faces at any angle but was trained on few tilted ones: it places their points almost upright
(at 30 degrees of tilt its eye line shows 9, benchmarks/rotation.py). So a found face is cut out, turned
until its eye line is level, and its points are taken there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from lineament.detectors._wrapping import warp
from lineament.geometry.alignment import apply, invert
from lineament.geometry.boxes import center
from lineament.geometry.landmarks import roll
from lineament.geometry.placing import place
from lineament.geometry.rotation import centered_boxes
from lineament.protocols import Detector
from lineament.shown import shown
from lineament.types import Float32, Float64, Image, UInt8

PATCH = 160
"""Pixels to which a face's surroundings are resized: the networks are surest with faces of about 100."""

CONTEXT = 1.6
"""Side of the surroundings in longer sides of the box."""

SAME_FACE_IOU = 0.3
"""A box of the patch is the given face from here on."""

SURE = 0.9
"""YuNet gives upright faces more than this (5th percentile on LFW 0.91), those at 60 degrees less."""

LEVEL_DEG = 0.75
"""A shown tilt that is not worth another look."""

SMALLEST_LEVELLED = 20
"""Longer side in pixels below which points are too coarse to tell a tilt."""


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """A face as seen with its surroundings turned counter-clockwise by ``angle_deg``.

    Box ``(4,)`` and landmarks ``(5, 2)`` are in the picture's pixels; ``shown_deg`` is the clockwise tilt
    that the landmarks still show in the patch.
    """

    angle_deg: float
    box: Float32
    score: float
    landmarks: Float32
    shown_deg: float

    __repr__ = shown


def look(detector: Detector, image: Image, box: Float32, angle_deg: float, *, lying: bool) -> Look | None:
    """Ask a detector for the face in ``box`` with its surroundings turned; None if it sees none there.

    ``lying`` says that the given box is turned on its side against the patch.
    """
    to_patch = _to_patch(box, angle_deg)
    found = detector.detect([Image(_cut(image, box, to_patch))])[0]
    if not len(found) or found.landmarks is None:
        return None
    half = (box[2:] - box[:2]) * np.float32(_scale(box) / 2)
    half = half[::-1] if lying else half
    wanted = np.concatenate([PATCH / 2 - half, PATCH / 2 + half]).astype(np.float32)
    first = place(wanted[None], found.boxes, SAME_FACE_IOU).face
    if first[0] < 0:
        return None
    back = invert(to_patch)
    return Look(
        angle_deg=angle_deg,
        box=boxes_upright_in_turned(found.boxes[first], back, angle_deg)[0],
        score=float(found.scores[first[0]]),
        landmarks=apply(back, found.landmarks[first[0]]),
        shown_deg=math.degrees(float(roll(found.landmarks[first[0]]))),
    )


def level(detector: Detector, image: Image, box: Float32, angle_deg: float = 0.0) -> Look | None:
    """The face in ``box``, found with the picture turned by ``angle_deg``, seen as upright as can be.

    The first look and its neighbours compete by score, and all eighths of a turn where that leaves doubt.
    Then the angle follows the tilt that the points show, by the secant rule, as they show too little of it.
    """
    if max(box[2:] - box[:2]) < SMALLEST_LEVELLED:
        return None
    lying = round(angle_deg / 90) % 2 == 1

    def at(angle: float) -> Look | None:
        turned = round((angle - angle_deg) / 90) % 2 == 1
        return look(detector, image, box, angle, lying=lying != turned)

    best = max(filter(None, (at(angle_deg + k) for k in (0, 30, -30))), key=_score, default=None)
    if best is None or best.score < SURE:
        eighths = filter(None, (at(angle_deg + 45 * k) for k in (1, -1, 2, -2, 3, -3, 4)))
        best = max(filter(None, (best, *eighths)), key=_score, default=None)
    if best is None:
        return None
    before, step = best, best.shown_deg
    for _ in range(4):
        if abs(before.shown_deg) < LEVEL_DEG:
            break
        seen = at(before.angle_deg + min(30.0, max(-30.0, step)))
        if seen is None or seen.score < best.score - 0.03:
            break
        gain = (before.shown_deg - seen.shown_deg) / (seen.angle_deg - before.angle_deg)
        step = seen.shown_deg / min(1.0, max(0.25, gain))
        if abs(seen.shown_deg) <= abs(best.shown_deg):
            best = seen
        before = seen
    return best


def boxes_upright_in_turned(boxes: Float32, back: Float64, angle_deg: float) -> Float32:
    """Boxes found in a picture turned by the angle, in the original: a face on its side is a wide box."""
    boxes = centered_boxes(boxes, back)
    if round(angle_deg / 90) % 2:
        half = (boxes[:, 2:] - boxes[:, :2])[:, ::-1] / 2
        return np.concatenate([center(boxes) - half, center(boxes) + half], axis=1).astype(np.float32)
    return boxes


def _score(seen: Look) -> float:
    return seen.score


def _scale(box: Float32) -> float:
    return float(PATCH / (CONTEXT * max(1.0, *(box[2:] - box[:2]))))


def _to_patch(box: Float32, angle_deg: float) -> Float64:
    """The map that puts a box's centre into the patch's, turned counter-clockwise by the angle."""
    c, s = math.cos(math.radians(angle_deg)), math.sin(math.radians(angle_deg))
    linear = np.array([[c, s], [-s, c]]) * _scale(box)
    middle = np.asarray(box[:2] + box[2:], np.float64) / 2
    return np.concatenate([linear, (PATCH / 2 - linear @ middle)[:, None]], axis=1)


def _cut(image: Image, box: Float32, to_patch: Float64) -> UInt8:
    """The patch, warped from the box's surroundings only: the picture may be huge."""
    w, h = image.size_wh
    reach = PATCH / _scale(box)
    middle = (box[:2] + box[2:]) / 2
    x0, y0 = (int(v) for v in np.clip(np.floor(middle - reach), 0, [w - 1, h - 1]))
    x1, y1 = (int(v) for v in np.clip(np.ceil(middle + reach), [x0 + 1, y0 + 1], [w, h]))
    moved = to_patch.copy()
    moved[:, 2] += to_patch[:, :2] @ np.array([x0, y0])
    return warp(image.pixels[y0:y1, x0:x1], moved, (PATCH, PATCH))
