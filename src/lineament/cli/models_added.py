"""``lineament models add`` and ``remove``: detectors that somebody else trained, under a name."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from lineament.cli.options import JsonOption


class Kind(StrEnum):
    """What a model is for."""

    detector = "detector"


def add(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="A .pt that Ultralytics saved (YOLOv8, YOLO11), or its .onnx."),
    ],
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="For --detector NAME, everywhere.")],
    source: Annotated[
        str, typer.Option("--source", metavar="TEXT", help="Where the file is from; kept in the card.")
    ],
    licence: Annotated[
        str, typer.Option("--licence", metavar="TEXT", help="Under which licence; kept in the card.")
    ],
    kind: Annotated[Kind, typer.Option("--kind", help="What the model is for.")] = Kind.detector,
    classes: Annotated[
        str | None,
        typer.Option(
            "--classes", metavar="LIST", help="Those of its classes to find; default: faces, else heads."
        ),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option("--size", metavar="PX", help="Side of the pictures it sees; default: as in training."),
    ] = None,
    photo: Annotated[
        list[Path] | None,
        typer.Option("--photo", metavar="FILE", help="Compare the answers on this photo too; repeatable."),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Take the place of the added model of this name.")
    ] = False,
    json: JsonOption = None,
) -> None:
    """Convert a detector into ONNX, with a card, for use by name as --detector NAME.

    No code of the file runs. Its network is built anew; ONNX must answer as it does, or nothing is added.
    """
    from lineament.cli.output import Report
    from lineament.training.ultralytics.adding import AGPL, add_detector

    with Report(json) as report:
        done = add_detector(
            file,
            name,
            source=source,
            licence=licence,
            classes=[one.strip() for one in classes.split(",")] if classes else (),
            size=size,
            photos=photo or (),
            replace_it=replace,
        )
        report.line(added_json(name))
        report.table(None, ("", ""), added_rows(name))
        for line in done.told:
            report.say(line)
        report.say(AGPL)
        report.say(f"use it as --detector {name}")


def remove(
    name: Annotated[str, typer.Argument(metavar="NAME", help="An added model's name.")],
    json: JsonOption = None,
) -> None:
    """Delete a model that was added; those of the catalogue stay."""
    from lineament import added
    from lineament.cli.output import Report

    with Report(json) as report:
        path = added.remove(name)
        report.line({"name": name, "outcome": "removed", "path": str(path)})
        report.say(f"removed {name}: {path}")


def added_json(name: str) -> dict[str, Any]:
    """An added model's card as JSON, with its folder."""
    from dataclasses import asdict

    from lineament import added
    from lineament.io.trained import TrainedCard

    path = added.require_path_of(name)
    return {**asdict(TrainedCard.load(path)), "added": True, "path": str(path)}


def added_rows(name: str) -> list[tuple[str, object]]:
    """What is known of an added model, as rows of a table."""
    from lineament import added
    from lineament.io.trained import TrainedCard

    path = added.require_path_of(name)
    card = TrainedCard.load(path)
    return [
        ("name", name),
        ("job", card.job),
        ("added from", card.trained_from),
        ("architecture", card.architecture),
        ("licence", f"{card.licence} (as you said)"),
        ("input", f"{card.input.colour}, {card.input.size} px, letterboxed"),
        ("finds", ", ".join(cls for head in card.heads for cls in head.classes)),
        ("file", str(path / card.file)),
        ("SHA-256", card.sha256),
        ("bytes", f"{(path / card.file).stat().st_size:,}"),
        ("notes", card.notes),
    ]
