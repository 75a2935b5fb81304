"""Pure NumPy and SciPy metrics: rates, thresholds, intervals. Definitions stand in docs/terms.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineament.lazily import lazily

if TYPE_CHECKING:
    from lineament.scoring.comparisons import Comparisons
    from lineament.scoring.intervals import exact, wilson
    from lineament.scoring.matching import PictureBoxes
    from lineament.scoring.operating_points import OperatingPoint
    from lineament.scoring.paired import Difference
    from lineament.scoring.rate import Rate
    from lineament.scoring.similarity import normalise
    from lineament.scoring.templates import fuse
    from lineament.scoring.thresholds import at_rate
    from lineament.scoring.verification import auc, cross_validated_accuracy, eer, fmr, fnmr

__all__ = [
    "Comparisons",
    "Difference",
    "OperatingPoint",
    "PictureBoxes",
    "Rate",
    "at_rate",
    "auc",
    "cross_validated_accuracy",
    "eer",
    "exact",
    "fmr",
    "fnmr",
    "fuse",
    "normalise",
    "wilson",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "lineament.scoring.comparisons": ("Comparisons",),
        "lineament.scoring.intervals": ("exact", "wilson"),
        "lineament.scoring.matching": ("PictureBoxes",),
        "lineament.scoring.operating_points": ("OperatingPoint",),
        "lineament.scoring.paired": ("Difference",),
        "lineament.scoring.rate": ("Rate",),
        "lineament.scoring.similarity": ("normalise",),
        "lineament.scoring.templates": ("fuse",),
        "lineament.scoring.thresholds": ("at_rate",),
        "lineament.scoring.verification": ("auc", "cross_validated_accuracy", "eer", "fmr", "fnmr"),
    },
)
