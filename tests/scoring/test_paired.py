"""Differences of two rates."""

from __future__ import annotations

import numpy as np
import pytest

from lineament.errors import InsufficientData
from lineament.scoring.paired import paired, unpaired
from lineament.scoring.rate import Rate


def _population(rng: np.random.Generator, subjects: int, gap: float) -> tuple[dict, dict]:
    """Errors of two systems on subjects of differing difficulty, common to both."""
    hard = rng.beta(0.5, 4.5, subjects)
    tries = rng.integers(4, 30, subjects)
    first = {
        str(s): (float(rng.binomial(n, p)), float(n))
        for s, (n, p) in enumerate(zip(tries, hard, strict=True))
    }
    second = {
        str(s): (float(rng.binomial(n, min(1, p + gap))), float(n))
        for s, (n, p) in enumerate(zip(tries, hard, strict=True))
    }
    return first, second


def test_the_paired_interval_covers_the_true_difference() -> None:
    """Over 400 clustered populations the 95 % interval holds the true difference 93 to 97 % of the time."""
    rng = np.random.default_rng(5)
    covered = 0
    for _ in range(400):
        first, second = _population(rng, 120, 0.02)
        found = paired(first, second)
        covered += found.low <= 0.02 <= found.high
    assert 0.92 <= covered / 400 <= 0.98


def test_pairing_narrows_the_interval() -> None:
    """Where both systems find the same people hard, the paired interval is narrower than the unpaired."""
    first, second = _population(np.random.default_rng(1), 200, 0.0)
    rates = []
    for counts in (first, second):
        sums = np.array(list(counts.values()))
        p = sums[:, 0].sum() / sums[:, 1].sum()
        residual = sums[:, 0] - p * sums[:, 1]
        half = 1.96 * float(np.sqrt((residual**2).sum())) / sums[:, 1].sum()
        rates.append(Rate(p, max(0.0, p - half), p + half, int(sums[:, 1].sum())))
    a, b = paired(first, second), unpaired(*rates)
    assert a.value == pytest.approx(b.value)
    assert a.high - a.low < 0.8 * (b.high - b.low)


def test_equal_systems_do_not_differ() -> None:
    """A system compared with itself differs by exactly nothing, and that is no clear difference."""
    first, _ = _population(np.random.default_rng(2), 30, 0.0)
    found = paired(first, first)
    assert (found.value, found.low, found.high, found.clear) == (0, 0, 0, False)


def test_other_subjects_cannot_be_paired() -> None:
    """Clusters that differ, or a single one, are refused rather than matched by order."""
    with pytest.raises(InsufficientData):
        paired({"a": (1, 2), "b": (0, 2)}, {"a": (1, 2), "c": (0, 2)})
    with pytest.raises(InsufficientData):
        paired({"a": (1, 2)}, {"a": (1, 2)})


def test_unpaired_is_newcombes_interval() -> None:
    """Newcombe 1998, Table II (a): 56/70 against 48/80 with Wilson's limits gives 0.0524 to 0.3339."""
    first = Rate(48 / 80, 0.4905, 0.7003, 80)
    second = Rate(56 / 70, 0.6921, 0.8770, 70)
    found = unpaired(first, second)
    assert found.value == pytest.approx(0.2)
    assert (found.low, found.high) == (pytest.approx(0.0524, abs=5e-4), pytest.approx(0.3339, abs=5e-4))
    assert found.clear
