"""The audit: leaks, counts, files, sizes, quality, provenance, and one HTML page that shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineament.lazily import lazily

if TYPE_CHECKING:
    from lineament.datasets.audit.figures import check_files
    from lineament.datasets.audit.flattery import Flattery
    from lineament.datasets.audit.flattery import measure as measure_flattery
    from lineament.datasets.audit.leaks import Leak, find_leaks, split_by_subject
    from lineament.datasets.audit.run import Audit, audit

__all__ = [
    "Audit",
    "Flattery",
    "Leak",
    "audit",
    "check_files",
    "find_leaks",
    "measure_flattery",
    "split_by_subject",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "lineament.datasets.audit.figures": ("check_files",),
        "lineament.datasets.audit.flattery": ("Flattery", "measure as measure_flattery"),
        "lineament.datasets.audit.leaks": ("Leak", "find_leaks", "split_by_subject"),
        "lineament.datasets.audit.run": ("Audit", "audit"),
    },
)
