"""``lineament train sweep``: architectures x methods x augmentations x seeds in one table."""

from __future__ import annotations

from typing import Annotated

import typer

from lineament.cli.options import JsonOption, StrictOption
from lineament.cli.train.app import app
from lineament.cli.train.options import (
    ConfigOption,
    DataArgument,
    OutOption,
    SetOption,
    require_torch,
    settings_from,
)


@app.command("sweep")
def sweep(
    data: DataArgument,
    *,
    out: OutOption,
    config: ConfigOption = None,
    architectures: Annotated[
        str | None,
        typer.Option("--architectures", metavar="A,B", help="NAME, or NAME:METHOD for one method only."),
    ] = None,
    methods: Annotated[
        str | None,
        typer.Option("--methods", metavar="M,N", help="scratch, feature-extraction, fine-tuning."),
    ] = None,
    augmentations: Annotated[
        str | None,
        typer.Option(
            "--augmentations",
            metavar="X,Y",
            help="none, default, or steps: rotate:20,crop+noise. The word unit changes normalise: "
            "pixels divided to 0..1, not by ImageNet's mean and deviation.",
        ),
    ] = None,
    seeds: Annotated[str | None, typer.Option("--seeds", metavar="0,1,2")] = None,
    weights: Annotated[
        list[str] | None,
        typer.Option(
            "--weights",
            metavar="NETWORK=FILE|DIR",
            help="Weights brought along: one file a network (repeat), or a folder of them.",
        ),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option("--baseline", metavar="sface|none", help="A linear classifier on its embeddings."),
    ] = None,
    sets: SetOption = None,
    json: JsonOption = None,
    strict: StrictOption = False,
) -> None:
    """Train classifiers with every combination, and compare them.

    OUT gets a run folder for each training, and sweep.html, .md, .csv and .json. Run again it goes on:
    finished trainings are kept, failed ones tried again. --strict exits with 1 when one failed.
    """
    require_torch()
    from lineament.cli.output import Report
    from lineament.cli.train.telling import followed
    from lineament.datasets.opening import open_dataset
    from lineament.training.sweeping.published import tables
    from lineament.training.sweeping.sweep import SweepSettings, cells, run_sweep
    from lineament.training.sweeping.tables import BASELINE, lines, note

    flags = {
        "architectures": architectures,
        "methods": methods,
        "augmentations": augmentations,
        "seeds": seeds,
        "weights": weights or None,
        "baseline": baseline,
    }
    settings = settings_from(SweepSettings, config, sets, flags)
    manifest = open_dataset(data)
    with Report(json) as report:
        with followed(len(cells(settings)), "trainings") as advance:
            answer = run_sweep(manifest, out, settings, advance=advance)
        report.line(answer)
        for table in tables(answer, baseline=BASELINE):
            report.table(table.title, table.header, list(table.lines))
        header, *rows = lines(answer)
        report.table("Accuracy over seeds", header, rows)
        report.say(note(answer))
        report.say(f"each training, its curves and its model: {out / 'sweep.html'}")
    if strict and any(run["failed"] is not None for run in answer["runs"]):
        raise typer.Exit(1)
