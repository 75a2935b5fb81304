"""Which found face belongs to which track: likelihood ratios of place and of looks, added up.

A pair is worth the logarithm of how much likelier it is that both are one face than two. Pairs are chosen
so that the sum is largest (the assignment problem), and none that is likelier two.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lineament.types import Float64

SURE = 2.0
"""What place alone must say for a pair that nothing contradicts to need no look at the face."""

_MOST = 6.0
"""No look at a face says more than this, either way: a face may be turned away, or blurred."""


@dataclass(frozen=True, slots=True)
class Similarities:
    """Mean and standard deviation of the similarity of a look to a track, of one person and of two.

    Wide enough for profiles and blur; benchmarks/tracks.py measures those of SFace.
    """

    mated: tuple[float, float] = (0.6, 0.2)
    nonmated: tuple[float, float] = (0.05, 0.12)

    def likelihoods(self, similarities: Float64) -> Float64:
        """The log likelihood ratio of one person to two for each similarity; 0 for NaN, nobody looked."""
        # Beyond its mean a similarity speaks no less for one person, or for two, than at it.
        told = np.clip(similarities, self.nonmated[0], self.mated[0])
        same, other = (
            -0.5 * ((told - mean) / sd) ** 2 - np.log(sd) for mean, sd in (self.mated, self.nonmated)
        )
        return np.asarray(np.nan_to_num(np.clip(same - other, -_MOST, _MOST), nan=0.0), np.float64)


def assigned(worth: Float64) -> list[tuple[int, int]]:
    """The pairs (track, face) of a matrix ``(T, F)`` with the largest sum, each worth more than 0."""
    from scipy.optimize import linear_sum_assignment

    if 0 in worth.shape:
        return []
    rows, columns = linear_sum_assignment(np.maximum(worth, 0), maximize=True)
    return [(int(t), int(f)) for t, f in zip(rows, columns, strict=True) if worth[t, f] > 0]


def contested(place: Float64, lost: bool) -> list[int]:
    """The faces of a matrix ``(T, F)`` of what place says for which it leaves something open.

    Open is a face that fits several tracks, or a track that others fit too, and one that place alone does
    not tell surely. A face that fits none is new, unless some track is ``lost`` and may be it.
    """
    fits = place > 0
    alone = fits & (fits.sum(axis=1, keepdims=True) == 1) & (fits.sum(axis=0, keepdims=True) == 1)
    told = (alone & (place >= SURE)).any(axis=0)
    if not lost:
        told |= ~fits.any(axis=0)
    return [int(face) for face in np.flatnonzero(~told)]
