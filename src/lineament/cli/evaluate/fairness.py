"""``lineament evaluate fairness``: error rates by group of people at one threshold."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from lineament.cli.evaluate.app import app
from lineament.cli.evaluate.running import FlipOption, NearOption, Run, SaveOption, threshold_in
from lineament.cli.options import (
    DEFAULT_PRECISION,
    DEFAULT_TARGET_FMR,
    DetectorOption,
    EmbedderOption,
    JsonOption,
    PrecisionOption,
    StrictOption,
    TargetFmrOption,
    ThresholdFileOption,
    WorkersOption,
)


@app.command("fairness")
def fairness(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="A folder a person, or a manifest.")],
    by: Annotated[
        str, typer.Option("--by", metavar="NAME", help="gender, age_group, race ...: the label.")
    ],
    groups: Annotated[
        Path | None,
        typer.Option(
            "--groups",
            metavar="FILE.csv",
            help="Columns subject and NAME; without it the manifest's labels.",
        ),
    ] = None,
    split: Annotated[
        str | None, typer.Option("--split", metavar="NAME", help="Only this split of the manifest.")
    ] = None,
    flip: FlipOption = False,
    near: NearOption = True,
    target_fmr: TargetFmrOption = DEFAULT_TARGET_FMR,
    threshold_file: ThresholdFileOption = None,
    detector: DetectorOption = "yunet",
    embedder: EmbedderOption = "sface",
    json: JsonOption = None,
    save_to: SaveOption = None,
    precision: PrecisionOption = DEFAULT_PRECISION,
    workers: WorkersOption = None,
    strict: StrictOption = False,
) -> None:
    """FMR and FNMR of each group at one global threshold, the worst group named.

    The threshold is the model's own or a file's, never one chosen on these pictures.
    """
    from lineament.datasets.opening import open_dataset
    from lineament.evaluation.fairness import measure
    from lineament.evaluation.groups import from_manifest, from_table
    from lineament.evaluation.measuring_people import on_people
    from lineament.evaluation.people import open_people
    from lineament.settings import AnalyzerSettings

    run = Run(json, save_to, strict=strict)
    known = threshold_in(threshold_file)
    people = open_people(data, split)
    of = from_table(groups, by) if groups else from_manifest(open_dataset(data), by)
    made_of = AnalyzerSettings(
        detector, embedder, quality=False, workers=workers, precision=precision, flip=flip
    )
    given = {"target_fmr": target_fmr, "threshold": known, "groups": of, "attribute": by}
    measured = partial(on_people, "fairness", people, made_of, measure)
    run(len(people), partial(measured, near=near, given=given, title=f"{people.title} by {by}"))
