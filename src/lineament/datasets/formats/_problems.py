"""What was wrong or left out, counted by kind, with the first few places."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_EXAMPLES = 5


@dataclass(slots=True)
class Tally:
    """How often, the first places, and where the kind is a distance, the largest in pixels."""

    count: int = 0
    examples: list[str] = field(default_factory=list)
    worst_px: float | None = None


class Problems:
    """Counts by kind; iterating gives ``(kind, tally)`` ordered by kind."""

    def __init__(self) -> None:
        self._tallies: dict[str, Tally] = {}

    def add(self, kind: str, where: str, *, worst_px: float | None = None, count: int = 1) -> None:
        """Count one more of a kind."""
        tally = self._tallies.setdefault(kind, Tally())
        tally.count += count
        if len(tally.examples) < _EXAMPLES and where not in tally.examples:
            tally.examples.append(where)
        if worst_px is not None:
            tally.worst_px = max(worst_px, tally.worst_px or 0.0)

    def take(self, others: Problems) -> None:
        """Count all that others counted."""
        for kind, tally in others:
            for number, where in enumerate(tally.examples):
                count = tally.count - len(tally.examples) + 1 if number == 0 else 1
                self.add(kind, where, worst_px=tally.worst_px, count=count)

    def __iter__(self) -> Iterator[tuple[str, Tally]]:
        return iter(sorted(self._tallies.items()))

    def __bool__(self) -> bool:
        return bool(self._tallies)

    def __getitem__(self, kind: str) -> int:
        """How often; 0 for a kind that never came."""
        tally = self._tallies.get(kind)
        return 0 if tally is None else tally.count

    def counts(self) -> dict[str, int]:
        """Kind to count."""
        return {kind: tally.count for kind, tally in self}

    def to_json(self) -> Mapping[str, Any]:
        """Kind to ``{"count", "examples"}`` and, for distances, ``worst_px``."""
        return {
            kind: {"count": tally.count, "examples": list(tally.examples)}
            | ({} if tally.worst_px is None else {"worst_px": tally.worst_px})
            for kind, tally in self
        }
