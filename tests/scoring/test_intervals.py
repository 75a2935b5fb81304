"""Intervals: textbook values, clustered variances against a slow oracle, coverage by simulation."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from lineament.errors import InsufficientData, InvalidArray
from lineament.scoring import intervals
from lineament.scoring.intervals import Sums


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_exact_and_wilson_equal_scipy(case: tuple[int, int]) -> None:
    """Both agree with scipy's binomial test at 95 % and 99 %."""
    k, n = case
    for level in (0.95, 0.99):
        for ours, method in (
            (intervals.exact(k, n, level), "exact"),
            (intervals.wilson(k / n, n, level), "wilson"),
        ):
            theirs = stats.binomtest(k, n).proportion_ci(level, method=method)
            assert (ours.low, ours.high) == (
                pytest.approx(theirs.low, abs=1e-9),
                pytest.approx(theirs.high, abs=1e-9),
            )


def test_no_error_in_thirty_thousand_bounds_the_rate_at_1_23e_4() -> None:
    """The exact upper end for 0 of 30,000."""
    assert intervals.exact(0, 30_000).high == pytest.approx(1.23e-4, rel=1e-3)


def _slow_variance(errors: np.ndarray, sides: list[set[int]], subjects: int) -> float:
    """Every two comparisons that share a subject, one by one."""
    p = errors.mean()
    total = sum(
        (errors[x] - p) * (errors[y] - p)
        for x in range(len(errors))
        for y in range(len(errors))
        if sides[x] & sides[y]
    )
    return float(total) / len(errors) ** 2 * subjects / (subjects - 1)


