"""``lineament evaluate report``, ``compare`` and ``gate``: what to do with saved evaluations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lineament.cli.evaluate.app import app
from lineament.cli.options import JsonOption
from lineament.cli.targets import Writes
from lineament.io.own_files import PAGE

if TYPE_CHECKING:
    from lineament.cli.output import Report
    from lineament.evaluation.compare import ComparedFigure

_AT_TARGETS = ("fnmr_at_fmr", "fnir_at_fpir", "dir_at_fpir", "bpcer_at_apcer")
_FIXED = (
    "at target rates the thresholds were chosen on these: intervals hold the uncertainty of the errors, "
    "not that of the thresholds; they are too narrow where a threshold rests on few errors"
)
OutOption = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE.html", help="Write a page that needs nothing else."),
    Writes(PAGE),
]


@app.command("report")
def report(
    records: Annotated[list[Path], typer.Argument(metavar="RECORD...", help="Files written with --save.")],
    out: Annotated[
        Path,
        typer.Option("--out", metavar="FILE.html", help="The page to write; it needs nothing else."),
        Writes(PAGE),
    ],
    title: Annotated[str, typer.Option("--title", help="Heading of the page.")] = "Evaluation",
    json: JsonOption = None,
) -> None:
    """Write saved evaluations as one page: figures, tables, protocol, model cards, environment."""
    from lineament.cli.output import Report
    from lineament.evaluation.page import render
    from lineament.evaluation.record import EvaluationRecord

    found = [EvaluationRecord.load(path) for path in records]
    _write(out, render(found, title=title))
    with Report(json) as answer:
        for path, record in zip(records, found, strict=True):
            answer.line(
                {
                    "record": str(path),
                    "kind": record.kind,
                    "title": record.title,
                    "figures": {name: f.rate.to_json() for name, f in record.figures.items()},
                }
            )
        answer.say(f"written: {out}")


@app.command("compare")
def compare(
    first: Annotated[Path, typer.Argument(metavar="A", help="A file written with --save.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="Another, of the same protocol.")],
    out: OutOption = None,
    json: JsonOption = None,
) -> None:
    """Compare two systems measured alike: every difference with its interval, paired where possible."""
    from lineament.cli.output import Report
    from lineament.evaluation import compare as comparing
    from lineament.evaluation.page import render
    from lineament.evaluation.record import EvaluationRecord

    a, b = EvaluationRecord.load(first), EvaluationRecord.load(second)
    rows = comparing.compare(a, b)
    if out is not None:
        _write(out, render([a, b], rows, title=f"{a.title}: two systems"))
    with Report(json) as answer:
        answer.line({"figures": {row.name: row.to_json() for row in rows}})
        _table(answer, rows)
        if any(row.name.startswith(_AT_TARGETS) for row in rows):
            answer.say(_FIXED)
        if out is not None:
            answer.say(f"written: {out}")


@app.command("gate")
def gate(
    base: Annotated[Path, typer.Argument(metavar="BASE", help="The evaluation to hold on to.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The one to judge.")],
    metric: Annotated[
        list[str] | None,
        typer.Option("--metric", metavar="NAME", help="Only this figure; may be repeated. Default: all."),
    ] = None,
    json: JsonOption = None,
) -> None:
    """Exit with 1 when a figure is worse than its interval explains; refuse another protocol."""
    from lineament.cli.output import Report
    from lineament.evaluation import compare as comparing
    from lineament.evaluation.record import EvaluationRecord

    old, latest = EvaluationRecord.load(base), EvaluationRecord.load(new)
    worse = comparing.gate(old, latest, metric or ())
    with Report(json) as answer:
        answer.line({"passed": not worse, "worse": {row.name: row.to_json() for row in worse}})
        if worse:
            _table(answer, worse)
        answer.say("failed: clearly worse" if worse else "passed: no figure is clearly worse")
    if worse:
        raise typer.Exit(1)


def _table(answer: Report, rows: Sequence[ComparedFigure]) -> None:
    answer.table(
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
            for row in rows
        ],
    )


def _write(path: Path, text: str) -> None:
    from lineament.io.writing import replacing

    with replacing(path, PAGE) as file:
        file.write(text)
