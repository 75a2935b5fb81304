"""Exact nearest neighbours by a scan of one byte a number, and the few that may lead again in full.

A row x is kept as s c, with c of whole numbers from -127 to 127 and s its largest number through 127, and
with the length of what that leaves out, r = |x - s c|. For a query q, kept as t d with u = q - t d, the
product x q differs from s t (c d) by at most r |q| + |s c| |u|. So whoever cannot reach the k-th best by
that bound is none of the k nearest, and all others are compared in full: the answer is exact, whatever the
rows are (`docs/decisions/0020-int8-scan.md`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from lineament.errors import StoreError
from lineament.protocols import Ledger
from lineament.records import Change, Hit, Where
from lineament.search.exact import ExactIndex, Numbers, Rows, by_rank, similarities
from lineament.search.kernels import MOST_NUMBERS, Int8, kernel
from lineament.types import Float32, Float64

S = TypeVar("S", bound=np.generic)

Vectors: TypeAlias = Callable[[Sequence[str]], Float32]
"""The embeddings of these ids, float32 ``(N, D)``, in their order."""

FROM_ROWS = 20_000
"""Records of a kind from which on they are kept as bytes: fewer are compared in full as fast."""

_ROW_BLOCK = 1 << 16
_LEAST_BLOCK = 1 << 13
_STRIDE = 32
_QUERY_BLOCK = 64
_THREADS = min(4, os.cpu_count() or 1)
_PAIRS = 1 << 14

# What float32 may lose in a sum of products of unit vectors and in scaling it; see `exact`.
_MARGIN = np.float32(1e-5)
_LONGEST = np.float32(1.001)
"""How long a row may be: see `lineament.records.Record`."""


def vectors_of(ledger: Ledger) -> Vectors:
    """Embeddings from a ledger, in whose snapshot the index is asked."""

    def read(ids: Sequence[str]) -> Float32:
        found = {record.id: record.vector for record in ledger.read(Where(ids=ids))}
        if len(found) != len(set(ids)):
            raise StoreError("the index names records that the gallery does not hold; open it again")
        return np.stack([found[id_] for id_ in ids])

    return read


class Int8Index(ExactIndex):
    """As `ExactIndex`, in a quarter of its memory and time: rows of a kind become bytes when they are many.

    ``ledger`` is asked for the embeddings of those that may be nearest.
    """

    def __init__(self, ledger: Ledger, *, from_rows: int = FROM_ROWS) -> None:
        super().__init__()
        self._ledger = ledger
        self._from_rows = from_rows

    def __reduce__(self) -> tuple[type[Int8Index], tuple[Ledger]]:  # type: ignore[override]
        """Travels empty: it is made anew of the ledger where it arrives."""
        return Int8Index, (self._ledger,)

    def _put(self, change: Change) -> None:
        super()._put(change)
        for kind, rows in self._of_kind.items():
            if type(rows) is Rows and len(rows) >= self._from_rows and rows.dimension <= MOST_NUMBERS:
                self._of_kind[kind] = Int8Rows.of(rows, vectors_of(self._ledger))


class Int8Rows(Rows):
    """Rows as bytes with their scales and what these leave out; embeddings in full are asked for."""

    def __init__(self, dimension: int, vectors: Vectors) -> None:
        super().__init__(dimension)
        self._vectors = vectors
        self._codes: Int8 = np.empty((0, dimension), np.int8)
        self._scales = np.empty(0, np.float32)
        self._left_out = np.empty(0, np.float32)

    @classmethod
    def of(cls, rows: Rows, vectors: Vectors) -> Int8Rows:
        """The same rows as bytes."""
        made = cls(rows.dimension, vectors)
        made._ids, made._subjects, made._row = rows._ids, rows._subjects, rows._row
        made._reserve(len(rows))
        for start in range(0, len(rows), _ROW_BLOCK):
            part = np.arange(start, min(start + _ROW_BLOCK, len(rows)))
            made._write(part, rows._matrix[part])
        return made

    def _reserve(self, rows: int) -> None:
        if rows > len(self._codes):
            size = max(rows, len(self._codes) * 5 // 4)
            self._codes = _grown(self._codes, size)
            self._scales, self._left_out = _grown(self._scales, size), _grown(self._left_out, size)

    def _write(self, rows: Numbers, vectors: Float32) -> None:
        self._codes[rows], self._scales[rows], self._left_out[rows] = quantised(vectors)

    def _move(self, source: int, target: int) -> None:
        for column in (self._codes, self._scales, self._left_out):
            column[target] = column[source]

    def _wipe(self, row: int) -> None:
        self._codes[row], self._scales[row], self._left_out[row] = 0, 0, 0

    def search(self, queries: Float32, k: int, among: Numbers | None = None) -> list[list[Hit]]:
        """The k nearest of each query ``(Q, D)``, best first; ties by id."""
        if not (len(self._ids) if among is None else len(among)):
            return [[] for _ in queries]
        found: list[list[Hit]] = []
        for start in range(0, len(queries), _QUERY_BLOCK):
            block = queries[start : start + _QUERY_BLOCK]
            leaders = self._leaders(block, k, among)
            nearer = [self._nearer(query, rows, k) for query, rows in zip(block, leaders, strict=True)]
            found += self._in_full(block, nearer, k)
        return found

    def _leaders(self, queries: Float32, k: int, among: Numbers | None) -> list[Numbers]:
        """The rows that may be among the k nearest of each query, by the bytes of both."""
        codes, scales, left_out = quantised(queries)
        lengths = np.linalg.norm(queries, axis=1)
        # The bound of a row that left out r is r * wide + fixed, in units of the query's scale.
        fixed = (_LONGEST * left_out + _MARGIN * np.maximum(1, lengths)) / scales
        wide = (lengths + left_out) / scales
        count = len(self._ids) if among is None else len(among)
        size = max(_LEAST_BLOCK, _ROW_BLOCK // len(queries) // _STRIDE * _STRIDE)
        starts = range(0, count, size)
        lanes = max(1, min(_THREADS, count // _ROW_BLOCK))

        def scan(lane: int) -> tuple[Float64, list[tuple[Numbers, Numbers, Float32]]]:
            bars, kept = np.full(len(queries), -np.inf), []
            for start in starts[lane::lanes]:
                stop = min(start + size, count)
                rows = slice(start, stop) if among is None else among[start:stop]
                scores = kernel()[1](self._codes[rows], codes)
                scores *= self._scales[rows, None]
                strides = _in_strides(scores)
                best: Float32 = strides.max(axis=1)
                slack = self._left_out[rows].max() * wide + fixed
                bars = np.maximum(bars, _kth(best if len(best) >= k else scores, k) - slack)
                stride, asked = np.nonzero(best + slack >= bars)
                one, place = np.nonzero(strides[stride, :, asked] + slack[asked, None] >= bars[asked, None])
                row = stride[one] * _STRIDE + place
                there = row < len(scores)
                row, asked = row[there], asked[one][there]
                kept.append(
                    (asked, row + start if among is None else among[row + start], scores[row, asked])
                )
            return bars, kept

        if lanes == 1:
            scanned = [scan(0)]
        else:  # threads of one search: they outlive no fork
            with ThreadPoolExecutor(lanes) as pool:
                scanned = list(pool.map(scan, range(lanes)))
        parts = [part for _, kept in scanned for part in kept]
        asked, row, scores = (np.concatenate(column) for column in zip(*parts, strict=True))
        slack = self._left_out[row] * wide[asked] + fixed[asked]
        near = scores + slack >= np.max([bars for bars, _ in scanned], axis=0)[asked]
        asked, row, scores, slack = asked[near], row[near], scores[near], slack[near]
        found = []
        for query in range(len(queries)):
            of_query = asked == query
            most, least = (scores + slack)[of_query], (scores - slack)[of_query]
            found.append(row[of_query][most >= _kth(least[:, None], k)[0]])
        return found

    def _nearer(self, query: Float32, rows: Numbers, k: int) -> Numbers:
        """Those of the rows that remain when the query is taken in full: that bound is half as wide."""
        if len(rows) <= k:
            return rows
        products = np.empty(len(rows))
        for i in range(0, len(rows), _PAIRS):
            part = rows[i : i + _PAIRS]
            products[i : i + _PAIRS] = self._scales[part] * (self._codes[part] @ query)
        length = float(np.linalg.norm(query))
        slack = self._left_out[rows] * length + _MARGIN * max(1, length)
        kept: Numbers = rows[products + slack >= _kth((products - slack)[:, None], k)[0]]
        return kept

    def _in_full(self, queries: Float32, rows: list[Numbers], k: int) -> list[list[Hit]]:
        """The k nearest of each query among its own rows; asked for together, not too many at once."""
        hits: list[list[Hit]] = [[] for _ in queries]
        asked = np.repeat(np.arange(len(queries)), [len(of_query) for of_query in rows])
        every = np.concatenate(rows)
        for i in range(0, len(every), _PAIRS):
            part, of_query = every[i : i + _PAIRS], asked[i : i + _PAIRS]
            wanted, back = np.unique(part, return_inverse=True)
            vectors = self._vectors([self._ids[row] for row in wanted.tolist()])
            for query in range(of_query[0], of_query[-1] + 1):
                mine = of_query == query
                exact = similarities(vectors[back[mine]], queries[query]).tolist()
                found = [
                    Hit(self._ids[row], self._subjects[row], score)
                    for row, score in zip(part[mine].tolist(), exact, strict=True)
                ]
                hits[query] = sorted(hits[query] + found, key=by_rank)[:k]
        return hits


def quantised(vectors: Float32) -> tuple[Int8, Float32, Float32]:
    """Bytes ``(N, D)``, their scale, and the length of what they leave out, each ``(N,)``."""
    largest = np.abs(vectors).max(axis=1, initial=0)
    scales = np.where(largest > 0, largest / 127, 1).astype(np.float32)
    codes = np.rint(vectors / scales[:, None]).astype(np.int8)
    rest = vectors - codes * scales[:, None]
    return codes, scales, np.linalg.norm(rest, axis=1).astype(np.float32)


def _grown(column: NDArray[S], size: int) -> NDArray[S]:
    grown = np.zeros((size, *column.shape[1:]), column.dtype)
    grown[: len(column)] = column
    return grown


def _in_strides(scores: Float32) -> Float32:
    """Scores ``(N, Q)`` as ``(M, S, Q)``, filled up with -inf."""
    missing = -len(scores) % _STRIDE
    if missing:
        scores = np.concatenate([scores, np.full((missing, scores.shape[1]), -np.inf, np.float32)])
    return scores.reshape(-1, _STRIDE, scores.shape[1])


def _kth(scores: NDArray[np.floating], k: int) -> Float64:
    """The k-th best of each column ``(N, Q)``; -inf of fewer than k."""
    if len(scores) < k:
        return np.full(scores.shape[1], -np.inf)
    last = len(scores) - k
    best: Float64 = np.partition(scores, last, axis=0)[last].astype(np.float64)
    return best
