"""Haar cascades (Viola and Jones 2001; Lienhart and Maydt 2002), as trained and shipped with OpenCV.

The oldest method here: no download, no landmarks, upright frontal faces only.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from lineament.errors import ConfigError
from lineament.io.inputs import pictures
from lineament.io.opencv import import_cv2
from lineament.registry import detectors
from lineament.types import Faces, Image

if TYPE_CHECKING:
    from cv2 import CascadeClassifier

_MIDDLE = {"alt2": 55.2, "alt": 106.9, "default": 2.0}
_SLOPE = {"alt2": 2.0, "alt": 3.0, "default": 0.6}


@dataclass(frozen=True, slots=True)
class HaarConfig:
    """Settings.

    ``cascade`` is OpenCV's ``haarcascade_frontalface_<cascade>.xml``. The window grows by ``step`` from
    ``min_size`` pixels; a face needs ``neighbours`` agreeing windows and ``score``.
    """

    cascade: Literal["alt2", "alt", "default"] = "alt2"
    score: float = 0.1
    step: float = 1.1
    neighbours: int = 3
    min_size: int = 24

    def __post_init__(self) -> None:
        if not 0 <= self.score < 1 or self.step <= 1 or self.neighbours < 1 or self.min_size < 20:
            raise ConfigError(
                "0 <= score < 1, step is above 1, neighbours at least 1, min_size at least 20"
            )


@detectors.register("haar", HaarConfig)
class Haar:
    """Finds upright frontal faces, without landmarks. Safe to call from several threads.

    The score is the sum of the last stage's votes through a logistic curve placed so that 0.5 parts most
    faces of LFW from most false detections there. It orders detections; it is not a probability.
    """

    gives_landmarks = False

    def __init__(self, config: HaarConfig | None = None) -> None:
        self.config = config or HaarConfig()
        self.score = self.config.score
        self._local = threading.local()
        import_cv2()  # here, and not first in the threads that it is handed to

    def __reduce__(self) -> tuple[object, ...]:
        return Haar, (self.config,)  # the classifiers of the threads are made anew

    def detect(self, images: Sequence[Image]) -> list[Faces]:
        """Faces of each picture, best first: square boxes within the picture."""
        return [self._detect(image) for image in pictures(images)]

    def _detect(self, image: Image) -> Faces:
        import cv2

        c = self.config
        if min(image.hw) < c.min_size:
            return Faces.none(landmarks=False)
        grey = cv2.cvtColor(image.pixels, cv2.COLOR_RGB2GRAY)
        found, _, stage_votes = self._cascade().detectMultiScale3(
            grey,
            scaleFactor=c.step,
            minNeighbors=c.neighbours,
            minSize=(c.min_size, c.min_size),
            outputRejectLevels=True,
        )
        if len(found) == 0:
            return Faces.none(landmarks=False)
        votes = np.asarray(stage_votes, np.float64).ravel()
        scores = 1 / (1 + np.exp(-_SLOPE[c.cascade] * (votes - _MIDDLE[c.cascade])))
        boxes = np.asarray(found, np.float32).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        # OpenCV's order depends on its thread pool; position settles ties.
        order = np.lexsort((boxes[:, 2], boxes[:, 1], boxes[:, 0], -scores))
        order = order[scores[order] >= c.score]
        return Faces(boxes=boxes[order], scores=scores[order].astype(np.float32))

    def _cascade(self) -> CascadeClassifier:
        """This thread's classifier: one may not be shared between threads."""
        cascade: CascadeClassifier | None = getattr(self._local, "cascade", None)
        if cascade is None:
            cv2 = import_cv2()
            name = f"haarcascade_frontalface_{self.config.cascade}.xml"
            cascade = cv2.CascadeClassifier(str(Path(cv2.data.haarcascades) / name))
            self._local.cascade = cascade
        return cascade
