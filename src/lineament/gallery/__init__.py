"""Galleries: enrol, verify, identify, correct and erase people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineament.lazily import lazily

if TYPE_CHECKING:
    from lineament.gallery.enrolment import Allow, EnrolOutcome
    from lineament.gallery.gallery import FaceAnalyzer, Gallery, Identified, SubjectRecords

__all__ = [
    "Allow",
    "EnrolOutcome",
    "FaceAnalyzer",
    "Gallery",
    "Identified",
    "SubjectRecords",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "lineament.gallery.enrolment": ("Allow", "EnrolOutcome"),
        "lineament.gallery.gallery": ("FaceAnalyzer", "Gallery", "Identified", "SubjectRecords"),
    },
)
