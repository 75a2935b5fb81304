"""``lineament train attributes``: one network with a head an attribute."""

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


@app.command("attributes")
def attributes(
    data: DataArgument,
    *,
    out: OutOption,
    head: Annotated[
        list[str] | None,
        typer.Option(
            "--head",
            metavar="NAME[:SETTINGS]",
            help="An attribute; repeat: gender, age:unit=years, group:label=age,edges=18/30/60.",
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option("--labels", metavar="FILE", help="A table: pictures, and a column an attribute."),
    ] = None,
    config: ConfigOption = None,
    architecture: Annotated[
        str | None,
        typer.Option("--architecture", metavar="NAME", help="resnet50, mobilenet_v2, reference ..."),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option("--method", metavar="NAME", help="scratch, feature-extraction or fine-tuning."),
    ] = None,
    weights: WeightsOption = None,
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

    Words are classes and numbers a number. Rows may lack labels: they teach the other heads. Writes an
    ONNX file with a card that analyze takes as --attributes.
    """
    require_torch()
    from dataclasses import asdict

    from lineament.cli.output import Report
    from lineament.cli.train.telling import followed
    from lineament.datasets.opening import open_dataset
    from lineament.training.attributes.heads import parse
    from lineament.training.attributes.trainer import AttributesSettings, length, train_attributes

    flags = {
        "heads": [asdict(parse(spec)) for spec in head] if head else None,
        "labels": None if labels is None else str(labels),
        "architecture": architecture,
        "method": method,
        "weights": weights,
        "size": size,
        "augment": None if augment is None else steps_of(augment),
        "loop.epochs": epochs,
        "loop.batch_size": batch_size,
        "loop.learning_rate": learning_rate,
        "loop.seed": seed,
    }
    settings = settings_from(AttributesSettings, config, sets, flags)
    manifest = open_dataset(data)
    with Report(json) as report:
        with followed(length(manifest, settings), "batches") as advance:
            result = train_attributes(manifest, out, settings, advance=advance)
        if not result:
            return  # a further process of torchrun: the first one tells
        report.line(result)
        _tell(report, result, out)
    if strict and sum(result["refused"].values()):
        raise typer.Exit(1)


def _tell(report: Report, result: dict[str, Any], out: Path) -> None:
    from lineament.training.classification.report import at_chance

    heads = result["attributes"]
    exam = result.get("measured_on", "test")
    classes = {name: h for name, h in heads.items() if h[exam]["kind"] == "classes"}
    before = [split for split in ("train", "val") if split != exam]
    numbers = {name: h for name, h in heads.items() if h[exam]["kind"] == "number"}
    if classes:
        report.table(
            f"{result['architecture']}, {result['method']}: classes",
            (
                *("attribute", *before, f"{exam}, 95 %", "chance", "always the commonest"),
                *("AUC, 95 %", "F1", "n"),
            ),
            [
                (
                    name,
                    *(head[split]["accuracy"]["value"] for split in before),
                    _rate(head[exam]["accuracy"]),
                    head[exam]["guessing"]["chance"],
                    head[exam]["guessing"]["majority"],
                    _rate(head[exam]["macro_auc"]),
                    head[exam]["macro_f1"]["value"],
                    head[exam]["accuracy"]["n"],
                )
                for name, head in classes.items()
            ],
        )
        told = ", ".join(f"{head[exam]['commonest']!r} ({name})" for name, head in classes.items())
        report.say(
            "right without a network: chance draws a class; always the commonest names what most rows of "
            f"the split train are, {told}"
        )
    for name, head in classes.items():
        report.table(
            f"{name}, by class, on the split {exam}",
            ("class", "n", "precision, 95 %", "recall, 95 %", "F1", "AUC, 95 %"),
            [
                (
                    one,
                    row["samples"],
                    _rate(row["precision"]),
                    _rate(row["recall"]),
                    None if row["f1"] is None else row["f1"]["value"],
                    _rate(row["auc"]),
                )
                for one, row in head[exam]["classes"].items()
            ],
        )
    if numbers:
        report.table(
            f"{result['architecture']}, {result['method']}: numbers, mean absolute error",
            ("attribute", *before, f"{exam}, 95 %", "the median says", "bias", "n"),
            [
                (
                    f"{name}, {head[exam]['unit']}" if head[exam]["unit"] else name,
                    *(head[split]["mean_absolute_error"]["value"] for split in before),
                    _rate(head[exam]["mean_absolute_error"], 2),
                    head[exam]["guessing"]["median"]["value"],
                    _rate(head[exam]["bias"], 2),
                    head[exam]["mean_absolute_error"]["n"],
                )
                for name, head in numbers.items()
            ],
        )
    for name, head in classes.items():
        if words := at_chance(head[exam]["accuracy"], head[exam]["guessing"], exam):
            report.say(f"{name} is at chance: {words}")
    tell_exam(report, result)
    report.say(
        f"best of {quantity(result['epochs'], 'epoch')}: {result['best_epoch']}; ended: {result['ended']}"
    )
    for name, epoch in result["overfitting_from"].items():
        if epoch is not None:
            what = "the validation loss" if name == "all" else f"the validation loss of {name}"
            report.say(f"over-fitting: {what} rises after epoch {epoch} while the training loss falls")
    _tell_left_out(report, result, out)
    report.say(f"started from: {result['trained_from'] or RANDOM_WEIGHTS}")
    report.say(f"model, card, curves, ROC and confusion matrices: {out}")


def _tell_left_out(report: Report, result: dict[str, Any], out: Path) -> None:
    """What was not used or not measured, and why."""
    for name, head in result["attributes"].items():
        missing = {s: result["rows"][s] - n for s, n in head["labelled"].items() if n < result["rows"][s]}
        if missing:
            report.say(f"{name}: rows without this label, left out of it: {_counts(missing)}")
        if head["classes_with_one_picture"]:
            report.say(
                f"{name}: {quantity(head['classes_with_one_picture'], 'class has')} one training picture "
                "only"
            )
        without = {split: n for split, n in head["classes_without_pictures"].items() if n}
        if without:
            report.say(
                f"{name}: classes without a picture, nothing is measured of them: {_counts(without)}"
            )
    left_out = {split: n for split, n in result["unlabelled"].items() if n}
    if left_out:
        report.say(f"rows without any of these labels were left out: {_counts(left_out)}")
    table = result["table"]
    if table is not None:
        report.say(
            f"labels from the table: {quantity(table['labelled'], 'row')}; "
            f"{quantity(table['without_line'], 'row is')} not in it, "
            f"{table['lines_without_row']} of its pictures are not in the data set, {table['missing']} of "
            "its cells tell nothing (empty, NA, ? ...)"
        )
    if sum(result["refused"].values()):
        report.say(f"refused pictures and why: {out / 'refused.txt'}")


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{split}: {count}" for split, count in counts.items())


def _rate(rate: dict[str, float] | None, digits: int = 3) -> str | None:
    if rate is None:
        return None
    return rate_text(rate, digits)
