"""A table: a picture or face a line, UTF-8, comma-separated, with a header.

Any table with a column of paths is read: ``path``, ``image``, ``file`` ...; columns named for a subject, a
split and a box (x1, y1, x2, y2 or xmin ...) with the picture's width and height are taken as such, every
other becomes a label, among them boxes as width and height. A column all of whose cells are numbers gives
numbers. Boxes are on the upright picture unless ``frame=stored``.

Our own tables, known by the column ``lineament_id``, hold every field of a row. A spreadsheet runs a cell
that starts with ``= + - @`` or a tab, so there a text that does, that starts with ``'``, or that would read
as a number, is written with a ``'`` before it, which reading takes away. Tables of others are read as they
are.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from lineament.datasets.formats import formats
from lineament.datasets.formats._files import locate, new_text, read_text, relative, sniff
from lineament.datasets.formats._labelled import (
    CLASS,
    FACE,
    Frame,
    LabelledFace,
    LabelledPicture,
    split_name,
)
from lineament.datasets.formats._naming import FolderNames, portable_path
from lineament.datasets.formats._problems import Problems
from lineament.errors import LabelFileError
from lineament.io.manifest import ManifestRow, Points, Provenance
from lineament.types import LANDMARK_NAMES

OWN = "lineament_id"
_PATH = ("path", "image", "file", "filename", "file_name", "image_path", "filepath", "img")
_SUBJECT = ("subject", "person", "identity", "subject_id", "person_id")
_SPLIT = ("split", "subset", "partition")
_BOXES = (("x1", "y1", "x2", "y2"), ("xmin", "ymin", "xmax", "ymax"), ("left", "top", "right", "bottom"))
_SIZE = ("width", "height")
_POINTS = tuple(f"{name}_{axis}" for name in LANDMARK_NAMES for axis in "xy")
_SOURCE = tuple(f.name for f in fields(Provenance))
_RISKY = ("=", "+", "-", "@", "\t", "\r", "\n", "'")


@dataclass(frozen=True, slots=True)
class CsvConfig:
    """``subject``: the column that names the subject, when it is called something else."""

    subject: str | None = None
    frame: Frame = "upright"


@formats.register("csv", CsvConfig)
class Csv:
    """One table beside the pictures."""

    located = True
    unique_stems = False
    importable = True
    rank = 60

    def __init__(self, config: CsvConfig) -> None:
        self.frame, self.subject = config.frame, config.subject

    def matches(self, source: Path) -> bool:
        """Whether the folder has one table, and that a column of paths."""
        file = _file(source)
        return file is not None and _path_column(_header(sniff(file))) is not None

    def read(self, source: Path, root: Path, problems: Problems) -> Iterator[LabelledPicture]:
        """One entry a picture, its lines taken together."""
        file = _file(source)
        if file is None:
            raise LabelFileError(f"{source}: not one table; name the file")
        where = relative(file, root)
        header, lines = _table(file, where)
        own = OWN in header
        path_column = _path_column(header)
        if path_column is None:
            raise LabelFileError(f"{where}: no column of paths; name one 'path'")
        table = _Columns(header, path_column, own, self.subject, lines)
        bases = [file.parent, file.parent / "images", root]
        grouped: dict[str, list[tuple[int, dict[str, str]]]] = {}
        for number, line in enumerate(lines, 2):
            name = _plain(line[path_column]) if own else line[path_column]
            path = locate(name, root, bases, problems, f"{where}, line {number}")
            if path is not None:
                grouped.setdefault(path, []).append((number, line))
        for path, members in grouped.items():
            yield table.picture(path, members, where, problems)

    def destinations(self, rows: Sequence[ManifestRow], folders: FolderNames) -> list[str | None]:
        """Where they were."""
        return [portable_path(row.path) for row in rows]

    def write(self, pictures: Sequence[LabelledPicture], folder: Path) -> None:
        """``labels.csv`` with every field of the rows."""
        names = sorted({name for p in pictures for row in p.rows for name in row.labels})
        header = [OWN, "path", "sha256", "subject", "split", "x1", "y1", "x2", "y2", *_POINTS]
        header += ["outcome", "error", "parent", "step", "quality", "repeats"]
        header += [f"source.{name}" for name in _SOURCE] + [f"label.{name}" for name in names]
        with new_text(folder / "labels.csv") as out:
            writer = csv.writer(out)
            writer.writerow(header)
            for picture in pictures:
                faces: Iterable[LabelledFace | None] = picture.faces or [None]
                for row, face in zip(picture.rows, faces, strict=True):
                    writer.writerow(_line(row, picture, face, names))


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


def _plain(cell: str) -> str:
    return cell.removeprefix("'")


def _number(cell: str) -> float | None:
    try:
        number = float(cell)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


@dataclass(frozen=True)
class _Columns:
    """Which column of a table means what."""

    header: Sequence[str]
    path: str
    own: bool
    subject_name: str | None
    lines: Sequence[Mapping[str, str]]

    def picture(
        self, path: str, members: Sequence[tuple[int, Mapping[str, str]]], where: str, problems: Problems
    ) -> LabelledPicture:
        """All lines of one picture."""
        first = members[0][1]
        splits = {self._text(line, self._first(_SPLIT)) for _, line in members}
        if len(splits) > 1:
            problems.add("in_two_splits", path)
        faces, kept = [], tuple[Mapping[str, Any], ...]()
        for number, line in members:
            try:
                face = self._face(line)
                kept += (own_fields(line),) if self.own else ()
            except (ValueError, KeyError):
                error = f"{where}, line {number}: a number is needed where none stands"
                return LabelledPicture(path, split=next(iter(splits)), broken=error)
            if face is not None:
                faces.append(face)
        if len(members) > 1 and len(faces) < len(members):
            problems.add("line_without_box", path, count=len(members) - max(len(faces), 1))
        located = self._box_columns() is not None and first.get("outcome", "no_face") == "no_face"
        split = self._text(first, self._first(_SPLIT))
        return LabelledPicture(
            path,
            tuple(faces),
            split=split if self.own or split is None else split_name(split) or split,
            size_wh=self._size(first),
            subject=self._text(first, self._subject()),
            labels=self._labels(first),
            provenance=Provenance(**{key: self._text(first, f"source.{key}") for key in _SOURCE})
            if self.own
            else Provenance(),
            located=located,
            kept=kept,
        )

    def _face(self, line: Mapping[str, str]) -> LabelledFace | None:
        columns = self._box_columns()
        if columns is None or not any(line[column] for column in columns):
            return None
        x1, y1, x2, y2 = (float(line[column]) for column in columns)
        landmarks: Points | None = None
        if self.own and line[_POINTS[0]]:
            numbers = [float(line[column]) for column in _POINTS]
            landmarks = tuple(zip(numbers[::2], numbers[1::2], strict=True))
        labels = self._labels(line)
        kind = labels.get(CLASS)
        if isinstance(kind, str) and kind != FACE and not self.own:
            del labels[CLASS]
        else:
            kind = FACE
        return LabelledFace((x1, y1, x2, y2), kind, landmarks, self._text(line, self._subject()), labels)

    def _labels(self, line: Mapping[str, str]) -> dict[str, str | float]:
        found: dict[str, str | float] = {}
        for column, name in self._label_columns().items():
            cell = line[column]
            if not cell:
                continue
            number = _number(cell) if self.own or self._numeric(column) else None
            if number is not None:
                found[name] = number
            else:
                found[name] = _plain(cell) if self.own else cell
        return found

    def _label_columns(self) -> dict[str, str]:
        if self.own:
            return {c: c.removeprefix("label.") for c in self.header if c.startswith("label.")}
        taken = {self.path, self._subject(), self._first(_SPLIT), *(self._box_columns() or ())}
        if self._box_columns() is not None:
            taken |= {self._first((name,)) for name in _SIZE}
        return {c: c for c in self.header if c not in taken}

    def _numeric(self, column: str) -> bool:
        known = self.__dict__.setdefault("_known_numeric", {})
        if column not in known:
            known[column] = all(
                not line[column] or _number(line[column]) is not None for line in self.lines
            )
        return bool(known[column])

    def _size(self, line: Mapping[str, str]) -> tuple[int, int] | None:
        columns = [self._first((name,)) for name in _SIZE]
        cells = [line[column] for column in columns if column is not None]
        if self._box_columns() is None or len(cells) != 2 or not all(c.isdecimal() for c in cells):
            return None
        width, height = map(int, cells)
        return (width, height) if width and height else None

    def _subject(self) -> str | None:
        return self.subject_name or self._first(_SUBJECT)

    def _first(self, names: Sequence[str]) -> str | None:
        return next((c for name in names for c in self.header if c.lower() == name), None)

    def _box_columns(self) -> tuple[str, ...] | None:
        for names in _BOXES:
            found = tuple(self._first((name,)) for name in names)
            if None not in found:
                return found  # type: ignore[return-value]
        return None

    def _text(self, line: Mapping[str, str], column: str | None) -> str | None:
        if column is None or not line.get(column):
            return None
        return _plain(line[column]) if self.own else line[column]


def _file(source: Path) -> Path | None:
    if source.is_file():
        return source if source.suffix.lower() == ".csv" else None
    found = [p for p in source.glob("*.csv") if not p.name.startswith(".")] if source.is_dir() else []
    return found[0] if len(found) == 1 else None


def _header(text: str) -> list[str]:
    try:
        return next(csv.reader(io.StringIO(text.removeprefix("\ufeff").replace("\0", ""))), [])
    except csv.Error:
        return []


def _path_column(header: Sequence[str]) -> str | None:
    return next((c for name in _PATH for c in header if c.lower() == name), None)


def _table(file: Path, where: str) -> tuple[list[str], list[dict[str, str]]]:
    lines: list[dict[str, str]] = []
    try:
        reader = csv.reader(io.StringIO(read_text(file), newline=""), strict=True)
        header = next(reader, [])
        if len(set(header)) != len(header):
            raise LabelFileError(f"{where}: two columns have the same name")
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(header):
                raise LabelFileError(
                    f"{where}, line {reader.line_num}: {len(cells)} cells under {len(header)} columns"
                )
            lines.append(dict(zip(header, cells, strict=True)))
    except csv.Error as error:
        raise LabelFileError(f"{where}: not a table: {error}") from None
    return header, lines


def own_fields(line: Mapping[str, str]) -> dict[str, Any]:
    """The fields of a row that other tables do not have; raises `ValueError` or `KeyError`."""
    if line["outcome"] not in ("ok", "no_face"):
        raise ValueError
    return {
        "id": _plain(line[OWN]),
        "sha256": _plain(line["sha256"]),
        "outcome": line["outcome"],
        "error": _plain(line["error"]) if line["error"] else None,
        "parent": _plain(line["parent"]) if line["parent"] else None,
        "step": _plain(line["step"]),
        "quality": float(line["quality"]) if line["quality"] else None,
        "repeats": int(line["repeats"]),
    }
