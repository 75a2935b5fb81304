"""What came of a sweep, as JSON, CSV, Markdown, one HTML page, and for the command line."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lineament.answers import Table
from lineament.counting import quantity
from lineament.datasets.splitting.held_out import NOTE
from lineament.io import pages, spreadsheets
from lineament.io.own_files import OWN
from lineament.io.writing import replacing
from lineament.training.answers import plain
from lineament.training.runs.folder import write_json
from lineament.training.splits import SPLITS
from lineament.training.sweeping import published
from lineament.training.sweeping.summary import BASELINE, Mean, Row, Summary


@dataclass(frozen=True, slots=True)
class SweepAnswer:
    """What came of the sweep in ``folder`` so far."""

    folder: Path
    summary: Summary

    def to_json(self) -> dict[str, Any]:
        """What ``sweep.json`` holds."""
        values: dict[str, Any] = plain(self.summary)
        return values

    def tables(self) -> Iterator[Table]:
        """Those that papers print, and all means over seeds."""
        yield from published.tables(self.summary)
        yield over_seeds(self.summary)

    def notes(self) -> Iterator[str]:
        """What the figures mean, and where the rest stands."""
        yield note(self.summary)
        yield f"each training, its curves and its model: {self.folder / 'sweep.html'}"

    @property
    def failures(self) -> int:
        """How many trainings failed."""
        return sum(run.failed is not None for run in self.summary.runs)


def write_tables(out: Path, summary: Summary) -> None:
    """Write ``sweep.json``, ``sweep.csv``, ``sweep.md`` and ``sweep.html``; raises `OutputError`."""
    write_json(out / "sweep.json", plain(summary))
    for name, text in (
        ("sweep.csv", _csv(summary)),
        ("sweep.md", markdown(summary)),
        ("sweep.html", _html(summary)),
    ):
        with replacing(out / name, OWN) as file:
            file.write(text)


def cell(figure: Mean | None) -> str:
    """``0.913 (0.890 to 0.936)``; the interval only where seeds differ."""
    if figure is None:
        return ""
    if figure.low is None or figure.high is None:
        return f"{figure.mean:.3f}"
    return f"{figure.mean:.3f} ({figure.low:.3f} to {figure.high:.3f})"


def told(row: Row) -> str:
    """What failed of a row's runs: ``2 of 3 out of memory``."""
    kinds = dict.fromkeys(row.failed)
    return "; ".join(f"{row.failed.count(kind)} of {len(row.folders)} {kind}" for kind in kinds)


def over_seeds(summary: Summary) -> Table:
    """All rows."""
    splits = summary.splits
    return Table(
        "Accuracy over seeds",
        ("architecture", "method", "augmentation", *splits, "seeds", "pictures", "seconds", "failed"),
        [
            (
                *(row.architecture, row.method, row.augmentation),
                *(cell(row.on(split)) for split in splits),
                str(last.n if (last := row.on(splits[-1])) else 0),
                "" if row.pictures is None else str(row.pictures),
                "" if row.seconds is None else f"{row.seconds:.0f}",
                told(row),
            )
            for row in summary.rows
        ],
    )


def markdown(summary: Summary) -> str:
    """The tables as Markdown, with what their intervals mean."""
    every = over_seeds(summary)
    text = [published.markdown(published.tables(summary)), "## All, mean over seeds", ""]
    return "\n".join([*text, *published.lines(every.columns, every.rows), "", note(summary), ""])


def note(summary: Summary) -> str:
    """What the figures mean."""
    parts = [
        "Accuracy: mean over seeds and the 95 % interval of that mean (Student's t), which says how much "
        "training varies (none of one seed, or of seeds that all came to the same); how much depends on "
        "the pictures, each run's own interval says. "
        f"At chance: that interval, on the split {summary.measured_on}, reaches down to guessing."
    ]
    if summary.measured_on == "val":
        parts.append(f"{NOTE[0].upper()}{NOTE[1:]}.")
    if summary.chance is not None:
        parts.append(f"Chance {summary.chance:.3f}, always the commonest class {summary.majority:.3f}.")
    if summary.left:
        parts.append(f"{quantity(summary.left, 'training is')} still to come.")
    return " ".join(parts)


def _csv(summary: Summary) -> str:
    names = ("architecture", "method", "augmentation", "seed", "folder", "failed", "error", "seconds")
    parts = ("value", "low", "high", "n")
    rows: list[list[Any]] = [
        [*names, *(f"{split}_{part}" for split in SPLITS for part in ("accuracy", *parts[1:]))]
    ]
    for run in summary.runs:
        rates = [{} if (rate := run.on(split)) is None else rate.to_json() for split in SPLITS]
        rows.append(
            [*(getattr(run, name) for name in names), *(rate.get(part) for rate in rates for part in parts)]
        )
    text = io.StringIO()
    spreadsheets.write(text, rows)
    return text.getvalue()


def _html(summary: Summary) -> str:
    values = {
        "tables": published.tables(summary),
        "summary": summary,
        "cell": cell,
        "told": told,
        "note": note(summary),
        "baseline": BASELINE,
    }
    return pages.page("lineament.training.sweeping", "sweep.html.j2", values)
