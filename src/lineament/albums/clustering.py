"""Groups of faces: the two that are likest are joined until no two are like enough.

Only groups that are neighbours in the graph of faces are compared, so the work grows with the pairs that
are near, and the result is that of comparing everything with everything wherever the graph holds all pairs
that could matter.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lineament.albums.evidence import Evidence
from lineament.albums.neighbours import Graph
from lineament.protocols import Advance
from lineament.scoring.similarity import Index


@dataclass(frozen=True, slots=True, eq=False)
class Rules:
    """What is known beside the faces; every array ``(N,)``.

    ``held`` is the number of the cluster that a face is in already, -1 for none: such clusters stay whole,
    and two of them are never joined. ``photos`` numbers the photos: one person is rarely twice in one.
    Faces that are ``alone`` are joined with nobody but those of their cluster. ``apart`` are pairs of faces
    of two people.
    """

    held: Index
    photos: Index
    alone: NDArray[np.bool_]
    apart: Sequence[tuple[int, int]] = field(default=())

    @classmethod
    def none(cls, size: int) -> Rules:
        """Nothing is known: every face is of a photo of its own."""
        return cls(np.full(size, -1, np.intp), np.arange(size), np.zeros(size, bool))


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """``labels`` ``(N,)``: the group of each face, named by one of its rows.

    ``open`` are pairs of groups that are like enough and were kept apart by a cluster held or a face alone,
    likest first, with how far above the bar they lie. ``steps`` are the joins in their order.
    """

    labels: Index
    open: Sequence[tuple[int, int, float]]
    steps: Sequence[tuple[int, int]]


def agglomerate(
    evidence: Evidence,
    graph: Graph,
    rules: Rules,
    *,
    bar: float = 0.0,
    advance: Advance = lambda _count: None,
) -> Groups:
    """Join the likest groups until none reaches ``bar`` above what the linkage asks for.

    Changes ``evidence``. ``advance`` is told of faces that found their group.
    """
    joining = _Joining(evidence, graph, rules, bar)
    joining.run(advance)
    return Groups(joining.labels(), joining.left_open(), joining.steps)


class _Joining:
    def __init__(self, evidence: Evidence, graph: Graph, rules: Rules, bar: float) -> None:
        size = graph.size
        self._evidence, self._rules, self._bar = evidence, rules, bar
        self._parent = np.arange(size)
        self._version = [0] * size
        self._near: list[set[int]] = [set() for _ in range(size)]
        self._photos: list[set[int]] = [{int(photo)} for photo in rules.photos]
        self._held: list[int] = rules.held.tolist()
        self._alone: list[bool] = rules.alone.tolist()
        self._apart: list[set[int]] = [set() for _ in range(size)]
        self.steps: list[tuple[int, int]] = []
        for a, b in zip(graph.first.tolist(), graph.second.tolist(), strict=True):
            self._near[a].add(b)
            self._near[b].add(a)
        for a, b in rules.apart:
            self._apart[a].add(b)
            self._apart[b].add(a)
        self._gather()

    def _gather(self) -> None:
        """Make each cluster that is held one group."""
        first: dict[int, int] = {}
        for row, held in enumerate(self._held):
            if held >= 0 and (to := first.setdefault(held, row)) != row:
                self._join(to, row)

    def run(self, advance: Advance) -> None:
        """Join what may be joined, likest first."""
        heap: list[tuple[float, int, int, int, int]] = []
        self._push_all(heap)
        while heap:
            _, a, b, version_a, version_b = heapq.heappop(heap)
            if self._version[a] != version_a or self._version[b] != version_b:
                continue
            if len(self._near[a]) < len(self._near[b]):
                a, b = b, a
            self._join(a, b)
            self.steps.append((a, b))
            advance(1)
            near = np.fromiter(self._near[a], np.intp, len(self._near[a]))
            if len(near):
                self._push(heap, a, near, self._evidence.with_each(a, near))

    def _push_all(self, heap: list[tuple[float, int, int, int, int]]) -> None:
        first, second = self._edges()
        gains = self._evidence.pairs(first, second)
        for i in np.flatnonzero(gains >= self._bar).tolist():
            a, b = int(first[i]), int(second[i])
            gain = self._allowed(a, b, float(gains[i]))
            if gain >= self._bar:
                heap.append((-gain, a, b, self._version[a], self._version[b]))
        heapq.heapify(heap)

    def _push(
        self,
        heap: list[tuple[float, int, int, int, int]],
        a: int,
        others: Index,
        gains: NDArray[np.float64],
    ) -> None:
        for i in np.flatnonzero(gains >= self._bar).tolist():
            b = int(others[i])
            gain = self._allowed(a, b, float(gains[i]))
            if gain >= self._bar:
                heapq.heappush(heap, (-gain, a, b, self._version[a], self._version[b]))

    def _allowed(self, a: int, b: int, gain: float) -> float:
        """The gain after the rules, -inf for what must not be joined."""
        if self._alone[a] or self._alone[b] or (self._held[a] >= 0 and self._held[b] >= 0):
            return -np.inf
        return self._after_photos(a, b, gain)

    def _after_photos(self, a: int, b: int, gain: float) -> float:
        if b in self._apart[a]:
            return -np.inf
        if not self._photos[a].isdisjoint(self._photos[b]):
            gain -= self._evidence.linkage.twice
        return gain

    def _join(self, a: int, b: int) -> None:
        self._evidence.join(a, b)
        self._parent[b] = a
        self._version[a] += 1
        self._version[b] = -1
        self._held[a] = max(self._held[a], self._held[b])
        self._alone[a] = self._alone[a] or self._alone[b]
        self._photos[a] |= self._photos[b]
        for links in (self._near, self._apart):
            for other in links[b]:
                links[other].discard(b)
                if other != a:
                    links[other].add(a)
            links[a] |= links[b]
            links[a] -= {a, b}
            links[b] = set()
        self._photos[b] = set()

    def _edges(self) -> tuple[Index, Index]:
        """Neighbouring groups, each pair once."""
        pairs = [(a, b) for a, near in enumerate(self._near) for b in near if a < b]
        both = np.array(pairs, np.intp).reshape(-1, 2)
        return both[:, 0], both[:, 1]

    def labels(self) -> Index:
        """The group of each face."""
        parent = self._parent
        while not np.array_equal(parent, up := parent[parent]):
            parent = up
        return np.asarray(parent, np.intp)

    def left_open(self) -> list[tuple[int, int, float]]:
        """Groups that only a cluster held, or a face alone, kept from being joined."""
        first, second = self._edges()
        gains = self._evidence.pairs(first, second)
        found: list[tuple[int, int, float]] = []
        for i in np.flatnonzero(gains >= self._bar).tolist():
            a, b = int(first[i]), int(second[i])
            gain = self._after_photos(a, b, float(gains[i]))
            if gain >= self._bar:
                found.append((a, b, gain))
        return sorted(found, key=lambda one: (-one[2], one[0], one[1]))


def parts(labels: Index, rows: Iterable[int]) -> list[list[int]]:
    """The rows by group, the largest first."""
    by_label: dict[int, list[int]] = {}
    for row in rows:
        by_label.setdefault(int(labels[row]), []).append(row)
    return sorted(by_label.values(), key=lambda group: (-len(group), group[0]))
