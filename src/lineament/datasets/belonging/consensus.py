"""Who most photos of a folder show, found among their faces without trusting any single one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from lineament.gallery.fusion import mean_direction
from lineament.gallery.searching import VERIFY_FMR, measured_threshold
from lineament.shown import shown
from lineament.types import Float32, ModelId

TEMPLATE_FMR = 1e-4

_SEEDS = 1500
"""Faces compared with each other to find where to begin: a folder may hold many thousands."""

_ROUNDS = 20


@dataclass(frozen=True, slots=True)
class Agreement:
    """Cosines from which faces are one person's: two photos' (``pair``), a photo's and a template's.

    They are the embedder's measured thresholds at false match rates of 1e-3 and 1e-4: a folder has many
    photos, and one template that each is compared with.
    """

    pair: float
    template: float

    @classmethod
    def of(cls, model: ModelId) -> Self:
        """From the model's card."""
        return cls(
            measured_threshold(model, VERIFY_FMR).value, measured_threshold(model, TEMPLATE_FMR).value
        )


@dataclass(frozen=True, slots=True, eq=False)
class Consensus:
    """The person that a group of photos agrees on.

    ``template`` is float32 ``(D,)``, unit length, the mean of the agreeing faces. ``members`` is the photos
    that agree, ``faces`` which face of each of them it was.
    """

    template: Float32
    members: tuple[int, ...]
    faces: tuple[int, ...]

    __repr__ = shown

    def __len__(self) -> int:
        return len(self.members)


def consensus(photos: Sequence[Float32], same: Agreement) -> Consensus | None:
    """The largest group of photos that share a face, None when no two do.

    ``photos`` holds the unit embeddings ``(F, D)`` of each photo's faces, F >= 0. It begins with the face
    that agrees with most other photos (of equals the most similar one) and takes the mean of the best
    agreeing face of every photo until that no longer changes. A group that falls into halves as unlike as
    two people is two people, bridged by faces that look like both: the larger half goes on alone.
    """
    owners = np.repeat(np.arange(len(photos)), [len(faces) for faces in photos])
    if len(set(owners.tolist())) < 2:
        return None
    vectors: Float32 = np.concatenate([faces for faces in photos if len(faces)])
    within = np.arange(len(owners)) - np.searchsorted(owners, owners)
    template = _seed(vectors, owners, same.pair)
    if template is None:
        return None
    chosen = _gather(vectors, owners, template, same.pair)
    for _ in range(_ROUNDS):
        if len(chosen) < 2:
            return None
        half = _larger_half(vectors[chosen], same.template)
        if half.all():
            break
        chosen = _gather(vectors, owners, mean_direction(vectors[chosen[half]]), same.template)
    template = mean_direction(vectors[chosen])
    return Consensus(template, tuple(owners[chosen].tolist()), tuple(within[chosen].tolist()))


def _gather(
    vectors: Float32, owners: NDArray[np.intp], template: Float32, threshold: float
) -> NDArray[np.intp]:
    """The best face of every photo that agrees with the mean of all such faces."""
    chosen: NDArray[np.intp] = np.zeros(0, np.intp)
    for _ in range(_ROUNDS):
        best = _best_of_each(vectors @ template, owners)
        agreeing = best[vectors[best] @ template >= threshold]
        if np.array_equal(agreeing, chosen) or not len(agreeing):
            return agreeing
        chosen = agreeing
        template = mean_direction(vectors[chosen])
    return chosen


def _larger_half(vectors: Float32, threshold: float) -> NDArray[np.bool_]:
    """All, or the larger of two groups around two faces far apart whose means differ like two people."""
    everyone = np.ones(len(vectors), bool)
    a = vectors[np.argmin(vectors @ mean_direction(vectors))]
    b = vectors[np.argmin(vectors @ a)]
    first = everyone
    for _ in range(_ROUNDS):
        before, first = first, vectors @ a >= vectors @ b
        if first.all() or not first.any():
            return everyone
        if np.array_equal(before, first):
            break
        a, b = mean_direction(vectors[first]), mean_direction(vectors[~first])
    if float(a @ b) >= threshold:
        return everyone
    return first if 2 * first.sum() >= len(first) else ~first


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
