"""Liveness rates: the worst kind of attack counts, no answer is told, the box may be jittered."""

from __future__ import annotations

import numpy as np
import pytest

from lineament.errors import InsufficientData, InvalidArray
from lineament.scoring import attack, intervals
from lineament.scoring.attack import Presentations


def _random(seed: int, *, steps: int = 12) -> Presentations:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(8, 150))
    kinds = rng.choice(["bona_fide", "print", "replay", "mask"], n)
    kinds[:2] = ["bona_fide", "print"]
    scores = rng.integers(0, steps, n) / steps + 0.3 * (kinds == "bona_fide")
    scores[rng.random(n) < 0.05] = -np.inf
    return Presentations(scores, kinds, np.arange(n))


def test_the_worst_kind_of_attack_counts() -> None:
    """Ten prints that all fail do not dilute one mask that passes: APCER is the mask's."""
    scores = [0.9] * 4 + [0.1] * 10 + [0.8, 0.2]
    kinds = ["bona_fide"] * 4 + ["print"] * 10 + ["mask"] * 2
    found = attack.rates(Presentations(scores, kinds, range(16)), 0.5)
    assert (found.worst, found.apcer["mask"].value, found.apcer["print"].value) == ("mask", 0.5, 0.0)
    record = found.to_json()
    assert (record["apcer"]["value"], record["worst_kind"]) == (0.5, "mask")


def test_a_score_at_the_threshold_passes() -> None:
    """At or above: for attacks and bona fide alike."""
    found = attack.rates(Presentations([0.5, 0.5], ["bona_fide", "print"], [0, 1]), 0.5)
    assert (found.apcer["print"].value, found.bpcer.value) == (1.0, 0.0)


def test_no_answer_passes_nobody_and_is_counted() -> None:
    """An error for the bona fide, none for the attack, even at a threshold everybody passes."""
    scores, kinds = [-np.inf, 0.9, -np.inf, 0.1], ["bona_fide", "bona_fide", "print", "print"]
    found = attack.rates(Presentations(scores, kinds, range(4)), -np.inf)
    assert (found.bpcer.value, found.apcer["print"].value) == (0.5, 0.5)
    assert found.no_answer == {"bona_fide": 1, "print": 1}


def test_thresholds_are_the_first_that_hold_the_target() -> None:
    """100 cases with ties: the target holds there, and fails at the next score that would be easier."""
    for seed in range(100):
        tried = _random(seed)
        genuine = tried.scores[tried.bona_fide]
        for target in (0.05, 0.1, 0.3):
            t = attack.threshold_for_apcer(tried, target)
            assert max(r.value for r in attack.rates(tried, t).apcer.values()) <= target
            easier = tried.scores[(tried.scores < t) & np.isfinite(tried.scores)]
            if len(easier):
                assert max(r.value for r in attack.rates(tried, easier.max()).apcer.values()) > target
            t = attack.threshold_for_bpcer(tried, target)
            if np.isfinite(t):
                assert attack.rates(tried, t).bpcer.value <= target
            harder = genuine[genuine > t]
            if len(harder):
                assert attack.rates(tried, np.nextafter(t, np.inf)).bpcer.value > target


def test_too_few_attacks_support_no_apcer() -> None:
    """APCER 5 % takes 600 attacks of each kind; the fewest are named."""
    tried = Presentations(
        np.zeros(700), ["bona_fide"] * 50 + ["print"] * 600 + ["mask"] * 50, np.arange(700)
    )
    assert attack.supported(tried, 0.05) == "needs 600 attacks of each kind, you have 50 of mask"
    without = Presentations(np.zeros(650), ["bona_fide"] * 50 + ["print"] * 600, np.arange(650))
    assert attack.supported(without, 0.05) is None


def test_intervals_are_clustered_and_exact_at_zero() -> None:
    """30 attacks by 3 people bound the rate no better than 3 trials."""
    kinds = ["bona_fide"] * 3 + ["print"] * 30
    subjects = [0, 1, 2, *np.repeat([0, 1, 2], 10)]
    found = attack.rates(Presentations([0.9] * 3 + [0.1] * 30, kinds, subjects), 0.5)
    assert found.apcer["print"].high == pytest.approx(intervals.exact(0, 3).high)


def test_a_jittered_box_is_judged_by_its_worst_case() -> None:
    """An attack passes if any box lets it, a bona fide fails if any does; changed decisions are counted."""
    tried = Presentations([0.9, 0.9, 0.2, 0.2], ["bona_fide", "bona_fide", "print", "print"], range(4))
    under = [[0.9, 0.8, 0.7], [0.9, 0.4, 0.9], [0.2, 0.1, 0.3], [0.2, 0.6, 0.2]]
    plain, found = attack.rates(tried, 0.5), attack.under_jitter(tried, under, 0.5)
    assert (plain.bpcer.value, plain.apcer["print"].value) == (0.0, 0.0)
    assert (found.worst_case.bpcer.value, found.worst_case.apcer["print"].value) == (0.5, 0.5)
    assert (found.changed.value, found.boxes) == (0.5, 3)


def test_jitter_moves_boxes_by_shares_of_their_sides() -> None:
    """Nine boxes a face, the original first; shifts keep the size, scales keep the centre."""
    (boxes,) = attack.jittered([[10, 20, 30, 60]], shift=0.1, scale=0.2)
    assert boxes.shape == (9, 4)
    assert boxes[0].tolist() == [10, 20, 30, 60]
    assert boxes[2].tolist() == [12, 20, 32, 60]
    assert boxes[4].tolist() == [10, 24, 30, 64]
    assert boxes[7] == pytest.approx([8, 16, 32, 64])
    assert boxes[8] == pytest.approx([12, 24, 28, 56])


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: Presentations([0.1], ["bona_fide"], [0]), InsufficientData),
        (lambda: Presentations([0.1], ["print"], [0]), InsufficientData),
        (lambda: Presentations([0.1, np.nan], ["bona_fide", "print"], [0, 1]), InvalidArray),
        (lambda: Presentations([0.1, 0.2], ["bona_fide"], [0, 1]), InvalidArray),
        (lambda: attack.under_jitter(_random(0), [[0.1]], 0.5), InvalidArray),
        (lambda: attack.jittered([1, 2, 3, 4]), InvalidArray),
    ],
)
def test_unusable_presentations_end_in_a_named_error(call: object, error: type[Exception]) -> None:
    """One kind only, NaN, unequal lengths."""
    with pytest.raises(error):
        call()  # type: ignore[operator]
