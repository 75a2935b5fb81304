"""Errors of predicted numbers (age in years) with intervals, overall and by bins of the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lineament.scoring import proportions, resampling
from lineament.scoring.classification import differences
from lineament.scoring.rate import Rate
from lineament.scoring.resampling import RESAMPLES
from lineament.scoring.similarity import codes
from lineament.types import Float64

Bin = tuple[float, float]


@dataclass(frozen=True, slots=True)
class NumberErrors:
    """Mean absolute error and bias (prediction minus truth) in the numbers' unit, and who is near.

    ``within`` is the share of predictions no farther from the truth than ``reach``.
    """

    mean_absolute_error: Rate
    bias: Rate
    within: Rate
    reach: float

    def to_json(self) -> dict[str, Any]:
        """Each as ``{"value", "low", "high", "n"}``."""
        return {
            "mean_absolute_error": self.mean_absolute_error.to_json(),
            "bias": self.bias.to_json(),
            "within": {"of": self.reach, **self.within.to_json()},
        }


def errors(
    truth: Any, predicted: Any, subjects: Any, *, reach: float = 5.0, resamples: int = RESAMPLES
) -> NumberErrors:
    """Errors of predictions ``(N,)``, intervals clustered by subject ``(N,)``."""
    off = differences(truth, predicted)
    code = codes(subjects)
    return NumberErrors(
        mean_absolute_error=_mean(np.abs(off), code, resamples),
        bias=_mean(off, code, resamples),
        within=proportions.of_flags(np.abs(off) <= reach, code),
        reach=reach,
    )


def errors_by_bin(
    truth: Any,
    predicted: Any,
    subjects: Any,
    bins: Sequence[Bin],
    *,
    reach: float = 5.0,
    resamples: int = RESAMPLES,
) -> dict[Bin, NumberErrors | None]:
    """The same for truths in each bin, from its lower end up to below its upper; None for an empty one."""
    t, p, whose = np.asarray(truth, np.float64), np.asarray(predicted, np.float64), np.asarray(subjects)
    found: dict[Bin, NumberErrors | None] = {}
    for low, high in bins:
        own = (t >= low) & (t < high)
        found[low, high] = (
            errors(t[own], p[own], whose[own], reach=reach, resamples=resamples) if own.any() else None
        )
    return found


def _mean(values: Float64, code: Any, resamples: int) -> Rate:
    sums = np.stack([np.bincount(code, values), np.bincount(code)], axis=1).astype(np.float64)
    interval = resampling.of_sums(sums, lambda totals: totals[:, 0] / totals[:, 1], resamples=resamples)
    return Rate(float(values.mean()), interval.low, interval.high, len(values))
