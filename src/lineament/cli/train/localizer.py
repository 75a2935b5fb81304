"""``lineament train localizer``: is there a face in the picture, and where."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lineament.cli.options import JsonOption, StrictOption
from lineament.cli.train.app import app
from lineament.cli.train.options import (
    RANDOM_WEIGHTS,
    ConfigOption,
    DataArgument,
    OutOption,
    SetOption,
    WeightsOption,
    rate_text,
    require_torch,
    settings_from,
    tell_exam,
)
from lineament.counting import quantity

if TYPE_CHECKING:
    from lineament.cli.output import Report


@app.command("localizer")
def localizer(
    data: DataArgument,
    *,
    out: OutOption,
    config: ConfigOption = None,
    architecture: Annotated[
        str | None,
        typer.Option("--architecture", metavar="NAME", help="vgg16, mobilenet_v2, reference ..."),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option("--method", metavar="NAME", help="scratch, feature-extraction or fine-tuning."),
    ] = None,
    weights: WeightsOption = None,
    size: Annotated[
        int | None, typer.Option("--size", metavar="PIXELS", help="Side of the square seen; 128.")
    ] = None,
    epochs: Annotated[int | None, typer.Option("--epochs", metavar="N", help="40.")] = None,
    batch_size: Annotated[int | None, typer.Option("--batch-size", metavar="N", help="8.")] = None,
    learning_rate: Annotated[float | None, typer.Option("--learning-rate", metavar="RATE")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Another seed, other random numbers.")] = None,
    sets: SetOption = None,
    json: JsonOption = None,
    strict: StrictOption = False,
) -> None:
    """Train one network for two answers: face or not, and one box.

    Pictures without a box are "no face" pictures. Takes LabelMe and every other format that can be
    imported. Writes an ONNX file with a card that detect and analyze take as --detector.
    """
    require_torch()
    from lineament.cli.output import Report
    from lineament.cli.train.telling import followed
    from lineament.datasets.opening import open_dataset
    from lineament.training.detection.localizer import LocalizerSettings, length, train_localizer

    flags = {
        "architecture": architecture,
        "method": method,
        "weights": weights,
        "size": size,
        "loop.epochs": epochs,
        "loop.batch_size": batch_size,
        "loop.learning_rate": learning_rate,
        "loop.seed": seed,
    }
    settings = settings_from(LocalizerSettings, config, sets, flags)
    manifest = open_dataset(data)
    with Report(json) as report:
        with followed(length(manifest, settings), "batches") as advance:
            result = train_localizer(manifest, out, settings, advance=advance)
        if not result:
            return  # a further process of torchrun: the first one tells
        report.line(result)
        _tell(report, result, out)
    if strict and result["refused"]:
        raise typer.Exit(1)


def _tell(report: Report, result: dict[str, Any], out: Path) -> None:
    from lineament.kinds import FACE, noun

    guessing, finds = result["guessing"], result.get("finds", [FACE])
    called = noun(finds, 1), noun(finds)
    rows = [
        (
            words.format(*called),
            rate_text(result[key]),
            guessing.get(key),
            result[key]["n"],
        )
        for key, words in _FIGURES.items()
        if key in result
    ]
    report.table(
        f"{result['architecture']}, {result['method']}: split {result.get('measured_on', 'test')}",
        ("figure", "value, 95 %", "guessing", "pictures"),
        rows,
    )
    tell_exam(report, result)
    report.say(
        f"best of {quantity(result['epochs'], 'epoch')}: {result['best_epoch']}; ended: {result['ended']}; "
        f"started from: {result['trained_from'] or RANDOM_WEIGHTS}"
    )
    if result["overfits_from"]:
        report.say(f"over-fitting: the validation loss rises after epoch {result['overfits_from']}")
    if result["several_faces"]:
        report.say(f"pictures with several {noun(finds)}, the largest was taken: {result['several_faces']}")
    if result["refused"]:
        report.say(f"refused pictures: {len(result['refused'])}; why: result.json")
    report.say(f"model, card, curves and drawn pictures: {out}")


_FIGURES = {
    "accuracy": "{0} or not, right",
    "faces_found": "{1} found",
    "false_alarms": "false alarms",
    "iou": "mean IoU of the box",
    "iou50": "IoU at least 0.5",
}
