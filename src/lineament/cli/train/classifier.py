"""``lineament train classifier``: who, among N people, or which value of a label."""

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
    steps_of,
    tell_exam,
)
from lineament.counting import quantity

if TYPE_CHECKING:
    from lineament.cli.output import Report


@app.command("classifier")
def classifier(
    data: DataArgument,
    *,
    out: OutOption,
    config: ConfigOption = None,
    architecture: Annotated[
        str | None,
        typer.Option("--architecture", metavar="NAME", help="mobilenet_v2, reference, resnet18 ..."),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option("--method", metavar="NAME", help="scratch, feature-extraction or fine-tuning."),
    ] = None,
    weights: WeightsOption = None,
    label: Annotated[
        str | None,
        typer.Option("--label", metavar="NAME", help="Tell the values of a label apart, not people."),
    ] = None,
    size: Annotated[
        int | None, typer.Option("--size", metavar="PIXELS", help="Input: 96, 224, 256, 299 ...")
    ] = None,
    augment: Annotated[
        str | None,
        typer.Option(
            "--augment",
            metavar="STEPS",
            help="Of training pictures, with spaces between: 'flip rotate:20'. Or default, or none.",
        ),
    ] = None,
    epochs: Annotated[int | None, typer.Option("--epochs", metavar="N", help="At most.")] = None,
    batch_size: Annotated[int | None, typer.Option("--batch-size", metavar="N")] = None,
    learning_rate: Annotated[float | None, typer.Option("--learning-rate", metavar="RATE")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Another seed, other random numbers.")] = None,
    sets: SetOption = None,
    json: JsonOption = None,
    strict: StrictOption = False,
) -> None:
    """Train on the split train, choose the best epoch on val, measure once on test, or without it on val.

    Writes an ONNX file with a card that analyze takes as --classifier. Stops when the validation loss has
    not fallen for 5 epochs, or at a validation accuracy of 0.97.
    """
    require_torch()
    from lineament.cli.output import Report
    from lineament.cli.train.telling import followed
    from lineament.datasets.opening import open_dataset
    from lineament.training.classification.trainer import ClassifierSettings, length, train_classifier

    flags = {
        "architecture": architecture,
        "method": method,
        "weights": weights,
        "label": label,
        "size": size,
        "augment": None if augment is None else steps_of(augment),
        "loop.epochs": epochs,
        "loop.batch_size": batch_size,
        "loop.learning_rate": learning_rate,
        "loop.seed": seed,
    }
    settings = settings_from(ClassifierSettings, config, sets, flags)
    manifest = open_dataset(data)
    with Report(json) as report:
        with followed(length(manifest, settings), "batches") as advance:
            result = train_classifier(manifest, out, settings, advance=advance)
        if not result:
            return  # a further process of torchrun: the first one tells
        report.line(result)
        _tell(report, result, out)
    if strict and sum(result["refused"].values()):
        raise typer.Exit(1)


def _tell(report: Report, result: dict[str, Any], out: Path) -> None:
    report.table(
        f"{result['architecture']}, {result['method']}: {quantity(result['classes'], 'class')} of "
        f"{result['label']}",
        ("split", "accuracy, 95 %", "best five", "loss", "pictures", "refused"),
        [
            (
                split,
                rate_text(result[split]["accuracy"]),
                rate_text(result[split]["top5"]) if "top5" in result[split] else "",
                result[split]["loss"],
                result[split]["accuracy"]["n"],
                result["refused"][split],
            )
            for split in ("train", "val", "test")
            if split in result
        ],
    )
    report.say(
        f"guessing: chance {result['chance']:.3f}, always the commonest class {result['majority']:.3f}; "
        f"best of {quantity(result['epochs'], 'epoch')}: {result['best_epoch']}; ended: {result['ended']}"
    )
    tell_exam(report, result)
    if result.get("at_chance"):
        report.say(f"at chance: {result['at_chance']}")
    if result["overfitting_from"] is not None:
        report.say(f"over-fitting: the validation loss rises after epoch {result['overfitting_from']}")
    if result["classes_with_one_picture"]:
        report.say(f"{quantity(result['classes_with_one_picture'], 'class has')} one training picture only")
    without = {k: v for k, v in result["classes_without_pictures"].items() if v}
    if without:
        told = ", ".join(f"{split}: {count}" for split, count in without.items())
        report.say(f"classes without a picture in a split, nothing is measured of them there: {told}")
    left_out = {k: v for k, v in result["unlabelled"].items() if v}
    if left_out:
        told = ", ".join(f"{split}: {count}" for split, count in left_out.items())
        report.say(f"rows without a {result['label']} were left out: {told}")
    if sum(result["refused"].values()):
        report.say(f"refused pictures and why: {out / 'refused.txt'}")
    report.say(f"started from: {result['trained_from'] or RANDOM_WEIGHTS}")
    report.say(f"model, card, curves and confusion matrix: {out}")
