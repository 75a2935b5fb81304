"""``lineament evaluate identification``: 1:N error rates."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from lineament.cli.evaluate.app import app
from lineament.cli.evaluate.running import (
    FlipOption,
    NearOption,
    PeopleOption,
    PlotsOption,
    Run,
    SaveOption,
    threshold_in,
)
from lineament.cli.options import (
    DEFAULT_PRECISION,
    DEFAULT_TARGET_FMR,
    DetectorOption,
    EmbedderOption,
    JsonOption,
    PrecisionOption,
    SeedOption,
    SplitOption,
    StrictOption,
    TargetFmrOption,
    ThresholdFileOption,
    WorkersOption,
)


@app.command("identification")
def identification(
    *,
    images: PeopleOption,
    split: SplitOption = None,
    hold_back: Annotated[
        float,
        typer.Option(
            "--hold-back",
            help="People kept out of the gallery, the strangers: a share below 1, or a number from 2 on.",
        ),
    ] = 0.2,
    gallery_photos: Annotated[
        int, typer.Option("--gallery-photos", min=1, help="Photos enrolled a person.")
    ] = 1,
    seed: SeedOption = 0,
    flip: FlipOption = False,
    near: NearOption = True,
    target_fmr: TargetFmrOption = DEFAULT_TARGET_FMR,
    threshold_file: ThresholdFileOption = None,
    detector: DetectorOption = "yunet",
    embedder: EmbedderOption = "sface",
    plots: PlotsOption = None,
    json: JsonOption = None,
    save_to: SaveOption = None,
    precision: PrecisionOption = DEFAULT_PRECISION,
    workers: WorkersOption = None,
    strict: StrictOption = False,
) -> None:
    """Search people in a gallery (1:N): rank-1, and FNIR at target FPIRs with strangers among the probes.

    Who is held back and which photos are enrolled follows from a hash of the seed and the names.
    """
    from lineament.evaluation.identification import evaluate
    from lineament.evaluation.measuring_people import on_people
    from lineament.evaluation.people import open_people
    from lineament.settings import AnalyzerSettings

    run = Run(json, save_to, plots, strict)
    given = {"target_fmr": target_fmr, "threshold": threshold_in(threshold_file)}
    people = open_people(images, split)
    made_of = AnalyzerSettings(
        detector, embedder, quality=False, workers=workers, precision=precision, flip=flip
    )
    rules = {"hold_back": hold_back, "gallery_photos": gallery_photos, "seed": seed}
    measured = partial(on_people, "identification", people, made_of, evaluate)
    run(len(people), partial(measured, near=near, rules=rules, given=given))
