"""Exact nearest neighbours over float32 rows: a blocked matrix product, then the leaders in float64."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lineament.errors import InvalidArray
from lineament.types import Float32, Float64

_QUERY_BLOCK = 256
_ROW_BLOCK = 16384
# Far above the rounding error of a float32 dot product of unit vectors, far below any difference that
# could change a decision.
_MARGIN = np.float32(1e-5)


def require_queries(queries: Float32, dimension: int | None, k: int) -> Float32:
    """Validate a search at the edge: finite float32 ``(Q, D)`` of the store's dimension, k >= 1."""
    array = np.ascontiguousarray(queries, dtype=np.float32)
    if array.ndim != 2 or (dimension is not None and len(array) and array.shape[1] != dimension):
        raise InvalidArray(f"queries: expected shape (any, {dimension or 'any'}), got {array.shape}")
    if not np.isfinite(array).all():
        raise InvalidArray("queries: hold NaN or infinity")
    if k < 1:
        raise InvalidArray(f"k: expected at least 1, got {k}")
    return array


def similarities(rows: Float32, query: Float32) -> Float64:
    """Cosines of unit rows ``(N, D)`` with a unit query ``(D,)``, float64 ``(N,)``.

    Each row is summed by itself, so that a row's value depends on nothing but the row and the query:
    equal rows tie exactly, wherever they lie. A matrix product does not promise that.
    """
    products = rows.astype(np.float64) * query.astype(np.float64)
    total: Float64 = products.sum(axis=1)
    return total


class ExactIndex:
    """Rows by id, growing in place; rows of a removed id are filled with the last one.

    Not safe for threads by itself: the store that owns it holds the lock.
    """

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self._ids: list[str] = []
        self._row: dict[str, int] = {}
        self._matrix = np.empty((0, dimension), np.float32)

    def __len__(self) -> int:
        return len(self._ids)

    def put(self, ids: Sequence[str], vectors: Float32) -> None:
        """Add rows float32 ``(N, D)``, or replace those whose id is known."""
        rows = np.empty(len(ids), np.intp)
        for i, id_ in enumerate(ids):
            row = self._row.setdefault(id_, len(self._ids))
            if row == len(self._ids):
                self._ids.append(id_)
            rows[i] = row
        if len(self._ids) > len(self._matrix):
            grown = np.empty((max(len(self._ids), 2 * len(self._matrix)), self.dimension), np.float32)
            grown[: len(self._matrix)] = self._matrix
            self._matrix = grown
        self._matrix[rows] = vectors

    def discard(self, id_: str) -> None:
        """Drop a row; does nothing when the id is unknown."""
        row = self._row.pop(id_, None)
        if row is None:
            return
        last = len(self._ids) - 1
        moved = self._ids.pop()
        if row != last:
            self._ids[row] = moved
            self._row[moved] = row
            self._matrix[row] = self._matrix[last]
        self._matrix[last] = 0

    def search(self, queries: Float32, k: int) -> list[list[tuple[str, float]]]:
        """The k nearest ``(id, similarity)`` of each query ``(Q, D)``, best first; ties by id."""
        rows = self._matrix[: len(self._ids)]
        found: list[list[tuple[str, float]]] = []
        for start in range(0, len(queries), _QUERY_BLOCK):
            block = queries[start : start + _QUERY_BLOCK]
            for query, leaders in zip(block, _leaders(rows, block, k), strict=True):
                exact = similarities(rows[leaders], query)
                named = sorted(
                    zip((self._ids[i] for i in leaders), exact.tolist(), strict=True), key=_order
                )
                found.append(named[:k])
        return found


def _order(hit: tuple[str, float]) -> tuple[float, str]:
    return -hit[1], hit[0]


def _leaders(rows: Float32, queries: Float32, k: int) -> list[np.ndarray[tuple[int], np.dtype[np.intp]]]:
    """For each query every row that may be among the k nearest: k rows, and those within the margin."""
    kept = [np.empty(0, np.intp) for _ in queries]
    scores = [np.empty(0, np.float32) for _ in queries]
    for start in range(0, len(rows), _ROW_BLOCK):
        block = queries @ rows[start : start + _ROW_BLOCK].T
        for i, row in enumerate(block):
            # Nothing below the k-th best so far, less the margin, can come back.
            near = np.flatnonzero(row >= _bar(row if len(scores[i]) < k else scores[i], k))
            kept[i] = np.concatenate([kept[i], near + start])
            scores[i] = np.concatenate([scores[i], row[near]])
            if len(scores[i]) > k:
                keep = scores[i] >= _bar(scores[i], k)
                kept[i], scores[i] = kept[i][keep], scores[i][keep]
    return kept


def _bar(scores: Float32, k: int) -> np.float32:
    if len(scores) < k:
        return np.float32(-np.inf)
    return np.float32(np.partition(scores, len(scores) - k)[len(scores) - k] - _MARGIN)
