"""lineament: from raw photos to recognised people, with numbers one can trust.

The names below are imported when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineament.lazily import lazily

if TYPE_CHECKING:
    from lineament.analyzer import Analyzer, central_face
    from lineament.errors import LineamentError
    from lineament.gallery.gallery import Gallery
    from lineament.io.images import load
    from lineament.io.manifest import Manifest
    from lineament.stores import open_store
    from lineament.types import Decision, Face, Faces, Image, Outcome, Status, Threshold, Verification

__version__ = "0.1.0.dev0"

__all__ = [
    "Analyzer",
    "Decision",
    "Face",
    "Faces",
    "Gallery",
    "Image",
    "LineamentError",
    "Manifest",
    "Outcome",
    "Status",
    "Threshold",
    "Verification",
    "central_face",
    "load",
    "open_store",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "lineament.analyzer": ("Analyzer", "central_face"),
        "lineament.errors": ("LineamentError",),
        "lineament.gallery.gallery": ("Gallery",),
        "lineament.io.images": ("load",),
        "lineament.io.manifest": ("Manifest",),
        "lineament.stores": ("open_store",),
        "lineament.types": (
            "Decision",
            "Face",
            "Faces",
            "Image",
            "Outcome",
            "Status",
            "Threshold",
            "Verification",
        ),
    },
)
