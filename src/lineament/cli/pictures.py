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
from lineament.answers import error_json, picture_json
from lineament.cli.drawing import Sheet, answer, said_of, with_scores
from lineament.cli.output import Report, progress
from lineament.cli.refusals import Refusals, no_face_step
from lineament.cli.videos import Videos
from lineament.counting import quantity
from lineament.errors import LineamentError, OutputError, WouldOverwrite
from lineament.io import images, sources
from lineament.io.left_out import others_told
from lineament.io.own_files import DRAWING
from lineament.io.writing import make_folder
from lineament.kinds import CLASS, FACE, counted, found_by, noun, tells_class
from lineament.plots.annotate import annotate
from lineament.plots.lettering import legible
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
    scores: bool = False,
    sheet: Path | None = None,
    notes: Sequence[str] = (),
) -> None:
    """Analyse, print a row a face and a total, and exit with 1 on a refusal when strict.

    To ``draw`` or make a ``sheet`` takes an analyzer that keeps the pixels. ``notes`` are told before
    anything else.
    """
    on_sheet, videos, refusals = Sheet(sheet), Videos(), Refusals()
    listing = sources.expand(paths)
    files = list(listing)
    counts: Counter[Status] = Counter()
    kinds = found_by(analyzer.detector)
    found: Counter[str] = Counter(dict.fromkeys(kinds, 0))
    attributes = [*attributes, *([CLASS] if tells_class(kinds) and CLASS not in attributes else [])]
    numbered = 0
    rows: list[list[object]] = []
    drawings = Drawings(draw)
    no_face = no_face_step(analyzer.detector_spec) if noun(kinds, 1) == FACE else None

    def tell() -> None:
        report.table(None, ("picture", noun(kinds, 1), *columns, *attributes), rows)
        summary = ", ".join(f"{counts[status]} {status}" for status in Status)
        report.say(f"{quantity(counts.total(), 'picture')}: {summary}; {counted(found)}")
        report.tell(others_told(listing.left_out))
        videos.tell(report)
        drawings.tell(report)
        on_sheet.write(report)
        if numbered:
            report.say(numbered_note(numbered))
        refusals.tell(report)

    with Report(json) as report, report.at_the_end(tell), progress(len(files), "pictures") as advance:
        for note in notes:
            report.say(note)
        for outcome in analyzer.analyze(files):
            counts[outcome.status] += 1
            videos.look(outcome)
            refusals.look(outcome, no_face)
            found.update(str(face.attributes.get(CLASS, FACE)) for face in outcome.faces)
            said = [said_of(face) for face in outcome.faces]
            labels = with_scores(said, outcome, scores)
            numbered += 0 if draw is None else sum(map(_unwritten, labels))
            drawing = partial(annotate, faces=outcome.faces, labels=labels)
            drawn = drawings.add(outcome, counts.total(), drawing)
            on_sheet.add(outcome, said)
            rows += _rows(outcome, columns, attributes, noun(kinds, 1))
            report.line({**picture_json(outcome), **drawn})
            advance(1)
    if videos or drawings.refused or (strict and counts[Status.REFUSED]):
        raise typer.Exit(1)


def _rows(
    outcome: Outcome, columns: Sequence[str], attributes: Sequence[str], thing: str
) -> list[list[object]]:
    if outcome.status is not Status.OK:
        error = outcome.error
        reason = f"no {thing}" if error is None else f"{type(error).__name__}: {error}"
        return [[outcome.source, "-", reason]]
    return [
        [
            outcome.source,
            i + 1,
            *(CELLS[column](face) for column in columns),
            *(answer(face, name) if name in face.attributes else None for name in attributes),
        ]
        for i, face in enumerate(outcome.faces)
    ]


def numbered_note(count: int) -> str:
    """What to tell of names that are drawn as a face's number."""
    return (
        f"{quantity(count, 'name')} cannot be written with the fonts of this system: such a face "
        "bears its number in the table (column face; label in JSON)"
    )


def _unwritten(label: str) -> int:
    """How many lines of a label no font here can write."""
    lines = label.splitlines()
    return sum(a != b for a, b in zip(lines, legible(lines), strict=True))


class Drawings:
    """Pictures with the faces drawn in; one that cannot be written is counted, and the rest goes on.

    The folder is made at once.
    """

    def __init__(self, folder: Path | None) -> None:
        if folder is not None:
            make_folder(folder)
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
            report.say(
                f"{quantity(len(self.refused), 'drawing')} not written; {type(first).__name__}: {first}"
            )
