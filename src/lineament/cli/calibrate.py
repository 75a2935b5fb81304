"""``lineament calibrate``: a threshold from your own people."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lineament.cli.evaluate.running import NearOption, Run
from lineament.cli.options import (
    DEFAULT_PRECISION,
    DetectorOption,
    JsonOption,
    PrecisionOption,
    SplitOption,
    StrictOption,
    WorkersOption,
)
from lineament.cli.targets import Writes
from lineament.io.own_files import CALIBRATION

if TYPE_CHECKING:
    from lineament.answers import Answer


def calibrate(
    data: Annotated[Path, typer.Argument(metavar="DIR", help="A folder a person, or a manifest.")],
    *,
    target_fmr: Annotated[
        float | None, typer.Option("--target-fmr", help="For 1:1: the false match rate to accept.")
    ] = None,
    target_fpir: Annotated[
        float | None,
        typer.Option("--target-fpir", help="For 1:N: the share of strangers that may match somebody."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write the threshold there, as JSON."),
        Writes(CALIBRATION),
    ] = None,
    hold_out: Annotated[
        float,
        typer.Option("--hold-out", help="Share of people to measure it on, not choose it on; 0 for none."),
    ] = 0.3,
    hold_back: Annotated[
        float,
        typer.Option("--hold-back", help="For FPIR: people kept out of the gallery; a share, or a number."),
    ] = 0.5,
    gallery_photos: Annotated[
        int, typer.Option("--gallery-photos", min=1, help="For FPIR: photos enrolled a person.")
    ] = 1,
    probability: Annotated[
        str,
        typer.Option(
            "--probability", metavar="logistic|isotonic|none", help="The curve from similarity to how sure."
        ),
    ] = "logistic",
    split: SplitOption = None,
    seed: Annotated[int, typer.Option("--seed", help="Another seed divides the people otherwise.")] = 0,
    flip: Annotated[
        bool, typer.Option("--flip", help="For the sum of each face and its mirror image: another system.")
    ] = False,
    near: NearOption = True,
    detector: DetectorOption = "yunet",
    embedder: Annotated[
        str,
        typer.Option("--embedder", metavar="NAME[:SETTINGS]", help="sface, or a training's folder."),
    ] = "sface",
    json: JsonOption = None,
    precision: PrecisionOption = DEFAULT_PRECISION,
    workers: WorkersOption = None,
    strict: StrictOption = False,
) -> None:
    """Choose a threshold for a target FMR or FPIR on some of your people, and measure it on the others.

    `verify` and `gallery identify` take the file by --threshold-file.
    """
    from lineament.config import did_you_mean
    from lineament.errors import ConfigError, UsageError
    from lineament.evaluation.calibration import CalibrationReport, Plan, measure
    from lineament.evaluation.measuring_people import on_people
    from lineament.evaluation.people import open_people
    from lineament.io import calibration_file
    from lineament.scoring.probability import METHODS
    from lineament.settings import AnalyzerSettings

    target = target_fmr if target_fpir is None else target_fpir
    if target is None or (target_fmr is not None and target_fpir is not None):
        raise UsageError("give one target: --target-fmr for 1:1, or --target-fpir for 1:N")
    method = next((name for name in METHODS if name == probability), None)
    if method is None and probability != "none":
        raise ConfigError(f"--probability: {probability!r}{did_you_mean(probability, [*METHODS, 'none'])}")
    plan = Plan(
        target=target,
        kind="FMR" if target_fpir is None else "FPIR",
        hold_out=hold_out,
        hold_back=hold_back,
        gallery_photos=gallery_photos,
        seed=seed,
        method=method,
    )
    people = open_people(data, split)
    made_of = AnalyzerSettings(
        detector, embedder, quality=False, workers=workers, precision=precision, flip=flip
    )

    def written(report: Answer) -> Iterable[Path]:
        assert isinstance(report, CalibrationReport)
        if out is not None:
            calibration_file.save(out, report.found)
        return () if out is None else (out,)

    measured = partial(on_people, "calibration", people, made_of, measure, near=near, given={"plan": plan})
    Run(json, strict=strict)(len(people), measured, also=written)
