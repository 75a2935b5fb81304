"""``lineament train embedder``: recognition of people, also of those never trained on."""

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


@app.command("embedder")
def embedder(
    data: DataArgument,
    *,
    out: OutOption,
    config: ConfigOption = None,
    architecture: Annotated[
        str | None,
        typer.Option(
            "--architecture", metavar="NAME", help="mobilefacenet, iresnet18, -50, -100, mobilenet_v2 ..."
        ),
    ] = None,
    loss: Annotated[
        str | None,
        typer.Option("--loss", metavar="NAME", help="softmax, arcface, cosface, adaface or triplet."),
    ] = None,
    weights: WeightsOption = None,
    dimension: Annotated[
        int | None, typer.Option("--dimension", metavar="N", help="Length of the embedding.")
    ] = None,
    fmr: Annotated[
        float | None,
        typer.Option(
            "--fmr",
            help="The false match rate at which FNMR on val picks the best epoch; default: the lowest "
            "that val supports.",
        ),
    ] = None,
    share: Annotated[
        float | None,
        typer.Option(
            "--centres-share", help="Share of all class centres a step, for very many people: 0.1."
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
    """Train on the people of the split train, choose the best epoch by FNMR among the strangers of val.

    DATA are aligned crops (dataset extract --align --size 112), split by subject (dataset split --by
    subject). The run folder then is an embedder: verify --embedder DIR, after lineament calibrate.
    """
    require_torch()
    from lineament.cli.output import Report
    from lineament.cli.train.telling import followed
    from lineament.datasets.opening import open_dataset
    from lineament.training.recognition.task import EmbedderSettings
    from lineament.training.recognition.trainer import length, train_embedder

    flags = {
        "architecture": architecture,
        "loss": loss,
        "weights": weights,
        "dimension": dimension,
        "fmr": fmr,
        "centres.share": share,
        "loop.epochs": epochs,
        "loop.batch_size": batch_size,
        "loop.learning_rate": learning_rate,
        "loop.seed": seed,
    }
    settings = settings_from(EmbedderSettings, config, sets, flags)
    manifest = open_dataset(data)
    with Report(json) as report:
        with followed(length(manifest, settings), "batches") as advance:
            result = train_embedder(manifest, out, settings, advance=advance)
        if not result:
            return  # a further process of torchrun: the first one tells
        report.line(result)
        _tell(report, result, out)
    if strict and sum(result["refused"].values()):
        raise typer.Exit(1)


def _tell(report: Report, result: dict[str, Any], out: Path) -> None:
    rows = [
        (split, rate, rate_text(found), result[split]["people"], result[split]["photos"], found["n"])
        for split in ("val", "test")
        if split in result
        for rate, found in result[split]["fnmr_at_fmr"].items()
    ]
    report.table(
        f"{result['architecture']}, {result['loss']}: people never trained on",
        ("split", "FMR <=", "FNMR, 95 %", "people", "photos", "mated"),
        rows,
    )
    report.say(
        f"trained on {quantity(result['photos']['train'], 'photo')} of "
        f"{quantity(result['people']['train'], 'person')}; best of {quantity(result['epochs'], 'epoch')} "
        f"by FNMR at FMR {result['fmr']:g} on val: {result['best_epoch']}; ended: {result['ended']}"
    )
    for split, reasons in result["left_out"].items():
        for reason, count in reasons.items():
            report.say(f"left out of {split}: {count} {reason}")
    tell_exam(report, result)
    if sum(result["refused"].values()):
        report.say(f"refused pictures and why: {out / 'refused.txt'}")
    report.say(f"started from: {result['trained_from'] or RANDOM_WEIGHTS}")
    report.say(f"model, card and curves: {out}; thresholds come from: lineament calibrate")
