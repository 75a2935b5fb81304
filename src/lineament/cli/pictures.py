"""Run an analyzer over pictures and report each one: the shared body of detect and analyze."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import typer

from lineament.analyzer import Analyzer
from lineament.cli.output import Report, picture_json, progress
from lineament.io import images, sources
from lineament.plots.annotate import annotate
from lineament.types import Face, Outcome, Status

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
        draw.mkdir(parents=True, exist_ok=True)
    listing = sources.expand(paths)
    files = list(listing)
    analyzer.keep_images = draw is not None
    counts: Counter[Status] = Counter()
    faces = 0
    rows: list[list[object]] = []
    with Report(json) as report, progress(len(files), "pictures") as advance:
        for outcome in analyzer.analyze(files):
            advance(1)
            counts[outcome.status] += 1
            faces += len(outcome.faces)
            report.line(picture_json(outcome))
            rows += _rows(outcome, columns, attributes)
            if draw is not None:
                _draw(outcome, draw, counts.total())
        report.table(None, ("picture", "face", *columns, *attributes), rows)
        summary = ", ".join(f"{counts[status]} {status}" for status in Status)
        report.say(f"{counts.total()} pictures: {summary}; {faces} faces")
        if listing.skipped:
            report.say(
                f"{listing.skipped} files in folders are no pictures by their names and were left out"
            )
    if strict and counts[Status.REFUSED]:
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


def _draw(outcome: Outcome, folder: Path, number: int) -> None:
    if outcome.image is None:
        return
    # Numbered, because pictures of two folders may share a name.
    name = f"{number:05d}-{Path(outcome.source).stem[:80]}.jpg"
    images.save(folder / name, annotate(outcome.image, outcome.faces))