def test_two_way_variance_equals_the_sum_over_all_linked_comparisons() -> None:
    """The closed form is the double sum over comparisons that share either subject."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        first = rng.integers(0, 7, 60)
        second = (first + rng.integers(1, 7, 60)) % 7
        errors = rng.random(60) < 0.3
        sides = [{int(a), int(b)} for a, b in zip(first, second, strict=True)]
        used = len(set.union(*sides))
        got = intervals.by_subject_pair(errors, first, second).variance()
        assert got == pytest.approx(_slow_variance(errors, sides, used), abs=1e-12)


def test_one_way_variance_equals_the_sum_over_all_linked_comparisons() -> None:
    """The same with one subject a comparison."""
    rng = np.random.default_rng(1)
    subjects = rng.integers(0, 9, 80)
    errors = rng.random(80) < 0.2
    got = intervals.by_subject(errors, subjects).variance()
    assert got == pytest.approx(_slow_variance(errors, [{int(s)} for s in subjects], len(set(subjects))))


def test_sums_from_errors_alone_equal_those_of_the_written_out_comparisons() -> None:
    """All-against-all needs only the errors: the same sums, variance and independent pairs."""
    rng = np.random.default_rng(2)
    samples = np.array([1, 4, 2, 1, 3, 6])
    owner = np.repeat(np.arange(6), samples)
    pairs = np.array([(a, b) for a, b in combinations(owner, 2) if a != b])
    errors = rng.random(len(pairs)) < 0.25
    written = intervals.by_subject_pair(errors, pairs[:, 0], pairs[:, 1])
    short = intervals.all_against_all(samples, pairs[errors, 0], pairs[errors, 1])
    assert (short.total, short.wrong, short.subjects) == (written.total, written.wrong, written.subjects)
    assert short.variance() == pytest.approx(written.variance(), rel=1e-12)
    assert short.degrees_of_freedom() == pytest.approx(written.degrees_of_freedom())
    assert short.independent == written.independent == 3


@pytest.mark.parametrize(
    ("pairs", "most"),
    [
        ([(0, 1), (1, 2), (2, 3)], 2),
        ([(0, 1), (0, 2), (0, 3)], 1),
        ([(0, 1), (2, 3), (4, 5), (0, 5)], 3),
        ([], 0),
    ],
)
def test_disjoint_pairs_share_no_subject(pairs: list[tuple[int, int]], most: int) -> None:
    """Chains, stars and rings give the number one finds by hand."""
    first, second = np.array([p[0] for p in pairs], int), np.array([p[1] for p in pairs], int)
    assert intervals.disjoint_pairs(first, second) == most


def test_zero_errors_rest_on_comparisons_that_share_no_subject() -> None:
    """0 errors among 45 pairs of 10 people bound the rate like 5 independent comparisons, not 45."""
    first, second = np.triu_indices(10, 1)
    rate = intervals.estimate(intervals.by_subject_pair(np.zeros(45, bool), first, second))
    assert rate.effective == 5
    assert rate.interval.low == 0
    assert rate.interval.high == pytest.approx(1 - 0.025 ** (1 / 5))


def test_nothing_but_errors_mirrors_no_errors() -> None:
    """All wrong gives the mirrored interval of all right."""
    subjects = np.arange(12) // 3
    right = intervals.estimate(intervals.by_subject(np.zeros(12, bool), subjects)).interval
    wrong = intervals.estimate(intervals.by_subject(np.ones(12, bool), subjects)).interval
    assert (wrong.low, wrong.high) == (pytest.approx(1 - right.high), pytest.approx(1 - right.low))


def test_repeating_comparisons_of_the_same_people_adds_no_certainty() -> None:
    """Ten copies of every comparison leave the interval where it was."""
    rng = np.random.default_rng(3)
    errors, subjects = rng.random(200) < 0.1, np.arange(200)
    once = intervals.estimate(intervals.by_subject(errors, subjects))
    copies = intervals.by_subject(np.tile(errors, 10), np.tile(subjects, 10))
    often = intervals.estimate(copies)
    assert often.effective == pytest.approx(once.effective, rel=1e-6)
    assert often.interval.high == pytest.approx(once.interval.high, rel=1e-6)


def test_degrees_of_freedom_see_how_many_subjects_make_the_errors() -> None:
    """One subject with all the errors leaves about 2; errors spread over 50 leave more than 25."""
    subjects = np.repeat(np.arange(50), 20)
    one = intervals.by_subject(subjects == 0, subjects)
    assert one.degrees_of_freedom() < 2.5
    spread = np.random.default_rng(4).random(1000) < 0.5
    assert intervals.by_subject(spread, subjects).degrees_of_freedom() > 25


def test_wrong_shapes_and_no_data_are_refused() -> None:
    """Mismatched lengths, a subject against itself, and nothing at all have names."""
    with pytest.raises(InvalidArray):
        intervals.by_subject(np.zeros(3, bool), [1, 2])
    with pytest.raises(InvalidArray):
        intervals.by_subject_pair(np.zeros(2, bool), [1, 2], [1, 3])
    with pytest.raises(InsufficientData):
        intervals.estimate(intervals.by_subject(np.zeros(0, bool), np.zeros(0, int)))
    with pytest.raises(InvalidArray):
        intervals.exact(3, 2)


def _mated(rng: np.random.Generator) -> Sums:
    """200 subjects of 45 comparisons, each with its own error rate (beta, mean 0.05, correlation 0.2)."""
    rates = rng.beta(0.2, 3.8, 200)
    return intervals.by_subject((rng.random((200, 45)) < rates[:, None]).ravel(), np.repeat(range(200), 45))


def _nonmated(rng: np.random.Generator) -> Sums:
    """All pairs of 80 subjects who look more or less like everybody; error rate 0.02."""
    i, j = np.triu_indices(80, 1)
    lure = rng.normal(0, np.sqrt(0.15), 80)
    wrong = lure[i] + lure[j] + rng.normal(0, np.sqrt(0.7), len(i)) >= stats.norm.isf(0.02)
    return intervals.all_against_all(np.ones(80, int), i[wrong], j[wrong])


@pytest.mark.parametrize(("draw", "truth"), [(_mated, 0.05), (_nonmated, 0.02)])
def test_interval_covers_the_truth_where_the_naive_one_does_not(draw: object, truth: float) -> None:
    """Of 300 simulated studies it holds the true rate in 92 % or more, Wilson on plain n in under 80 %."""
    rng = np.random.default_rng(7)
    ours = naive = 0
    for _ in range(300):
        rate = intervals.estimate(draw(rng))  # type: ignore[operator]
        simple = intervals.wilson(rate.value, rate.comparisons)
        ours += rate.interval.low <= truth <= rate.interval.high
        naive += simple.low <= truth <= simple.high
    assert ours / 300 >= 0.92
    assert naive / 300 < 0.80


def _any_mated(rng: np.random.Generator) -> tuple[Sums, float]:
    """100 to 600 subjects of 2 to 45 comparisons each, with error rates of their own around a drawn one."""
    while True:
        subjects, each = int(rng.integers(100, 600)), int(rng.integers(2, 46))
        rate, correlation = float(np.exp(rng.uniform(np.log(0.003), np.log(0.1)))), rng.uniform(0.01, 0.3)
        if subjects * each * rate >= 30:
            break
    rates = rng.beta(*(share * (1 - correlation) / correlation for share in (rate, 1 - rate)), subjects)
    wrong = (rng.random((subjects, each)) < rates[:, None]).ravel()
    return intervals.by_subject(wrong, np.repeat(np.arange(subjects), each)), rate


def _any_nonmated(rng: np.random.Generator) -> tuple[Sums, float]:
    """All pairs of 60 to 200 subjects, some of whom look like everybody, at a drawn rate."""
    while True:
        subjects = int(rng.integers(60, 200))
        rate, shared = float(np.exp(rng.uniform(np.log(0.002), np.log(0.1)))), rng.uniform(0.05, 0.4)
        if subjects * (subjects - 1) / 2 * rate >= 30:
            break
    i, j = np.triu_indices(subjects, 1)
    lure = rng.normal(0, np.sqrt(shared / 2), subjects)
    scores = lure[i] + lure[j] + rng.normal(0, np.sqrt(1 - shared), len(i))
    wrong = scores >= stats.norm.isf(rate)
    return intervals.all_against_all(np.ones(subjects, int), i[wrong], j[wrong]), rate


@pytest.mark.parametrize("population", [_any_mated, _any_nonmated])
def test_intervals_cover_93_to_97_percent_of_2000_clustered_populations(population: object) -> None:
    """Each study is of another population; intervals that ignore the subjects hold two times in three."""
    rng = np.random.default_rng(0)
    ours = naive = 0
    for _ in range(2000):
        sums, truth = population(rng)  # type: ignore[operator]
        rate = intervals.estimate(sums)
        plain = intervals.wilson(rate.value, rate.comparisons)
        ours += rate.interval.low <= truth <= rate.interval.high
        naive += plain.low <= truth <= plain.high
    assert 0.93 <= ours / 2000 <= 0.97
    assert naive / 2000 < 0.75
