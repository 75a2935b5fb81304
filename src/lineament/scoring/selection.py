"""Exact order statistics of a stream of scores too long to keep.

`Best` keeps the highest scores whole, with the rows they compare. `Around` finds one score of a rank too
deep to keep all above it: it counts what lies above a window, keeps what lies inside, and narrows the
window as the stream shows where the rank will fall. Both are exact or know that they failed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lineament.shown import shown
from lineament.types import Float32

Int32 = NDArray[np.int32]


@dataclass(slots=True)
class Held:
    """Scores with the two rows of each, appended in pieces; three arrays ``(K,)``."""

    parts: list[tuple[Float32, Int32, Int32]]
    count: int = 0

    __repr__ = shown

    @classmethod
    def empty(cls) -> Held:
        """Nothing held."""
        return cls([(np.zeros(0, np.float32), np.zeros(0, np.int32), np.zeros(0, np.int32))])

    def add(self, scores: Float32, first: Int32, second: Int32) -> None:
        """Append scores of the rows ``first`` and ``second``."""
        self.parts.append((scores, first, second))
        self.count += len(scores)

    def whole(self) -> tuple[Float32, Int32, Int32]:
        """Everything, as one piece."""
        if len(self.parts) > 1:
            scores, first, second = (np.concatenate(column) for column in zip(*self.parts, strict=True))
            self.parts = [(scores, first, second)]
        return self.parts[0]

    def keep(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> None:
        """Drop all but ``rows``."""
        scores, first, second = self.whole()
        self.parts = [(scores[rows], first[rows], second[rows])]
        self.count = len(self.parts[0][0])


class Best:
    """The ``keep`` highest scores of the stream.

    ``start`` is a guess below which none of them lies; `complete` tells whether it was right.
    """

    def __init__(self, keep: int, start: float, slack: int) -> None:
        self.wanted = keep
        self.cut = np.float32(start)
        self._start = np.float32(start)
        self._slack = slack
        self._held = Held.empty()

    def add(self, scores: Float32, first: Int32, second: Int32) -> None:
        """Take those of the scores that lie above `cut`."""
        above = scores > self.cut
        self._held.add(scores[above], first[above], second[above])
        if self._held.count >= 2 * self.wanted + self._slack:
            self._shrink()

    def _shrink(self) -> None:
        scores, _, _ = self._held.whole()
        if len(scores) > self.wanted:
            self._held.keep(np.argpartition(scores, len(scores) - self.wanted)[-self.wanted :])
            # An equal score may be dropped: a threshold lies strictly above the last one kept.
            self.cut = max(self.cut, self._held.whole()[0].min())

    @property
    def complete(self) -> bool:
        """Whether the stream held as many as wanted, or everything was taken."""
        return bool(self._held.count >= self.wanted or np.isneginf(self._start))

    def ranked(self) -> tuple[Float32, NDArray[np.intp], NDArray[np.intp]]:
        """The highest scores and their rows, best first."""
        self._shrink()
        scores, first, second = self._held.whole()
        order = np.lexsort((second, first, -scores))
        return scores[order], first[order].astype(np.intp), second[order].astype(np.intp)


class Around:
    """The score of one rank (from 0, highest first), and how many scores each row has at or above it.

    ``low`` and ``high`` are a first guess of where it lies. At most ``most`` scores are held; when they
    are full the half around the expected place stays. ``above`` ``(N,)`` counts, for each row, its scores
    at or above ``high``; every score counts for both its rows.
    """

    def __init__(
        self, rank: int, low: float | np.float32, high: float | np.float32, rows: int, most: int
    ) -> None:
        self.rank = rank
        self.low, self.high = np.float32(low), np.float32(high)
        self.above = np.zeros(rows, np.int64)
        self._most = most
        self._held = Held.empty()

    def add(self, scores: Float32, first: Int32, second: Int32, done: float) -> None:
        """Take those of the scores that lie in the window; ``done`` is the share of the stream seen."""
        inside = (scores >= self.low) & (scores < self.high)
        self._held.add(scores[inside], first[inside], second[inside])
        if self._held.count > self._most:
            self._narrow(done)

    def _narrow(self, done: float) -> None:
        scores, _, _ = self._held.whole()
        ranked = np.sort(scores)[::-1]
        place = round(self.rank * done) - self._above
        upper, lower = place - self._most // 4, place + self._most // 4
        if 0 <= upper < len(ranked):
            self.high = ranked[upper]
        if 0 <= lower < len(ranked):
            self.low = min(ranked[lower], self.high)
        self._settle(scores >= self.high)
        self._held.keep((scores >= self.low) & (scores < self.high))

    def _settle(self, rows: NDArray[np.bool_]) -> None:
        _, first, second = self._held.whole()
        for side in (first, second):
            self.above += np.bincount(side[rows], minlength=len(self.above))

    @property
    def _above(self) -> int:
        return int(self.above.sum()) // 2

    def found(self) -> np.float32 | None:
        """The score of that rank; -inf when there are not so many scores, None when the window missed it.

        Afterwards ``above`` counts the scores that lie strictly above the one found.
        """
        scores, _, _ = self._held.whole()
        place = self.rank - self._above
        if place < 0:
            return None
        if place >= len(scores):
            if not np.isneginf(self.low):
                return None
            self._settle(np.ones(len(scores), bool))
            return np.float32(-np.inf)
        score = np.partition(scores, len(scores) - 1 - place)[len(scores) - 1 - place]
        self._settle(scores > score)
        return np.float32(score)
