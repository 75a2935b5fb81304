"""The mean of the detector's points and another landmarker's: their errors are different ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from lineament.errors import ConfigError
from lineament.geometry.landmarks import roll
from lineament.io.inputs import found_in
from lineament.protocols import Landmarker
from lineament.registry import landmarkers
from lineament.types import Faces, Image


@dataclass(frozen=True, slots=True)
class MeanConfig:
    """``base`` is the landmarker whose points are averaged with the detector's.

    Where it sees a face tilted by more than ``alone_deg``, its points are taken alone: detectors hardly see
    a tilt.
    """

    base: str = "regression0009"
    alone_deg: float = 20.0

    def __post_init__(self) -> None:
        if not 0 <= self.alone_deg <= 180:
            raise ConfigError("mean: alone_deg lies from 0 to 180")


@landmarkers.register("mean", MeanConfig)
class Mean:
    """Averages the detector's landmarks with those of another landmarker."""

    def __init__(self, config: MeanConfig | None = None, *, landmarker: Landmarker | None = None) -> None:
        self.config = config or MeanConfig()
        if landmarker is None:
            if self.config.base.partition(":")[0] == "mean":
                raise ConfigError("mean: cannot average itself")
            landmarker = landmarkers.create(self.config.base)
        self.base = landmarker
        self.name = f"mean:{landmarker.name}"

    def refine(self, images: Sequence[Image], faces: Sequence[Faces]) -> list[Faces]:
        """The faces of each picture with averaged points; what else the other saw stays."""
        return [
            self._averaged(seen, found)
            for seen, found in zip(found_in(faces), self.base.refine(images, faces), strict=True)
        ]

    def _averaged(self, seen: Faces, found: Faces) -> Faces:
        if seen.landmarks is None or found.landmarks is None:
            return found
        tilted = np.abs(roll(found.landmarks)) > math.radians(self.config.alone_deg)
        middle = (seen.landmarks + found.landmarks) / 2
        said = found.refinements
        return found.with_columns(
            landmarks=np.where(tilted[:, None, None], found.landmarks, middle),
            refinements=None if said is None else tuple(replace(one, by=self.name) for one in said),
        )
