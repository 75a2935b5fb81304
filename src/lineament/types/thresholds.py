"""Where a decision is drawn, and on what that rests."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from lineament.counting import quantity
from lineament.errors import UsageError
from lineament.types.embeddings import ModelId


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval; ``level`` is its nominal coverage."""

    low: float
    high: float
    level: float = 0.95


@dataclass(frozen=True, slots=True)
class Threshold:
    """A decision threshold with its provenance; a bare float is never a decision.

    ``value`` is the smallest similarity that counts as a match so that the false match rate stays at or
    below ``target_rate`` on ``measured_on``; ``rate`` is the one observed there and ``interval`` its
    confidence interval. ``kind`` is ``FMR`` (1:1) or ``FPIR`` (1:N); an FPIR holds for a gallery of
    ``enrolled`` subjects.
    """

    value: float
    model: ModelId
    target_rate: float
    measured_on: str
    rate: float
    interval: Interval
    comparisons: int
    subjects: int
    kind: Literal["FMR", "FPIR"] = "FMR"
    enrolled: int | None = None

    def accepts(self, similarity: float) -> bool:
        """Whether the similarity counts as a match."""
        return similarity >= self.value

    def require_for_pairs(self) -> None:
        """Raise `UsageError` for a threshold for searches: it allows for a whole gallery of strangers."""
        if self.kind != "FMR":
            raise UsageError(
                "a threshold for searches (FPIR) decides no comparison of two (1:1); take one for an FMR"
            )

    def to_json(self) -> dict[str, Any]:
        """The value with its whole provenance."""
        return {**asdict(self), "model": str(self.model)}

    def __str__(self) -> str:
        return (
            f"{self.value:.3f} ({self.kind} {self.target_rate:g}, "
            f"{quantity(self.comparisons, 'comparison')} of "
            f"{quantity(self.subjects, 'subject')}, {self.measured_on})"
        )
