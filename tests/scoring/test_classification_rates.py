"""Intervals of classification metrics: subjects resampled whole, failures and empty classes told."""

from __future__ import annotations

import numpy as np
import pytest

from lineament.errors import InsufficientData
from lineament.scoring import classification, classification_rates, intervals, numbers, resampling


def _sample(seed: int, subjects: int = 40, classes: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, probabilities and subjects; a subject's samples share a class and a difficulty."""
    rng = np.random.default_rng(seed)
    each = rng.integers(1, 6, subjects)
    whose = np.repeat(np.arange(subjects), each)
    truth = rng.integers(0, classes, subjects)[whose]
    logits = rng.normal(0, 1, (len(whose), classes))
    logits[np.arange(len(whose)), truth] += rng.normal(1.2, 1.5, subjects)[whose]
    odds = np.exp(logits)
    return truth, odds / odds.sum(axis=1, keepdims=True), whose


def test_the_rates_are_the_plain_metrics_with_an_interval_around() -> None:
    """Every value equals `classification`'s; every interval of a share holds its value."""
    truth, chances, whose = _sample(0)
    predicted = chances.argmax(axis=1)
    found = classification_rates.rates(truth, chances, "abc", whose, resamples=200)
    figures = classification.class_figures(classification.confusion_matrix(truth, predicted, 3))
    areas = classification.auc_one_vs_rest(truth, chances)
    assert found.accuracy_of_answers.value == classification.accuracy(truth, predicted)
    assert found.top_k[2].value == classification.top_k_accuracy(truth, chances, 2)
    for c, one in enumerate(found.classes):
        expected = (figures.precision[c], figures.recall[c], figures.f1[c], areas[c])
        for rate, value in zip((one.precision, one.recall, one.f1, one.auc), expected, strict=True):
            assert rate is not None
            assert rate.value == pytest.approx(value, abs=1e-12)
            assert rate.low < rate.value < rate.high
    assert found.macro_recall.value == pytest.approx(figures.macro(figures.recall))
    assert found.macro_f1.value == pytest.approx(figures.macro(figures.f1))
    assert found.macro_auc is not None
    assert found.macro_auc.value == pytest.approx(areas.mean())
    assert found.expected_calibration_error.value == pytest.approx(found.calibration.expected_error)


def test_resampled_figures_equal_those_of_the_samples_written_out() -> None:
    """Weights by how often a subject was drawn give the AUC of that many copies, ties included."""
    truth, chances, whose = _sample(1, subjects=15)
    chances = np.round(chances, 1)  # so that many scores tie
    (drawn,) = resampling.draws(15, 20, seed=3)
    weighted = classification_rates._weighted_auc(chances[:, 1], truth == 1, whose, drawn)
    for times, got in zip(drawn.astype(int), weighted, strict=True):
        rows = np.repeat(np.arange(len(truth)), times[whose])
        own = truth[rows] == 1
        if own.all() or not own.any():
            assert np.isnan(got)
        else:
            assert got == pytest.approx(classification.auc(chances[rows, 1], own), abs=1e-12)


def test_a_face_that_was_not_found_is_a_wrong_answer() -> None:
    """Failures lower the accuracy and are left out of the accuracy of answers; n tells of both."""
    truth, chances, whose = _sample(2)
    right = int((chances.argmax(axis=1) == truth).sum())
    failed = [100, 101, 102]
    found = classification_rates.rates(truth, chances, "abc", whose, failed_subjects=failed, resamples=20)
    assert (found.accuracy.value, found.accuracy.n) == (right / (len(truth) + 3), len(truth) + 3)
    assert (found.accuracy_of_answers.value, found.accuracy_of_answers.n) == (
        right / len(truth),
        len(truth),
    )
    assert found.failures == 3


def test_a_class_without_a_sample_is_named_and_gets_no_recall() -> None:
    """Nothing is printed for it as if it were 0, and the mean over classes leaves it out."""
    truth, chances, whose = _sample(3)
    padded = np.column_stack([chances * 0.9, np.full(len(chances), 0.1)])
    found = classification_rates.rates(truth, padded, ["a", "b", "c", "none"], whose, resamples=20)
    assert found.empty == ("none",)
    assert found.to_json()["classes_without_samples"] == ["none"]
    assert (found.classes[3].recall, found.classes[3].auc, found.classes[3].precision) == (None,) * 3
    three = classification_rates.rates(truth, chances, "abc", whose, resamples=20)
    assert found.macro_recall.value == three.macro_recall.value


def test_many_photos_of_few_people_do_not_narrow_the_interval() -> None:
    """Ten copies of each photo change no value and leave the intervals nearly as wide."""
    truth, chances, whose = _sample(4)
    once = classification_rates.rates(truth, chances, "abc", whose, resamples=400)
    ten = classification_rates.rates(
        np.repeat(truth, 10), np.repeat(chances, 10, axis=0), "abc", np.repeat(whose, 10), resamples=400
    )
    for one, many in (
        (once.accuracy, ten.accuracy),
        (once.macro_f1, ten.macro_f1),
        (once.macro_auc, ten.macro_auc),
    ):
        assert one is not None and many is not None
        assert many.value == pytest.approx(one.value)
        assert many.high - many.low > 0.85 * (one.high - one.low)


def test_no_error_at_all_has_the_exact_bound() -> None:
    """30 subjects, all right: every share's lower end is that of 0 errors in 30."""
    truth = np.arange(30) % 2
    chances = np.where(truth[:, None] == [0, 1], 0.9, 0.1)
    found = classification_rates.rates(truth, chances, "ab", np.arange(30), resamples=20)
    least = 1 - intervals.exact(0, 30).high
    for rate in (found.accuracy, found.macro_f1, found.macro_auc):
        assert rate is not None
        assert (rate.value, rate.low) == (1.0, pytest.approx(least))


def test_the_calibration_interval_is_not_lifted_by_noise() -> None:
    """For probabilities that are right by construction it reaches 0 or nearly, in most of 40 sets."""
    near = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        first = rng.uniform(0.5, 1, 300)
        truth = (rng.random(300) > first).astype(int)
        found = classification_rates.rates(
            truth, np.column_stack([first, 1 - first]), "ab", np.arange(300), resamples=100
        )
        near += found.expected_calibration_error.low < 0.02
    assert near >= 30


def test_errors_of_numbers_equal_their_definition_in_every_bin() -> None:
    """Mean absolute error, bias and share within reach; an empty bin is None; bins end below their end."""
    truth, guess, whose = [10.0, 20.0, 20.0, 40.0], [12.0, 15.0, 21.0, 70.0], [1, 2, 2, 3]
    whole = numbers.errors(truth, guess, whose, resamples=50)
    assert whole.mean_absolute_error.value == pytest.approx(38 / 4)
    assert whole.bias.value == pytest.approx(28 / 4)
    assert (whole.within.value, whole.within.n) == (0.75, 4)
    bins = numbers.errors_by_bin(truth, guess, whose, [(0, 20), (20, 40), (60, 80)], resamples=50)
    young, middle = bins[0, 20], bins[20, 40]
    assert young is not None and middle is not None
    assert (young.bias.value, middle.bias.value, bins[60, 80]) == (2.0, -2.0, None)


def test_no_sample_is_a_named_error() -> None:
    """Nothing to count."""
    with pytest.raises(InsufficientData):
        classification_rates.rates([], np.zeros((0, 2)), "ab", [])
    with pytest.raises(InsufficientData):
        numbers.errors([], [], [])
