"""Cosine similarities, one pair at a time or all pairs in blocks of bounded memory.

Embeddings are float32 ``(N, D)`` of unit length; a row of NaN stands for a failure to acquire, whose
comparisons count as non-matches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineament.errors import InsufficientData, InvalidArray
from lineament.scoring.thresholds import allowed_errors
from lineament.types import Float32

Index = NDArray[np.intp]
BLOCK = 1024
"""Rows a block: 1024 x 1024 float32 scores are 4 MB, which stays in the cache of most processors."""


def normalise(embeddings: Float32) -> Float32:
    """Rows scaled to unit length, float32 ``(N, D)``; raises `InvalidArray` for a row of length 0."""
    lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
    if (lengths == 0).any():
        raise InvalidArray("embeddings: a row has length 0 and no direction")
    return np.asarray(embeddings / lengths, np.float32)


def paired(first: Float32, second: Float32) -> Float32:
    """Similarity of row i with row i, float32 ``(N,)``; -inf where either is a failure to acquire."""
    if first.shape != second.shape:
        raise InvalidArray(f"embeddings: shapes {first.shape} and {second.shape} do not pair")
    scores = np.einsum("nd,nd->n", first, second)
    return np.where(np.isnan(scores), -np.inf, scores).astype(np.float32)


def codes(subjects: Any) -> Index:
    """Subject names or numbers as integers 0..S-1, ``(N,)``."""
    return np.asarray(np.unique(np.asarray(subjects), return_inverse=True)[1], np.intp).ravel()


def mated(embeddings: Float32, subjects: Any) -> tuple[Float32, Index]:
    """Every comparison within a subject: scores ``(M,)`` and the subject's code of each ``(M,)``."""
    code = codes(subjects)
    order = np.argsort(code, kind="stable")
    edges = np.flatnonzero(np.diff(code[order])) + 1
    scores: list[Float32] = [np.zeros(0, np.float32)]
    owner: list[Index] = [np.zeros(0, np.intp)]
    for rows in np.split(order, edges):
        i, j = np.triu_indices(len(rows), 1)
        if len(i):
            scores.append(paired(embeddings[rows[i]], embeddings[rows[j]]))
            owner.append(np.full(len(i), code[rows[0]], np.intp))
    return np.concatenate(scores), np.concatenate(owner)


def blocks(embeddings: Float32, size: int = BLOCK) -> Iterator[tuple[slice, slice, Float32]]:
    """Blocks of the similarity matrix on and above its diagonal: rows, columns, scores."""
    n = len(embeddings)
    for top in range(0, n, size):
        rows = slice(top, min(top + size, n))
        for left in range(top, n, size):
            columns = slice(left, min(left + size, n))
            yield rows, columns, embeddings[rows] @ embeddings[columns].T


@dataclass(frozen=True, slots=True, eq=False)
class Tail:
    """The highest non-mated scores of an all-against-all comparison, best first.

    ``scores`` float32 ``(K,)``; ``first`` and ``second`` ``(K,)`` are the rows compared. ``comparisons``
    counts *all* cross-subject comparisons, those of failures to acquire too. ``samples`` ``(S,)`` is the
    number of samples of each subject, ``codes`` ``(N,)`` each row's subject.
    """

    scores: Float32
    first: Index
    second: Index
    comparisons: int
    samples: Index
    codes: Index


def cross_subject_tail(
    embeddings: Float32,
    subjects: Any,
    share: float,
    *,
    block: int = BLOCK,
    progress: Callable[[int], None] | None = None,
) -> Tail:
    """The highest ``share`` (in (0, 1)) of all cross-subject scores, exactly, in bounded memory.

    A threshold at a false match rate up to ``share`` needs no other scores. Holds one block and at most
    three times the tail, however many samples there are. ``progress`` is told the comparisons done since
    its last call. Raises `InsufficientData` with fewer than two subjects.
    """
    code = codes(subjects)
    samples = np.bincount(code)
    if len(samples) < 2:
        raise InsufficientData(f"cross-subject comparisons need 2 subjects, you have {len(samples)}")
    total = int((len(code) ** 2 - int((samples**2).sum())) // 2)
    keep = allowed_errors(share, total) + 1
    best = _Best(keep)
    for rows, columns, scores in blocks(embeddings, block):
        wanted = scores > best.cut  # False for NaN, which is a failure to acquire
        if rows == columns:
            wanted = np.triu(wanted, 1)
        wanted &= code[rows, None] != code[None, columns]
        i, j = np.nonzero(wanted)
        best.add(scores[i, j], i + rows.start, j + columns.start)
        if progress is not None:
            progress(scores.size)
    kept, first, second = best.ranked()
    return Tail(kept, first, second, total, np.asarray(samples, np.intp), code)


class _Best:
    """The ``keep`` highest of a stream of scores, with where they came from."""

    def __init__(self, keep: int) -> None:
        self._keep = keep
        self._parts: list[tuple[Float32, Index, Index]] = []
        self._held = 0
        self.cut = np.float32(-np.inf)

    def add(self, scores: Float32, first: Index, second: Index) -> None:
        self._parts.append((scores, first, second))
        self._held += len(scores)
        if self._held >= 2 * self._keep + BLOCK * BLOCK // 4:
            self._shrink()

    def _shrink(self) -> None:
        scores, first, second = (np.concatenate(column) for column in zip(*self._parts, strict=True))
        if len(scores) > self._keep:
            top = np.argpartition(scores, len(scores) - self._keep)[-self._keep :]
            scores, first, second = scores[top], first[top], second[top]
            # An equal score may be dropped: a threshold lies strictly above the last one kept.
            self.cut = scores.min()
        self._parts, self._held = [(scores, first, second)], len(scores)

    def ranked(self) -> tuple[Float32, Index, Index]:
        if not self._parts:
            return np.zeros(0, np.float32), np.zeros(0, np.intp), np.zeros(0, np.intp)
        self._shrink()
        scores, first, second = self._parts[0]
        order = np.lexsort((second, first, -scores))
        return scores[order], first[order], second[order]
