"""Gender as it appears in the photo, two classes, by dlib's gender classifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lineament.attributes._dlib_chip import ChipClassifier
from lineament.registry import attributes
from lineament.types import AttributeScores, Faces, Image


@dataclass(frozen=True, slots=True)
class GenderConfig:
    """Nothing to set."""


@attributes.register("gender", GenderConfig)
class Gender:
    """Guesses ``female`` or ``male``; an appearance, not an identity.

    How often it is wrong, and on whom, stands in docs/reference/quality.md.
    """

    names = ("gender",)
    classes = ("female", "male")

    def __init__(self, config: GenderConfig | None = None) -> None:
        self._network = ChipClassifier("gender", len(self.classes))

    def predict(self, images: Sequence[Image], faces: Sequence[Faces]) -> list[dict[str, AttributeScores]]:
        """The likelier class of each face, the first where both are equal; raises `NoLandmarks`."""
        return [
            {
                "gender": AttributeScores(
                    "gender", tuple(self.classes[i] for i in p.argmax(1)), self.classes, p
                )
            }
            for p in self._network.probabilities(images, faces)
        ]
