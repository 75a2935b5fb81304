"""Who most photos of a folder show, found among their faces without trusting any single one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lineament.gallery.fusion import mean_direction
from lineament.types import Float32

_SEEDS = 1500
"""Faces compared with each other to find where to begin: a folder may hold many thousands."""

_ROUNDS = 20


@dataclass(frozen=True, slots=True, eq=False)
class Consensus:
    """The person that a group of photos agrees on.

    ``template`` is float32 ``(D,)``, unit length, the mean of the agreeing faces. ``members`` is the photos
    that agree, ``faces`` which face of each of them it was.
    """

    template: Float32
    members: tuple[int, ...]
    faces: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.members)


def consensus(photos: Sequence[Float32], threshold: float) -> Consensus | None:
    """The largest group of photos that share a face, None when no two do.

    ``photos`` holds the unit embeddings ``(F, D)`` of each photo's faces, F >= 0; two faces agree from
    cosine ``threshold`` on. It begins with the face that agrees with most other photos (of equals the most
    similar one) and takes the mean of the best agreeing face of every photo until that no longer changes.
    The result does not depend on which photos are wrong as long as fewer of them agree with each other.
    """
    owners = np.repeat(np.arange(len(photos)), [len(faces) for faces in photos])
    if len(set(owners.tolist())) < 2:
        return None
    vectors: Float32 = np.concatenate([faces for faces in photos if len(faces)])
    within = np.arange(len(owners)) - np.searchsorted(owners, owners)
    template = _seed(vectors, owners, threshold)
    if template is None:
        return None
    chosen: NDArray[np.intp] = np.zeros(0, np.intp)
    for _ in range(_ROUNDS):
        best = _best_of_each(vectors @ template, owners)
        agreeing = best[vectors[best] @ template >= threshold]
        if len(agreeing) < 2:
            return None
        if np.array_equal(agreeing, chosen):
            break
        chosen = agreeing
        template = mean_direction(vectors[chosen])
    return Consensus(template, tuple(owners[chosen].tolist()), tuple(within[chosen].tolist()))


def _seed(vectors: Float32, owners: NDArray[np.intp], threshold: float) -> Float32 | None:
    rows = np.arange(len(vectors))
    if len(rows) > _SEEDS:
        rows = np.linspace(0, len(vectors) - 1, _SEEDS).astype(np.intp)
    similar = vectors[rows] @ vectors[rows].T
    # Of several faces of one photo only the most similar one speaks for it, and none for its own photo.
    starts = np.flatnonzero(np.r_[True, np.diff(owners[rows]) > 0])
    per_photo = np.maximum.reduceat(similar, starts, axis=1)
    own = np.searchsorted(owners[rows][starts], owners[rows])
    per_photo[np.arange(len(rows)), own] = -1
    agreeing = per_photo >= threshold
    support = agreeing.sum(axis=1)
    if not support.max():
        return None
    strength = np.where(agreeing, per_photo, 0).sum(axis=1)
    first = np.lexsort((-strength, -support))[0]
    near = rows[np.flatnonzero(similar[first] >= threshold)]
    return mean_direction(vectors[near])


def _best_of_each(similarities: Float32, owners: NDArray[np.intp]) -> NDArray[np.intp]:
    """The row of the most similar face of each photo, the first of equals."""
    order = np.lexsort((-similarities, owners))
    return order[np.r_[True, np.diff(owners[order]) > 0]]
