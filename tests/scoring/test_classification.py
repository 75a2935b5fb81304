"""Classification metrics: equal to scikit-learn on random cases with ties; undefined figures are NaN."""

from __future__ import annotations

import numpy as np
import pytest

from lineament.errors import InsufficientData, InvalidArray
from lineament.scoring import classification as ours

metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn, the reference, is not installed")


def _case(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Labels, scores in few distinct steps (so that many tie) and predictions; classes may be empty."""
    rng = np.random.default_rng(seed)
    classes = int(rng.integers(2, 8))
    n = int(rng.integers(2, 120))
    truth = rng.integers(0, classes, n)
    if rng.random() < 0.3:
        truth = np.minimum(truth, classes - 2) if classes > 2 else truth
    scores = rng.integers(0, int(rng.integers(2, 30)), (n, classes)) / 29
    scores[np.arange(n), truth] += rng.random() * (rng.random(n) < 0.7)
    return truth, scores, scores.argmax(axis=1), classes


@pytest.mark.parametrize("block", range(4))
def test_200_random_cases_equal_scikit_learn(block: int) -> None:
    """Accuracy, top-k, confusion, per class, macro, weighted: within 1e-12, ties and empty classes too."""
    for seed in range(50 * block, 50 * block + 50):
        truth, scores, predicted, classes = _case(seed)
        every = np.arange(classes)
        assert ours.accuracy(truth, predicted) == pytest.approx(
            metrics.accuracy_score(truth, predicted), abs=1e-12
        )
        for k in range(1, classes) if classes > 2 else ():
            theirs = metrics.top_k_accuracy_score(truth, scores, k=k, labels=every)
            assert ours.top_k_accuracy(truth, scores, k) == pytest.approx(theirs, abs=1e-12)
        matrix = ours.confusion_matrix(truth, predicted, classes)
        assert (matrix == metrics.confusion_matrix(truth, predicted, labels=every)).all()
        figures = ours.class_figures(matrix)
        theirs = metrics.precision_recall_fscore_support(
            truth, predicted, labels=every, zero_division=np.nan
        )
        for mine, other in zip((figures.precision, figures.recall, figures.f1), theirs[:3], strict=True):
            np.testing.assert_allclose(mine, other, rtol=0, atol=1e-12)
        assert (figures.support == theirs[3]).all()
        present = np.flatnonzero(figures.support)
        for average, mean in (("macro", figures.macro), ("weighted", figures.weighted)):
            theirs = metrics.precision_recall_fscore_support(
                truth, predicted, labels=present, average=average, zero_division=0
            )
            got = [mean(f) for f in (figures.precision, figures.recall, figures.f1)]
            np.testing.assert_allclose(got, theirs[:3], rtol=0, atol=1e-12)


@pytest.mark.parametrize("block", range(4))
def test_200_random_rocs_equal_scikit_learn(block: int) -> None:
    """Every point of the ROC and its area, one class against the rest, within 1e-12 and with ties."""
    for seed in range(50 * block, 50 * block + 50):
        truth, scores, _, classes = _case(seed)
        areas = ours.auc_one_vs_rest(truth, scores)
        for c in range(classes):
            positive = truth == c
            if positive.all() or not positive.any():
                assert np.isnan(areas[c])
                continue
            assert areas[c] == pytest.approx(metrics.roc_auc_score(positive, scores[:, c]), abs=1e-12)
            fpr, tpr, thresholds = metrics.roc_curve(positive, scores[:, c], drop_intermediate=False)
            curve = ours.roc(scores[:, c], positive)
            np.testing.assert_allclose(curve.false_positive_rate, fpr, rtol=0, atol=1e-12)
            np.testing.assert_allclose(curve.true_positive_rate, tpr, rtol=0, atol=1e-12)
            assert (curve.thresholds == thresholds).all()
        if np.isfinite(areas).all() and classes > 2:
            shares = scores + 1e-3
            shares /= shares.sum(axis=1, keepdims=True)
            for average in ("macro", "weighted"):
                theirs = metrics.roc_auc_score(truth, shares, multi_class="ovr", average=average)
                weights = np.bincount(truth, minlength=classes) if average == "weighted" else None
                got = np.average(ours.auc_one_vs_rest(truth, shares), weights=weights)
                assert got == pytest.approx(theirs, abs=1e-12)


def test_200_random_calibration_curves_and_mean_errors_equal_scikit_learn() -> None:
    """Bins, their mean confidence and frequency, with probabilities on the edges; and MAE: within 1e-12."""
    from sklearn.calibration import calibration_curve

    for seed in range(200):
        rng = np.random.default_rng(seed)
        n, bins = int(rng.integers(1, 200)), int(rng.integers(1, 16))
        chance = rng.integers(0, 21, n) / 20 if seed % 2 else rng.random(n)
        came = rng.random(n) < chance
        curve = ours.calibration(chance, came, bins)
        frequency, confidence = calibration_curve(came, chance, n_bins=bins, pos_label=True)
        filled = curve.count > 0
        np.testing.assert_allclose(curve.frequency[filled], frequency, rtol=0, atol=1e-12)
        np.testing.assert_allclose(curve.confidence[filled], confidence, rtol=0, atol=1e-12)
        by_hand = sum(
            count * abs(f - c)
            for count, f, c in zip(curve.count[filled], frequency, confidence, strict=True)
        )
        assert curve.expected_error == pytest.approx(by_hand / n, abs=1e-12)
        truth, guess = rng.integers(0, 90, n), rng.random(n) * 90
        theirs = metrics.mean_absolute_error(truth, guess)
        assert ours.mean_absolute_error(truth, guess) == pytest.approx(theirs, abs=1e-12)


def test_a_class_never_predicted_counts_in_the_macro_mean() -> None:
    """Its precision is undefined on its own and 0 in the mean: giving a class up must not pay."""
    figures = ours.class_figures(ours.confusion_matrix([0, 0, 1, 1], [0, 0, 0, 0], 2))
    assert np.isnan(figures.precision[1])
    assert figures.macro(figures.precision) == pytest.approx(0.25)


def test_a_class_without_a_sample_is_named_and_left_out_of_the_mean() -> None:
    """Nothing can be said of its recall; the others' mean stands."""
    figures = ours.class_figures(ours.confusion_matrix([0, 0, 2], [0, 1, 2], 3))
    assert figures.empty.tolist() == [1]
    assert np.isnan(figures.recall[1])
    assert figures.macro(figures.recall) == pytest.approx(0.75)


def test_a_model_sure_of_its_errors_has_a_large_calibration_error() -> None:
    """Confidence 0.95 that is right half of the time: 0.45."""
    curve = ours.calibration(np.full(100, 0.95), np.arange(100) % 2 == 0)
    assert curve.expected_error == pytest.approx(0.45)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: ours.accuracy([], []), InsufficientData),
        (lambda: ours.accuracy([0, 1], [0]), InvalidArray),
        (lambda: ours.accuracy([0.5], [1]), InvalidArray),
        (lambda: ours.confusion_matrix([0, 3], [0, 1], 3), InvalidArray),
        (lambda: ours.confusion_matrix([0, -1], [0, 1], 3), InvalidArray),
        (lambda: ours.auc([0.1, 0.2], [1, 1]), InsufficientData),
        (lambda: ours.auc([0.1, np.nan], [1, 0]), InvalidArray),
        (lambda: ours.calibration([1.5], [True]), InvalidArray),
        (lambda: ours.calibration([np.nan], [True]), InvalidArray),
        (lambda: ours.mean_absolute_error([1.0], [np.inf]), InvalidArray),
        (lambda: ours.top_k_accuracy([0], [[0.1, 0.9]], 0), InvalidArray),
        (lambda: ours.top_k_accuracy([0], [0.1, 0.9], 1), InvalidArray),
    ],
)
def test_unusable_input_ends_in_a_named_error(call: object, error: type[Exception]) -> None:
    """No sample, unequal lengths, unknown classes, NaN: never a number."""
    with pytest.raises(error):
        call()  # type: ignore[operator]
