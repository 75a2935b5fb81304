"""``lineament evaluate verification``: 1:1 error rates."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from lineament.cli.evaluate.app import app
from lineament.cli.evaluate.running import (
    FlipOption,
    NearOption,
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
    StrictOption,
    TargetFmrOption,
    ThresholdFileOption,
    WorkersOption,
)


@app.command("verification")
def verification(
    *,
    pairs: Annotated[
        Path | None,
        typer.Option(
            "--pairs",
            metavar="FILE",
            help="LFW's pairs.txt, or CSV: fold,image1,image2,same; with --templates: template1,template2.",
        ),
    ] = None,
    images: Annotated[
        Path | None, typer.Option("--images", metavar="DIR", help="The folder the pairs refer to.")
    ] = None,
    everything: Annotated[
        Path | None,
        typer.Option(
            "--all", metavar="DIR", help="Compare all with all: a folder a person, or a manifest."
        ),
    ] = None,
    templates: Annotated[
        Path | None,
        typer.Option(
            "--templates",
            metavar="FILE",
            help="IJB-style CSV: template_id,subject,file[,media]; --pairs names them.",
        ),
    ] = None,
    split: Annotated[
        str | None, typer.Option("--split", metavar="NAME", help="With --all: this split of the manifest.")
    ] = None,
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
    """Compare listed pairs or all pictures (1:1): FNMR at target FMRs, EER, ROC, accuracy over folds.

    The face nearest the picture's centre is the subject. A picture without one is a failure to acquire,
    and an error.
    """
    from lineament.errors import UsageError
    from lineament.evaluation import templates as ijb
    from lineament.evaluation.all_comparisons import evaluate
    from lineament.evaluation.measuring_people import on_pairs, on_people
    from lineament.evaluation.pairs import read_pairs
    from lineament.evaluation.people import open_people
    from lineament.io.digests import sha256_of
    from lineament.settings import AnalyzerSettings

    if (everything is None) == (pairs is None):
        raise UsageError("give either --pairs FILE with --images DIR, or --all DIR")
    if everything is None and (images is None or split is not None or threshold_file is not None):
        raise UsageError("--pairs needs --images DIR; --split and --threshold-file go with --all")
    if everything is not None and (images is not None or templates is not None):
        raise UsageError("--all takes its own folder; --images and --templates go with --pairs")
    run = Run(json, save_to, plots, strict)
    known = threshold_in(threshold_file)
    if known is not None and known.kind != "FMR":
        raise UsageError(f"{threshold_file}: a threshold for searches (FPIR); 1:1 needs one for an FMR")
    made_of = AnalyzerSettings(
        detector, embedder, quality=False, workers=workers, precision=precision, flip=flip
    )
    if everything is not None:
        people = open_people(everything, split)
        measured = partial(on_people, "verification", people, made_of, evaluate, near=near)
        run(len(people), partial(measured, given={"target_fmr": target_fmr, "threshold": known}))
        return
    assert pairs is not None and images is not None
    members = None if templates is None else ijb.read_templates(templates)
    listed = read_pairs(pairs) if members is None else ijb.read_template_pairs(pairs, members)
    files = {"pairs": pairs, "templates": templates}
    rules = {name: None if path is None else sha256_of(path) for name, path in files.items()}
    compared = partial(on_pairs, listed, images, made_of, near=near, templates=members)
    run(len((members or listed).pictures), partial(compared, title=pairs.name, rules=rules))
