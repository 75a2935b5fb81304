"""What came of a sweep in tables as papers print them: one a method, one for augmentation, in per cent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lineament.io import markdown as written

AT_CHANCE = "at chance"


@dataclass(frozen=True, slots=True)
class Table:
    """A title, a header and lines of text."""

    title: str
    header: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]


def tables(answer: Mapping[str, Any], *, baseline: str) -> list[Table]:
    """One a method, at the plainest augmentation, and one of all augmentations where there are several.

    The rows of method ``baseline`` stand in each method's table, to compare with.
    """
    rows: Sequence[Mapping[str, Any]] = answer["rows"]
    marks = [row for row in rows if row["method"] == baseline]
    trained = [row for row in rows if row["method"] != baseline]
    splits, exam = answer["splits"], answer["measured_on"]
    changes = list(
        dict.fromkeys(run["augmentation"] for run in answer["runs"] if run["method"] != baseline)
    )
    if not changes:
        return []
    plain = "none" if "none" in changes else changes[0]
    found = []
    for method in sorted({row["method"] for row in trained}):
        some = [row for row in trained if row["method"] == method and row["augmentation"] == plain]
        lines = tuple(
            (row["architecture"], *(told(row, split) for split in splits)) for row in (*some, *marks)
        )
        found.append(Table(f"{method}, augmentation {plain}: accuracy in %", ("network", *splits), lines))
    if len(changes) > 1:
        pairs = list(dict.fromkeys((row["architecture"], row["method"]) for row in trained))
        by = {(row["architecture"], row["method"], row["augmentation"]): row for row in trained}
        lines = tuple(
            (*pair, *(told(by.get((*pair, change)), exam) for change in changes)) for pair in pairs
        )
        found.append(Table(f"Augmentation: {exam} accuracy in %", ("network", "method", *changes), lines))
    return found


def told(row: Mapping[str, Any] | None, split: str) -> str:
    """``91.3 (89.0 to 93.6)``, marked where runs failed or are no better than guessing."""
    if row is None:
        return "to come"
    runs = len(row["folders"])
    parts = []
    for kind in dict.fromkeys(row["failed"]):
        count = row["failed"].count(kind)
        parts.append(kind if count == runs else f"{count} of {runs} {kind}")
    figure = row[split]
    if figure is None:
        return f"failed: {', '.join(parts)}"
    text = f"{100 * figure['mean']:.1f}"
    if figure["low"] is not None:
        text += f" ({100 * figure['low']:.1f} to {100 * figure['high']:.1f})"
    return f"{text} [{', '.join(parts)}]" if parts else text


def markdown(some: Sequence[Table]) -> str:
    """The tables as Markdown."""
    text = []
    for table in some:
        text += [f"## {written.text(table.title)}", ""]
        text += [written.row(table.header), f"|{' --- |' * len(table.header)}"]
        text += [*map(written.row, table.lines), ""]
    return "\n".join(text)
