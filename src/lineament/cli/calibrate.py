"""``lineament calibrate``: a threshold from your own people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lineament.cli.options import (
    DEFAULT_PRECISION,
    OWN,
    DetectorOption,
    EmbedderOption,
    JsonOption,
    LandmarksOption,
    PipelineOption,
    PrecisionOption,
    StrictOption,
    WorkersOption,
)
from lineament.cli.targets import Writes
from lineament.counting import quantity
from lineament.io.own_files import CALIBRATION

if TYPE_CHECKING:
    from lineament.cli.output import Report
    from lineament.io.calibration_file import Calibration


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
    split: Annotated[
        str | None, typer.Option("--split", metavar="NAME", help="This split of the manifest.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Another seed divides the people otherwise.")] = 0,
    flip: Annotated[
        bool, typer.Option("--flip", help="For the sum of each face and its mirror image: another system.")
    ] = False,
    near: Annotated[
        bool,
        typer.Option("--near/--no-near", help="Warn where copies of one picture make mated comparisons."),
    ] = True,
    pipeline: PipelineOption = None,
    detector: DetectorOption = OWN,
    landmarks: LandmarksOption = OWN,
    embedder: EmbedderOption = OWN,
    json: JsonOption = None,
    precision: PrecisionOption = DEFAULT_PRECISION,
    workers: WorkersOption = None,
    strict: StrictOption = False,
) -> None:
    """Choose a threshold for a target FMR or FPIR on some of your people, and measure it on the others.

    `verify` and `gallery identify` take the file by --threshold-file.
    """
    from lineament.analyzer import Analyzer
    from lineament.cli.evaluate.shared import (
        exit_strict,
        say_failures,
        tell_near,
    )
    from lineament.cli.evaluate.shared import say_left_out as left_out
    from lineament.cli.output import Report, progress
    from lineament.config import did_you_mean
    from lineament.errors import ConfigError, UsageError
    from lineament.evaluation.calibration import Plan
    from lineament.evaluation.calibration import calibrate as run
    from lineament.evaluation.capture import capture
    from lineament.evaluation.people import open_people
    from lineament.evaluation.trained_on import require_people_unseen
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
        detector,
        embedder,
        quality=False,
        workers=workers,
        precision=precision,
        flip=flip,
        landmarks=landmarks,
        pipeline=pipeline,
    )
    require_people_unseen(people, *made_of.specs())
    with Report(json) as report, Analyzer.from_settings(made_of) as analyzer:
        with progress(len(people), "pictures") as advance:
            captures = capture(analyzer, people.pictures, advance, people.boxes)
        found = run(people, captures, plan, made_of.measured())
        say_failures(report, captures.failures)
        left_out(report, people)
        copies = tell_near(report, people, captures, workers, near)
        report.line({"threshold": found.threshold.to_json(), **found.record, **copies})
        _say(report, found)
        if out is not None:
            calibration_file.save(out, found)
            report.say(f"wrote {out}")
    exit_strict(strict, captures.failures)


def _say(report: Report, found: Calibration) -> None:
    record: dict[str, Any] = dict(found.record)
    chosen, measured, check = record["chosen_on"], record["measured"], record["probability_check"]
    unit = "comparison" if found.threshold.kind == "FMR" else "search"
    report.say(
        f"threshold {found.threshold.value:.4f} for {found.threshold.kind} <= "
        f"{found.threshold.target_rate:g}, chosen on {quantity(chosen['comparisons'], unit)} of "
        f"{quantity(chosen['subjects'], 'person')}"
    )
    report.say(record["chosen_and_measured"])
    rows = [
        (name.upper(), _cell(measured[name]) or measured["unsupported"].get(name, ""))
        for name in ("fmr", "fpir", "fnmr", "fnir")
        if name in measured
    ]
    report.table(f"Measured on {quantity(measured['subjects'], 'person')}", ("rate", "value, 95 %"), rows)
    if found.probability is None:
        report.say(f"no probability: {check['refused']}")
    else:
        report.say(
            f"probability ({check['method']}, for pairs as likely mated as not): "
            f"expected calibration error {check['ece']:.4f}, Brier score {check['brier']:.4f}"
        )


def _cell(rate: dict[str, float] | None) -> str:
    if rate is None:
        return ""
    return f"{rate['value']:.3g} ({rate['low']:.3g} to {rate['high']:.3g}), n = {rate['n']:,}"
