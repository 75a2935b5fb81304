"""Gathering photos of named people: from sites, open-licence APIs, a camera, videos, folders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineament.lazily import lazily

if TYPE_CHECKING:
    from lineament.datasets.collect.api import open_api
    from lineament.datasets.collect.camera import Sitting
    from lineament.datasets.collect.collection import Collection
    from lineament.datasets.collect.fetching import Fetcher, Policy
    from lineament.datasets.collect.gate import open_gate
    from lineament.datasets.collect.people import Person, read_names
    from lineament.datasets.collect.politeness import Manners
    from lineament.datasets.collect.run import Search, gather
    from lineament.datasets.collect.search_pages import open_page
    from lineament.datasets.collect.width import Width

__all__ = [
    "Collection",
    "Fetcher",
    "Manners",
    "Person",
    "Policy",
    "Search",
    "Sitting",
    "Width",
    "gather",
    "open_api",
    "open_gate",
    "open_page",
    "read_names",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "lineament.datasets.collect.api": ("open_api",),
        "lineament.datasets.collect.camera": ("Sitting",),
        "lineament.datasets.collect.collection": ("Collection",),
        "lineament.datasets.collect.fetching": ("Fetcher", "Policy"),
        "lineament.datasets.collect.gate": ("open_gate",),
        "lineament.datasets.collect.people": ("Person", "read_names"),
        "lineament.datasets.collect.politeness": ("Manners",),
        "lineament.datasets.collect.run": ("Search", "gather"),
        "lineament.datasets.collect.search_pages": ("open_page",),
        "lineament.datasets.collect.width": ("Width",),
    },
)
