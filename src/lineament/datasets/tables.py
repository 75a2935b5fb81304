"""Tables as people have them: any separator, with or without a header, and cells that tell nothing.

What is read alike for every table: UTF-8, UTF-16 with its mark, or else Windows-1252; a comma,
semicolon, tab, bar or blanks between cells, whichever divides the lines evenly, and a first line ``sep=;``
as Excel takes it; header and cells stripped; columns without a name, such as the row numbers of pandas,
left out. A first line that names a picture is no header. CelebA's lists begin with the number of their
lines, and their header lacks the column of pictures.
"""

from __future__ import annotations

import csv
import io
import re
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lineament.counting import quantity
from lineament.errors import LabelFileError
from lineament.io import left_out

SUFFIXES = (".csv", ".tsv", ".txt")
OWN = "lineament_id"
"""The column by which our own tables are known: their cells are taken as they stand."""

PATHS = (
    *("path", "imagepath", "imgpath", "filepath", "file", "filename", "imagefilename", "imagefile"),
    *("imgfile", "image", "img", "imagename", "imgname", "picture", "picturename", "photo", "photoname"),
    *("pic", "images", "filenames", "subdirectoryfilepath", "fullpath", "relativepath", "imageid", "imgid"),
    *("pictureid", "photoid", "nameid", "originalimage"),
)
"""What the column of pictures may be called, as `key` spells it; the first of them counts."""

_MISSING = {"", "na", "n/a", "#n/a", "nan", "null", "none", "<na>", "?", "-"}
_NOT_NUMBERS = {"unknown", "undefined", "missing", "nil", "--", ".", "not available", "#value!", "#null!"}
_NO_NAMES = {"", "NA", "N/A", "#N/A", "nan", "NaN", "?", "-"}
_NUMBER = re.compile(r"[+-]?(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][+-]?\d++)?")
_UNNAMED = re.compile(r"(?:unnamed: ?\d+)?", re.IGNORECASE)
_MAX_BYTES = 2**30
_SNIFFED = 2**16


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a table: its number in the file, and its cells by column."""

    number: int
    cells: Mapping[str, str]

    def __getitem__(self, column: str) -> str:
        return self.cells[column]


@dataclass(frozen=True, slots=True)
class Table:
    """A table that was read; ``name`` is how messages call it.

    ``notes`` are kinds of what had to be assumed, for the count of problems. ``comma`` tells that 3,5 is a
    number.
    """

    name: str
    header: tuple[str, ...]
    lines: tuple[Line, ...]
    notes: tuple[str, ...] = ()
    comma: bool = False

    @property
    def own(self) -> bool:
        """Whether it is one of ours."""
        return OWN in self.header

    def where(self, line: Line, column: str | None = None) -> str:
        """File and line, and the column with what stands there, for a message."""
        told = "" if column is None else f", {column}: {line[column]!r}"
        return f"{self.name}, line {line.number}{told}"

    def numeric(self, column: str) -> bool:
        """Whether every cell of a column that says something is a number."""
        told = [c for line in self.lines if not is_missing(c := line[column], number=True)]
        return bool(told) and all(number(cell, comma=self.comma) is not None for cell in told)

    def words_among_numbers(self, column: str) -> list[Line]:
        """The lines whose cell keeps a column, most of whose cells are numbers, from being one."""
        told = [ln for ln in self.lines if not is_missing(ln[column], number=True)]
        words = [line for line in told if number(line[column], comma=self.comma) is None]
        return words if words and len(words) < len(told) / 2 else []


def read_table(path: Path, name: str | None = None, *, columns: Sequence[str] = ()) -> Table:
    """A table from a file; ``columns`` names those of one without a header.

    Raises `LabelFileError`, which names the line: cells that do not fit the columns, two columns of one
    name, no header where none can be guessed, or no table at all.
    """
    name = name or path.name
    text, notes = _text(path, name)
    return _parsed(text, name, notes, columns)


def sniffed(path: Path, columns: Sequence[str] = ()) -> Table | None:
    """The first lines of a table, for guessing what a file is; None when it is none."""
    try:
        with path.open("rb") as file:
            data = file.read(_SNIFFED) if stat.S_ISREG(path.stat().st_mode) else b""
        whole = len(data) < _SNIFFED
        text, _ = _decoded(data if whole else data[: data.rfind(b"\n") + 1], path.name)
        return _parsed(text, path.name, (), columns)
    except (OSError, LabelFileError):
        return None


def key(name: str) -> str:
    """A column's name without what people write differently: case, blanks and punctuation."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def first(header: Iterable[str], keys: Sequence[str]) -> str | None:
    """The column with the first of these names that there is."""
    known: dict[str, str] = {}
    for column in header:
        known.setdefault(key(column), column)
    return next((known[wanted] for wanted in keys if wanted in known), None)


