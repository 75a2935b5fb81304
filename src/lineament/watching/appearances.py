"""What is told of a watched video: who appeared from when to when, and how the watching went."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lineament.counting import quantity
from lineament.gallery.tracks import Naming
from lineament.shown import shown
from lineament.types import Float32, Threshold, Track

COLUMNS = (
    *("source", "track", "subject", "from_s", "to_s", "frames", "looks", "similarity", "probability"),
    *("best_s", "quality", "x1", "y1", "x2", "y2"),
)
"""Of a table of appearances."""


@dataclass(frozen=True, slots=True, eq=False)
class Appearance:
    """One track that is over, and who it is of.

    ``best_s`` is when the face was seen best, ``box`` ``(4,)`` where it was then, in pixels of the upright
    frame, and ``quality`` how well.
    """

    source: str
    track: Track
    naming: Naming
    best_s: float
    box: Float32
    quality: float | None = None

    __repr__ = shown

    @property
    def subject(self) -> str | None:
        """The person of the gallery, None for somebody unknown."""
        return self.naming.subject

    def to_json(self) -> dict[str, Any]:
        """Plain numbers; times in seconds. ``similarity`` is the nearest candidate's, a match or not."""
        return {
            "source": self.source,
            "track": self.track.number,
            "subject": self.subject,
            "from_s": round(self.track.from_s, 3),
            "to_s": round(self.track.to_s, 3),
            "frames": len(self.track),
            "looks": self.track.looks,
            "similarity": _rounded(self.naming.similarity, 4),
            "probability": _rounded(self.naming.probability, 4),
            "best_s": round(self.best_s, 3),
            "quality": _rounded(self.quality, 3),
            "box": [round(float(edge), 1) for edge in self.box],
        }

    def row(self) -> tuple[object, ...]:
        """One value for each of `COLUMNS`."""
        values = self.to_json()
        return (*(values[name] for name in COLUMNS[:-4]), *values["box"])


@dataclass(slots=True)
class WatchCounts:
    """How the watching of one video went; times in seconds.

    ``frames`` were decoded, ``searched`` of them looked through for faces, ``dropped`` came live while we
    were busy. ``looks`` are faces that were embedded. Tracks found too seldom to be told are ``glimpses``.
    ``search_ms`` are the median and the 95th percentile of one search, ``seconds`` of the video's own time.
    """

    frames: int = 0
    searched: int = 0
    dropped: int = 0
    faces: int = 0
    looks: int = 0
    cuts: int = 0
    tracks: int = 0
    named: int = 0
    glimpses: int = 0
    reconnects: int = 0
    stride: int = 1
    seconds: float = 0.0
    search_ms: tuple[float, float] | None = None
    threshold: Threshold | None = None

    def add(self, appearance: Appearance) -> None:
        """One more appearance."""
        self.tracks += 1
        if appearance.naming.match is not None:
            self.threshold = appearance.naming.match.threshold
        if appearance.subject is not None:
            self.named += 1

    def to_json(self) -> dict[str, Any]:
        """Plain numbers and the threshold's provenance."""
        return {
            "frames": self.frames,
            "searched": self.searched,
            "stride": self.stride,
            "dropped": self.dropped,
            "faces": self.faces,
            "looks": self.looks,
            "cuts": self.cuts,
            "tracks": self.tracks,
            "named": self.named,
            "glimpses": self.glimpses,
            "reconnects": self.reconnects,
            "seconds": round(self.seconds, 3),
            "search_ms": None if self.search_ms is None else [round(ms, 1) for ms in self.search_ms],
            "threshold": None if self.threshold is None else self.threshold.to_json(),
        }

    def __str__(self) -> str:
        parts = [
            f"{quantity(self.frames, 'frame')} of {self.seconds:.1f} s, {self.searched:,} searched",
            f"{quantity(self.tracks, 'track')}, {self.named:,} named",
        ]
        parts += [f"{quantity(self.cuts, 'cut')}"] if self.cuts else []
        parts += [f"{quantity(self.glimpses, 'glimpse')} left out"] if self.glimpses else []
        parts += [f"{quantity(self.dropped, 'live frame')} dropped"] if self.dropped else []
        parts += [f"connected again {self.reconnects:,} times"] if self.reconnects else []
        return "; ".join(parts)


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
