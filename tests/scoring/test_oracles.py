"""200 random cases with ties against scikit-learn and SciPy, to 1e-12."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import auc, det_curve, roc_curve

from lineament.errors import InsufficientData
from lineament.scoring import intervals, thresholds, verification

CASES = range(200)


def case(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Mated and non-mated scores; every other case is rounded so that most scores tie."""
    rng = np.random.default_rng(seed)
    g = rng.normal(rng.uniform(0, 3), 1, rng.integers(1, 300))
    i = rng.normal(0, rng.uniform(0.5, 2), rng.integers(1, 400))
    return (g.round(1), i.round(1)) if seed % 2 else (g, i)


@pytest.mark.parametrize("seed", CASES)
def test_curves_and_areas_equal_scikit_learn(seed: int) -> None:
    """ROC points, the area under them and the DET points, ties included."""
    g, i = case(seed)
    labels, scores = np.r_[np.ones(len(g)), np.zeros(len(i))], np.r_[g, i]
    fpr, tpr, values = roc_curve(labels, scores, drop_intermediate=False)
    ours = verification.roc(g, i)
    np.testing.assert_array_equal(ours.thresholds, values)
    np.testing.assert_allclose(ours.fmr, fpr, rtol=0, atol=1e-12)
    np.testing.assert_allclose(ours.tmr, tpr, rtol=0, atol=1e-12)
    assert verification.auc(g, i) == pytest.approx(auc(fpr, tpr), abs=1e-12)
    fmr, fnmr, at = det_curve(labels, scores)
    for x, y, threshold in zip(fmr, fnmr, at, strict=True):
        if np.isfinite(threshold):
            k = int(np.flatnonzero(ours.thresholds == threshold)[0])
            assert ours.fmr[k] == pytest.approx(x, abs=1e-12)
            assert ours.fnmr[k] == pytest.approx(y, abs=1e-12)


@pytest.mark.parametrize("seed", CASES)
def test_equal_error_rate_lies_where_scikit_learns_curve_crosses(seed: int) -> None:
    """Linear interpolation on roc_curve's own points gives the same rate."""
    g, i = case(seed)
    fpr, tpr, _ = roc_curve(np.r_[np.ones(len(g)), np.zeros(len(i))], np.r_[g, i], drop_intermediate=False)
    gap = fpr - (1 - tpr)
    k = int(np.argmax(gap >= 0))
    share = -gap[k - 1] / (gap[k] - gap[k - 1])
    assert verification.eer(g, i) == pytest.approx(fpr[k - 1] + share * (fpr[k] - fpr[k - 1]), abs=1e-12)


@pytest.mark.parametrize("seed", CASES)
def test_intervals_equal_binomtest(seed: int) -> None:
    """Exact and Wilson intervals at a random level, errors from none to all."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 5000))
    errors = int(rng.choice([0, n, rng.integers(0, n + 1)]))
    level = float(rng.uniform(0.5, 0.999))
    test = stats.binomtest(errors, n)
    for ours, method in (
        (intervals.exact(errors, n, level), "exact"),
        (intervals.wilson(errors / n, n, level), "wilson"),
    ):
        theirs = test.proportion_ci(level, method)
        assert ours.low == pytest.approx(theirs.low, abs=1e-12)
        assert ours.high == pytest.approx(theirs.high, abs=1e-12)


@pytest.mark.parametrize("seed", CASES)
def test_threshold_is_the_smallest_that_keeps_the_false_match_rate(seed: int) -> None:
    """FMR <= alpha there; at the next lower score, or anywhere lower, it is above. Never the nearest."""
    _, i = case(seed)
    rate = float(np.random.default_rng(seed).choice([0.3, 0.1, 0.05, 0.01, 0.001]))
    value = thresholds.at_rate(i, rate)
    assert verification.fmr(i, value) <= rate
    assert verification.fmr(i, np.nextafter(value, -np.inf)) > rate


def test_a_rate_of_one_in_ten_thousand_is_refused_at_3000_impostors() -> None:
    """alpha x comparisons must reach 30: LFW's 3,000 impostor pairs say nothing about FMR 1e-4."""
    with pytest.raises(InsufficientData, match=r"FMR 0\.0001 needs 300,000 comparisons, you have 3,000"):
        thresholds.require(1e-4, 3000)
    thresholds.require(1e-2, 3000)


def test_no_error_gives_the_exact_upper_bound() -> None:
    """0 of 30,000 independent comparisons bounds the rate at 1.23e-4; so does the printed rate."""
    sums = intervals.by_subject(np.zeros(30_000, bool), np.arange(30_000))
    rate = intervals.estimate(sums).rate
    assert (rate.value, rate.low, rate.n) == (0, 0, 30_000)
    assert rate.high == pytest.approx(1 - 0.025 ** (1 / 30_000), abs=1e-15)
    assert rate.high == pytest.approx(1.23e-4, rel=1e-2)
