"""``lineament evaluate report``, ``compare`` and ``gate``: what to do with saved evaluations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lineament.cli.evaluate.app import app
from lineament.cli.options import JsonOption
from lineament.cli.targets import Writes
from lineament.io.own_files import PAGE

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
        answer.answer(comparing.Comparison(rows))
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
        answer.answer(comparing.Gated(worse))
    if worse:
        raise typer.Exit(1)


def _write(path: Path, text: str) -> None:
    from lineament.io.writing import replacing

    with replacing(path, PAGE) as file:
        file.write(text)
