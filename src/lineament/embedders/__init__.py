"""Embedders, one input contract a file; create them by name with `lineament.registry.embedders`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineament.lazily import lazily

if TYPE_CHECKING:
    from lineament.embedders.combined import Combined, CombinedConfig
    from lineament.embedders.reidentification0095 import Reidentification0095, Reidentification0095Config
    from lineament.embedders.sface import SFace, SFaceConfig
    from lineament.embedders.trained import Trained, TrainedConfig

__all__ = [
    "Combined",
    "CombinedConfig",
    "Reidentification0095",
    "Reidentification0095Config",
    "SFace",
    "SFaceConfig",
    "Trained",
    "TrainedConfig",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "lineament.embedders.combined": ("Combined", "CombinedConfig"),
        "lineament.embedders.reidentification0095": (
            "Reidentification0095",
            "Reidentification0095Config",
        ),
        "lineament.embedders.sface": ("SFace", "SFaceConfig"),
        "lineament.embedders.trained": ("Trained", "TrainedConfig"),
    },
)
