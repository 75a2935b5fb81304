"""Landmarks for detectors that give none: YuNet is asked for the points inside each box."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from lineament.detectors._wrapping import create_base, warp
from lineament.detectors.yunet import YuNet, YuNetConfig
from lineament.errors import ConfigError
from lineament.geometry.alignment import apply, invert
from lineament.geometry.boxes import iou
from lineament.protocols import Detector
from lineament.registry import detectors
from lineament.types import Attempt, Faces, Float32, Float64, Image, UInt8

_SIDE = 160
"""Pixels to which a face's surroundings are resized: YuNet is surest with faces of about 100."""

_CONTEXT = 1.6
"""Side of the surroundings in longer sides of the box."""

_LEAST_IOU = 0.3
"""YuNet's box and the given one are the same face from here on."""

MEAN_FACE = np.array(
    [[0.318, 0.395], [0.693, 0.394], [0.507, 0.605], [0.353, 0.788], [0.661, 0.787]], np.float32
)
"""Where the points lie on average in a frontal box, as shares of its sides (Haar's boxes on LFW)."""


@dataclass(frozen=True, slots=True)
class LandmarkedConfig:
    """Settings: the spec of the detector that gives boxes, and the least score of YuNet's answer."""

    base: str = "haar"
    score: float = 0.3
    precision: Literal["exact", "fast"] = "exact"

    def __post_init__(self) -> None:
        if not 0 < self.score < 1:
            raise ConfigError("landmarked: score lies between 0 and 1")


@detectors.register("landmarked", LandmarkedConfig)
class Landmarked:
    """Gives the faces of another detector landmarks.

    No face is dropped. One whose points YuNet does not find gets those of the mean face placed in its box,
    and its attempt's name says so: ``..., landmarks estimated``.
    """

    gives_landmarks = True

    def __init__(self, config: LandmarkedConfig | None = None, *, detector: Detector | None = None) -> None:
        self.config = config or LandmarkedConfig()
        precision = self.config.precision
        self.base = detector or create_base("landmarked", self.config.base, precision)
        self._yunet = YuNet(YuNetConfig(score=self.config.score, precision=precision))

    def detect(self, images: Sequence[Image]) -> list[Faces]:
        """Faces of each picture with landmarks; boxes, scores and order are the base detector's."""
        return [self._mark(i, f) for i, f in zip(images, self.base.detect(images), strict=True)]

    def _mark(self, image: Image, faces: Faces) -> Faces:
        if faces.landmarks is not None:
            return faces
        attempts = list(faces.attempts or (Attempt(),) * len(faces))
        landmarks = np.zeros((len(faces), 5, 2), np.float32)
        for i, box in enumerate(faces.boxes):
            found = self._points(image, box, attempts[i].rotation_deg)
            if found is None:
                found = _estimated(box, attempts[i].rotation_deg)
                a = attempts[i]
                attempts[i] = Attempt(
                    a.index, f"{a.name}, landmarks estimated", a.rotation_deg, a.padding, a.scale
                )
            landmarks[i] = found
        return faces.with_columns(landmarks=landmarks, attempts=tuple(attempts))

    def _points(self, image: Image, box: Float32, angle_deg: float) -> Float32 | None:
        """YuNet's landmarks ``(5, 2)`` of the face in a box, or None."""
        to_patch = _patch(box, angle_deg)
        patch = _cut(image, box, to_patch)
        found = self._yunet.detect([Image(patch)])[0]
        half = (box[2:] - box[:2]) * np.float32(_scale(box) / 2)
        if round(angle_deg / 90) % 2:
            half = half[::-1]
        wanted = np.concatenate([_SIDE / 2 - half, _SIDE / 2 + half]).astype(np.float32)
        same = np.flatnonzero(iou(wanted[None], found.boxes)[0] >= _LEAST_IOU)
        if not len(same) or found.landmarks is None:
            return None
        return apply(invert(to_patch), found.landmarks[same[0]])


def landmarked(detector: Detector, *, precision: Literal["exact", "fast"] = "exact") -> Detector:
    """The detector itself if it gives landmarks, else wrapped so that it does."""
    if detector.gives_landmarks:
        return detector
    return Landmarked(LandmarkedConfig(precision=precision), detector=detector)


def _scale(box: Float32) -> float:
    return float(_SIDE / (_CONTEXT * max(1.0, *(box[2:] - box[:2]))))


def _patch(box: Float32, angle_deg: float) -> Float64:
    """The map that puts a box's centre into the patch's, turned counter-clockwise by the angle."""
    c, s = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    linear = np.array([[c, s], [-s, c]]) * _scale(box)
    middle = np.asarray(box[:2] + box[2:], np.float64) / 2
    return np.concatenate([linear, (_SIDE / 2 - linear @ middle)[:, None]], axis=1)


def _cut(image: Image, box: Float32, to_patch: Float64) -> UInt8:
    """The patch, warped from the box's surroundings only: the picture may be huge."""
    w, h = image.size_wh
    reach = _SIDE / _scale(box)
    middle = (box[:2] + box[2:]) / 2
    x0, y0 = (int(v) for v in np.clip(np.floor(middle - reach), 0, [w - 1, h - 1]))
    x1, y1 = (int(v) for v in np.clip(np.ceil(middle + reach), [x0 + 1, y0 + 1], [w, h]))
    moved = to_patch.copy()
    moved[:, 2] += to_patch[:, :2] @ np.array([x0, y0])
    return warp(image.pixels[y0:y1, x0:x1], moved, (_SIDE, _SIDE))


def _estimated(box: Float32, angle_deg: float) -> Float32:
    """The mean face's landmarks in a box that was found upright after turning by the angle."""
    size = box[2:] - box[:2]
    upright = (MEAN_FACE - 0.5) * size
    c, s = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    back = np.array([[c, -s], [s, c]])
    return np.asarray(upright @ back.T + (box[:2] + box[2:]) / 2, np.float32)
