"""Watching videos: who appears in a file, a stream or before a camera, from when to when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineament.lazily import lazily

if TYPE_CHECKING:
    from lineament.watching.appearances import Appearance, WatchCounts
    from lineament.watching.sources import VideoSource, watchable
    from lineament.watching.watch import Seen, Watch, WatchSettings
    from lineament.watching.watched import Watched

__all__ = [
    "Appearance",
    "Seen",
    "VideoSource",
    "Watch",
    "WatchCounts",
    "WatchSettings",
    "Watched",
    "watchable",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "lineament.watching.appearances": ("Appearance", "WatchCounts"),
        "lineament.watching.sources": ("VideoSource", "watchable"),
        "lineament.watching.watch": ("Seen", "Watch", "WatchSettings"),
        "lineament.watching.watched": ("Watched",),
    },
)
