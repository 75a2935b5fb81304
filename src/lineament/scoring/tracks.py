"""How well tracks keep identities apart: IDF1 (Ristani et al. 2016) and identity switches (CLEAR MOT)."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np

from lineament.types import Float32

LEAST_IOU = 0.5
"""Overlap from which a box of a track covers a true one."""


@dataclass(slots=True)
class IdentityScores:
    """Counts over the frames of one video or several; `add` takes one frame after the other.

    A video's identities are its own: give those of several videos different names.
    """

    truths: int = 0
    found: int = 0
    covered: int = 0
    switches: int = 0
    _shared: dict[tuple[Hashable, Hashable], int] = field(default_factory=dict)
    _last: dict[Hashable, Hashable] = field(default_factory=dict)

    def add(self, names: Sequence[Hashable], tracks: Sequence[Hashable], overlap: Float32) -> None:
        """One frame: the true ``names`` and the ``tracks``, and the IoU ``(N, M)`` of their boxes."""
        from scipy.optimize import linear_sum_assignment

        self.truths += len(names)
        self.found += len(tracks)
        rows, columns = linear_sum_assignment(np.where(overlap >= LEAST_IOU, overlap, 0), maximize=True)
        for row, column in zip(rows, columns, strict=True):
            if overlap[row, column] < LEAST_IOU:
                continue
            name, track = names[int(row)], tracks[int(column)]
            self.covered += 1
            self._shared[name, track] = self._shared.get((name, track), 0) + 1
            self.switches += self._last.get(name, track) != track
            self._last[name] = track

    @property
    def idf1(self) -> float:
        """2 IDTP / (true boxes + boxes found), with each true identity given the track that suits best."""
        from scipy.optimize import linear_sum_assignment

        names = list(dict.fromkeys(name for name, _ in self._shared))
        tracks = list(dict.fromkeys(track for _, track in self._shared))
        table = np.zeros((len(names), len(tracks)))
        for (name, track), count in self._shared.items():
            table[names.index(name), tracks.index(track)] = count
        right = table[linear_sum_assignment(table, maximize=True)].sum() if table.size else 0.0
        every = self.truths + self.found
        return float(2 * right / every) if every else 1.0
