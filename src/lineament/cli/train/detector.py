"""``lineament train detector``: where the faces, heads or whatever is labelled are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lineament.cli import streams
from lineament.cli.options import JsonOption, StrictOption
from lineament.cli.train.app import app
from lineament.cli.train.options import (
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

AGPL = """\
YOLOv8 comes from the package ultralytics, which is under AGPL-3.0. Ultralytics holds that networks trained
with it are under AGPL-3.0 too, unless you have a licence from them. torchvision:ssdlite_mobilenet_v2 is
free of this."""


@app.command("detector")
def detector(
    data: DataArgument,
    *,
    out: OutOption,
    config: ConfigOption = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="NAME",
            help="yolov8n, s, m, l, x (AGPL), or torchvision:ssdlite_mobilenet_v2 ...",
        ),
    ] = None,
    weights: WeightsOption = None,
    size: Annotated[
        int | None, typer.Option("--size", metavar="PIXELS", help="Side of the square seen; 640.")
    ] = None,
    one_class: Annotated[
        bool, typer.Option("--one-class", help="Take boxes of every class as one.")
    ] = False,
    min_side: Annotated[
        float | None,
        typer.Option("--min-side", metavar="PIXELS", help="Leave out boxes with a shorter side."),
    ] = None,
    epochs: Annotated[int | None, typer.Option("--epochs", metavar="N", help="50.")] = None,
    batch_size: Annotated[int | None, typer.Option("--batch-size", metavar="N")] = None,
    learning_rate: Annotated[float | None, typer.Option("--learning-rate", metavar="RATE")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Another seed, other random numbers.")] = None,
    sets: SetOption = None,
    json: JsonOption = None,
    strict: StrictOption = False,
) -> None:
    """Train a detector on pictures with boxes, in any label format that can be imported.

    Chooses the best epoch and score on val, measures once on test, or without it on val. Writes
    an ONNX file with a card that detect and analyze take as --detector.
    """
    require_torch()
    from lineament.cli.output import Report
    from lineament.cli.train.telling import followed
    from lineament.datasets.opening import open_dataset
    from lineament.training.detection.trainer import DetectorSettings, length, train_detector

    flags = {
        "model": model,
        "weights": weights,
        "size": size,
        "one_class": one_class or None,
        "min_side": min_side,
        "loop.epochs": epochs,
        "loop.batch_size": batch_size,
        "loop.learning_rate": learning_rate,
        "loop.seed": seed,
    }
    settings = settings_from(DetectorSettings, config, sets, flags)
    if settings.is_agpl:
        for line in AGPL.splitlines():
            streams.complain(line)
    if settings.weights == "none":
        streams.complain("Training from random weights: that takes many pictures. See --weights.")
    manifest = open_dataset(data)
    with Report(json) as report:
        with followed(length(manifest, settings), "batches") as advance:
            result = train_detector(manifest, out, settings, advance=advance)
        if not result:
            return  # a further process of torchrun: the first one tells
        report.line(result)
        _tell(report, result, out)
    if strict and result["refused"]:
        raise typer.Exit(1)


def _tell(report: Report, result: dict[str, Any], out: Path) -> None:
    from lineament.scoring.thresholds import RULE_OF

    rows = dict(result["classes"])
    if "any_class" in result:
        rows["any class"] = result["any_class"]
    report.table(
        f"{result['model']} on {quantity(result['pictures_measured'], 'picture')} of the split "
        f"{result['measured_on']}, precision and recall at score {result['score']:.2f} and IoU 0.5",
        ("class", "boxes", "mAP50, 95 %", "mAP50-95", "precision", "recall", "F1"),
        [
            (name, 0, "not in this split")
            if rates is None
            else (
                name,
                rates["map50"]["n"],
                *(_cell(rates[key]) for key in _COLUMNS),
            )
            for name, rates in rows.items()
        ],
    )
    report.say(
        f"best of {quantity(result['epochs'], 'epoch')}: {result['best_epoch']}; ended: {result['ended']}; "
        f"training loss {result['train_loss'][0]:.3g} to {result['train_loss'][1]:.3g}; "
        f"started from: {result['trained_from']}"
    )
    if (count := result.get("score_chosen_on", RULE_OF)) < RULE_OF:
        report.say(
            f"warning: the score {result['score']:.2f} was chosen on {quantity(count, 'box')} of val, and "
            f"below {RULE_OF} chance decides: more photos in val, or try others: --detector {out}:score=0.5"
        )
    for key, words in _COUNTS.items():
        if result[key]:
            report.say(f"{words}: {result[key]}")
    if result["refused"]:
        report.say(f"refused pictures: {len(result['refused'])}; why: result.json")
    tell_exam(report, result)
    report.say(f"model, card, curves and drawn pictures: {out}")


_COLUMNS = ("map50", "map50_95", "precision", "recall", "f1")
_COUNTS = {
    "unlabelled": "pictures without a box that nobody said hold none, left out",
    "ignored": "boxes too small or standing for a crowd, not counted",
    "overfits_from": "over-fitting: the validation loss rises after epoch",
}


def _cell(rate: dict[str, float] | None) -> str:
    return "none found" if rate is None else rate_text(rate)
