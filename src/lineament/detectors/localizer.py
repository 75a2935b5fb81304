"""Localizers trained here: is there a face in the picture, and where. At most one face a picture.

The picture is bent to the square that the network takes, so the whole of it is seen. For portraits,
document photos and a camera with one person before it; where several faces may be, take a detector.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lineament.errors import CardMismatch, ConfigError
from lineament.io.inputs import pictures
from lineament.io.trained import TrainedModel, open_trained
from lineament.kinds import CLASS, tells_class
from lineament.registry import detectors
from lineament.types import AttributeScores, Faces, Float32, Image, UInt8

FACE, BOX = "face", "box"
"""Outputs of the network: one logit ``(N, 1)``, and xyxy as shares of the sides, ``(N, 4)``."""


@dataclass(frozen=True, slots=True)
class LocalizerConfig:
    """``model`` is the run folder; ``score`` the least probability of a face that counts as one."""

    model: str = ""
    score: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.score < 1:
            raise ConfigError("localizer: score lies between 0 and 1")


@detectors.register("localizer", LocalizerConfig)
class Localizer:
    """Finds the face of a picture, if it has one. Safe to call from several threads.

    One that was trained on boxes of another class (heads) says so in the attribute ``class``.
    """

    gives_landmarks = False

    def __init__(
        self, config: LocalizerConfig | None = None, *, trained: TrainedModel | None = None
    ) -> None:
        self.config = config or LocalizerConfig()
        self.score = self.config.score
        if trained is None:
            if not self.config.model:
                raise ConfigError("localizer: name a run folder: localizer:model=FOLDER")
            trained = open_trained(Path(self.config.model), "localizer")
        card = trained.card
        if card.head(FACE).kind != "face" or card.head(BOX).kind != "box" or card.input.size is None:
            raise CardMismatch(f"{card.name}: its card describes no face and box")
        self._trained, self.size = trained, card.input.size
        self.classes = card.head(FACE).classes

    def detect(self, images: Sequence[Image]) -> list[Faces]:
        """The face of each picture, or none; its box ends at the picture's edges."""
        return [self._one(image) for image in pictures(images)]

    def _one(self, image: Image) -> Faces:
        outputs = self._trained.run(bent(image.pixels, self.size)[None])
        score = 1 / (1 + np.exp(-np.clip(outputs[FACE].reshape(-1)[0], -60, 60)))
        box = outputs[BOX].reshape(-1, 4)[0]
        # NaN passes none of these.
        if not score >= self.config.score or not (box[2:] - box[:2] > 1e-4).all():
            return Faces.none(landmarks=False)
        w, h = image.size_wh
        box = np.clip(box, 0, 1) * np.array([w, h, w, h], np.float32)
        if not np.isfinite(box).all() or not (box[2:] > box[:2]).all():
            return Faces.none(landmarks=False)
        attributes = {}
        if self.classes and tells_class(self.classes):
            attributes[CLASS] = AttributeScores(CLASS, self.classes, self.classes, _column([[score]]))
        return Faces(boxes=_column(box[None]), scores=_column([score]), attributes=attributes)


def _column(values: object) -> Float32:
    return np.asarray(values, np.float32)


def bent(pixels: UInt8, size: int) -> UInt8:
    """The picture as a square of ``size`` pixels, its sides bent, as in training."""
    import cv2

    h, w = pixels.shape[:2]
    if (w, h) == (size, size):
        return pixels
    how = cv2.INTER_AREA if w > size or h > size else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, (size, size), interpolation=how), np.uint8)
