"""``lineament evaluate fairness``: error rates by group of people at one threshold."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lineament.cli.evaluate.app import app
from lineament.cli.evaluate.saving import SaveOption, save
from lineament.cli.evaluate.shared import (
    FlipOption,
    NearOption,
    exit_strict,
    rate_cell,
    say_failures,
    tell_near,
)
from lineament.cli.options import (
    DEFAULT_PRECISION,
    DEFAULT_TARGET_FMR,
    OWN,
    DetectorOption,
    EmbedderOption,
    JsonOption,
    LandmarksOption,
    PipelineOption,
    PrecisionOption,
    StrictOption,
    TargetFmrOption,
    ThresholdFileOption,
    WorkersOption,
)
from lineament.counting import quantity

if TYPE_CHECKING:
    from lineament.cli.output import Report
    from lineament.evaluation.fairness import FairnessReport


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
    pipeline: PipelineOption = None,
    detector: DetectorOption = OWN,
    landmarks: LandmarksOption = OWN,
    embedder: EmbedderOption = OWN,
    json: JsonOption = None,
    save_to: SaveOption = None,
    precision: PrecisionOption = DEFAULT_PRECISION,
    workers: WorkersOption = None,
    strict: StrictOption = False,
) -> None:
    """FMR and FNMR of each group at one global threshold, the worst group named.

    The threshold is the model's own or a file's, never one chosen on these pictures.
    """
    from lineament import pipelines
    from lineament.analyzer import Analyzer
    from lineament.cli.output import Report, progress
    from lineament.datasets.opening import open_dataset
    from lineament.evaluation import fairness as measuring
    from lineament.evaluation import groups as labels
    from lineament.evaluation.capture import capture
    from lineament.evaluation.people import open_people
    from lineament.evaluation.trained_on import require_people_unseen
    from lineament.io import calibration_file
    from lineament.settings import AnalyzerSettings

    known = None if threshold_file is None else calibration_file.load(threshold_file).threshold
    people = open_people(data, split)
    found_groups = (
        labels.from_table(groups, by)
        if groups is not None
        else labels.from_manifest(open_dataset(data), by)
    )
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
    settings = made_of.measured()
    with Report(json) as report, Analyzer.from_settings(made_of) as analyzer:
        assert analyzer.model is not None
        threshold = known or pipelines.measured(analyzer.model).threshold(target_fmr)
        with progress(len(people), "pictures") as advance:
            captures = capture(analyzer, people.pictures, advance, people.boxes)
        found = measuring.evaluate(people, captures, found_groups, by, threshold)
        answer = {**found.to_json(), **settings}
        answer |= tell_near(report, people, captures, workers, near)
        report.line(answer)
        say_failures(report, captures.failures)
        _say(report, found)
        if save_to is not None:
            save(
                save_to,
                "fairness",
                f"{people.title} by {by}",
                protocol={"data": people.digest(), "by": by, "groups": sorted(found.groups)},
                system={**settings, "model": str(captures.model), "threshold": str(threshold)},
                answer=answer,
            )
    exit_strict(strict, captures.failures)


def _say(report: Report, found: FairnessReport) -> None:
    report.say(f"one threshold for all: {found.threshold}")
    rows = [("everybody", "", "", rate_cell(found.fmr.rate), rate_cell(found.fnmr.rate))]
    for name, group in found.groups.items():
        cells = [
            rate_cell(rate.rate) if rate is not None else group.unsupported[kind]
            for kind, rate in (("fmr", group.fmr), ("fnmr", group.fnmr))
        ]
        rows.append((name, f"{group.people:,}", f"{group.pictures:,}", cells[0], cells[1]))
    report.table(f"By {found.attribute}", ("group", "people", "pictures", "FMR, 95 %", "FNMR, 95 %"), rows)
    for kind, spread in (("FMR", found.fmr_spread), ("FNMR", found.fnmr_spread)):
        if spread is None:
            report.say(f"{kind}: no ratio, fewer than two groups are large enough")
            continue
        low, high = spread.interval.low, spread.interval.high
        report.say(
            f"{kind}: worst {spread.worst}, best {spread.best}, "
            f"{spread.value:.2f} times ({low:.2f} to {high:.2f})"
        )
    if found.unlabelled:
        report.say(f"{quantity(found.unlabelled, 'person has')} no label: left out")
