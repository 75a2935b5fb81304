"""Face datasets: collect, import, extract, clean, review, balance, split, augment, audit.

Every step reads a manifest and writes the next one (`lineament.io.manifest`), so that each face can be
followed from its source to the split it ended in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineament.lazily import lazily

if TYPE_CHECKING:
    from lineament.datasets.balance import Plan as BalancePlan
    from lineament.datasets.balance import balance as balance_dataset
    from lineament.datasets.clean import CleanSettings
    from lineament.datasets.clean import clean as clean_dataset
    from lineament.datasets.exporting import export_labels
    from lineament.datasets.extract import extract as extract_faces
    from lineament.datasets.extract_photo import ExtractSettings
    from lineament.datasets.importing import import_labels
    from lineament.datasets.linking import linked
    from lineament.datasets.opening import from_people, open_dataset
    from lineament.datasets.review import open_review
    from lineament.datasets.splits import Plan as SplitPlan
    from lineament.datasets.splits import parse_shares, split

__all__ = [
    "BalancePlan",
    "CleanSettings",
    "ExtractSettings",
    "SplitPlan",
    "balance_dataset",
    "clean_dataset",
    "export_labels",
    "extract_faces",
    "from_people",
    "import_labels",
    "linked",
    "open_dataset",
    "open_review",
    "parse_shares",
    "split",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "lineament.datasets.balance": ("Plan as BalancePlan", "balance as balance_dataset"),
        "lineament.datasets.clean": ("CleanSettings", "clean as clean_dataset"),
        "lineament.datasets.exporting": ("export_labels",),
        "lineament.datasets.extract": ("extract as extract_faces",),
        "lineament.datasets.extract_photo": ("ExtractSettings",),
        "lineament.datasets.importing": ("import_labels",),
        "lineament.datasets.linking": ("linked",),
        "lineament.datasets.opening": ("from_people", "open_dataset"),
        "lineament.datasets.review": ("open_review",),
        "lineament.datasets.splits": ("Plan as SplitPlan", "parse_shares", "split"),
    },
)
