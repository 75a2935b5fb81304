"""Faces followed through a video."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lineament.errors import InvalidArray
from lineament.shown import shown
from lineament.types.arrays import Float32, Float64, require_float32
from lineament.types.embeddings import Embedding


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """One face followed through a video, from where it was first found to where it was last.

    ``times`` float64 ``(N,)``, rising, in seconds, are the moments it was found at, ``boxes`` float32
    ``(N, 4)`` xyxy where. ``embedding`` fuses its ``looks``, each weighed by its quality; None without any.
    """

    number: int
    times: Float64
    boxes: Float32
    embedding: Embedding | None = None
    looks: int = 0

    __repr__ = shown

    def __post_init__(self) -> None:
        times = np.asarray(self.times, np.float64)
        if times.ndim != 1 or not len(times) or not (np.diff(times) > 0).all():
            raise InvalidArray("track: times are one or more, rising")
        object.__setattr__(self, "times", times)
        object.__setattr__(self, "boxes", require_float32("boxes", self.boxes, (len(times), 4)))

    def __len__(self) -> int:
        return len(self.times)

    @property
    def from_s(self) -> float:
        """When it was found first, in seconds."""
        return float(self.times[0])

    @property
    def to_s(self) -> float:
        """When it was found last, in seconds."""
        return float(self.times[-1])

    def box_at(self, seconds: float, *, beyond_s: float = 0.0) -> Float32 | None:
        """Where the face is at a moment: ``(4,)``, on a straight line between the boxes found around it.

        For ``beyond_s`` seconds before the first and after the last box it is that box; further off, None.
        """
        if not self.from_s - beyond_s <= seconds <= self.to_s + beyond_s:
            return None
        edges = [np.interp(seconds, self.times, self.boxes[:, edge]) for edge in range(4)]
        return np.array(edges, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Tracks:
    """What a tracker says of the faces of one frame.

    ``numbers`` holds the track of each face; ``ended`` the tracks that are over.
    """

    numbers: tuple[int, ...]
    ended: tuple[Track, ...] = ()

    __repr__ = shown
