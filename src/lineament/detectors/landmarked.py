"""Landmarks for detectors that give none: YuNet is asked for the points inside each box."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lineament.detectors._levelling import level
from lineament.detectors._wrapping import create_base
from lineament.detectors.yunet import YuNet, YuNetConfig
from lineament.errors import ConfigError
from lineament.io.inputs import pictures
from lineament.protocols import Detector
from lineament.registry import detectors
from lineament.types import Attempt, Faces, Float32, Image

MEAN_FACE = np.array(
    [[0.307, 0.390], [0.695, 0.387], [0.502, 0.608], [0.344, 0.781], [0.674, 0.778]], np.float32
)
"""Where the points lie on average in a frontal box, as shares of its sides (Haar's boxes on LFW)."""


@dataclass(frozen=True, slots=True)
class LandmarkedConfig:
    """Settings: the spec of the detector that gives boxes, and the least score of YuNet's answer."""

    base: str = "haar"
    score: float = 0.3

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
        self.base = detector or create_base("landmarked", self.config.base)
        self.score: float | None = getattr(self.base, "score", None)
        self._yunet = YuNet(YuNetConfig(score=self.config.score))

    def detect(self, images: Sequence[Image]) -> list[Faces]:
        """Faces of each picture with landmarks; boxes, scores and order are the base detector's."""
        images = pictures(images)
        return [self._mark(i, f) for i, f in zip(images, self.base.detect(images), strict=True)]

    def _mark(self, image: Image, faces: Faces) -> Faces:
        if faces.landmarks is not None:
            return faces
        attempts = list(faces.attempts or (Attempt(),) * len(faces))
        landmarks = np.zeros((len(faces), 5, 2), np.float32)
        for i, box in enumerate(faces.boxes):
            seen = level(self._yunet, image, box, attempts[i].rotation_deg)
            if seen is None:
                landmarks[i] = _estimated(box, attempts[i].rotation_deg)
                attempts[i] = replace(attempts[i], name=f"{attempts[i].name}, landmarks estimated")
            else:
                landmarks[i] = seen.landmarks
        return faces.with_columns(landmarks=landmarks, attempts=tuple(attempts))


def landmarked(detector: Detector) -> Detector:
    """The detector itself if it gives landmarks, else wrapped so that it does."""
    if detector.gives_landmarks:
        return detector
    return Landmarked(LandmarkedConfig(), detector=detector)


def _estimated(box: Float32, angle_deg: float) -> Float32:
    """The mean face's landmarks in a box that was found upright after turning by the angle."""
    size = box[2:] - box[:2]
    upright = (MEAN_FACE - 0.5) * (size[::-1] if round(angle_deg / 90) % 2 else size)
    c, s = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    back = np.array([[c, -s], [s, c]])
    return np.asarray(upright @ back.T + (box[:2] + box[2:]) / 2, np.float32)
