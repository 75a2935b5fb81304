"""Confidence intervals of error rates whose comparisons share subjects.

Comparisons of one subject are not independent: an interval that treats them so is far too narrow
(benchmarks/coverage.py). The number of comparisons is therefore replaced by the effective one,
``p (1 - p) / Var``, with Var clustered by subject:

- one subject a comparison (mated comparisons, searches): the usual cluster sum, ``sum_s U_s^2 / n^2``,
  with ``U_s`` the sum over the subject's comparisons of (error - p);
- two subjects a comparison (non-mated): any two comparisons that share either subject may be correlated.
  ``(sum_s U_s^2 - sum_{st} U_st^2) / n^2``, with ``U_s`` over all comparisons that subject s takes part
  in and ``U_st`` over those between s and t (Aronow, Samii and Assenova 2015, Political Analysis 23:4).

Both times S / (S - 1) for S subjects. The variance is itself an estimate, and a poor one where few
subjects make most of the errors, so the effective number is shrunk by ``(z / t)^2`` with Satterthwaite's
degrees of freedom, and the exact interval is taken on it (the interval of Korn and Graubard 1998, Survey
Methodology 24:2, with degrees of freedom from the data rather than from the number of clusters).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from lineament.counting import quantity
from lineament.errors import InsufficientData, InvalidArray
from lineament.scoring.rate import Rate
from lineament.scoring.similarity import Index, codes
from lineament.types import Interval


@dataclass(frozen=True, slots=True)
class ErrorRate:
    """An error rate with what it rests on; `rate` is the short form that evaluations print.

    ``effective`` is how many independent comparisons would give the same interval.
    """

    errors: int
    comparisons: int
    subjects: int
    effective: float
    interval: Interval

    @property
    def value(self) -> float:
        """Errors a comparison."""
        return self.errors / self.comparisons

    @property
    def rate(self) -> Rate:
        """Value, interval and the number of comparisons."""
        return Rate(
            self.value, self.interval.low, self.interval.high, self.comparisons, self.interval.level
        )

    def to_json(self) -> dict[str, Any]:
        """The rate as evaluations print it, and beside it what the interval rests on."""
        return {
            **self.rate.to_json(),
            "level": self.interval.level,
            "errors": self.errors,
            "subjects": self.subjects,
            "effective_comparisons": round(self.effective, 1),
        }


def wilson(rate: float, n: float, level: float = 0.95) -> Interval:
    """Wilson's score interval of a rate seen in ``n`` independent trials; n may be fractional.

    Wilson 1927, Journal of the American Statistical Association 22:158.
    """
    if n <= 0:
        raise InsufficientData("an interval needs at least one comparison")
    z = float(stats.norm.ppf((1 + level) / 2))
    middle = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * float(np.sqrt(rate * (1 - rate) / n + (z / (2 * n)) ** 2))
    return Interval(max(0.0, middle - half), min(1.0, middle + half), level)


def exact(errors: float, n: float, level: float = 0.95) -> Interval:
    """The exact (Clopper-Pearson) interval of ``errors`` in ``n`` independent trials.

    With no error the upper end is ``1 - ((1 - level) / 2) ** (1 / n)``: 1.23e-4 for 0 of 30,000.
    Fractions are allowed, for effective sizes. Clopper and Pearson 1934, Biometrika 26:4.
    """
    if n <= 0:
        raise InsufficientData("an interval needs at least one comparison")
    if not 0 <= errors <= n:
        raise InvalidArray(f"errors: {errors:g}, comparisons: {n:g}")
    tail = (1 - level) / 2
    low = 0.0 if errors == 0 else float(stats.beta.ppf(tail, errors, n - errors + 1))
    high = 1.0 if errors == n else float(stats.beta.ppf(1 - tail, errors + 1, n - errors))
    return Interval(low, high, level)


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """What an interval needs to know of labelled comparisons: sums by subject and by pair of subjects.

    ``comparisons`` and ``errors`` ``(S,)`` by subject; with two subjects a comparison each is counted for
    both. ``pair_nn``, ``pair_ne`` and ``pair_ee`` are sums over pairs of subjects of (comparisons squared),
    (comparisons times errors) and (errors squared): all 0 with one subject a comparison.
    ``independent`` is how many comparisons share no subject with each other.
    """

    total: int
    wrong: int
    comparisons: NDArray[np.int64]
    errors: NDArray[np.int64]
    pair_nn: float
    pair_ne: float
    pair_ee: float
    independent: int

    @property
    def subjects(self) -> int:
        """How many subjects take part."""
        return int((self.comparisons > 0).sum())

    def variance(self) -> float:
        """Variance of the rate, clustered by subject; may come out 0 or below with very few subjects."""
        n, s = self.total, self.subjects
        p = self.wrong / n
        of_subjects = float((self._deviations() ** 2).sum())
        of_pairs = self.pair_ee - 2 * p * self.pair_ne + p * p * self.pair_nn
        return (of_subjects - of_pairs) / n**2 * (s / (s - 1) if s > 1 else 1.0)

    def degrees_of_freedom(self) -> float:
        """Satterthwaite's, of the variance: S for subjects alike, near 1 if one makes all the errors.

        From the fourth moment: ``2 / (sum U^4 / (sum U^2)^2 - 1 / S)``, held between 1 and S - 1.
        Satterthwaite 1946, Biometrics Bulletin 2:6.
        """
        squares = self._deviations() ** 2
        most = max(self.subjects - 1, 1)
        total = float(squares.sum())
        if total == 0:
            return float(most)
        spread = float((squares**2).sum()) / total**2 - 1 / self.subjects
        return float(most) if spread <= 2 / most else max(1.0, 2 / spread)

    def _deviations(self) -> NDArray[np.float64]:
        return np.asarray(self.errors - self.wrong / self.total * self.comparisons, np.float64)


def by_subject(errors: NDArray[np.bool_], subjects: Any) -> Sums:
    """Sums where each comparison belongs to one subject; both ``(n,)``."""
    code = codes(subjects)
    wrong = np.asarray(errors, bool)
    if len(code) != len(wrong):
        raise InvalidArray(f"{quantity(len(wrong), 'comparison')} but {quantity(len(code), 'subject')}")
    totals = np.bincount(code)
    return Sums(
        total=len(wrong),
        wrong=int(wrong.sum()),
        comparisons=totals,
        errors=np.bincount(code[wrong], minlength=len(totals)),
        pair_nn=0.0,
        pair_ne=0.0,
        pair_ee=0.0,
        independent=len(totals),
    )


def by_subject_pair(
    errors: NDArray[np.bool_], first: Any, second: Any, independent: int | None = None
) -> Sums:
    """Sums where each comparison is between two different subjects; all ``(n,)``.

    ``independent`` is `disjoint_pairs` of the two sides, when it is known already.
    """
    if (np.asarray(first) == np.asarray(second)).any():
        raise InvalidArray("a comparison of a subject with itself is not a non-mated one")
    return by_subjects(errors, first, second, independent)


def by_subjects(errors: NDArray[np.bool_], first: Any, second: Any, independent: int | None = None) -> Sums:
    """Sums over mated and non-mated comparisons alike; all ``(n,)``.

    A mated comparison counts once for its subject, a non-mated one for both.
    """
    wrong = np.asarray(errors, bool)
    n = len(wrong)
    code = codes(np.concatenate([np.asarray(first), np.asarray(second)]))
    if len(code) != 2 * n:
        raise InvalidArray(
            f"{quantity(n, 'comparison')} but {quantity(len(code), 'subject')} for both sides"
        )
    a, b = np.minimum(code[:n], code[n:]), np.maximum(code[:n], code[n:])
    apart = a != b
    size = int(code.max(initial=-1)) + 1
    pair = codes(a[apart] * size + b[apart])
    pair_n = np.bincount(pair).astype(np.float64)
    pair_e = np.bincount(pair[wrong[apart]], minlength=len(pair_n)).astype(np.float64)
    return Sums(
        total=n,
        wrong=int(wrong.sum()),
        comparisons=np.bincount(a, minlength=size) + np.bincount(b[apart], minlength=size),
        errors=np.bincount(a[wrong], minlength=size) + np.bincount(b[wrong & apart], minlength=size),
        pair_nn=float(pair_n @ pair_n),
        pair_ne=float(pair_n @ pair_e),
        pair_ee=float(pair_e @ pair_e),
        independent=disjoint_pairs(a, b) if independent is None else independent,
    )


def from_counts(samples: Index, errors: NDArray[np.int64]) -> Sums:
    """Sums over every cross-subject comparison, from each subject's number of errors.

    ``samples`` and ``errors`` are ``(S,)``; an error counts for both its subjects. Which two subjects an
    error lies between is not known, so comparisons of the same two subjects are taken as correlated twice:
    the interval is that of `all_against_all` where each subject has one sample, and wider elsewhere.
    """
    count = np.asarray(samples, np.int64)
    everything = int(count.sum())
    total = int((everything**2 - int((count**2).sum())) // 2)
    wrong = int(errors.sum()) // 2
    return Sums(
        total=total,
        wrong=wrong,
        comparisons=count * (everything - count),
        errors=np.asarray(errors, np.int64),
        pair_nn=float(total),
        pair_ne=float(wrong),
        pair_ee=float(wrong),
        independent=len(count) // 2,
    )


def all_against_all(samples: Index, first: Index, second: Index) -> Sums:
    """Sums over every cross-subject comparison, from the errors alone.

    ``samples`` ``(S,)`` is the number of samples a subject; ``first`` and ``second`` ``(E,)`` are the
    codes of the two subjects of each error. Equal to `by_subject_pair` on the comparisons written out.
    """
    count = np.asarray(samples, np.int64)
    size = len(count)
    everything = int(count.sum())
    a, b = np.minimum(first, second), np.maximum(first, second)
    pair, pair_e = np.unique(a * size + b, return_counts=True)
    pair_n = (count[pair // size] * count[pair % size]).astype(np.float64)
    squares = count.astype(np.float64) ** 2
    return Sums(
        total=int((everything**2 - int((count**2).sum())) // 2),
        wrong=len(a),
        comparisons=count * (everything - count),
        errors=np.bincount(a, minlength=size) + np.bincount(b, minlength=size),
        pair_nn=float((squares.sum() ** 2 - (squares**2).sum()) / 2),
        pair_ne=float(pair_n @ pair_e),
        pair_ee=float((pair_e.astype(np.float64) ** 2).sum()),
        independent=size // 2,
    )


def disjoint_pairs(first: Index, second: Index) -> int:
    """How many comparisons can be chosen that share no subject, found greedily.

    Greedy finds at least half of the most there are, and errs on the careful side. Subjects with the
    fewest partners are served first.
    """
    pairs = np.unique(np.stack([np.minimum(first, second), np.maximum(first, second)], 1), axis=0)
    if not len(pairs):
        return 0
    degree = np.bincount(pairs.ravel())
    order = np.lexsort((pairs[:, 1], pairs[:, 0], degree[pairs].sum(1), degree[pairs].min(1)))
    taken = np.zeros(len(degree), bool)
    found = 0
    for a, b in pairs[order]:
        if not (taken[a] or taken[b]):
            taken[a] = taken[b] = True
            found += 1
    return found


def estimate(sums: Sums, level: float = 0.95) -> ErrorRate:
    """The rate and its interval: the exact one on the effective number of comparisons.

    The effective number never exceeds the real one. With no error, or nothing but errors, the variance
    says nothing: then the number of comparisons that share no subject takes its place. Raises
    `InsufficientData` without comparisons.
    """
    if sums.total == 0:
        raise InsufficientData("a rate needs comparisons, you have 0")
    p = sums.wrong / sums.total
    effective = float(sums.total)
    if sums.wrong in (0, sums.total):
        effective = float(sums.independent)
    else:
        variance = sums.variance()
        if variance > 0:
            effective = min(effective, p * (1 - p) / variance)
        tail = (1 + level) / 2
        effective *= float((stats.norm.ppf(tail) / stats.t.ppf(tail, sums.degrees_of_freedom())) ** 2)
    interval = exact(p * effective, effective, level)
    return ErrorRate(sums.wrong, sums.total, sums.subjects, effective, interval)
