"""Several embeddings of a subject fused into one template."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lineament.scoring.similarity import Index
from lineament.types import Float32


def fuse(
    embeddings: Float32, groups: Sequence[Sequence[int]], media: Sequence[Sequence[int]] | None = None
) -> Float32:
    """The mean of each group's unit embeddings, scaled to unit length: float32 ``(len(groups), D)``.

    ``groups`` hold rows of ``embeddings`` ``(N, D)``. With ``media``, the number of the medium that each
    row of a group is from, rows are averaged within a medium first and the media then, as IJB's templates
    usually are. Rows of NaN are left out; a group of nothing else gives NaN, a failure to enrol.
    """
    rows = np.full((len(groups), embeddings.shape[1]), np.nan, np.float32)
    for k, group in enumerate(groups):
        vectors = embeddings[list(group)]
        there = ~np.isnan(vectors).any(axis=1)
        vectors = vectors[there]
        if len(vectors):
            if media is not None:
                vectors = _by_medium(vectors, np.asarray(media[k])[there])
            mean = vectors.sum(axis=0)
            rows[k] = mean / max(float(np.linalg.norm(mean)), 1e-12)
    return rows


def _by_medium(vectors: Float32, media: Index) -> Float32:
    """The plain mean of each medium's rows: where frames disagree it is shorter, and weighs less."""
    return np.stack([vectors[media == one].mean(axis=0) for one in np.unique(media)])