def path_column(table: Table) -> str | None:
    """The column of pictures: by its name, else the only one all of whose cells end as pictures do."""
    named = first(table.header, PATHS)
    if named is not None or not table.lines:
        return named
    like = [c for c in table.header if all(left_out.is_picture_name(line[c]) for line in table.lines)]
    return like[0] if len(like) == 1 else None


def is_missing(cell: str, *, number: bool = False) -> bool:
    """Whether a cell says that nothing is known; more words do where numbers stand."""
    word = cell.strip().lower()
    return word in _MISSING or (number and word in _NOT_NUMBERS)


def is_nobody(cell: str) -> bool:
    """The same of a person's name: there are people called Null, None and Na."""
    return cell.strip() in _NO_NAMES


def number(cell: str, *, comma: bool = False) -> float | None:
    """A cell as a number, None when it is none: codes such as 007 are words."""
    cell = cell.strip()
    if comma and cell.count(",") == 1 and "." not in cell:
        cell = cell.replace(",", ".")
    if not _NUMBER.fullmatch(cell) or re.match(r"[+-]?0\d", cell):
        return None
    value = float(cell)
    return value if abs(value) != float("inf") else None


def number_text(value: float) -> str:
    """A number as the name of a class: 1 for 1.0, and never one name for two numbers."""
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def _text(path: Path, name: str) -> tuple[str, tuple[str, ...]]:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise LabelFileError(f"{name}: not a regular file")
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise LabelFileError(f"{name}: cannot be read as a table: {error.strerror}") from None
    if len(data) > _MAX_BYTES:
        raise LabelFileError(f"{name}: more bytes than the limit of {_MAX_BYTES:,}")
    return _decoded(data, name)


def _decoded(data: bytes, name: str) -> tuple[str, tuple[str, ...]]:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        try:
            return data.decode("utf-16"), ()
        except UnicodeDecodeError as error:
            raise LabelFileError(f"{name}: not UTF-16, as its first bytes say: {error.reason}") from None
    try:
        text = data.decode("utf-8-sig")
        notes: tuple[str, ...] = ()
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        try:
            text, notes = data.decode("cp1252"), ("read_as_windows_1252",)
        except UnicodeDecodeError:
            raise LabelFileError(
                f"{name}, line {line}: neither UTF-8 nor Windows-1252; save it as UTF-8"
            ) from None
    if "\0" in text and OWN not in text.partition("\n")[0]:
        line = text.partition("\0")[0].count("\n") + 1
        raise LabelFileError(f"{name}, line {line}: holds a NUL byte, so it is no table")
    return text, notes


def _parsed(text: str, name: str, notes: tuple[str, ...], columns: Sequence[str]) -> Table:
    lines = text.splitlines()
    skipped, separator = 0, None
    if lines and (told := re.fullmatch(r"\"?sep=(.)\"?", lines[0].strip())):
        skipped, separator = 1, told[1]
    elif len(lines) > 1 and re.fullmatch(r"\s*\d+\s*", lines[0]):
        skipped, separator = 1, " "
    body = "".join(text.splitlines(keepends=True)[skipped:])
    if lines and OWN in lines[0]:  # written by us, whatever its cells look like
        separator = ","
    separator = separator or _separator(body)
    rows = _rows(body, separator, name, skipped)
    if not rows:
        raise LabelFileError(f"{name}: an empty table")
    header, rows = _header(rows, name, columns)
    own = OWN in header
    if not own:
        header = [column.strip() for column in header]
    if len(set(filter(None, header))) != len([*filter(None, header)]):
        twice = next(c for c in header if c and header.count(c) > 1)
        raise LabelFileError(f"{name}: two columns have the same name, {twice!r}")
    kept = [i for i, column in enumerate(header) if not _UNNAMED.fullmatch(column)]
    found = []
    for number_, cells in rows:
        if len(cells) != len(header):
            raise LabelFileError(
                f"{name}, line {number_}: {quantity(len(cells), 'cell')} under "
                f"{quantity(len(header), 'column')}"
                + ("; a cell that holds the separator needs quotes" if len(cells) > len(header) else "")
            )
        found.append(Line(number_, {header[i]: cells[i] if own else cells[i].strip() for i in kept}))
    return Table(name, tuple(header[i] for i in kept), tuple(found), notes, comma=separator not in ",")


