"""Operating points: a threshold for a target FMR with both error rates and their intervals.

From listed comparisons, or from every comparison that a set of samples allows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lineament.scoring import intervals, thresholds
from lineament.scoring.comparisons import Comparisons, compare
from lineament.scoring.intervals import ErrorRate
from lineament.types import Float32

COLUMNS = ("FMR <=", "threshold", "FMR seen, 95 %", "FNMR, 95 %", "non-mated")
TARGET_RATES = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """The smallest threshold that keeps FMR at or below ``target_rate``, and what it does.

    ``supported`` tells whether the comparisons suffice to speak of such a rate (rule of 30); when they do
    not, the figures describe these comparisons only.
    """

    target_rate: float
    threshold: float
    fmr: ErrorRate
    fnmr: ErrorRate

    @property
    def supported(self) -> bool:
        """Whether there are `RULE_OF` / target_rate non-mated comparisons."""
        return thresholds.supports(self.target_rate, self.fmr.comparisons)

    def to_json(self) -> dict[str, Any]:
        """Plain numbers; ``needs`` and ``has`` count non-mated comparisons."""
        return {
            "target_rate": self.target_rate,
            "threshold": self.threshold,
            "fmr": self.fmr.to_json(),
            "fnmr": self.fnmr.to_json(),
            "supported": self.supported,
            "needs": thresholds.needed(self.target_rate),
            "has": self.fmr.comparisons,
        }

    def row(self) -> tuple[str, ...]:
        """The cells of a table with `COLUMNS`; an unsupported rate tells what it would need."""
        count = self.fmr.comparisons
        target, value, number = f"{self.target_rate:g}", f"{self.threshold:.4f}", f"{count:,}"
        if not self.supported:
            needs = thresholds.shortfall(self.target_rate, count, "FMR", "non-mated comparisons")
            return target, value, needs, "", number
        return target, value, str(self.fmr.rate), str(self.fnmr.rate), number


def from_scores(
    mated: Float32,
    mated_subjects: Any,
    nonmated: Float32,
    first: Any,
    second: Any,
    *,
    rates: Sequence[float] = TARGET_RATES,
) -> list[OperatingPoint]:
    """Operating points of listed comparisons.

    ``mated`` ``(M,)`` with the subject of each; ``nonmated`` ``(N,)`` with the two subjects of each.
    Raises `InsufficientData` when either is empty.
    """
    points = []
    for rate in rates:
        value = thresholds.at_rate(nonmated, rate)
        false_matches = intervals.by_subject_pair(nonmated >= np.float64(value), first, second)
        false_nonmatches = intervals.by_subject(mated < np.float64(value), mated_subjects)
        points.append(
            OperatingPoint(
                rate, value, intervals.estimate(false_matches), intervals.estimate(false_nonmatches)
            )
        )
    return points


def from_samples(
    embeddings: Float32,
    subjects: Any,
    rates: Sequence[float] = TARGET_RATES,
    *,
    progress: Callable[[int], None] | None = None,
) -> list[OperatingPoint]:
    """Operating points of all comparisons of ``(N, D)`` samples with each other, in bounded memory.

    Raises `InsufficientData` without two subjects, or without a subject of two samples.
    """
    return from_comparisons(compare(embeddings, subjects, rates, progress=progress), rates)


def from_comparisons(found: Comparisons, rates: Sequence[float] = TARGET_RATES) -> list[OperatingPoint]:
    """Operating points at rates that `lineament.scoring.comparisons.compare` was asked for."""
    points = []
    for rate in rates:
        value = found.threshold(rate)
        fmr = intervals.estimate(found.false_matches(value))
        points.append(OperatingPoint(rate, value, fmr, intervals.estimate(found.false_nonmatches(value))))
    return points
