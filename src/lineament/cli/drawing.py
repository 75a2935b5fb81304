"""What is written at a face that is drawn, and the sheet of all: ``--draw``, ``--scores``, ``--sheet``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lineament.cli.targets import Writes
from lineament.counting import quantity
from lineament.io.own_files import SHEET
from lineament.kinds import CLASS, FACE, noun

if TYPE_CHECKING:
    from lineament.cli.output import Report
    from lineament.types import Face, Outcome

ScoresOption = Annotated[
    bool, typer.Option("--scores", help="With --draw: also how sure the detector is of each face.")
]
SheetOption = Annotated[
    Path | None,
    typer.Option(
        "--sheet", metavar="PNG|JPG", help="Draw a contact sheet: each face, and what was said of it."
    ),
    Writes(SHEET),
]

_FIRST = ("subject", "class")
"""Answers that need no name before them, and stand first: who it is, and what the detector took it for."""


def said_of(face: Face) -> str:
    """Every answer with its probability, a line each: ``Ann 0.91``, ``gender female 0.98``, ``age 34``."""
    names = sorted(face.attributes, key=lambda name: _FIRST.index(name) if name in _FIRST else len(_FIRST))
    return "\n".join(
        answer(face, name) if name in _FIRST else f"{name} {answer(face, name)}" for name in names
    )


def answer(face: Face, name: str) -> str:
    """A class with its probability, or a number."""
    value = face.attributes[name]
    if not isinstance(value, str):
        return f"{value:.0f}" if abs(value) >= 10 else f"{value:.2g}"
    p = face.probabilities.get(name)
    return value if p is None else f"{value} {p:.2f}"


def with_scores(labels: Sequence[str], outcome: Outcome, wanted: bool) -> list[str]:
    """The labels with a last line ``face 0.94``, what was found and how sure, where it is wanted."""
    if not wanted:
        return list(labels)
    scores = (
        f"{noun([str(face.attributes.get(CLASS, FACE))], 1)} {face.score:.2f}" for face in outcome.faces
    )
    return ["\n".join(filter(None, pair)) for pair in zip(labels, scores, strict=True)]


class Sheet:
    """The picture of ``--sheet``; without a path nothing is done."""

    def __init__(self, path: Path | None) -> None:
        from lineament.errors import UsageError
        from lineament.plots.named_sheet import NamedSheet

        if path is not None and path.suffix.lower() not in (".png", ".jpg", ".jpeg"):
            raise UsageError(f"--sheet {path}: a sheet is written as .png or .jpg")
        self.path, self._sheet = path, NamedSheet()

    def add(self, outcome: Outcome, labels: Sequence[str]) -> None:
        """The faces of one picture."""
        if self.path is None or outcome.image is None:
            return
        for face, label in zip(outcome.faces, labels, strict=True):
            self._sheet.add(outcome.image, face.box.tolist(), label, Path(outcome.source).name)

    def write(self, report: Report) -> None:
        """Write it and tell of what is not on it."""
        from lineament.io import images

        if self.path is None:
            return
        if not len(self._sheet):
            report.say(f"no face, so no sheet {self.path}")
            return
        images.save(self.path, self._sheet.picture(), kind=SHEET)
        report.say(f"wrote {self.path}: {quantity(len(self._sheet), 'face')}")
        if self._sheet.beyond:
            report.say(f"{quantity(self._sheet.beyond, 'more face')} had no room on the sheet")
        for line in self._sheet.legend:
            report.say(f"on the sheet {line}, which no font here can write")
