"""Where masks lie in a video at each moment: before, within and after the tracks of its faces."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lineament.types import Float32, Track

_SPEED_S = 0.2
"""The speed at the end of a track is measured over so many seconds."""


class Plan:
    """The masks of tracks ``hold_s`` seconds beyond their ends; boxes are those of faces, not yet dilated.

    Between two moments at which a face was found its box moves on a straight line. Before the first and
    after the last it is stretched from where the face was found to where it would be at the same speed.
    """

    def __init__(self, tracks: Sequence[Track], hold_s: float) -> None:
        self.tracks = tuple(tracks)
        self._hold_s = hold_s
        self._from = np.array([track.from_s for track in self.tracks]) - hold_s
        self._to = np.array([track.to_s for track in self.tracks]) + hold_s

    def boxes_at(self, seconds: float) -> Float32:
        """The boxes ``(N, 4)`` to mask at a moment."""
        boxes = [_box_at(self.tracks[i], seconds) for i in self._there(seconds)]
        return np.stack(boxes) if boxes else np.zeros((0, 4), np.float32)

    def gap_at(self, seconds: float) -> float:
        """For how long a face was not found that is masked at a moment within its track; 0 without one."""
        longest = 0.0
        for i in self._there(seconds):
            track = self.tracks[i]
            if track.from_s < seconds < track.to_s:
                after = int(np.searchsorted(track.times, seconds))
                if track.times[after] != seconds:
                    longest = max(longest, float(track.times[after] - track.times[after - 1]))
        return longest

    def held_at(self, seconds: float) -> bool:
        """Whether a mask lies there only because one is held before and after a track."""
        return any(
            not self.tracks[i].from_s <= seconds <= self.tracks[i].to_s for i in self._there(seconds)
        )

    def _there(self, seconds: float) -> list[int]:
        if not self.tracks:
            return []
        return [int(i) for i in np.flatnonzero((self._from <= seconds) & (seconds <= self._to))]


def _box_at(track: Track, seconds: float) -> Float32:
    inside = float(np.clip(seconds, track.from_s, track.to_s))
    box = track.box_at(inside)
    assert box is not None
    if inside == seconds:
        return box
    inwards = inside + (_SPEED_S if seconds < inside else -_SPEED_S)
    other = float(np.clip(inwards, track.from_s, track.to_s))
    if other == inside:
        return box
    before = track.box_at(other)
    assert before is not None
    moved = (box[:2] + box[2:] - before[:2] - before[2:]) / 2 * (seconds - inside) / (inside - other)
    # Never further than its own size: a speed measured on a few boxes may be wrong.
    size = box[2:] - box[:2]
    shift = np.clip(moved, -size, size)
    shifted = box + np.concatenate([shift, shift])
    return np.concatenate([np.minimum(box[:2], shifted[:2]), np.maximum(box[2:], shifted[2:])]).astype(
        np.float32
    )
