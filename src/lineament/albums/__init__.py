"""Albums: photos of people nobody named yet, grouped by person, corrected and named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineament.lazily import lazily

if TYPE_CHECKING:
    from lineament.albums.album import Added, Album
    from lineament.albums.arranging import Arranged
    from lineament.albums.naming import enrol as enrol_cluster
    from lineament.albums.page import render as render_album
    from lineament.albums.records import (
        AlbumDecision,
        AlbumFace,
        Cluster,
        Photo,
        Proposal,
        Reference,
        references,
    )

__all__ = [
    "Added",
    "Album",
    "AlbumDecision",
    "AlbumFace",
    "Arranged",
    "Cluster",
    "Photo",
    "Proposal",
    "Reference",
    "enrol_cluster",
    "references",
    "render_album",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "lineament.albums.album": ("Added", "Album"),
        "lineament.albums.arranging": ("Arranged",),
        "lineament.albums.naming": ("enrol as enrol_cluster",),
        "lineament.albums.page": ("render as render_album",),
        "lineament.albums.records": (
            "AlbumDecision",
            "AlbumFace",
            "Cluster",
            "Photo",
            "Proposal",
            "Reference",
            "references",
        ),
    },
)
