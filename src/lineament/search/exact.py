"""Exact nearest neighbours over float32 rows: a matrix product, then the leaders in float64.

One product is made of many rows, as starting one costs more than a few thousand rows do, and of its scores
only the best of every few hundred are compared: looked at one by one are those that may lead.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from lineament.errors import InvalidArray
from lineament.records import ALL, Change, Hit, RecordKind, Revision, Where
from lineament.types import Float32, Float64

_QUERY_BLOCK = 64
_ROW_BLOCK = 1 << 18
_STRIDE = 256
"""Neighbouring scores of which the best stands for all."""

# Far above the rounding error of a float32 dot product of unit vectors, far below any difference that
# could change a decision.
_MARGIN = np.float32(1e-5)

_PAIRS = 1 << 16
"""Leaders that are compared in float64 at once."""

Numbers = NDArray[np.intp]
"""Numbers of rows."""


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
    """Cosines of unit rows ``(N, D)`` with a unit query ``(D,)``, or each with its own, float64 ``(N,)``.

    Each row is summed by itself, so that a row's value depends on nothing but the row and the query:
    equal rows tie exactly, wherever they lie. A matrix product does not promise that.
    """
    products = rows.astype(np.float64) * query.astype(np.float64)
    total: Float64 = products.sum(axis=1)
    return total


class ExactIndex:
    """Compares with every row of the kinds asked for, in the memory of this process."""

    def __init__(self) -> None:
        self.revision: Revision = ""
        self._of_kind: dict[RecordKind, Rows] = {}

    def __reduce__(self) -> tuple[type[ExactIndex], tuple[()]]:
        """Travels empty: it is made anew of the ledger where it arrives."""
        return ExactIndex, ()

    def apply(self, changes: Iterable[Change]) -> None:
        """Make changes good, in their order."""
        for change in changes:
            self.revision = ""  # in the middle of a change it answers of no state
            if change.anew:
                self._of_kind = {}
            for rows in self._of_kind.values():
                rows.discard(change.gone)
            self._put(change)
            self.revision = change.revision

    def _put(self, change: Change) -> None:
        kinds = np.array(change.kinds)
        for kind in sorted(set(change.kinds)):
            at = np.flatnonzero(kinds == kind).tolist()
            ids = [change.ids[i] for i in at]
            for other, rows in self._of_kind.items():
                if other is not kind:
                    rows.discard(ids)
            if kind not in self._of_kind:
                self._of_kind[kind] = Rows(change.vectors.shape[1])
            self._of_kind[kind].put(ids, [change.subjects[i] for i in at], change.vectors[at])

    def search(self, queries: Float32, k: int, where: Where = ALL) -> list[list[Hit]]:
        """The k records nearest to each query ``(Q, D)``, best first; ties by id."""
        found: list[list[Hit]] = [[] for _ in queries]
        for kind, rows in self._of_kind.items():
            if where.kinds is None or kind in where.kinds:
                for hits, of_kind in zip(found, rows.search(queries, k, rows.among(where)), strict=True):
                    hits.extend(of_kind)
        return [sorted(hits, key=by_rank)[:k] for hits in found]

    def close(self) -> None:
        """Forget everything."""
        self.revision = ""
        self._of_kind = {}


class Rows:
    """The rows of one kind by id, growing in place; a row of a removed id is filled with the last one."""

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self._ids: list[str] = []
        self._subjects: list[str] = []
        self._row: dict[str, int] = {}
        self._matrix = np.empty((0, dimension), np.float32)

    def __len__(self) -> int:
        return len(self._ids)

    def put(self, ids: Sequence[str], subjects: Sequence[str], vectors: Float32) -> None:
        """Add rows float32 ``(N, D)``, or replace those whose id is known."""
        rows = np.empty(len(ids), np.intp)
        for i, (id_, subject) in enumerate(zip(ids, subjects, strict=True)):
            row = self._row.setdefault(id_, len(self._ids))
            if row == len(self._ids):
                self._ids.append(id_)
                self._subjects.append(subject)
            self._subjects[row] = subject
            rows[i] = row
        self._reserve(len(self._ids))
        self._write(rows, vectors)

    def discard(self, ids: Collection[str]) -> None:
        """Drop the rows of these ids, as far as they are known."""
        for id_ in self._row.keys() & ids:
            row = self._row.pop(id_)
            last = len(self._ids) - 1
            moved, subject = self._ids.pop(), self._subjects.pop()
            if row != last:
                self._ids[row], self._subjects[row] = moved, subject
                self._row[moved] = row
                self._move(last, row)
            self._wipe(last)

    def _reserve(self, rows: int) -> None:
        if rows > len(self._matrix):
            grown = np.empty((max(rows, 2 * len(self._matrix)), self.dimension), np.float32)
            grown[: len(self._matrix)] = self._matrix
            self._matrix = grown

    def _write(self, rows: Numbers, vectors: Float32) -> None:
        self._matrix[rows] = vectors

    def _move(self, source: int, target: int) -> None:
        self._matrix[target] = self._matrix[source]

    def _wipe(self, row: int) -> None:
        self._matrix[row] = 0

    def among(self, where: Where) -> Numbers | None:
        """The rows meant, by ids and subjects; None for all of them."""
        if where.only_kinds:
            return None
        ids = self._ids if where.ids is None else self._row.keys() & where.ids
        named = (self._row[id_] for id_ in ids)
        if where.subjects is not None:
            named = (row for row in named if self._subjects[row] in where.subjects)
        return np.fromiter(named, np.intp)

    def search(self, queries: Float32, k: int, among: Numbers | None = None) -> list[list[Hit]]:
        """The k nearest of each query ``(Q, D)``, best first; ties by id."""
        rows = self._matrix[: len(self._ids)]
        matrix = rows if among is None else rows[among]
        found: list[list[Hit]] = []
        for start in range(0, len(queries), _QUERY_BLOCK):
            block = queries[start : start + _QUERY_BLOCK]
            hits: list[list[Hit]] = [[] for _ in block]
            asked, leaders = _leaders(matrix, block, k)
            numbers = leaders if among is None else among[leaders]
            for i in range(0, len(leaders), _PAIRS):
                part = slice(i, i + _PAIRS)
                exact = similarities(matrix[leaders[part]], block[asked[part]]).tolist()
                for query, row, score in zip(asked[part], numbers[part].tolist(), exact, strict=True):
                    hits[query].append(Hit(self._ids[row], self._subjects[row], score))
            found += [sorted(of_query, key=by_rank)[:k] for of_query in hits]
        return found


def by_rank(hit: Hit) -> tuple[float, str]:
    """Best first; ties by id."""
    return -hit.similarity, hit.id


def _leaders(rows: Float32, queries: Float32, k: int) -> tuple[Numbers, Numbers]:
    """Which rows may be among the k nearest of which query: at least those, as numbers of both."""
    found = [(np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0, np.float32))]
    space = np.empty((len(queries), 0), np.float32)
    bars = np.full(len(queries), -np.inf, np.float32)
    for start in range(0, len(rows), _ROW_BLOCK):
        part = rows[start : start + _ROW_BLOCK]
        space = _products(part, queries, space)
        strides = space.reshape(len(queries), -1, _STRIDE)
        best: Float32 = strides.max(axis=2)
        # Nothing below the k-th best, less the margin, can come back; the best of strides are as many.
        bars = np.maximum(bars, _bars(best if best.shape[1] >= k else space, k))
        asked, stride = np.nonzero(best >= bars[:, None])
        scores = strides[asked, stride]
        at, place = np.nonzero(scores >= bars[asked, None])
        row = stride[at] * _STRIDE + place
        there = row < len(part)
        at, place, row = at[there], place[there], row[there]
        found.append((asked[at], row + start, scores[at, place]))
    of_query, numbers, scores = (np.concatenate(column) for column in zip(*found, strict=True))
    near = scores >= bars[of_query]
    return of_query[near], numbers[near]


def _products(rows: Float32, queries: Float32, space: Float32) -> Float32:
    """Scores of queries ``(Q, D)`` with rows ``(N, D)``, filled up with -inf to whole strides.

    They are written into ``space`` where it is of that size: new memory costs as much as a product.
    """
    width = -(-len(rows) // _STRIDE) * _STRIDE
    if space.shape[1] != width:
        space = np.empty((len(queries), width), np.float32)
    if len(queries) == 1:  # a vector: for a matrix of one row BLAS copies all the others
        np.matmul(rows, queries[0], out=space[0, : len(rows)])
    else:
        np.matmul(queries, rows.T, out=space[:, : len(rows)])
    space[:, len(rows) :] = -np.inf
    return space


def _bars(scores: Float32, k: int) -> Float32:
    """The k-th best of each row ``(Q, N)``, less the margin."""
    if scores.shape[1] < k:
        return np.full(len(scores), -np.inf, np.float32)
    last = scores.shape[1] - k
    bars: Float32 = np.partition(scores, last, axis=1)[:, last] - _MARGIN
    return bars
