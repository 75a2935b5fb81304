"""Faces followed through a video: boxes and embeddings become tracks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineament.lazily import lazily

if TYPE_CHECKING:
    from lineament.tracking.association import Similarities
    from lineament.tracking.cuts import Cuts
    from lineament.tracking.tracker import FaceTracker, TrackerSettings

__all__ = ["Cuts", "FaceTracker", "Similarities", "TrackerSettings"]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "lineament.tracking.association": ("Similarities",),
        "lineament.tracking.cuts": ("Cuts",),
        "lineament.tracking.tracker": ("FaceTracker", "TrackerSettings"),
    },
)
