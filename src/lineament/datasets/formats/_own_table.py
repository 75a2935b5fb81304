"""Our own tables, known by the column ``lineament_id``: every field of a row, and back to the bit.

A spreadsheet runs a cell that starts with ``= + - @`` or a tab, so a text that does, that starts with
``'``, or that would read as a number, is written with a ``'`` before it, which reading takes away.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from lineament.datasets.formats._files import new_text
from lineament.datasets.formats._labelled import LabelledFace, LabelledPicture
from lineament.datasets.formats._problems import Problems
from lineament.datasets.tables import OWN, Line, Table
from lineament.io.manifest import ManifestRow, Points, Provenance
from lineament.kinds import FACE
from lineament.types import LANDMARK_NAMES

_BOX = ("x1", "y1", "x2", "y2")
_POINTS = tuple(f"{name}_{axis}" for name in LANDMARK_NAMES for axis in "xy")
_SOURCE = tuple(f.name for f in fields(Provenance))
_RISKY = ("=", "+", "-", "@", "\t", "\r", "\n", "'")


def write(pictures: Sequence[LabelledPicture], file: Path) -> None:
    """A table with every field of the rows."""
    names = sorted({name for p in pictures for row in p.rows for name in row.labels})
    header = [OWN, "path", "sha256", "subject", "split", *_BOX, *_POINTS]
    header += ["outcome", "error", "parent", "step", "quality", "repeats"]
    header += [f"source.{name}" for name in _SOURCE] + [f"label.{name}" for name in names]
    with new_text(file) as out:
        writer = csv.writer(out)
        writer.writerow(header)
        for picture in pictures:
            faces: Iterable[LabelledFace | None] = picture.faces or [None]
            for row, face in zip(picture.rows, faces, strict=True):
                writer.writerow(_line(row, picture, face, names))


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


def plain(cell: str) -> str:
    """A text as it was before it was written."""
    return cell.removeprefix("'")


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
            value = _number(cell)
            found[column.removeprefix("label.")] = plain(cell) if value is None else value
    return found


def _text(line: Line, column: str) -> str | None:
    cell = line.cells.get(column)
    return plain(cell) if cell else None


def _line(
    row: ManifestRow, picture: LabelledPicture, face: LabelledFace | None, names: Sequence[str]
) -> list[str]:
    box = face.box if face is not None else (None,) * 4
    points = [v for point in (face.landmarks if face else None) or ((None, None),) * 5 for v in point]
    texts = [row.id, picture.path, row.sha256, row.subject, row.split, *box, *points]
    texts += [row.outcome, row.error, row.parent, row.step, row.quality, row.repeats]
    texts += list(asdict(row.provenance).values()) + [row.labels.get(name) for name in names]
    return [_cell(value) for value in texts]


def _cell(value: str | float | None) -> str:
    """A number as it is, a text that a spreadsheet could run or take for a number behind ``'``."""
    if value is None:
        return ""
    if not isinstance(value, str):
        return repr(value)
    return f"'{value}" if not value or value.startswith(_RISKY) or _number(value) is not None else value


def _number(cell: str) -> float | None:
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _fields(line: Line) -> dict[str, Any]:
    """The fields of a row that other formats do not have; raises `ValueError` or `KeyError`."""
    if line["outcome"] not in ("ok", "no_face"):
        raise ValueError
    return {
        "id": plain(line[OWN]),
        "sha256": plain(line["sha256"]),
        "outcome": line["outcome"],
        "error": plain(line["error"]) if line["error"] else None,
        "parent": plain(line["parent"]) if line["parent"] else None,
        "step": plain(line["step"]),
        "quality": float(line["quality"]) if line["quality"] else None,
        "repeats": int(line["repeats"]),
    }
