"""Age in years, by dlib's ResNet-10 age predictor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lineament.attributes._dlib_chip import ChipClassifier
from lineament.registry import attributes
from lineament.types import AttributeScores, Faces, Image

_YEARS = np.array([0.25, *range(1, 81)])
"""What each of the 81 classes stands for; babies under one count as a quarter of a year."""


@dataclass(frozen=True, slots=True)
class AgeConfig:
    """Nothing to set."""


@attributes.register("age", AgeConfig)
class Age:
    """Estimates age as the mean of the class probabilities, in [0.25, 80] years.

    How wrong it is on real faces stands in docs/reference/quality.md.
    """

    names = ("age",)
    classes = tuple(str(year) for year in range(81))

    def __init__(self, config: AgeConfig | None = None) -> None:
        self._network = ChipClassifier("age", len(self.classes))

    def predict(self, images: Sequence[Image], faces: Sequence[Faces]) -> list[dict[str, AttributeScores]]:
        """Years of each face, as floats; raises `NoLandmarks`."""
        return [
            {"age": AttributeScores("age", tuple(float(v) for v in p @ _YEARS), self.classes, p)}
            for p in self._network.probabilities(images, faces)
        ]
