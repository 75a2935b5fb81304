"""``lineament evaluate detection``: a detector against labelled faces."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lineament.cli.evaluate.app import app
from lineament.cli.evaluate.saving import SaveOption, save
from lineament.cli.evaluate.shared import (
    PlotsOption,
    check_plots,
    exit_strict,
    say_failures,
    say_single,
    tell_chosen_on,
    write_figures,
)
from lineament.cli.options import (
    OWN,
    DetectorOption,
    JsonOption,
    PipelineOption,
    StrictOption,
    WorkersOption,
)
from lineament.cli.targets import Writes
from lineament.counting import quantity

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from lineament.cli.output import Report
    from lineament.evaluation.detection import DetectionReport
    from lineament.scoring.rate import Rate

_WIDER = {
    name: f"WIDER FACE easy, medium, hard: average precision by that benchmark's own protocol, {rule}; a "
    "level holds the easier ones too, a level without a face has no row, and none compares with mAP50"
    for name, rule in (
        ("label", "faces taken by their label 'level'"),
        (
            "height",
            "of faces at least 50, 30 and 10 pixels tall, which only comes near its published lists",
        ),
    )
}
"""What the rows of the levels are, by what tells a face's level."""


@app.command("detection")
def detection(
    *,
    labels: Annotated[
        Path,
        typer.Option(
            "--labels", metavar="FILE", help="A manifest, or boxes in any format that dataset import reads."
        ),
    ],
    images: Annotated[
        Path | None,
        typer.Option("--images", metavar="DIR", help="The labelled pictures; of a manifest not needed."),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            "--split",
            help="Of the pictures; all for every one. Default: test, or else val.",
        ),
    ] = None,
    label_format: Annotated[
        str | None,
        typer.Option(
            "--format", metavar="NAME", help="manifest, coco, yolo, voc, wider ...; else detected."
        ),
    ] = None,
    pipeline: PipelineOption = None,
    detector: DetectorOption = OWN,
    min_side: Annotated[
        float, typer.Option("--min-side", metavar="PX", min=0, help="Ignore faces with a shorter side.")
    ] = 0,
    score: Annotated[
        float | None,
        typer.Option(
            "--score",
            min=0,
            max=1,
            help="Where precision, recall and F1 are told; default: the detector's own threshold.",
        ),
    ] = None,
    errors: Annotated[
        Path | None,
        typer.Option(
            "--errors", metavar="DIR", help="Draw the worst pictures there, and list every error."
        ),
        Writes(apart=True),
    ] = None,
    drawings: Annotated[int, typer.Option("--drawings", min=0, help="How many pictures to draw.")] = 20,
    plots: PlotsOption = None,
    json: JsonOption = None,
    save_to: SaveOption = None,
    workers: WorkersOption = None,
    strict: StrictOption = False,
) -> None:
    """Find labelled faces: precision, recall, F1, mAP50, mAP50-95, WIDER FACE levels, by size and label.

    Pictures that cannot be read count with all their faces missed.
    """
    from lineament.cli.output import Report, progress
    from lineament.evaluation.detection import evaluate, open_detector
    from lineament.evaluation.trained_on import compare_pictures
    from lineament.evaluation.truths import looked_for, read_truths
    from lineament.kinds import found_by
    from lineament.pipelines import detector_of

    check_plots(plots)
    detector = str(detector_of(pipeline, detector))
    truths = read_truths(images, labels, label_format, split=split)
    compared = compare_pictures((truths.folder / one.path for one in truths.pictures), (detector,))
    opened = open_detector(detector)
    finds = found_by(opened.detector)
    truths = looked_for(truths, finds)
    with Report(json) as report:
        with progress(len(truths.pictures), "pictures") as advance:
            found = evaluate(
                truths, opened, min_side=min_side, score=score, workers=workers, advance=advance
            )
        answer = {**found.to_json(), "detector": opened.spec, "lowest_score": opened.lowest}
        answer["compared_with_training"] = {run: one.rows for run, one in compared.items()}
        answer["chosen_on"] = {run: one.chosen_on for run, one in compared.items()}
        report.line(answer)
        say_failures(report, found.failures)
        _say(report, found, opened.lowest, finds)
        tell_chosen_on(report, compared)
        if errors is not None:
            from lineament.evaluation.detection_errors import write_errors

            for path in write_errors(found, errors, drawings):
                report.say(f"wrote {path}")
        if plots is not None:
            write_figures(report, plots, _figures(found))
        if save_to is not None:
            save(
                save_to,
                "detection",
                f"{(images or labels).name}, {quantity(len(truths.pictures), 'picture')}",
                protocol={
                    "data": truths.digest,
                    **({} if truths.split is None else {"split": truths.split}),
                    "min_side": min_side,
                    "iou": 0.5,
                    "matching": "COCO",
                },
                system={"detector": opened.spec, "score": found.rates.score, "lowest_score": opened.lowest},
                # A record names no pictures.
                answer={**answer, "pictures_with_unusable_labels": len(truths.unusable)},
                clusters=found.by_picture(),
                figures=lambda: _figures(found),
            )
    exit_strict(strict, found.failures)


