"""Similarities of pairs and within subjects; operating points of all comparisons."""

from __future__ import annotations

import numpy as np
import pytest

from lineament.errors import InsufficientData, InvalidArray
from lineament.scoring import operating_points, similarity


def people(seed: int, subjects: int, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Unit embeddings around one direction a subject, with 1..most samples each, shuffled."""
    rng = np.random.default_rng(seed)
    owner = np.repeat(np.arange(subjects), rng.integers(1, most + 1, subjects))
    rng.shuffle(owner)
    centres = rng.normal(size=(subjects, 16))
    vectors = centres[owner] + 0.6 * rng.normal(size=(len(owner), 16))
    return similarity.normalise(vectors.astype(np.float32)), owner


def loop(embeddings: np.ndarray, owner: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mated, nonmated = [], []
    for i in range(len(owner)):
        for j in range(i + 1, len(owner)):
            score = float(embeddings[i] @ embeddings[j])
            (mated if owner[i] == owner[j] else nonmated).append(-np.inf if np.isnan(score) else score)
    return np.array(mated), np.array(nonmated)


def test_mated_scores_are_all_comparisons_within_subjects() -> None:
    """Every one, once, with its subject."""
    embeddings, owner = people(2, 30, 5)
    mated, _ = loop(embeddings, owner)
    scores, subject = similarity.mated(embeddings, owner)
    np.testing.assert_allclose(np.sort(scores), np.sort(mated), atol=1e-6)
    counts = np.bincount(owner)
    np.testing.assert_array_equal(np.bincount(subject, minlength=len(counts)), counts * (counts - 1) // 2)


def test_operating_points_equal_those_of_the_written_out_comparisons() -> None:
    """The table from blocks and the table from lists agree on thresholds, rates and intervals."""
    embeddings, owner = people(3, 50, 4)
    i, j = np.triu_indices(len(owner), 1)
    scores = similarity.paired(embeddings[i], embeddings[j])
    same = owner[i] == owner[j]
    rates = (0.1, 0.02, 0.005)
    listed = operating_points.from_scores(
        scores[same], owner[i[same]], scores[~same], owner[i[~same]], owner[j[~same]], rates=rates
    )
    blocks = operating_points.from_samples(embeddings, owner, rates)
    for a, b in zip(listed, blocks, strict=True):
        assert a.threshold == pytest.approx(b.threshold, abs=1e-6)
        assert (a.fmr.errors, a.fnmr.errors) == (b.fmr.errors, b.fnmr.errors)
        assert a.fmr.interval.high == pytest.approx(b.fmr.interval.high, rel=1e-9)
        assert a.fnmr.interval.low == pytest.approx(b.fnmr.interval.low, rel=1e-9)
        assert b.fmr.value <= b.target_rate


def test_failures_to_acquire_stay_in_the_count() -> None:
    """A row of NaN adds comparisons, all of them non-matches."""
    embeddings, owner = people(4, 30, 3)
    whole = operating_points.from_samples(embeddings, owner, (0.05,))[0]
    broken = embeddings.copy()
    broken[::3] = np.nan
    point = operating_points.from_samples(broken, owner, (0.05,))[0]
    assert point.fmr.comparisons == whole.fmr.comparisons
    assert point.fnmr.comparisons == whole.fnmr.comparisons
    assert point.fnmr.value > whole.fnmr.value
    failing = operating_points.from_samples(np.full_like(embeddings, np.nan), owner, (0.05,))[0]
    assert (failing.fmr.value, failing.fnmr.value) == (0, 1)


def test_unsupported_rates_are_marked() -> None:
    """A point knows whether its comparisons carry it (rule of 30)."""
    embeddings, owner = people(5, 30, 3)
    high, low = operating_points.from_samples(embeddings, owner, (0.1, 1e-4))
    assert high.supported
    assert not low.supported
    assert low.to_json()["needs"] == 300_000


def test_one_subject_has_no_strangers() -> None:
    """Cross-subject comparisons need two."""
    with pytest.raises(InsufficientData):
        operating_points.from_samples(np.eye(3, dtype=np.float32), ["a", "a", "a"], (0.1,))


def test_zero_vectors_and_unequal_shapes_are_refused() -> None:
    """They have no direction, or no partner."""
    with pytest.raises(InvalidArray):
        similarity.normalise(np.zeros((1, 4), np.float32))
    with pytest.raises(InvalidArray):
        similarity.paired(np.zeros((1, 4), np.float32), np.zeros((2, 4), np.float32))
