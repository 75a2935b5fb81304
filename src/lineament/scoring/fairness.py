"""Error rates by group at one global threshold, and how far the worst group lies from the best."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scipy import stats

from lineament.counting import quantity
from lineament.scoring.intervals import ErrorRate
from lineament.scoring.thresholds import RULE_OF
from lineament.types import Interval


@dataclass(frozen=True, slots=True)
class Spread:
    """The highest rate of any group over the lowest; ``worst`` and ``best`` name the groups.

    The interval is that of the ratio of these two groups as if they had been named before looking; the
    ratio of a highest to a lowest is above 1 by chance alone, the more so the more groups there are.
    """

    value: float
    interval: Interval
    worst: str
    best: str

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        low, high = self.interval.low, self.interval.high
        return {"value": self.value, "low": low, "high": high, "worst": self.worst, "best": self.best}


def shortage(overall: float, comparisons: int) -> str | None:
    """Why a group is too small for a rate: fewer than 30 errors to expect at the overall rate."""
    expected = overall * comparisons
    if expected >= RULE_OF:
        return None
    if overall == 0:
        return (
            f"no error was seen in all {quantity(comparisons, 'comparison')}, so {RULE_OF} cannot be "
            "expected"
        )
    return f"needs {quantity(math.ceil(RULE_OF / overall), 'comparison')}, you have {comparisons:,}"


def spread(rates: Mapping[str, ErrorRate], level: float = 0.95) -> Spread | None:
    """The ratio of the worst group's rate to the best's; None with fewer than two groups.

    A group without an error counts with half of one, else the ratio would be infinite (Haldane 1956,
    Annals of Human Genetics 20:309). The interval is taken on the logarithm with effective numbers of
    comparisons, and for it a group that errs always counts with half a success, else it had no width.
    """
    if len(rates) < 2:
        return None
    value = {name: max(r.errors, 0.5) / r.comparisons for name, r in rates.items()}
    worst = max(value, key=lambda name: (value[name], name))
    best = min(value, key=lambda name: (value[name], name))
    variance = sum(
        max(1 - value[name], 0.5 / rates[name].comparisons)
        / (value[name] * max(rates[name].effective, 1.0))
        for name in (worst, best)
    )
    half = float(stats.norm.ppf((1 + level) / 2)) * math.sqrt(variance)
    ratio = value[worst] / value[best]
    interval = Interval(ratio * math.exp(-half), ratio * math.exp(half), level)
    return Spread(ratio, interval, worst, best)
