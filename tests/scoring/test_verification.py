"""1:1 metrics against their definitions and against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import det_curve, roc_auc_score, roc_curve

from lineament.errors import InsufficientData
from lineament.scoring import verification as v

scores = st.lists(st.integers(-6, 6).map(lambda k: k / 5), min_size=1, max_size=60)


@given(scores, scores)
def test_auc_equals_scikit_learn_with_ties(mated: list[float], nonmated: list[float]) -> None:
    """The rank statistic is the trapezoidal area, ties included, to 1e-12."""
    labels = np.r_[np.ones(len(mated)), np.zeros(len(nonmated))]
    assert v.auc(mated, nonmated) == pytest.approx(roc_auc_score(labels, mated + nonmated), abs=1e-12)


def test_auc_equals_scikit_learn_on_random_scores() -> None:
    """The same on a thousand continuous scores, twenty times."""
    rng = np.random.default_rng(3)
    for _ in range(20):
        g, i = rng.normal(1, 1, 400), rng.normal(0, 1, 600)
        labels = np.r_[np.ones(400), np.zeros(600)]
        assert v.auc(g, i) == pytest.approx(roc_auc_score(labels, np.r_[g, i]), abs=1e-12)


@given(scores, scores)
def test_roc_points_equal_scikit_learn(mated: list[float], nonmated: list[float]) -> None:
    """Every operating point, none dropped, with the same thresholds."""
    labels = np.r_[np.ones(len(mated)), np.zeros(len(nonmated))]
    fpr, tpr, values = roc_curve(labels, mated + nonmated, drop_intermediate=False)
    ours = v.roc(mated, nonmated)
    np.testing.assert_allclose(ours.fmr, fpr, atol=1e-12)
    np.testing.assert_allclose(ours.tmr, tpr, atol=1e-12)
    np.testing.assert_array_equal(ours.thresholds, values)


def test_det_points_equal_scikit_learn() -> None:
    """scikit-learn's DET curve lies on ours."""
    rng = np.random.default_rng(4)
    g, i = rng.normal(1, 1, 200).round(1), rng.normal(0, 1, 300).round(1)
    fpr, fnr, values = det_curve(np.r_[np.ones(200), np.zeros(300)], np.r_[g, i])
    ours = v.roc(g, i)
    for x, y, t in zip(fpr, fnr, values, strict=True):
        if np.isfinite(t):
            k = int(np.flatnonzero(ours.thresholds == t)[0])
            assert (ours.fmr[k], ours.fnmr[k]) == (pytest.approx(x), pytest.approx(y))


@given(scores, scores, st.integers(-7, 7))
def test_rates_follow_their_definitions(mated: list[float], nonmated: list[float], k: int) -> None:
    """FMR counts scores at or above, FNMR those below: a score on the threshold matches."""
    t = k / 5
    assert v.fmr(nonmated, t) == sum(s >= t for s in nonmated) / len(nonmated)
    assert v.fnmr(mated, t) == sum(s < t for s in mated) / len(mated)


def test_eer_of_known_cases() -> None:
    """0 when separated, 1 when reversed, 0.5 when all are equal, and 1/4 for one error in four each."""
    assert v.eer([2.0, 3.0], [0.0, 1.0]) == 0
    assert v.eer([0.0, 1.0], [2.0, 3.0]) == 1
    assert v.eer([1.0] * 5, [1.0] * 3) == pytest.approx(0.5)
    assert v.eer([0.2, 0.7, 0.8, 0.9], [0.1, 0.15, 0.18, 0.6]) == pytest.approx(0.25)


def test_eer_interpolates_between_neighbouring_operating_points() -> None:
    """From (FMR 0, FNMR 1/2) to (1/3, 0) the straight line crosses FMR = FNMR at 1/5."""
    assert v.eer([1.0, 0.5], [0.5, 0.0, 0.0]) == pytest.approx(0.2)


@given(scores, scores)
def test_eer_lies_on_the_lower_left_of_every_threshold(mated: list[float], nonmated: list[float]) -> None:
    """No operating point has both error rates below the EER, and one has both at or above."""
    rate = v.eer(mated, nonmated)
    curve = v.roc(mated, nonmated)
    assert not ((curve.fmr < rate - 1e-12) & (curve.fnmr < rate - 1e-12)).any()


def test_failures_to_acquire_never_match() -> None:
    """-inf is a non-match at the lowest operating point too, and AUC calls two failures a tie."""
    g, i = np.array([0.9, -np.inf]), np.array([0.1, -np.inf])
    curve = v.roc(g, i)
    assert (curve.fmr[-1], curve.fnmr[-1]) == (0.5, 0.5)
    # 0.9 beats both; the failed mated score loses to 0.1 and ties with the failed other.
    assert v.auc(g, i) == pytest.approx((2 + 0 + 0.5) / 4)


def test_one_kind_of_comparisons_is_not_enough() -> None:
    """Error rates need mated and non-mated scores."""
    for call in (v.roc, v.auc, v.eer):
        with pytest.raises(InsufficientData):
            call([], [0.1])
        with pytest.raises(InsufficientData):
            call([0.1], [])


def _folds(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    same = rng.random(n) < 0.5
    return rng.normal(same * 2.0, 1.0), same, np.arange(n) % 4


def test_fold_accuracy_never_looks_at_the_held_out_fold() -> None:
    """Changing the scores of a fold leaves the threshold that judges it unchanged."""
    values, same, folds = _folds(np.random.default_rng(5), 400)
    none = np.zeros(400, bool)
    before = v.cross_validated_accuracy(values, same, folds, none)
    changed = np.where(folds == 2, -values, values)
    after = v.cross_validated_accuracy(changed, same, folds, none)
    assert after.folds[2].threshold == before.folds[2].threshold
    assert after.folds[2].accuracy != before.folds[2].accuracy


def test_accuracy_and_standard_error_come_from_the_folds() -> None:
    """Mean of the folds' accuracies; std (ddof 1) over the root of their number."""
    values, same, folds = _folds(np.random.default_rng(6), 400)
    found = v.cross_validated_accuracy(values, same, folds, np.zeros(400, bool))
    rates = [f.accuracy for f in found.folds]
    assert found.mean == pytest.approx(np.mean(rates))
    assert found.standard_error == pytest.approx(np.std(rates, ddof=1) / 2)
    assert [f.fold for f in found.folds] == [0, 1, 2, 3]


@pytest.mark.parametrize("label", [True, False])
def test_accuracy_counts_a_failure_as_an_error_whichever_its_label(label: bool) -> None:
    """Perfect scores with one failed pair of either label lose exactly that pair."""
    same = np.arange(40) % 2 == 0
    values = np.where(same, 0.9, 0.1)
    failed = np.zeros(40, bool)
    failed[int(np.flatnonzero(same == label)[0])] = True
    values[failed] = -np.inf
    found = v.cross_validated_accuracy(values, same, np.arange(40) // 20, failed)
    assert found.mean == pytest.approx(39 / 40)


def test_one_fold_gives_no_accuracy() -> None:
    """A threshold cannot be chosen on the other folds when there are none."""
    with pytest.raises(InsufficientData):
        v.cross_validated_accuracy([0.1, 0.9], np.array([False, True]), np.ones(2), np.zeros(2, bool))
