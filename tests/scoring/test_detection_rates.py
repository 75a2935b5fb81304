"""Intervals of detection metrics: pictures are resampled whole, and no error is not no doubt."""

from __future__ import annotations

import numpy as np
import pytest
from detection_cases import crowded_picture, random_pictures

from lineament.errors import InsufficientData, InvalidArray
from lineament.scoring import detection, detection_rates, intervals, matching, proportions, resampling
from lineament.scoring.matching import PictureBoxes


def _untied(seed: int, pictures: int) -> list[PictureBoxes]:
    """Pictures whose detections all score differently, so that no order among equals matters."""
    rng = np.random.default_rng(seed)
    made = [one for s in range(pictures) for one in random_pictures(seed * 1000 + s)]
    return [PictureBoxes(p.truths, p.boxes, rng.random(len(p.boxes)), crowd=p.crowd) for p in made]


def test_a_resample_scores_as_its_pictures_written_out() -> None:
    """Weighting a picture by how often it was drawn equals evaluating that many copies of it."""
    pictures = _untied(3, 6)
    matches = matching.match(pictures)
    (drawn,) = resampling.draws(len(pictures), 30, seed=5)
    got = detection_rates._resampled(matches, drawn)
    for row, times in enumerate(drawn.astype(int)):
        copies = [one for one, n in zip(pictures, times, strict=True) for _ in range(n)]
        expected = detection.average_precisions(matching.match(copies))
        np.testing.assert_allclose(got[row], expected, rtol=0, atol=1e-12)


def test_the_rates_are_the_plain_metrics_with_an_interval_around() -> None:
    """Values equal `detection`'s; every interval holds its value and has a width; n says of how many."""
    matches = matching.match(_untied(1, 20))
    found = detection_rates.rates(matches, 0.4, resamples=200)
    counts = detection.counts_at(matches, 0.4)
    precisions = detection.average_precisions(matches)
    assert found.precision is not None
    for rate, value, n in (
        (found.map50, precisions[0], matches.truths),
        (found.map50_95, precisions.mean(), matches.truths),
        (found.precision, counts.precision, counts.right + counts.wrong),
        (found.recall, counts.recall, matches.truths),
        (found.f1, counts.f1, counts.right + counts.wrong + counts.missed),
    ):
        assert rate.value == pytest.approx(value, abs=1e-12)
        assert (rate.low < rate.value < rate.high, rate.n) == (True, n)


def test_faces_of_one_picture_do_not_count_as_independent() -> None:
    """100 faces in 4 pictures, found or missed together, tell as little as 4 faces."""
    grid = crowded_picture(25)
    found = PictureBoxes(grid.truths, grid.boxes, grid.scores)
    missed = PictureBoxes(grid.truths, [], [])
    rate = detection_rates.rates(matching.match([found, missed, found, missed]), 0.1, resamples=50).recall
    of_four = intervals.exact(2, 4)
    assert (rate.value, rate.n) == (0.5, 100)
    assert rate.low <= of_four.low
    assert rate.high >= of_four.high


def test_a_perfect_result_still_has_an_interval() -> None:
    """No error in 20 pictures: the lower ends are those of no error in 20 trials, never 1."""
    matches = matching.match([crowded_picture(5)] * 20)
    found = detection_rates.rates(matches, 0.05, resamples=50)
    least = 1 - intervals.exact(0, 20).high
    for rate in (found.map50, found.map50_95, found.precision, found.recall):
        assert rate is not None
        assert (rate.value, rate.high) == (1.0, 1.0)
        assert rate.low == pytest.approx(least)


def test_nothing_detected_is_a_recall_of_zero_and_no_precision() -> None:
    """A share of nothing is None; the recall of 0 has the exact upper bound."""
    missed = PictureBoxes([[0, 0, 9, 9]], [], [])
    found = detection_rates.rates(matching.match([missed] * 30), 0.5, resamples=20)
    assert found.precision is None
    assert found.recall.value == found.map50.value == 0
    bound = pytest.approx(intervals.exact(0, 30).high)
    assert (found.recall.high, found.map50.high) == (bound, bound)


def test_recall_of_some_truths_counts_only_them() -> None:
    """By size or label: found among the chosen ones; None where there are none."""
    near, far = [0.0, 0.0, 10.0, 10.0], [50.0, 50.0, 90.0, 90.0]
    matches = matching.match([PictureBoxes([near, far], [near], [0.9])] * 8)
    small = np.tile([True, False], 8)
    chosen, others = (detection_rates.recall_of(matches, mask, 0.5) for mask in (small, ~small))
    assert chosen is not None and others is not None
    assert (chosen.value, chosen.n, others.value) == (1.0, 8, 0.0)
    assert detection_rates.recall_of(matches, np.zeros(16, bool), 0.5) is None


def test_resampling_repeats_itself_and_refuses_nothing_to_draw() -> None:
    """The same seed gives the same interval; no cluster, no interval."""
    matches = matching.match(_untied(2, 5))
    one, two = (detection_rates.rates(matches, 0.3, resamples=50) for _ in range(2))
    assert one == two
    with pytest.raises(InsufficientData):
        next(resampling.draws(0))


def test_a_share_larger_than_its_whole_is_refused() -> None:
    """Counts that cannot be are an error, not a rate above 1."""
    with pytest.raises(InvalidArray):
        proportions.of_counts([3], [2])
