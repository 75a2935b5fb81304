"""1:N metrics (ISO/IEC 19795-1, NIST FRTE 1:N).

A mated search is one whose subject is enrolled. FPIR(T) is the share of non-mated searches with any
candidate at or above T; FNIR(T, R) the share of mated searches without the mate both at or above T and
among the first R candidates. A failure to acquire finds nothing: a miss for a mated search, a correct
rejection for a non-mated one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineament.errors import InsufficientData, InvalidArray
from lineament.scoring.similarity import BLOCK, Index
from lineament.scoring.thresholds import as_scores
from lineament.types import Float32, Float64

MISSED = np.iinfo(np.int64).max
"""The rank of a mate that was not found at all."""


@dataclass(frozen=True, slots=True, eq=False)
class Searches:
    """Mated searches: similarity of the mate float32 ``(M,)`` and its rank ``(M,)``, 1 is best.

    ``top`` float32 ``(M,)`` is the best similarity of anybody. A mate that ties with others ranks behind
    them: no search is won by the order of a list.
    """

    mate: Float32
    rank: NDArray[np.int64]
    top: Float32


def best_scores(probes: Float32, gallery: Float32) -> Float32:
    """Each probe's best similarity to anybody, float32 ``(P,)``; -inf for a failure to acquire.

    ``probes`` ``(P, D)``, ``gallery`` ``(G, D)``, one row a subject, unit length or NaN.
    """
    return search(probes, gallery, np.full(len(probes), -1)).top


def search(probes: Float32, gallery: Float32, mates: Index, block: int = BLOCK) -> Searches:
    """Search every probe ``(P, D)`` in a gallery ``(G, D)`` of one template a subject.

    ``mates`` ``(P,)`` is the row of each probe's subject, -1 for none. Rows of NaN are failures to acquire
    (probes) or to enrol (gallery) and match nothing.
    """
    if not len(gallery):
        raise InsufficientData("a search needs at least one enrolled subject")
    if len(mates) != len(probes):
        raise InvalidArray(f"{len(probes)} probes but {len(mates)} mates")
    count = len(probes)
    mate = np.full(count, -np.inf, np.float32)
    top = np.full(count, -np.inf, np.float32)
    rank = np.full(count, MISSED, np.int64)
    for start in range(0, count, block):
        rows = slice(start, min(start + block, count))
        scores = probes[rows] @ gallery.T
        scores[np.isnan(scores)] = -np.inf
        top[rows] = scores.max(axis=1)
        known = np.flatnonzero(mates[rows] >= 0)
        own = scores[known, mates[rows][known]]
        mate[start + known] = own
        ahead = (scores[known] >= own[:, None]).sum(axis=1)  # the mate itself counts as one
        rank[start + known] = np.where(np.isneginf(own), MISSED, ahead)
    return Searches(mate, rank, top)


def fpir(nonmated_top: Any, threshold: float) -> float:
    """Share of non-mated searches that return anybody."""
    return float(np.mean(as_scores("best scores", nonmated_top).astype(np.float64) >= threshold))


def misses(searches: Searches, threshold: float, rank: int = 1) -> NDArray[np.bool_]:
    """Which mated searches do not return the mate at or above the threshold within ``rank``."""
    return (searches.mate.astype(np.float64) < threshold) | (searches.rank > rank)


def fnir(searches: Searches, threshold: float, rank: int = 1) -> float:
    """Share of mated searches missed; the detection and identification rate is 1 - FNIR(T, 1)."""
    return float(misses(searches, threshold, rank).mean())


def cmc(searches: Searches, ranks: int) -> Float64:
    """Cumulative match characteristic, **closed-set**: share of mates within rank 1..``ranks``.

    Without a threshold and without non-mated searches it says nothing about strangers.
    """
    if not len(searches.rank):
        raise InsufficientData("a CMC needs mated searches, you have 0")
    return np.array([float(np.mean(searches.rank <= r)) for r in range(1, ranks + 1)])
