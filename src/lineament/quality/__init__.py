"""Capture quality of a face."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineament.lazily import lazily

if TYPE_CHECKING:
    from lineament.quality.pixels import exposure, sharpness
    from lineament.quality.pose import head_pose, mean_face
    from lineament.quality.score import assess

__all__ = [
    "assess",
    "exposure",
    "head_pose",
    "mean_face",
    "sharpness",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "lineament.quality.pixels": ("exposure", "sharpness"),
        "lineament.quality.pose": ("head_pose", "mean_face"),
        "lineament.quality.score": ("assess",),
    },
)
