"""Several embeddings of a subject fused into one template."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lineament.types import Float32


def fuse(embeddings: Float32, groups: Sequence[Sequence[int]]) -> Float32:
    """The mean of each group's unit embeddings, scaled to unit length: float32 ``(len(groups), D)``.

    ``groups`` hold rows of ``embeddings`` ``(N, D)``. Rows of NaN are left out; a group of nothing else
    gives NaN, a failure to enrol.
    """
    rows = np.full((len(groups), embeddings.shape[1]), np.nan, np.float32)
    for k, group in enumerate(groups):
        vectors = embeddings[list(group)]
        vectors = vectors[~np.isnan(vectors).any(axis=1)]
        if len(vectors):
            mean = vectors.sum(axis=0)
            rows[k] = mean / max(float(np.linalg.norm(mean)), 1e-12)
    return rows
