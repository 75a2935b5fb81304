"""Anonymising photos and videos: everybody's face masked, or all but the named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineament.lazily import lazily

if TYPE_CHECKING:
    from lineament.anonymizing.films import MaskedFilm, mask_film
    from lineament.anonymizing.keeping import Keeping
    from lineament.anonymizing.masking import MaskSettings, Method, masked
    from lineament.anonymizing.photos import MaskedPhoto, mask_photo
    from lineament.anonymizing.planning import Plan
    from lineament.anonymizing.reviewing import Review

__all__ = [
    "Keeping",
    "MaskSettings",
    "MaskedFilm",
    "MaskedPhoto",
    "Method",
    "Plan",
    "Review",
    "mask_film",
    "mask_photo",
    "masked",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "lineament.anonymizing.films": ("MaskedFilm", "mask_film"),
        "lineament.anonymizing.keeping": ("Keeping",),
        "lineament.anonymizing.masking": ("MaskSettings", "Method", "masked"),
        "lineament.anonymizing.photos": ("MaskedPhoto", "mask_photo"),
        "lineament.anonymizing.planning": ("Plan",),
        "lineament.anonymizing.reviewing": ("Review",),
    },
)
