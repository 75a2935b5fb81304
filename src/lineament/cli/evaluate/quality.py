"""``lineament evaluate quality``: which quality number knows what will fail."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from lineament.cli.evaluate.app import app
from lineament.cli.evaluate.running import NearOption, PeopleOption, PlotsOption, Run, SaveOption
from lineament.cli.options import (
    DEFAULT_PRECISION,
    DEFAULT_TARGET_FMR,
    DetectorOption,
    JsonOption,
    PrecisionOption,
    StrictOption,
    TargetFmrOption,
    WorkersOption,
)


@app.command("quality")
def quality(
    *,
    images: PeopleOption,
    split: Annotated[str | None, typer.Option("--split", help="Of a manifest.")] = None,
    target_fmr: TargetFmrOption = DEFAULT_TARGET_FMR,
    pairs: Annotated[int, typer.Option("--pairs", min=1, help="Mated pairs a person, at most.")] = 10,
    seed: Annotated[int, typer.Option("--seed", help="Another seed draws other pairs.")] = 0,
    near: NearOption = True,
    detector: DetectorOption = "yunet",
    plots: PlotsOption = None,
    json: JsonOption = None,
    save_to: SaveOption = None,
    precision: PrecisionOption = DEFAULT_PRECISION,
    workers: WorkersOption = None,
    strict: StrictOption = False,
) -> None:
    """Error versus discard: FNMR of what remains when the worst pictures by each number are left out."""
    from lineament.evaluation.measuring_people import on_people
    from lineament.evaluation.people import open_people
    from lineament.evaluation.quality import evaluate
    from lineament.settings import AnalyzerSettings

    run = Run(json, save_to, plots, strict)
    people = open_people(images, split)
    made_of = AnalyzerSettings(detector, precision=precision, workers=workers)
    rules = {"target_fmr": target_fmr, "pairs_a_subject": pairs, "seed": seed}
    measured = partial(on_people, "quality", people, made_of, evaluate)
    run(len(people), partial(measured, near=near, rules=rules))
