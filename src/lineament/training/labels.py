"""Labels from a table onto the rows of a manifest: the picture's path or file name, then a column a label.

A picture may be named as the manifest does, by its file name alone, or by the file name of the photo that a
crop was cut from; the first of these that fits one line counts.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from lineament.errors import LabelFileError
from lineament.io.manifest import Manifest, ManifestRow

PATHS = ("path", "image", "file", "filename", "file_name", "image_path", "filepath", "img")
"""What the column of pictures may be called."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A manifest with the labels of a table.

    ``labelled`` rows found their line, ``without_line`` did not, ``lines_without_row`` named no picture of
    the manifest.
    """

    manifest: Manifest
    labelled: int
    without_line: int
    lines_without_row: int


def with_labels(manifest: Manifest, table: Path) -> Labelled:
    """Put a table's columns into the rows' labels, over those of the same name; empty cells are no labels.

    A column all of whose cells are numbers gives numbers. Raises `LabelFileError` when the table cannot be
    read, names a picture twice with different labels, or names none of the manifest's.
    """
    name, header, lines = _read(table)
    numeric = {column for column in header if column != name and _is_numeric(lines, column)}
    by_path: dict[str, dict[str, str | float]] = {}
    for number, line in enumerate(lines, 2):
        key = line[name].replace("\\", "/").removeprefix("./")
        labels: dict[str, str | float] = {
            column: float(cell) if column in numeric else cell.strip()
            for column, cell in line.items()
            if column != name and cell.strip()
        }
        if by_path.setdefault(key, labels) != labels:
            raise LabelFileError(f"{table}, line {number}: {key} has other labels in an earlier line")
    by_name = _by_file_name(by_path)
    used: set[str] = set()
    rows: list[ManifestRow] = []
    for row in manifest:
        found = _line_of(row, by_path, by_name)
        if found is None:
            rows.append(row)
            continue
        used.add(found)
        rows.append(replace(row, labels={**row.labels, **by_path[found]}))
    if not used:
        raise LabelFileError(f"{table}: none of its {len(by_path)} pictures is in the data set")
    unlabelled = sum(_line_of(row, by_path, by_name) is None for row in manifest)
    step = manifest.with_rows(rows, step="labels", table=table.name, columns=sorted(set(header) - {name}))
    return Labelled(step, len(rows) - unlabelled, unlabelled, len(by_path) - len(used))


def _line_of(row: ManifestRow, by_path: Mapping[str, object], by_name: Mapping[str, str]) -> str | None:
    if row.path in by_path:
        return row.path
    file = PurePosixPath(row.path).name
    if row.parent is None:
        return by_name.get(file)
    # A crop is named after its photo, but always a JPEG.
    stem = PurePosixPath(file).stem
    return by_name.get(file) or by_name.get(stem) or by_name.get(f"{stem}\0")


def _by_file_name(paths: Mapping[str, object]) -> dict[str, str]:
    """Lines by the picture's file name, and by its stem before a NUL; only where one line has it."""
    found: dict[str, list[str]] = {}
    for path in paths:
        pure = PurePosixPath(path)
        for key in {pure.name, f"{pure.stem}\0"}:
            found.setdefault(key, []).append(path)
    return {key: these[0] for key, these in found.items() if len(these) == 1}


def _read(table: Path) -> tuple[str, Sequence[str], list[dict[str, str]]]:
    """The column of pictures, all columns, and the lines."""
    try:
        text = table.read_text(encoding="utf-8-sig")
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        header = next(reader, [])
        cells = [line for line in reader if line]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise LabelFileError(f"{table}: cannot be read as a table: {error}") from error
    name = next((column for wanted in PATHS for column in header if column.lower() == wanted), None)
    if name is None:
        raise LabelFileError(f"{table}: no column of pictures; name one 'path'")
    if len(set(header)) != len(header):
        raise LabelFileError(f"{table}: two columns have the same name")
    for number, line in enumerate(cells, 2):
        if len(line) != len(header):
            raise LabelFileError(f"{table}, line {number}: {len(line)} cells under {len(header)} columns")
    return name, header, [dict(zip(header, line, strict=True)) for line in cells]


def _is_numeric(lines: Sequence[Mapping[str, str]], column: str) -> bool:
    cells = [line[column].strip() for line in lines]
    return any(cells) and all(_number(cell) for cell in cells if cell)


def _number(cell: str) -> bool:
    try:
        return math.isfinite(float(cell))
    except ValueError:
        return False
