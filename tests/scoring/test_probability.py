"""From similarity to probability: curves rise, fit their data, and are checked on other data."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from lineament.errors import ConfigError, InsufficientData
from lineament.scoring import probability
from lineament.scoring.probability import Labelled, Probability, fit, labelled, reliability


def drawn(seed: int, n: int = 20_000) -> Labelled:
    """Half mated; the true curve is logistic with slope 12 and offset -4."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-0.5, 1, 2 * n)
    mated = rng.random(2 * n) < 1 / (1 + np.exp(-(12 * x - 4)))
    g, i = x[mated], x[~mated]
    size = min(len(g), len(i))
    return labelled(g[:size], np.arange(size), i[:size])


def test_logistic_fit_is_scikit_learns() -> None:
    """The same weighted maximum likelihood."""
    data = drawn(0, 1000)
    theirs = LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000)
    theirs.fit(data.scores[:, None], data.mated, sample_weight=data.weights * len(data.scores))
    ours = fit(data)
    assert ours.slope == pytest.approx(theirs.coef_[0, 0], rel=1e-3)
    assert ours.offset == pytest.approx(theirs.intercept_[0], rel=1e-3)


def test_isotonic_fit_is_scikit_learns() -> None:
    """The same pool-adjacent-violators, kept away from 0 and 1."""
    data = drawn(1, 500)
    theirs = IsotonicRegression().fit(data.scores, data.mated, sample_weight=data.weights)
    edge = 1 / (len(data.scores) + 2)
    want = np.clip(theirs.predict(data.scores), edge, 1 - edge)
    curve = fit(data, "isotonic")
    np.testing.assert_allclose(curve(data.scores), want, atol=1e-9)
    assert 0 < curve(np.array([-1.0]))[0] < curve(np.array([1.0]))[0] < 1


@pytest.mark.parametrize("method", probability.METHODS)
def test_a_fitted_curve_is_calibrated_on_data_it_has_not_seen(method: probability.Method) -> None:
    """Expected calibration error under 2 % on a second draw; a wrong curve shows a large one."""
    curve, other = fit(drawn(2), method), drawn(3)
    good, bad = reliability(curve, other), reliability(Probability("logistic", 40.0, -4.0), other)
    assert good.ece < 0.02
    assert bad.ece > 0.1
    assert good.brier < bad.brier
    assert sum(weight for _, _, weight in good.bins) == pytest.approx(1)


def test_calibration_error_and_brier_score_by_hand() -> None:
    """Four comparisons in two bins."""
    curve = Probability("isotonic", points=(0.0, 1.0), values=(0.2, 0.8))
    data = Labelled(np.array([0.0, 0.0, 1.0, 1.0]), np.array([False, True, True, True]), np.full(4, 0.25))
    found = reliability(curve, data)
    assert found.ece == pytest.approx(0.5 * abs(0.2 - 0.5) + 0.5 * abs(0.8 - 1.0))
    assert found.brier == pytest.approx((0.04 + 0.64 + 0.04 + 0.04) / 4)


def test_every_subject_weighs_the_same() -> None:
    """A subject with 100 comparisons counts as much as one with 1; mated and non-mated one half each."""
    data = labelled(np.r_[np.full(100, 0.9), 0.5], np.r_[np.zeros(100), 1], [0.1, 0.2])
    assert data.weights[:100].sum() == pytest.approx(0.25)
    assert data.weights[100] == pytest.approx(0.25)
    assert data.weights[101:].sum() == pytest.approx(0.5)


def test_a_prior_moves_the_probability_by_bayes_rule() -> None:
    """At one half it stays; with 1 in 1,000 beforehand the odds shrink 999-fold."""
    curve = Probability("logistic", 10.0, -5.0)
    p = float(curve(0.8))
    assert curve.given(0.8, 0.5) == pytest.approx(p)
    odds = curve.given(0.8, 0.001) / (1 - curve.given(0.8, 0.001))
    assert odds == pytest.approx(p / (1 - p) / 999)
    with pytest.raises(ConfigError):
        curve.given(0.8, 0.0)


def test_failures_to_acquire_have_no_part_and_probability_zero() -> None:
    """-inf is no similarity."""
    data = labelled([0.9, -np.inf], ["a", "b"], [0.1, -np.inf])
    assert len(data.scores) == 2
    for method in probability.METHODS:
        assert fit(data, method)(np.array([-np.inf]))[0] == 0
    with pytest.raises(InsufficientData):
        labelled([-np.inf], ["a"], [0.1])


def test_curves_survive_being_written_and_damaged_ones_are_refused() -> None:
    """Through JSON and back, exactly; a falling or nameless curve has a name for what is wrong."""
    for method in probability.METHODS:
        curve = fit(drawn(4, 200), method)
        again = Probability.from_json(json.loads(json.dumps(curve.to_json())))
        x = np.linspace(-1, 1, 50)
        np.testing.assert_array_equal(curve(x), again(x))
    for bad in (
        {},
        {"method": "magic"},
        {"method": "logistic", "slope": "x", "offset": 0},
        {"method": "isotonic", "points": [0, 1], "values": [1, 0]},
        {"method": "isotonic", "points": [], "values": []},
    ):
        with pytest.raises(ConfigError):
            Probability.from_json(bad)
