"""All comparisons in blocks give what comparing every pair gives, whatever is too much to keep."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from lineament.errors import InvalidArray
from lineament.scoring import comparisons, equal_error, intervals, similarity, thresholds, verification
from lineament.scoring.comparisons import Comparisons, compare

RATES = (0.3, 0.1, 0.01, 0.001)


def people(seed: int, subjects: int, most: int, failing: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Unit embeddings around one direction a subject, 1..most samples each, shuffled, some NaN."""
    rng = np.random.default_rng(seed)
    owner = np.repeat(np.arange(subjects), rng.integers(1, most + 1, subjects))
    rng.shuffle(owner)
    vectors = rng.normal(size=(subjects, 16))[owner] + 0.6 * rng.normal(size=(len(owner), 16))
    vectors = similarity.normalise(vectors.astype(np.float32))
    vectors[rng.random(len(vectors)) < failing] = np.nan
    return vectors, owner


class Written:
    """Every comparison written out."""

    def __init__(self, vectors: np.ndarray, owner: np.ndarray) -> None:
        i, j = np.triu_indices(len(owner), 1)
        scores, same = similarity.paired(vectors[i], vectors[j]), owner[i] == owner[j]
        self.mated, self.owners = scores[same], owner[i[same]]
        self.nonmated, self.first, self.second = scores[~same], owner[i[~same]], owner[j[~same]]


def agrees(found: Comparisons, written: Written, rates: tuple[float, ...]) -> None:
    assert found.total == len(written.nonmated)
    for rate in rates:
        value = found.threshold(rate)
        assert value == pytest.approx(thresholds.at_rate(written.nonmated, rate), abs=2e-6)
        # Products in blocks and one by one differ in the last bit, so a score may fall on either side.
        assert abs(found.false_matches(value).wrong - int((written.nonmated >= value).sum())) <= 2
        assert found.false_matches(value).wrong <= thresholds.allowed_errors(rate, found.total)


@pytest.mark.parametrize("block", [7, 64, 104, 1024])
@pytest.mark.parametrize("failing", [0.0, 0.05])
def test_thresholds_and_counts_equal_those_of_every_pair(block: int, failing: float) -> None:
    """Whatever the size of a block, with failures to acquire and without."""
    vectors, owner = people(0, 60, 4, failing)
    written = Written(vectors, owner)
    found = compare(vectors, owner, RATES, block=block)
    agrees(found, written, RATES)
    assert found.complete
    np.testing.assert_allclose(
        found.scores, np.sort(written.nonmated)[::-1][: len(found.scores)], atol=2e-6
    )
    assert (owner[found.first] != owner[found.second]).all()
    again = np.einsum("nd,nd->n", vectors[found.first], vectors[found.second])
    np.testing.assert_allclose(again, found.scores, atol=2e-6)
    assert len(set(zip(found.first, found.second, strict=True))) == len(found.scores)


@pytest.mark.parametrize("window", [200, 3000, 10**6])
@pytest.mark.parametrize("seed", [1, 2])
def test_thresholds_stay_exact_when_the_scores_above_them_are_too_many_to_keep(
    seed: int, window: int
) -> None:
    """300 scores kept of 290,000: counting finds the same thresholds and error counts."""
    vectors, owner = people(seed, 300, 4, 0.02)
    written = Written(vectors, owner)
    found = compare(
        vectors, owner, RATES, at=(0.2,), block=104, tail_most=300, exact_most=0, window_most=window
    )
    assert len(found.scores) <= 300
    assert {0.3, 0.1, 0.01} <= set(found.counted)
    agrees(found, written, RATES)
    assert abs(found.false_matches(0.2).wrong - int((written.nonmated >= 0.2).sum())) <= 2


def test_intervals_of_counted_rates_are_never_narrower_than_those_of_written_out_pairs() -> None:
    """One sample a subject: the same interval. Several: a little wider, on the careful side."""
    for most, slack in ((1, 1e-9), (4, 0.15)):
        vectors, owner = people(3, 300, most)
        written = Written(vectors, owner)
        found = compare(vectors, owner, (0.1,), block=64, tail_most=10, exact_most=0)
        value = found.threshold(0.1)
        ours = intervals.estimate(found.false_matches(value)).interval
        sums = intervals.by_subject_pair(written.nonmated >= value, written.first, written.second)
        theirs = intervals.estimate(sums).interval
        assert theirs.high - 1e-4 <= ours.high <= theirs.high * (1 + slack) + 1e-4


def test_people_sorted_by_likeness_do_not_mislead_the_search() -> None:
    """Half of the subjects look alike and come last: blocks differ widely, thresholds stay exact."""
    rng = np.random.default_rng(5)
    vectors = rng.normal(size=(600, 16))
    vectors[300:, 0] += 4
    vectors = similarity.normalise(vectors.astype(np.float32))
    owner = np.arange(600)
    found = compare(vectors, owner, RATES, block=32, tail_most=100, exact_most=0, window_most=400)
    agrees(found, Written(vectors, owner), RATES)


