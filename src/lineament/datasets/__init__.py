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
    from lineament.datasets.cleaning.clean import CleanSettings
    from lineament.datasets.cleaning.clean import clean as clean_dataset
    from lineament.datasets.cleaning.linking import linked
    from lineament.datasets.exporting import export_labels
    from lineament.datasets.extraction.extract import extract as extract_faces
    from lineament.datasets.extraction.extract_photo import ExtractSettings
    from lineament.datasets.importing.labels import import_labels
    from lineament.datasets.opening import from_people, open_dataset
    from lineament.datasets.reviewing.review import open_review
    from lineament.datasets.splitting.splits import Plan as SplitPlan
    from lineament.datasets.splitting.splits import parse_shares, split

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
        "lineament.datasets.cleaning.clean": ("CleanSettings", "clean as clean_dataset"),
        "lineament.datasets.exporting": ("export_labels",),
        "lineament.datasets.extraction.extract": ("extract as extract_faces",),
        "lineament.datasets.extraction.extract_photo": ("ExtractSettings",),
        "lineament.datasets.importing.labels": ("import_labels",),
        "lineament.datasets.cleaning.linking": ("linked",),
        "lineament.datasets.opening": ("from_people", "open_dataset"),
        "lineament.datasets.reviewing.review": ("open_review",),
        "lineament.datasets.splitting.splits": ("Plan as SplitPlan", "parse_shares", "split"),
    },
)
