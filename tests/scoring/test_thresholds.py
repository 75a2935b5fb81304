"""Thresholds keep their promise, and admit when the data cannot carry one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import roc_curve

from lineament.errors import InsufficientData, InvalidArray, UsageError
from lineament.scoring import thresholds
from lineament.scoring.verification import fmr

# Few distinct values: ties are where thresholds go wrong.
tied_scores = st.integers(1, 300).flatmap(
    lambda n: arrays(np.float32, n, elements=st.integers(-8, 8).map(lambda k: np.float32(k / 7)))
)
rates = st.sampled_from([1e-3, 5e-3, 0.01, 0.05, 0.1, 0.29, 0.5, 0.9])


@given(tied_scores, rates)
def test_observed_fmr_never_exceeds_the_target(scores: np.ndarray, rate: float) -> None:
    """FMR at the threshold is at or below the target, whatever the ties."""
    value = thresholds.at_rate(scores, rate)
    assert np.mean(scores >= np.float32(value)) <= rate
    assert np.mean(scores.astype(np.float64) >= value) <= rate


@given(tied_scores, rates)
def test_threshold_is_the_smallest_that_keeps_the_target(scores: np.ndarray, rate: float) -> None:
    """Any lower threshold, down to the next observed score, lets too many through."""
    value = thresholds.at_rate(scores, rate)
    below = scores[scores < np.float32(value)]
    assert len(below)
    assert np.mean(scores >= below.max()) > rate


def test_threshold_follows_the_definition_on_distinct_scores() -> None:
    """With k = floor(a n), the threshold is the next float above the (k+1)-th highest score."""
    scores = np.arange(1000, dtype=np.float64)
    np.random.default_rng(0).shuffle(scores)
    value = thresholds.at_rate(scores, 0.01)
    assert value == np.nextafter(989.0, np.inf)
    assert fmr(scores, value) == 0.01


def test_nearest_rate_of_popular_code_overshoots_ours_does_not() -> None:
    """3,000 impostors at FMR 6e-4: the nearest observed rate is 2/3000, too high; ours is 1/3000."""
    scores = np.random.default_rng(1).normal(size=3000)
    labels = np.r_[np.zeros(3000), 1]
    seen, _, values = roc_curve(labels, np.r_[scores, 9.0], drop_intermediate=False)
    nearest = values[np.argmin(np.abs(seen - 6e-4))]
    assert fmr(scores, nearest) > 6e-4
    assert fmr(scores, thresholds.at_rate(scores, 6e-4)) == pytest.approx(1 / 3000)


def test_step_is_taken_in_the_scores_own_precision() -> None:
    """A float32 score equal to the last one excluded stays excluded when compared as float32."""
    scores = np.full(100, np.float32(0.1))
    value = thresholds.at_rate(scores, 0.5)
    assert not (scores >= value).any()  # NumPy compares float32 with a Python float as float32
    assert np.float32(value) == np.nextafter(np.float32(0.1), np.float32(1))


@pytest.mark.parametrize(("rate", "n", "allowed"), [(0.29, 100, 29), (0.01, 300, 3), (1e-5, 299_999, 2)])
def test_rates_are_read_as_the_decimals_they_are_written_as(rate: float, n: int, allowed: int) -> None:
    """floor(a n) is exact: 0.29 of 100 is 29, although 0.29 * 100 < 29 in binary."""
    assert thresholds.allowed_errors(rate, n) == allowed


def test_failures_to_acquire_count_as_non_matches() -> None:
    """-inf lowers the FMR and never becomes a threshold that lets everything through."""
    scores = np.r_[np.full(90, -np.inf), np.linspace(0, 1, 10)].astype(np.float32)
    assert fmr(scores, thresholds.at_rate(scores, 0.05)) == 0.05
    everything_fails = thresholds.at_rate(np.full(10, -np.inf), 0.5)
    assert np.isfinite(everything_fails)
    assert fmr(np.full(10, -np.inf), everything_fails) == 0


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1, 2.0])
def test_rates_outside_zero_to_one_are_refused(rate: float) -> None:
    """A target of 0 or 1 names no threshold."""
    for call in (thresholds.needed, lambda r: thresholds.at_rate([0.1], r)):
        with pytest.raises(UsageError):
            call(rate)


@pytest.mark.parametrize("bad", [[np.nan, 0.1], [np.inf], [[0.1]]])
def test_scores_that_are_not_scores_are_refused(bad: list[float]) -> None:
    """NaN, +infinity and a matrix are refused by name."""
    with pytest.raises(InvalidArray):
        thresholds.at_rate(bad, 0.1)


def test_no_scores_give_no_threshold() -> None:
    """Without comparisons there is nothing to say."""
    with pytest.raises(InsufficientData):
        thresholds.at_rate([], 0.1)


def test_rule_of_thirty() -> None:
    """1e-4 takes 300,000 comparisons, not one fewer, and the refusal says both numbers."""
    assert thresholds.needed(1e-4) == 300_000
    assert thresholds.supports(1e-4, 300_000)
    assert not thresholds.supports(1e-4, 299_999)
    with pytest.raises(InsufficientData, match=r"FMR 0\.0001 needs 300,000 comparisons, you have 3,000"):
        thresholds.require(1e-4, 3000)


def _most_accurate_slowly(scores: np.ndarray, same: np.ndarray) -> float:
    finite = np.unique(scores[np.isfinite(scores)])
    candidates = [*finite, np.inf]
    return max(float(np.mean((scores >= c) == same)) for c in candidates)


@given(tied_scores, st.randoms(use_true_random=False))
def test_most_accurate_threshold_beats_every_other(scores: np.ndarray, random: object) -> None:
    """No threshold on these comparisons decides more of them rightly (trying every one)."""
    same = np.array([random.random() < 0.5 for _ in scores])  # type: ignore[attr-defined]
    scores = scores.copy()
    scores[: len(scores) // 5] = -np.inf
    value = thresholds.most_accurate(scores, same)
    got = float(np.mean((scores >= value) == same))
    assert got == pytest.approx(_most_accurate_slowly(scores, same), abs=1e-12)
