"""Our own tables, known by the column ``lineament_id``: every field of a row, and back to the bit.

A text that a spreadsheet would run, and one that would read as a number, is written with a ``'`` before it,
which reading takes away (`lineament.io.spreadsheets`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from lineament.datasets.formats._files import new_text
from lineament.datasets.formats._labelled import LabelledFace, LabelledPicture
from lineament.datasets.formats._problems import Problems
from lineament.datasets.tables import OWN, Line, Table
from lineament.io import spreadsheets
from lineament.io.manifest import ManifestRow, Points, Provenance
from lineament.io.spreadsheets import number, read
from lineament.kinds import FACE
from lineament.types import LANDMARK_NAMES

_BOX = ("x1", "y1", "x2", "y2")
_POINTS = tuple(f"{name}_{axis}" for name in LANDMARK_NAMES for axis in "xy")
_SOURCE = tuple(f.name for f in fields(Provenance))


def write(pictures: Sequence[LabelledPicture], file: Path) -> None:
    """A table with every field of the rows."""
    names = sorted({name for p in pictures for row in p.rows for name in row.labels})
    header = [OWN, "path", "sha256", "subject", "split", *_BOX, *_POINTS]
    header += ["outcome", "error", "parent", "step", "quality", "repeats"]
    header += [f"source.{name}" for name in _SOURCE] + [f"label.{name}" for name in names]
    with new_text(file) as out:
        spreadsheets.write(out, [header, *_lines(pictures, names)], typed=True)


def picture(path: str, lines: Sequence[Line], table: Table, problems: Problems) -> LabelledPicture:
    """All lines of one picture."""
    first = lines[0]
    split = _text(first, "split")
    if len({_text(line, "split") for line in lines}) > 1:
        problems.add("in_two_splits", path)
    faces, kept = [], tuple[Mapping[str, Any], ...]()
    for line in lines:
        try:
            face = _face(line)
            kept += (_fields(line),)
        except (ValueError, KeyError):
            error = f"{table.where(line)}: a number is needed where none stands"
            return LabelledPicture(path, split=split, broken=error)
        if face is not None:
            faces.append(face)
    if len(lines) > 1 and len(faces) < len(lines):
        problems.add("line_without_box", path, count=len(lines) - max(len(faces), 1))
    return LabelledPicture(
        path,
        tuple(faces),
        split=split,
        subject=_text(first, "subject"),
        labels=_labels(first),
        provenance=Provenance(**{key: _text(first, f"source.{key}") for key in _SOURCE}),
        located=first.cells.get("outcome", "no_face") == "no_face",
        kept=kept,
    )


def _face(line: Line) -> LabelledFace | None:
    if not any(line[column] for column in _BOX):
        return None
    x1, y1, x2, y2 = (float(line[column]) for column in _BOX)
    landmarks: Points | None = None
    if line[_POINTS[0]]:
        numbers = [float(line[column]) for column in _POINTS]
        landmarks = tuple(zip(numbers[::2], numbers[1::2], strict=True))
    return LabelledFace((x1, y1, x2, y2), FACE, landmarks, _text(line, "subject"), _labels(line))


def _labels(line: Line) -> dict[str, str | float]:
    found: dict[str, str | float] = {}
    for column, cell in line.cells.items():
        if column.startswith("label.") and cell:
            value = number(cell)
            found[read(column.removeprefix("label."))] = read(cell) if value is None else value
    return found


def _text(line: Line, column: str) -> str | None:
    cell = line.cells.get(column)
    return read(cell) if cell else None


def _lines(pictures: Sequence[LabelledPicture], names: Sequence[str]) -> Iterator[list[Any]]:
    for picture in pictures:
        faces: Iterable[LabelledFace | None] = picture.faces or [None]
        for row, face in zip(picture.rows, faces, strict=True):
            yield _line(row, picture, face, names)


def _line(
    row: ManifestRow, picture: LabelledPicture, face: LabelledFace | None, names: Sequence[str]
) -> list[Any]:
    box = face.box if face is not None else (None,) * 4
    points = [v for point in (face.landmarks if face else None) or ((None, None),) * 5 for v in point]
    cells = [row.id, picture.path, row.sha256, row.subject, row.split, *box, *points]
    cells += [row.outcome, row.error, row.parent, row.step, row.quality, row.repeats]
    return cells + list(asdict(row.provenance).values()) + [row.labels.get(name) for name in names]


def _fields(line: Line) -> dict[str, Any]:
    """The fields of a row that other formats do not have; raises `ValueError` or `KeyError`."""
    if line["outcome"] not in ("ok", "no_face"):
        raise ValueError
    return {
        "id": read(line[OWN]),
        "sha256": read(line["sha256"]),
        "outcome": line["outcome"],
        "error": read(line["error"]) if line["error"] else None,
        "parent": read(line["parent"]) if line["parent"] else None,
        "step": read(line["step"]),
        "quality": float(line["quality"]) if line["quality"] else None,
        "repeats": int(line["repeats"]),
    }
