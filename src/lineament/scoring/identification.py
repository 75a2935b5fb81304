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

from lineament.counting import quantity
from lineament.errors import InsufficientData, InvalidArray
from lineament.scoring.similarity import BLOCK, Index
from lineament.scoring.thresholds import as_scores
from lineament.shown import shown
from lineament.types import Float32, Float64

_SCORES = 2**24
"""Scores held at a time: 64 MB, however large the gallery."""

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

    __repr__ = shown


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
        raise InvalidArray(f"{quantity(len(probes), 'probe')} but {quantity(len(mates), 'mate')}")
    count = len(probes)
    block = max(1, min(block, _SCORES // len(gallery)))
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


@dataclass(frozen=True, slots=True, eq=False)
class FirstMatches:
    """For each probe ``(P,)``: the first row of the gallery that matches it (its length if none does), and
    how many rows do.
    """

    first: Index
    matches: Index


def first_matches(probes: Float32, gallery: Float32, threshold: float, block: int = BLOCK) -> FirstMatches:
    """Who would be returned first if the gallery ``(G, D)`` were enrolled row by row.

    With ``first`` the false positive rate of every smaller gallery is known: of the first n rows,
    ``mean(first < n)``.
    """
    first = np.full(len(probes), len(gallery), np.intp)
    matches = np.zeros(len(probes), np.intp)
    block = max(1, min(block, _SCORES // max(len(gallery), 1)))
    for start in range(0, len(probes), block):
        rows = slice(start, start + block)
        with np.errstate(invalid="ignore"):
            hits = probes[rows] @ gallery.T >= np.float64(threshold)
        matches[rows] = hits.sum(axis=1)
        some = np.flatnonzero(hits.any(axis=1))
        first[start + some] = hits[some].argmax(axis=1)
    return FirstMatches(first, matches)


def predicted_fpir(fmr: float, enrolled: float) -> float:
    """``1 - (1 - FMR)^N``: the share of strangers that match somebody among N.

    Assumes one template a subject, scored like the comparisons that gave the FMR, comparisons of one
    probe with different people independent, and the same FMR for every probe. Where some probes look like
    many people and others like nobody, fewer probes are hit, each more often: the truth is then lower.
    """
    return float(-np.expm1(enrolled * np.log1p(-fmr)))


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
