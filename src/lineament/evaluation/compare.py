"""Two evaluations side by side, and a gate that fails when the second is clearly worse."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from lineament.answers import Answer, Table
from lineament.config import did_you_mean, several
from lineament.errors import InsufficientData, ProtocolMismatch, UnknownName
from lineament.evaluation.record import EvaluationRecord, Figure, flat
from lineament.scoring import paired
from lineament.scoring.paired import Difference

_ALIKE = 1e-9
"""A width that is the rounding of sums."""

_AT_TARGETS = ("fnmr_at_fmr", "fnir_at_fpir", "dir_at_fpir", "bpcer_at_apcer")
_FIXED = (
    "at target rates the thresholds were chosen on these: intervals hold the uncertainty of the errors, "
    "not that of the thresholds; they are too narrow where a threshold rests on few errors"
)


@dataclass(frozen=True, slots=True)
class ComparedFigure:
    """One figure of both evaluations and their difference, second minus first."""

    first: Figure
    second: Figure
    difference: Difference

    @property
    def name(self) -> str:
        """Of the figure."""
        return self.first.name

    @property
    def verdict(self) -> str:
        """better, worse, different, or no clear difference: the second, where the interval leaves out 0."""
        if not self.difference.clear:
            return "no clear difference"
        if self.first.better == "neither":
            return "different"
        return "better" if (self.difference.value < 0) == (self.first.better == "low") else "worse"

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        d = self.difference
        return {
            "first": self.first.rate.to_json(),
            "second": self.second.rate.to_json(),
            "difference": d.to_json(),
            "verdict": self.verdict,
        }


@dataclass(frozen=True, slots=True)
class Comparison(Answer):
    """Figures of two evaluations side by side, as `compare` gives them."""

    rows: Sequence[ComparedFigure]

    def to_json(self) -> dict[str, Any]:
        """Each by its name."""
        return {"figures": {row.name: row.to_json() for row in self.rows}}

    def told(self) -> Iterator[str | Table]:
        """A row a figure, and what the intervals at target rates leave out."""
        yield Table(
            "Second minus first",
            ("figure", "first", "second", "difference, 95 %", "", "verdict"),
            [
                (
                    row.name,
                    f"{row.first.rate.value:.4g}",
                    f"{row.second.rate.value:.4g}",
                    f"{row.difference.value:+.4g} ({row.difference.span()})",
                    "paired" if row.difference.paired else "unpaired",
                    row.verdict,
                )
                for row in self.rows
            ],
        )
        if any(row.name.startswith(_AT_TARGETS) for row in self.rows):
            yield _FIXED


@dataclass(frozen=True, slots=True)
class Gated(Answer):
    """The figures that are clearly ``worse``, as `gate` gives them: passed with none."""

    worse: Sequence[ComparedFigure]

    def to_json(self) -> dict[str, Any]:
        """Whether it passed, and each that is worse."""
        return {"passed": not self.worse, "worse": {row.name: row.to_json() for row in self.worse}}

    def told(self) -> Iterator[str | Table]:
        """What is worse, and the verdict."""
        yield from Comparison(self.worse).tables() if self.worse else ()
        yield "failed: clearly worse" if self.worse else "passed: no figure is clearly worse"


def compare(first: EvaluationRecord, second: EvaluationRecord) -> list[ComparedFigure]:
    """Every figure that both have.

    Raises `ProtocolMismatch` when they were measured by different rules or on different data, and
    `InsufficientData` when they have no figure in common.
    """
    require_same_protocol(first, second)
    mine, theirs = first.figures, second.figures
    common = [name for name in mine if name in theirs]
    if not common:
        raise InsufficientData("the two evaluations have no figure in common")
    return [ComparedFigure(mine[n], theirs[n], _difference(mine[n], theirs[n])) for n in common]


def gate(
    base: EvaluationRecord, new: EvaluationRecord, metrics: Sequence[str] = ()
) -> list[ComparedFigure]:
    """The figures in which ``new`` is clearly worse than ``base``, and those that ``new`` lost.

    ``metrics`` limits it to figures of these names; raises `UnknownName` for one that ``base`` lacks,
    `ProtocolMismatch` for another protocol, `InsufficientData` when ``new`` lacks a figure that is asked
    for or that ``base`` has.
    """
    known = base.figures
    metrics = several(metrics)
    for name in metrics:
        if name not in known:
            raise UnknownName(f"the base has no figure {name!r}{did_you_mean(name, known)}")
    require_same_protocol(base, new)
    wanted = list(metrics) or list(known)
    lost = [name for name in wanted if name not in new.figures]
    if lost:
        raise InsufficientData(f"the new evaluation lacks figures of the base: {', '.join(lost)}")
    return [row for row in compare(base, new) if row.name in wanted and row.verdict == "worse"]


def require_same_protocol(first: EvaluationRecord, second: EvaluationRecord) -> None:
    """Raise `ProtocolMismatch` naming every rule that differs."""
    a = {"kind": first.kind, **flat(first.protocol)}
    b = {"kind": second.kind, **flat(second.protocol)}
    different = [key for key in sorted(a.keys() | b.keys()) if a.get(key) != b.get(key)]
    if different:
        told = "; ".join(f"{key}: {a.get(key)!r} and {b.get(key)!r}" for key in different)
        raise ProtocolMismatch(f"not comparable, they were measured differently: {told}")


def _difference(first: Figure, second: Figure) -> Difference:
    a, b = first.clusters or {}, second.clusters or {}
    if len(a) > 1 and set(a) == set(b):
        found = paired.paired(a, b)
        # Where two pictures differ alike, the paired interval has no width, and any difference looks sure.
        if found.value == 0 or found.high - found.low > _ALIKE:
            return found
    return paired.unpaired(first.rate, second.rate)