def _say(report: Report, found: DetectionReport, lowest: float | None, finds: Sequence[str]) -> None:
    from lineament.kinds import alike, counted, noun

    truths, rates = found.truths, found.rates
    things, offered = noun(truths.boxes), truths.offer
    ignored = len(found.matches.counted) - found.matches.truths
    report.say(
        f"{quantity(len(truths.pictures), 'picture')} ({len(found.failures)} refused), "
        f"{found.matches.truths:,} {noun(truths.boxes, found.matches.truths)} that count, {ignored:,} "
        f"ignored; labels read as {truths.format}" + (f", split {truths.split}" if truths.split else "")
    )
    for count, one, rest in (
        (
            truths.missing_faces,
            noun(truths.boxes, 1),
            "of pictures that are not there, counted as missed whatever their size",
        ),
        (len(truths.unusable), "picture", "left out, because their labels cannot be used"),
        (truths.other_splits, "picture", f"of other splits than {truths.split}, left out"),
        (truths.elsewhere, "labelled picture", "outside the folder, left out"),
        (
            truths.unlabelled,
            "picture",
            "in the folder that the labels do not name, left out"
            + (f"; if they hold no {noun(truths.boxes, 1)}: --format {offered}" if offered else ""),
        ),
    ):
        if count:
            report.say(f"{quantity(count, one)} {rest}")
    if truths.other_kinds:
        report.say(f"{counted(truths.other_kinds)} left out: the detector looks for {noun(finds)}")
    elif not alike(truths.boxes, finds):
        report.say(
            f"warning: the labels are of {things}, the detector finds {noun(finds)}, with other boxes: "
            "these figures do not tell how well it finds what it looks for"
        )
    for path, reason in truths.unusable.items():
        report.say(f"left out: {path}: {reason}")
    if truths.problems:
        report.say("in the labels: " + ", ".join(f"{k} {n}" for k, n in truths.problems.items()))
    rows: list[Sequence[object]] = [("mAP50", *_cells(rates.map50)), ("mAP50-95", *_cells(rates.map50_95))]
    rows += [
        (f"{name} at score {rates.score:g}", *_cells(rate))
        for name, rate in (("precision", rates.precision), ("recall", rates.recall), ("F1", rates.f1))
    ]
    rows += [
        (f"WIDER FACE {level}, by {found.wider_levels}", *_cells(rate))
        for level, rate in found.wider.items()
    ]
    report.table(f"All {things} (IoU 0.5 unless stated)", ("figure", "value", "95 %", "of"), rows)
    if found.wider:
        report.say(_WIDER[found.wider_levels])
    say_single(report, found.matches.pictures_with_truths, "picture")
    if lowest is not None and lowest > 0.1:
        report.say(
            f"average precision without detections below {lowest:g}, which this detector does not give: "
            "lower than it would be with them"
        )
    rows = [(name, *_cells(rate)) for name, rate in found.by_size.items() if rate is not None]
    for label, by_value in found.by_label.items():
        rows += [(f"{label}: {value}", *_cells(rate)) for value, rate in by_value.items()]
    report.table(
        f"Recall at score {rates.score:g}, by shorter side and by label",
        (noun(truths.boxes), "recall", "95 %", "of"),
        rows,
    )


def _figures(found: DetectionReport) -> dict[str, Figure]:
    from lineament.kinds import noun
    from lineament.plots.discrete_roc import discrete_roc_figure
    from lineament.plots.precision_recall import f1_figure, precision_recall_figure

    named = {f"average precision {found.rates.map50}": found.curve}
    return {
        "precision_recall": precision_recall_figure(named),
        "f1_by_score": f1_figure({"F1": found.curve}, score=found.rates.score),
        "discrete_roc": discrete_roc_figure(
            found.curve, pictures=len(found.truths.pictures), things=noun(found.truths.boxes)
        ),
    }


def _cells(rate: Rate | None) -> Sequence[object]:
    if rate is None:
        return ("nothing detected", "", "0")
    return (f"{rate.value:.3f}", rate.span(".3f"), f"{rate.n:,}")