def test_equal_scores_in_masses_are_no_trouble() -> None:
    """40 copies of each of 10 vectors under different names: most scores tie, the rule still holds."""
    base, _ = people(6, 10, 1)
    vectors, owner = np.repeat(base, 40, axis=0), np.arange(400)
    for options in ({}, {"tail_most": 50, "exact_most": 0, "window_most": 500}):
        found = compare(vectors, owner, RATES, block=64, **options)
        agrees(found, Written(vectors, owner), RATES)


def test_everybody_failing_matches_nobody() -> None:
    """With all rows NaN no rate has a false match, and every mated comparison is missed."""
    vectors, owner = people(7, 30, 3)
    found = compare(np.full_like(vectors, np.nan), owner, RATES)
    assert found.false_matches(found.threshold(0.1)).wrong == 0
    assert found.false_nonmatches(found.threshold(0.1)).wrong == len(found.mated)


def test_equal_error_rate_is_that_of_every_pair_and_lies_in_its_interval() -> None:
    """From the scores kept, exactly; where they do not reach, from the histogram to a bin's width."""
    vectors, owner = people(8, 200, 4)
    written = Written(vectors, owner)
    want = verification.eer(written.mated, written.nonmated)
    rate, exact = equal_error.of_comparisons(compare(vectors, owner, RATES))
    assert exact
    assert rate.value == pytest.approx(want, abs=1e-6)
    assert rate.low < want < rate.high
    assert rate.n == len(written.mated) + len(written.nonmated)
    coarse = compare(vectors, owner, RATES, tail_most=5, exact_most=0)
    assert equal_error.of_comparisons(coarse)[0].value == pytest.approx(want, abs=2e-3)


def test_equal_error_interval_of_listed_pairs_holds_the_truth() -> None:
    """Of 100 samples of 60 subjects, the EER of the population lies inside in 95 or more."""
    rng = np.random.default_rng(9)
    want = verification.eer(rng.normal(1.5, 1, 400_000), rng.normal(0, 1, 400_000))
    inside = 0
    for _ in range(100):
        owners = np.repeat(np.arange(60), 5)
        first, second = rng.integers(0, 30, 300), rng.integers(30, 60, 300)
        found = equal_error.listed(
            np.clip(rng.normal(1.5, 1, 300), -3, 6) / 6,
            owners,
            np.clip(rng.normal(0, 1, 300), -3, 6) / 6,
            first,
            second,
        )
        inside += found.low <= want <= found.high
    assert inside >= 95


def test_roc_of_all_comparisons_lies_on_that_of_every_pair() -> None:
    """Its points are points of the full curve, from FMR 0 to 1."""
    vectors, owner = people(10, 100, 4)
    written = Written(vectors, owner)
    curve, exact = compare(vectors, owner, RATES).roc(points=200)
    assert exact
    for threshold, fmr, fnmr in zip(curve.thresholds[1:], curve.fmr[1:], curve.fnmr[1:], strict=True):
        assert fmr == pytest.approx(verification.fmr(written.nonmated, threshold), abs=2e-3)
        assert fnmr == pytest.approx(verification.fnmr(written.mated, threshold), abs=5e-3)
    assert curve.fmr[-1] == 1
    assert (np.diff(curve.fmr) >= 0).all() and (np.diff(curve.fnmr) <= 0).all()


def test_histogram_counts_every_comparison() -> None:
    """Mated and non-mated scores in bins; failures are counted but lie in none."""
    vectors, owner = people(11, 100, 4, 0.1)
    written = Written(vectors, owner)
    found = compare(vectors, owner, RATES).histogram
    assert found.counted == len(written.nonmated)
    assert found.nonmated.sum() == np.isfinite(written.nonmated).sum()
    assert found.mated.sum() == np.isfinite(written.mated).sum()
    want = np.histogram(written.nonmated[np.isfinite(written.nonmated)], found.edges)[0]
    assert np.abs(np.cumsum(want - found.nonmated)).max() <= 3


def test_memory_does_not_grow_with_the_comparisons(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four times the comparisons take no more room, though 1 in 10 lies above a threshold."""

    monkeypatch.setattr(comparisons, "SAMPLE", 512)

    def peak(count: int) -> int:
        rng = np.random.default_rng(12)
        vectors = similarity.normalise(rng.normal(size=(count, 16)).astype(np.float32))
        tracemalloc.start()
        try:
            compare(
                vectors, np.arange(count), (0.1,), tail_most=9, exact_most=0, window_most=10_000, block=256
            )
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(3000) < 1.25 * peak(1500)  # codes and embeddings are all that grows


def test_what_was_not_asked_for_is_refused() -> None:
    """A rate or threshold outside the scores kept has no answer, and gets none."""
    vectors, owner = people(13, 300, 2)
    found = compare(vectors, owner, (0.001,), tail_most=300, exact_most=0)
    with pytest.raises(InvalidArray, match="not asked for"):
        found.threshold(0.2)
    with pytest.raises(InvalidArray, match="outside"):
        found.false_matches(0.0)
