"""1:N metrics against a plain loop over searches."""

from __future__ import annotations

import numpy as np
import pytest

from lineament.errors import InsufficientData
from lineament.scoring import identification as ident
from lineament.scoring import similarity


def scene(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Noisy probes, a gallery of 25 subjects, and each probe's mate (-1 for a stranger)."""
    rng = np.random.default_rng(seed)
    gallery = similarity.normalise(rng.normal(size=(25, 12)).astype(np.float32))
    mates = rng.integers(-1, 25, 80)
    noise = rng.normal(size=(80, 12))
    probes = np.where(mates[:, None] >= 0, gallery[mates] * 2, 0) + noise
    return similarity.normalise(probes.astype(np.float32)), gallery, mates


def test_searches_equal_a_sorted_list() -> None:
    """Mate, rank and best score are those of sorting every candidate list."""
    probes, gallery, mates = scene(0)
    found = ident.search(probes, gallery, mates, block=9)
    for i, mate in enumerate(mates):
        scores = probes[i] @ gallery.T
        assert found.top[i] == pytest.approx(scores.max(), abs=1e-6)
        if mate >= 0:
            assert found.mate[i] == pytest.approx(scores[mate], abs=1e-6)
            assert found.rank[i] == list(np.argsort(-scores)).index(mate) + 1


def test_rates_follow_their_definitions() -> None:
    """FPIR and FNIR at several thresholds and ranks, counted one search at a time."""
    probes, gallery, mates = scene(1)
    known = mates >= 0
    mated = ident.search(probes[known], gallery, mates[known])
    tops = ident.best_scores(probes[~known], gallery)
    for threshold in (0.2, 0.5, 0.8):
        lists = [p @ gallery.T for p in probes[~known]]
        assert ident.fpir(tops, threshold) == np.mean([(s >= threshold).any() for s in lists])
        for rank in (1, 3):
            missed = 0
            for probe, mate in zip(probes[known], mates[known], strict=True):
                scores = probe @ gallery.T
                first = np.argsort(-scores)[:rank]
                missed += not (mate in first and scores[mate] >= threshold)
            assert ident.fnir(mated, threshold, rank) == missed / known.sum()


def test_a_tie_is_not_won() -> None:
    """A mate that scores the same as another subject ranks behind it."""
    vector = np.array([[1.0, 0.0]], np.float32)
    found = ident.search(vector, np.array([[1.0, 0.0], [1.0, 0.0]], np.float32), np.array([0]))
    assert found.rank[0] == 2


def test_failures_miss_the_mate_and_return_nobody() -> None:
    """A failed probe, or a mate that failed to enrol, is a miss; a failed stranger returns nobody."""
    gallery = np.array([[1.0, 0.0], [np.nan, np.nan]], np.float32)
    probes = np.array([[np.nan, np.nan], [0.0, 1.0], [1.0, 0.0]], np.float32)
    found = ident.search(probes, gallery, np.array([0, 1, 0]))
    assert list(found.rank) == [ident.MISSED, ident.MISSED, 1]
    assert list(ident.misses(found, -1.0)) == [True, True, False]
    assert ident.fpir(ident.best_scores(probes[:1], gallery), -1.0) == 0
    assert ident.cmc(found, 2)[-1] == pytest.approx(1 / 3)


def test_cmc_rises_and_starts_at_rank_one() -> None:
    """Closed-set shares never fall with the rank; the first is rank-1."""
    probes, gallery, mates = scene(2)
    known = mates >= 0
    found = ident.search(probes[known], gallery, mates[known])
    curve = ident.cmc(found, 25)
    assert (np.diff(curve) >= 0).all()
    assert curve[0] == np.mean(found.rank == 1)
    assert curve[-1] == 1


def test_an_empty_gallery_cannot_be_searched() -> None:
    """Nor is there a CMC without mated searches."""
    with pytest.raises(InsufficientData):
        ident.search(np.ones((1, 2), np.float32), np.zeros((0, 2), np.float32), np.array([-1]))
    empty = ident.Searches(np.zeros(0, np.float32), np.zeros(0, np.int64), np.zeros(0, np.float32))
    with pytest.raises(InsufficientData):
        ident.cmc(empty, 1)
