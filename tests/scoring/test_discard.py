"""Error versus discard: equal to counting by hand; ties go together; noise stays flat."""

from __future__ import annotations

import numpy as np
import pytest

from lineament.errors import InsufficientData, InvalidArray
from lineament.scoring import discard


def test_every_point_equals_counting_what_remains() -> None:
    """100 cases with ties: at each distinct quality, the rate of errors at or above it."""
    for seed in range(100):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(1, 80))
        wrong, quality = rng.random(n) < 0.3, rng.integers(0, 9, n) / 8
        curve = discard.curve(wrong, quality)
        levels = np.unique(quality)
        assert len(curve.rate) == len(levels)
        for level, gone, rate in zip(levels, curve.discarded, curve.rate, strict=True):
            assert gone == pytest.approx((quality < level).mean(), abs=1e-12)
            assert rate == pytest.approx(wrong[quality >= level].mean(), abs=1e-12)


def test_points_discard_no_more_than_asked() -> None:
    """Where qualities tie less is discarded, and the point says how much; rate and n are of the rest."""
    wrong, quality = np.array([1, 1, 0, 0, 1, 0, 0, 0, 0, 0], bool), [1, 2, 2, 2, 3, 4, 5, 6, 7, 8]
    found = discard.points(wrong, quality, np.arange(10), (0.0, 0.1, 0.3, 0.4))
    assert [p.discarded for p in found] == [0.0, 0.1, 0.1, 0.4]
    assert [p.rate.value for p in found] == [3 / 10, 2 / 9, 2 / 9, 1 / 6]
    assert [p.rate.n for p in found] == [10, 9, 9, 6]
    for p in found:
        assert p.rate.low < p.rate.value < p.rate.high


def test_a_share_that_fits_exactly_is_discarded_in_full() -> None:
    """0.29 of 100 is 29, although 0.29 * 100 in binary falls short of it."""
    found = discard.points(np.zeros(100, bool), np.arange(100), np.arange(100), (0.29,))
    assert found[0].discarded == 0.29


def test_a_quality_that_knows_falls_and_one_that_does_not_stays() -> None:
    """Perfect knowledge ends every error at the error rate; noise keeps the mean where it was."""
    rng = np.random.default_rng(0)
    wrong = rng.random(20_000) < 0.1
    knows = discard.curve(wrong, np.where(wrong, 0.0, 1.0) + rng.random(20_000) / 2)
    noise = discard.curve(wrong, rng.random(20_000))
    assert knows.rate[np.searchsorted(knows.discarded, wrong.mean())] == 0
    assert knows.mean_up_to(0.2) < 0.04
    assert noise.mean_up_to(0.2) == pytest.approx(wrong.mean(), abs=0.004)


def test_the_mean_is_the_area_under_the_steps() -> None:
    """Half of the range at each of two rates."""
    curve = discard.curve([True, False], [0.0, 1.0])
    assert curve.mean_up_to(1.0) == pytest.approx(0.25)
    assert curve.mean_up_to(0.5) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: discard.curve([], []), InsufficientData),
        (lambda: discard.curve([True], [np.nan]), InvalidArray),
        (lambda: discard.curve([True], [1.0, 2.0]), InvalidArray),
        (lambda: discard.points([True], [1.0], [0], (1.0,)), InvalidArray),
        (lambda: discard.curve([True], [1.0]).mean_up_to(0.0), InvalidArray),
    ],
)
def test_unusable_input_ends_in_a_named_error(call: object, error: type[Exception]) -> None:
    """Nothing to discard, NaN, unequal lengths, everything discarded."""
    with pytest.raises(error):
        call()  # type: ignore[operator]
