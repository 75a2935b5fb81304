"""Augmentation: changed copies of training pictures whose boxes and landmarks follow exactly.

A `Pipeline` is made of steps (`geometric`, `photometric`, `inside`); `materialise` writes copies to disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineament.lazily import lazily

if TYPE_CHECKING:
    from lineament.datasets.augment.geometric import Crop, Flip, Rotate, Zoom
    from lineament.datasets.augment.inside import Inside
    from lineament.datasets.augment.materialise import materialise as write_copies
    from lineament.datasets.augment.photometric import Blur, Brightness, Contrast, Gamma, Noise, Normalise
    from lineament.datasets.augment.pipeline import Pipeline, parse
    from lineament.datasets.augment.view import View

__all__ = [
    "Blur",
    "Brightness",
    "Contrast",
    "Crop",
    "Flip",
    "Gamma",
    "Inside",
    "Noise",
    "Normalise",
    "Pipeline",
    "Rotate",
    "View",
    "Zoom",
    "parse",
    "write_copies",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "lineament.datasets.augment.geometric": ("Crop", "Flip", "Rotate", "Zoom"),
        "lineament.datasets.augment.inside": ("Inside",),
        "lineament.datasets.augment.materialise": ("materialise as write_copies",),
        "lineament.datasets.augment.photometric": (
            "Blur",
            "Brightness",
            "Contrast",
            "Gamma",
            "Noise",
            "Normalise",
        ),
        "lineament.datasets.augment.pipeline": ("Pipeline", "parse"),
        "lineament.datasets.augment.view": ("View",),
    },
)
