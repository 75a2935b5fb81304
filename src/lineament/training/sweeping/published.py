"""What came of a sweep in tables as papers print them: one a method, one for augmentation, in per cent."""

from __future__ import annotations

from collections.abc import Sequence

from lineament.answers import Table
from lineament.io import markdown as written
from lineament.training.sweeping.summary import BASELINE, Row, Summary


def tables(summary: Summary) -> list[Table]:
    """One a method, at the plainest augmentation, and one of all augmentations where there are several.

    The rows of the baseline stand in each method's table, to compare with.
    """
    marks = [row for row in summary.rows if row.method == BASELINE]
    trained = [row for row in summary.rows if row.method != BASELINE]
    splits, exam = summary.splits, summary.measured_on
    changes = list(dict.fromkeys(run.augmentation for run in summary.runs if run.method != BASELINE))
    if not changes:
        return []
    plain = "none" if "none" in changes else changes[0]
    found = []
    for method in sorted({row.method for row in trained}):
        some = [row for row in trained if row.method == method and row.augmentation == plain]
        lines = [(row.architecture, *(told(row, split) for split in splits)) for row in (*some, *marks)]
        found.append(Table(f"{method}, augmentation {plain}: accuracy in %", ("network", *splits), lines))
    if len(changes) > 1:
        pairs = list(dict.fromkeys((row.architecture, row.method) for row in trained))
        by = {(row.architecture, row.method, row.augmentation): row for row in trained}
        lines = [(*pair, *(told(by.get((*pair, change)), exam) for change in changes)) for pair in pairs]
        found.append(Table(f"Augmentation: {exam} accuracy in %", ("network", "method", *changes), lines))
    return found


def told(row: Row | None, split: str) -> str:
    """``91.3 (89.0 to 93.6)``, marked where runs failed or are no better than guessing."""
    if row is None:
        return "to come"
    parts = []
    for kind in dict.fromkeys(row.failed):
        count = row.failed.count(kind)
        parts.append(kind if count == len(row.folders) else f"{count} of {len(row.folders)} {kind}")
    figure = row.on(split)
    if figure is None:
        return f"failed: {', '.join(parts)}"
    text = f"{100 * figure.mean:.1f}"
    if figure.low is not None and figure.high is not None:
        text += f" ({100 * figure.low:.1f} to {100 * figure.high:.1f})"
    return f"{text} [{', '.join(parts)}]" if parts else text


def markdown(some: Sequence[Table]) -> str:
    """The tables as Markdown."""
    text = []
    for table in some:
        text += [f"## {written.text(table.title or '')}", "", *lines(table.columns, table.rows), ""]
    return "\n".join(text)


def lines(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """One table as Markdown, without a title."""
    return [
        written.row(columns),
        f"|{' --- |' * len(columns)}",
        *(written.row([str(cell) for cell in row]) for row in rows),
    ]
