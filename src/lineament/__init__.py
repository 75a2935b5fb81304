"""lineament: from raw photos to recognised people, with numbers one can trust.

The names below are imported when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lineament.analyzer import Analyzer, central_face
    from lineament.errors import LineamentError
    from lineament.gallery.gallery import Gallery
    from lineament.io.images import load
    from lineament.io.manifest import Manifest, ManifestRow
    from lineament.registry import attributes, detectors, embedders
    from lineament.stores import open_store
    from lineament.types import (
        Candidate,
        Decision,
        Embedding,
        Face,
        Faces,
        Image,
        Interval,
        Match,
        ModelId,
        Outcome,
        Quality,
        Status,
        Threshold,
        Verification,
    )

__version__ = "0.1.0.dev0"

_HOMES = {
    "lineament.analyzer": ("Analyzer", "central_face"),
    "lineament.errors": ("LineamentError",),
    "lineament.gallery.gallery": ("Gallery",),
    "lineament.io.images": ("load",),
    "lineament.io.manifest": ("Manifest", "ManifestRow"),
    "lineament.registry": ("attributes", "detectors", "embedders"),
    "lineament.stores": ("open_store",),
    "lineament.types": (
        "Candidate",
        "Decision",
        "Embedding",
        "Face",
        "Faces",
        "Image",
        "Interval",
        "Match",
        "ModelId",
        "Outcome",
        "Quality",
        "Status",
        "Threshold",
        "Verification",
    ),
}

__all__ = [
    "Analyzer",
    "Candidate",
    "Decision",
    "Embedding",
    "Face",
    "Faces",
    "Gallery",
    "Image",
    "Interval",
    "LineamentError",
    "Manifest",
    "ManifestRow",
    "Match",
    "ModelId",
    "Outcome",
    "Quality",
    "Status",
    "Threshold",
    "Verification",
    "attributes",
    "central_face",
    "detectors",
    "embedders",
    "load",
    "open_store",
]


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(home), name)
    raise AttributeError(f"module 'lineament' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
