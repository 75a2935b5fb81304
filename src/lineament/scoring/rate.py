"""A rate as every evaluation prints it: the value, its interval, and what it rests on."""

from __future__ import annotations

from dataclasses import dataclass

from lineament.errors import InvalidArray


@dataclass(frozen=True, slots=True)
class Rate:
    """A figure in [0, 1] with its confidence interval (``level``, 95 % unless stated).

    ``n`` is the number of comparisons, searches, faces or pictures it was computed from; clustering has
    shaped the interval, not ``n``. Raises `InvalidArray` for NaN or an interval that is none.
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

    def complement(self) -> Rate:
        """The share of successes from a share of errors, and the reverse."""
        return Rate(1 - self.value, 1 - self.high, 1 - self.low, self.n, self.level)

    def to_json(self) -> dict[str, float | int]:
        """``value``, ``low``, ``high`` and ``n``."""
        return {"value": self.value, "low": self.low, "high": self.high, "n": self.n}

    def __str__(self) -> str:
        return f"{self.value:.3g} ({self.low:.3g} to {self.high:.3g})"
