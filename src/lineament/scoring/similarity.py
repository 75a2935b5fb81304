"""Cosine similarities of pairs, and of all pairs within subjects.

Embeddings are float32 ``(N, D)`` of unit length; a row of NaN stands for a failure to acquire, whose
comparisons count as non-matches.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineament.errors import InvalidArray
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
