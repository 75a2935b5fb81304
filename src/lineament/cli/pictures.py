"""Run an analyzer over pictures and report each one: the shared body of detect and analyze."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import typer

from lineament.analyzer import Analyzer
from lineament.cli.output import Report, error_json, picture_json, progress
from lineament.errors import LineamentError, OutputError, WouldOverwrite
from lineament.io import images, sources
from lineament.io.own_files import DRAWING
from lineament.io.writing import make_folder
from lineament.plots.annotate import annotate
from lineament.types import Face, Image, Outcome, Status, UInt8

CELLS: dict[str, Callable[[Face], object]] = {
    "score": lambda face: face.score,
    "box": lambda face: " ".join(f"{value:.0f}" for value in face.box),
    "attempt": lambda face: face.attempt.name if face.attempt else None,
    "quality": lambda face: face.quality.score if face.quality else None,
    "size": lambda face: f"{face.quality.size:.0f}" if face.quality else None,
    "yaw": lambda face: f"{face.quality.yaw_deg:.0f}" if face.quality else None,
    "sharpness": lambda face: face.quality.sharpness if face.quality else None,
}


def run(
    analyzer: Analyzer,
    paths: Sequence[str],
    *,
    json: str | None,
    strict: bool,
    draw: Path | None,
    columns: Sequence[str],
    attributes: Sequence[str] = (),
) -> None:
    """Analyse, print a row a face and a total, and exit with 1 on a refusal when strict."""
    if draw is not None:
        make_folder(draw)
    listing = sources.expand(paths)
    files = list(listing)
    analyzer.keep_images = draw is not None
    counts: Counter[Status] = Counter()
    faces = 0
    rows: list[list[object]] = []
    drawings = Drawings(draw)

    def tell() -> None:
        report.table(None, ("picture", "face", *columns, *attributes), rows)
        summary = ", ".join(f"{counts[status]} {status}" for status in Status)
        report.say(f"{counts.total()} pictures: {summary}; {faces} faces")
        if (others := listing.left_out.others) > 0:
            report.say(f"{others} files in folders are no pictures by their names and were left out")
        drawings.tell(report)

    with Report(json) as report, report.at_the_end(tell), progress(len(files), "pictures") as advance:
        for outcome in analyzer.analyze(files):
            counts[outcome.status] += 1
            faces += len(outcome.faces)
            drawn = drawings.add(outcome, counts.total(), partial(annotate, faces=outcome.faces))
            rows += _rows(outcome, columns, attributes)
            report.line({**picture_json(outcome), **drawn})
            advance(1)
    if drawings.refused or (strict and counts[Status.REFUSED]):
        raise typer.Exit(1)


def _rows(outcome: Outcome, columns: Sequence[str], attributes: Sequence[str]) -> list[list[object]]:
    if outcome.status is not Status.OK:
        reason = "no face" if outcome.error is None else f"{type(outcome.error).__name__}: {outcome.error}"
        return [[outcome.source, "-", reason]]
    return [
        [
            outcome.source,
            i + 1,
            *(CELLS[column](face) for column in columns),
            *(_attribute(face, name) for name in attributes),
        ]
        for i, face in enumerate(outcome.faces)
    ]


def _attribute(face: Face, name: str) -> str:
    """A class with its probability, or a number."""
    value = face.attributes[name]
    if not isinstance(value, str):
        return f"{value:.0f}" if abs(value) >= 10 else f"{value:.2g}"
    p = face.probabilities.get(name)
    return value if p is None else f"{value} {p:.2f}"


class Drawings:
    """Pictures with the faces drawn in; one that cannot be written is counted, and the rest goes on."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.refused: list[LineamentError] = []

    def add(self, outcome: Outcome, number: int, draw: Callable[[Image], UInt8]) -> dict[str, Any]:
        """Draw and write one picture; returns what its JSON line says of that (with ``--draw``)."""
        if self.folder is None:
            return {}
        if outcome.image is None:
            return {"drawn": None}
        # Numbered, because pictures of two folders may share a name; short, for accents take several bytes.
        stem = os.fsencode(Path(outcome.source).stem)[:120].decode("utf-8", "ignore")
        path = self.folder / f"{number:05d}-{stem}.jpg"
        try:
            images.save(path, draw(outcome.image), kind=DRAWING)
        except (OutputError, WouldOverwrite) as error:
            self.refused.append(error)
            return {"drawn": None, "drawing_error": error_json(error)}
        return {"drawn": str(path)}

    def tell(self, report: Report) -> None:
        """One line on what could not be drawn, if anything."""
        if self.refused:
            first = self.refused[0]
            report.say(f"{len(self.refused)} drawings not written; {type(first).__name__}: {first}")
