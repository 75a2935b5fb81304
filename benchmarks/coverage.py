"""How often the 95 % intervals hold the truth, on simulated populations of subjects.

    python benchmarks/coverage.py [--studies 2000]

Mated: every subject has an error rate of its own (beta-distributed). Non-mated: all pairs of subjects, some
of whom look like everybody (a normal random effect a subject). Each row prints the share of simulated
studies whose interval holds the true rate: ours, Wilson on an effective number of comparisons without the
shrinking, and Wilson on the plain number. The last column is our interval's median width over the rate.
The first two rows are the rule the intervals must keep (0.93 to 0.97): each study is of another population,
whose size, rate and correlation are drawn, with 30 errors or more to be expected.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
from scipy import stats

from lineament.scoring import intervals
from lineament.scoring.intervals import Sums

Draw = Callable[[np.random.Generator], Sums]
Population = Callable[[np.random.Generator], tuple[Draw, float]]


def mated(subjects: int, each: int, rate: float, correlation: float) -> Draw:
    a, b = (share * (1 - correlation) / correlation for share in (rate, 1 - rate))

    def draw(rng: np.random.Generator) -> Sums:
        rates = rng.beta(a, b, subjects)
        wrong = rng.random((subjects, each)) < rates[:, None]
        return intervals.by_subject(wrong.ravel(), np.repeat(np.arange(subjects), each))

    return draw


def nonmated(subjects: int, samples: int, rate: float, shared: float) -> Draw:
    i, j = (np.repeat(side, samples**2) for side in np.triu_indices(subjects, 1))
    limit = stats.norm.isf(rate)

    def draw(rng: np.random.Generator) -> Sums:
        lure = rng.normal(0, np.sqrt(shared / 2), subjects)
        wrong = lure[i] + lure[j] + rng.normal(0, np.sqrt(1 - shared), len(i)) >= limit
        return intervals.all_against_all(np.full(subjects, samples), i[wrong], j[wrong])

    return draw


def fixed(draw: Draw, truth: float) -> Population:
    return lambda _rng: (draw, truth)


def any_mated(rng: np.random.Generator) -> tuple[Draw, float]:
    """A population of 100 to 600 subjects with 2 to 45 comparisons each."""
    while True:
        subjects, each = int(rng.integers(100, 600)), int(rng.integers(2, 46))
        rate, correlation = float(np.exp(rng.uniform(np.log(0.003), np.log(0.1)))), rng.uniform(0.01, 0.3)
        if subjects * each * rate >= 30:
            return mated(subjects, each, rate, correlation), rate


def any_nonmated(rng: np.random.Generator) -> tuple[Draw, float]:
    """A population of 60 to 200 subjects, all compared with all."""
    while True:
        subjects = int(rng.integers(60, 200))
        rate, shared = float(np.exp(rng.uniform(np.log(0.002), np.log(0.1)))), rng.uniform(0.05, 0.4)
        if subjects * (subjects - 1) / 2 * rate >= 30:
            return nonmated(subjects, 1, rate, shared), rate


def effective(sums: Sums) -> float:
    p, variance = sums.wrong / sums.total, sums.variance()
    if sums.wrong in (0, sums.total) or variance <= 0:
        return sums.total
    return min(sums.total, p * (1 - p) / variance)


def study(name: str, population: Population, studies: int, rng: np.random.Generator) -> None:
    held = np.zeros(3)
    widths = []
    for _ in range(studies):
        draw, truth = population(rng)
        sums = draw(rng)
        rate = intervals.estimate(sums)
        found = (
            rate.interval,
            intervals.wilson(rate.value, effective(sums)),
            intervals.wilson(rate.value, sums.total),
        )
        held += [i.low <= truth <= i.high for i in found]
        widths.append((rate.interval.high - rate.interval.low) / truth)
    ours, unshrunk, plain = held / studies
    print(f"| {name} | {ours:.3f} | {unshrunk:.3f} | {plain:.3f} | {np.median(widths):.2f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    print("| population | ours | Wilson, effective n | Wilson, plain n | width / rate |")
    print("| --- | --- | --- | --- | --- |")
    study("mated, another population each time", any_mated, args.studies, rng)
    study("non-mated, another population each time", any_nonmated, args.studies, rng)
    for subjects, each, rate, correlation in (
        (900, 1, 0.01, 1e-4),
        (200, 45, 0.05, 0.2),
        (200, 45, 0.01, 0.2),
        (200, 45, 0.002, 0.1),
        (50, 10, 0.05, 0.2),
        (20, 10, 0.1, 0.2),
        (500, 5, 0.005, 0.3),
    ):
        name = f"mated, {subjects} subjects x {each}, rate {rate:g}, correlation {correlation:g}"
        study(name, fixed(mated(subjects, each, rate, correlation), rate), args.studies, rng)
    for subjects, samples, rate, shared in (
        (30, 1, 0.05, 0.2),
        (50, 2, 0.05, 0.2),
        (100, 1, 0.01, 0.1),
        (100, 1, 0.01, 0.4),
        (100, 2, 0.003, 0.2),
        (200, 1, 0.001, 0.3),
    ):
        name = f"non-mated, {subjects} subjects x {samples}, rate {rate:g}, shared variance {shared:g}"
        study(name, fixed(nonmated(subjects, samples, rate, shared), rate), args.studies, rng)


if __name__ == "__main__":
    main()
