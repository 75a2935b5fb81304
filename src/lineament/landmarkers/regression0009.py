"""Intel's landmarks-regression-retail-0009 (Open Model Zoo): five points from a view of 48 pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lineament.geometry.landmarks import interocular_distance
from lineament.io import assets, catalog
from lineament.io.onnx import open_session
from lineament.landmarkers._refining import Given, Placed, refined
from lineament.landmarkers._views import around
from lineament.registry import landmarkers
from lineament.types import Faces, Image

_SIZE = 48
_BATCH = 32
_NARROWEST = 0.1
"""Share of the box's longer side below which the eyes are too near each other for a face."""


@dataclass(frozen=True, slots=True)
class Regression0009Config:
    """Nothing to set."""


@landmarkers.register("regression0009", Regression0009Config)
class Regression0009:
    """Places five points in the square of the box; it follows a tilt that YuNet's points do not show.

    It does not tell how sure it is. Safe to call from several threads.
    """

    name = "regression0009"

    def __init__(self, config: Regression0009Config | None = None) -> None:
        self.config = config or Regression0009Config()
        weights, graph = (assets.fetch(file) for file in catalog.card("regression0009").files)
        self._session = open_session(weights, graph=graph, pinned=True)

    def refine(self, images: Sequence[Image], faces: Sequence[Faces]) -> list[Faces]:
        """The faces of each picture with its points; raises `NoLandmarks`."""
        return refined(images, faces, self.name, self._place)

    def _place(self, given: Given) -> Placed:
        points = np.zeros_like(given.landmarks)
        views = [around(pixels, box, 1.0) for pixels, box in zip(given.pixels, given.boxes, strict=True)]
        for start in range(0, len(views), _BATCH):
            batch = views[start : start + _BATCH]
            # Blue first.
            cuts = np.stack([view.cut(_SIZE)[..., ::-1] for view in batch]).transpose(0, 3, 1, 2)
            (answer,) = self._session.run({self._session.input_names[0]: cuts.astype(np.float32)}).values()
            for row, (view, shares) in enumerate(zip(batch, answer.reshape(-1, 5, 2), strict=True), start):
                points[row] = view.to_picture(shares)
        sides = (given.boxes[:, 2:] - given.boxes[:, :2]).max(axis=1, initial=0)
        used = np.isfinite(points).all(axis=(1, 2)) & (interocular_distance(points) >= _NARROWEST * sides)
        return Placed(points, used)
