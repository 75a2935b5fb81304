"""The difference of two rates: paired where the same clusters were measured with both systems."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import stats

from lineament.errors import InsufficientData
from lineament.scoring.rate import Rate

Counts = Mapping[str, tuple[float, float]]
"""By cluster (a subject, a picture): the numerator's share and the denominator's."""


@dataclass(frozen=True, slots=True)
class Difference:
    """``second - first`` with its interval; ``paired`` says whether common clusters carried it.

    The interval is infinite where one of the two rates has none.
    """

    value: float
    low: float
    high: float
    paired: bool

    @property
    def clear(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0

    def span(self, digits: str = "+.3g") -> str:
        """The interval in words, ``-0.01 to +0.02``, or ``no interval``."""
        if not (math.isfinite(self.low) and math.isfinite(self.high)):
            return "no interval"
        return f"{self.low:{digits}} to {self.high:{digits}}"

    def to_json(self) -> dict[str, float | bool | None]:
        """Plain values; ``low`` and ``high`` are None without an interval."""
        low, high = (end if math.isfinite(end) else None for end in (self.low, self.high))
        return {"value": self.value, "low": low, "high": high, "paired": self.paired}


def paired(first: Counts, second: Counts, level: float = 0.95) -> Difference:
    """The difference of two ratios of sums over the same clusters.

    Linearised: each cluster contributes ``(e2 - p2 n2) / N2 - (e1 - p1 n1) / N1``; Student's t with one
    degree of freedom fewer than clusters (Cochran 1977, Sampling Techniques, 6.3). Where both systems err
    on the same clusters this is far narrower than two separate intervals. Raises `InsufficientData` unless
    the clusters are the same and at least two.
    """
    if set(first) != set(second) or len(first) < 2:
        raise InsufficientData("a paired difference needs the same subjects or pictures, at least 2")
    names = sorted(first)
    a = np.array([first[name] for name in names], np.float64)
    b = np.array([second[name] for name in names], np.float64)
    total_a, total_b = a.sum(axis=0), b.sum(axis=0)
    if not total_a[1] or not total_b[1]:
        raise InsufficientData("a difference needs comparisons in both")
    p, q = total_a[0] / total_a[1], total_b[0] / total_b[1]
    parts = (b[:, 0] - q * b[:, 1]) / total_b[1] - (a[:, 0] - p * a[:, 1]) / total_a[1]
    count = len(names)
    error = float(np.sqrt((parts**2).sum() * count / (count - 1)))
    half = float(stats.t.ppf((1 + level) / 2, count - 1)) * error
    value = float(q - p)
    return Difference(value, value - half, value + half, True)


def unpaired(first: Rate, second: Rate) -> Difference:
    """The difference of two rates whose intervals are taken as independent.

    Newcombe's square-and-add interval (1998, Statistics in Medicine 17:873, method 10): wider than the
    paired one where both systems saw the same data, and so on the careful side.
    """
    value = second.value - first.value
    down = float(np.hypot(second.value - second.low, first.high - first.value))
    up = float(np.hypot(second.high - second.value, first.value - first.low))
    return Difference(value, value - down, value + up, False)
