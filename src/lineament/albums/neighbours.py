"""Which faces are near each other: an exact graph, made block by block of all comparisons."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
    advance: Advance = lambda _count: None,
) -> Graph:
    """Every face with those of its ``nearest`` faces whose cosine is at least ``floor``.

    ``vectors`` is float32 ``(N, D)``, unit length. Nothing is estimated: all N * N cosines are computed,
    and what is kept is what a full sort would give. Memory follows the pairs that are kept, never N * N.
    ``advance`` is told of rows.
    """
    starts = range(0, len(vectors), BLOCK)
    keys = [np.zeros(0, np.int64), *(_keys(vectors, start, floor, nearest, advance) for start in starts)]
    pairs = np.unique(np.concatenate(keys))
    first, second = np.divmod(pairs, max(len(vectors), 1))
    return Graph(len(vectors), np.asarray(first, np.intp), np.asarray(second, np.intp))


def _keys(vectors: Float32, start: int, floor: float, nearest: int, advance: Advance) -> NDArray[np.int64]:
    """The pairs of a block of rows, each as one number: the smaller row times N, and the larger."""
    rows = vectors[start : start + BLOCK]
    at = to = np.zeros(0, np.intp)
    best = np.zeros(0, np.float32)
    least = np.full((len(rows), 1), floor, np.float32)
    for left in range(0, len(vectors), _COLUMNS):
        scores = rows @ vectors[left : left + _COLUMNS].T
        own = np.arange(max(start, left), min(start + len(rows), left + scores.shape[1]))
        scores[own - start, own - left] = -np.inf
        more, column = np.divmod(np.flatnonzero((scores >= least).ravel()), scores.shape[1])
        at, to = np.concatenate([at, more]), np.concatenate([to, column + left])
        best = np.concatenate([best, scores[more, column]])
        order = np.lexsort((to, -best, at))
        at, to, best = at[order], to[order], best[order]
        # How many of its own row stand before it, best first.
        rank = np.arange(len(at)) - np.searchsorted(at, at)
        least[at[rank == nearest - 1], 0] = best[rank == nearest - 1]
        kept = rank < nearest
        at, to, best = at[kept], to[kept], best[kept]
    advance(len(rows))
    at += start
    keys: NDArray[np.int64] = np.minimum(at, to).astype(np.int64) * len(vectors) + np.maximum(at, to)
    return keys
