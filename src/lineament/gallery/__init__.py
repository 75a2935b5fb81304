"""Galleries: enrol, verify, identify, correct and erase people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineament.lazily import lazily

if TYPE_CHECKING:
    from lineament.gallery.answers import Identified, SubjectRecords
    from lineament.gallery.enrolment import Allow, EnrolOutcome
    from lineament.gallery.erasing import Alike, Receipt, Trace
    from lineament.gallery.gallery import Gallery
    from lineament.settings import FaceAnalyzer

__all__ = [
    "Alike",
    "Allow",
    "EnrolOutcome",
    "FaceAnalyzer",
    "Gallery",
    "Identified",
    "Receipt",
    "SubjectRecords",
    "Trace",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "lineament.gallery.answers": ("Identified", "SubjectRecords"),
        "lineament.gallery.enrolment": ("Allow", "EnrolOutcome"),
        "lineament.gallery.erasing": ("Alike", "Receipt", "Trace"),
        "lineament.settings": ("FaceAnalyzer",),
        "lineament.gallery.gallery": ("Gallery",),
    },
)
