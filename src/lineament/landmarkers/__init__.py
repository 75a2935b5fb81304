"""Landmarkers place a found face's points anew; create them with `lineament.registry.landmarkers`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineament.lazily import lazily

if TYPE_CHECKING:
    from lineament.landmarkers.mean import Mean, MeanConfig
    from lineament.landmarkers.mesh import Mesh, MeshConfig
    from lineament.landmarkers.regression0009 import Regression0009, Regression0009Config

__all__ = [
    "Mean",
    "MeanConfig",
    "Mesh",
    "MeshConfig",
    "Regression0009",
    "Regression0009Config",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "lineament.landmarkers.mean": ("Mean", "MeanConfig"),
        "lineament.landmarkers.mesh": ("Mesh", "MeshConfig"),
        "lineament.landmarkers.regression0009": ("Regression0009", "Regression0009Config"),
    },
)
