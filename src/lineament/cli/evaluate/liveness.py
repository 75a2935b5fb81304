"""``lineament evaluate liveness``: presentation attack detection from a table of scores."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from lineament.cli.evaluate.app import app
from lineament.cli.evaluate.running import Run, SaveOption
from lineament.cli.options import JsonOption


@app.command("liveness")
def liveness(
    *,
    scores: Annotated[
        Path,
        typer.Option(
            "--scores", metavar="CSV", help="kind,score and if known image,subject,jitter; higher is live."
        ),
    ],
    threshold: Annotated[
        float | None, typer.Option("--threshold", help="What scores that or more passes as bona fide.")
    ] = None,
    choose_on: Annotated[
        Path | None,
        typer.Option("--choose-on", metavar="CSV", help="Or choose the threshold on these other scores."),
    ] = None,
    bpcer: Annotated[
        float, typer.Option("--bpcer", help="With --choose-on: the share of bona fide that may fail there.")
    ] = 0.05,
    json: JsonOption = None,
    save_to: SaveOption = None,
) -> None:
    """APCER of each kind of attack (the worst counts), BPCER, and what a jittered box does.

    No liveness model is shipped: score pictures with yours and write a table.
    """
    from lineament.evaluation.liveness import read_scores
    from lineament.evaluation.measuring_labels import of_scores

    other = None if choose_on is None else read_scores(choose_on)
    read = read_scores(scores)
    measure = partial(of_scores, read, threshold=threshold, chosen_on=other, bpcer=bpcer, title=scores.stem)
    Run(json, save_to)(len(read.images), measure)
