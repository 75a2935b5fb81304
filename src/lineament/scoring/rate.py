"""A rate as every evaluation prints it: the value, its interval, and what it rests on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lineament.errors import InvalidArray


@dataclass(frozen=True, slots=True)
class Rate:
    """A figure in [0, 1] with its confidence interval (``level``, 95 % unless stated).

    ``n`` is the number of comparisons, searches, faces or pictures it was computed from; clustering has
    shaped the interval, not ``n``. An interval from minus to plus infinity says that there is none: what it
    was computed from tells nothing of others, as one person does. Raises `InvalidArray` for NaN, or an
    interval that ends before it begins.
    """

    value: float
    low: float
    high: float
    n: int
    level: float = 0.95

    def __post_init__(self) -> None:
        # The value may lie outside an interval made by resampling, so that is not asked.
        if self.value != self.value or not self.low <= self.high:
            raise InvalidArray(f"no rate: {self.value}, interval {self.low} to {self.high}")

    @property
    def bounded(self) -> bool:
        """Whether there is an interval."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    def span(self, digits: str = ".3g") -> str:
        """The interval in words, ``0.9 to 0.95``; ``no interval`` where there is none."""
        return f"{self.low:{digits}} to {self.high:{digits}}" if self.bounded else "no interval"

    def complement(self) -> Rate:
        """The share of successes from a share of errors, and the reverse."""
        return Rate(1 - self.value, 1 - self.high, 1 - self.low, self.n, self.level)

    def to_json(self) -> dict[str, float | int | None]:
        """``value``, ``low``, ``high`` and ``n``; ``low`` and ``high`` are None without an interval."""
        low, high = (self.low, self.high) if self.bounded else (None, None)
        return {"value": self.value, "low": low, "high": high, "n": self.n}

    @classmethod
    def json_of(cls, rate: Rate | None) -> dict[str, float | int | None] | None:
        """`to_json` of a rate, None where there is none."""
        return None if rate is None else rate.to_json()

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Rate:
        """The rate that `to_json` wrote."""
        low, high = values["low"], values["high"]
        if low is None or high is None:
            low, high = -math.inf, math.inf
        return cls(values["value"], low, high, values["n"])

    def __str__(self) -> str:
        return f"{self.value:.3g} ({self.span()})"