def _rows(body: str, separator: str, name: str, skipped: int) -> list[tuple[int, list[str]]]:
    if separator == " ":
        split = [(number, line.split()) for number, line in enumerate(body.splitlines(), 1 + skipped)]
        return [(number, cells) for number, cells in split if cells]
    rows = []
    reader = csv.reader(
        io.StringIO(body, newline=""), strict=True, delimiter=separator, skipinitialspace=separator != "\t"
    )
    began = 1 + skipped
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append((began, cells))
            began = reader.line_num + 1 + skipped
    except csv.Error as error:
        raise LabelFileError(f"{name}, line {began}: cannot be read as a table: {error}") from None
    return rows


def _separator(body: str) -> str:
    """What divides the first lines evenly into most cells; a comma where nothing does, blanks last."""
    sample = "\n".join([line for line in body.splitlines()[:40] if line.strip()][:20])
    best: tuple[bool, int, str] = (False, 1, ",")
    for separator in (",", ";", "\t", "|", " "):
        if separator == " " and best[1] > 1:
            break
        try:
            widths = [len(cells) for _, cells in _rows(sample, separator, "", 0)]
        except LabelFileError:
            continue
        even = sum(width == widths[0] for width in widths)
        if widths and 2 * even >= len(widths) and widths[0] > 1:
            best = max(best, (even == len(widths), widths[0], separator), key=lambda found: found[:2])
    return best[2]


def _header(
    rows: list[tuple[int, list[str]]], name: str, columns: Sequence[str]
) -> tuple[list[str], list[tuple[int, list[str]]]]:
    top = rows[0][1]
    if columns:
        if len(columns) != len(top):
            raise LabelFileError(
                f"{name}, line {rows[0][0]}: {quantity(len(top), 'cell')}, and "
                f"{quantity(len(columns), 'column')} named"
            )
        same = [key(c) for c in top] == [key(c) for c in columns]
        return list(columns), rows[1:] if same else rows
    pictures = [i for i, cell in enumerate(top) if left_out.is_picture_name(cell.strip())]
    if not pictures:
        lacks_one = len(rows) > 1 and len(rows[1][1]) == len(top) + 1 and first(top, PATHS) is None
        if lacks_one and left_out.is_picture_name(rows[1][1][0]):
            return ["image_id", *top], rows[1:]
        return top, rows[1:]
    guessed = _unheaded(rows, pictures[0], name)
    if guessed is None:
        raise LabelFileError(
            f"{name}: no header over {quantity(len(top), 'column')}; name them: --format "
            "csv:columns=path/x1/y1/x2/y2/class"
        )
    return guessed, rows


def _unheaded(rows: list[tuple[int, list[str]]], picture: int, name: str) -> list[str] | None:
    """Names of the columns of a table without a header: a list of labels, or keras-retinanet's boxes."""
    width = len(rows[0][1])
    if picture != 0:
        return None
    if width == 1:
        return ["path"]
    if width == 2:
        stem = name.lower()
        what = "subject" if "identity" in stem else "partition" if "partition" in stem else "label"
        return ["path", what]
    if width in (5, 6) and all(_boxed(cells) for _, cells in rows if len(cells) == width):
        return ["path", "x1", "y1", "x2", "y2", "class"][:width]
    return None


def _boxed(cells: Sequence[str]) -> bool:
    return all(not cell.strip() or number(cell) is not None for cell in cells[1:5])
