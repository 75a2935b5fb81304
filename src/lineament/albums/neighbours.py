"""Which faces are near each other: an exact graph, made block by block of all comparisons."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lineament.protocols import Advance
from lineament.scoring.similarity import BLOCK, Index
from lineament.types import Float32

_COLUMNS = 16 * BLOCK
"""Columns of a product: 1024 x 16384 float32 scores are 64 MB."""


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """Pairs of faces ``first`` < ``second``, both ``(E,)``, among ``size`` faces; each pair stands once."""

    size: int
    first: Index
    second: Index

    def __len__(self) -> int:
        return len(self.first)


def graph(
    vectors: Float32,
    *,
    floor: float,
    nearest: int = 40,
    since: int = 0,
    advance: Advance = lambda _count: None,
) -> Graph:
    """Every face with those of its ``nearest`` faces whose cosine is at least ``floor``.

    ``vectors`` is float32 ``(N, D)``, unit length. Nothing is estimated: all N * N cosines are computed,
    and what is kept is what a full sort would give. With ``since`` only faces from that row on look for
    theirs, among all. Memory follows the pairs that are kept, never N * N. ``advance`` is told of rows.
    """
    keys = [
        np.zeros(0, np.int64),
        *(_keys(vectors, start, floor, nearest, advance) for start in range(since, len(vectors), BLOCK)),
    ]
    pairs = np.unique(np.concatenate(keys))
    first, second = np.divmod(pairs, max(len(vectors), 1))
    return Graph(len(vectors), np.asarray(first, np.intp), np.asarray(second, np.intp))


def _keys(
    vectors: Float32, start: int, floor: float, nearest: int, advance: Advance
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The pairs of a block of rows, each as one number: the smaller row times N, and the larger."""
    rows = vectors[start : start + BLOCK]
    at, to, scores = (
        np.concatenate(parts) for parts in zip(*_near(vectors, rows, start, floor), strict=True)
    )
    order = np.lexsort((to, -scores, at))
    at, to = at[order], to[order]
    # How many of its own row stand before it, best first.
    rank = np.arange(len(at)) - np.searchsorted(at, at)
    at, to = at[rank < nearest] + start, to[rank < nearest]
    advance(len(rows))
    return np.minimum(at, to).astype(np.int64) * len(vectors) + np.maximum(at, to)


def _near(
    vectors: Float32, rows: Float32, start: int, floor: float
) -> Iterator[tuple[Index, Index, Float32]]:
    for left in range(0, len(vectors), _COLUMNS):
        scores = rows @ vectors[left : left + _COLUMNS].T
        own = np.arange(max(start, left), min(start + len(rows), left + scores.shape[1]))
        scores[own - start, own - left] = -np.inf
        at, to = np.divmod(np.flatnonzero(scores.ravel() >= floor), scores.shape[1])
        yield at, to + left, scores[at, to]
