"""Labels from a table onto the rows of a manifest: the picture's path or file name, then a column a label.

A picture may be named as the manifest does, by its file name alone, or by the file name of the photo that a
crop was cut from; the first of these that fits one line counts. How tables are read, and which cells tell
nothing, see `lineament.datasets.tables`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from lineament.counting import quantity
from lineament.datasets import tables
from lineament.errors import LabelFileError
from lineament.io.manifest import Manifest, ManifestRow


@dataclass(frozen=True, slots=True)
class Labelled:
    """A manifest with the labels of a table.

    ``labelled`` rows found their line, ``without_line`` did not, ``lines_without_row`` named no picture of
    the manifest. ``missing`` counts the cells that tell nothing.
    """

    manifest: Manifest
    labelled: int
    without_line: int
    lines_without_row: int
    missing: int = 0


def with_labels(manifest: Manifest, table: Path, *, numbers: Collection[str] = ()) -> Labelled:
    """Put a table's columns into the rows' labels, over those of the same name; empty cells are no labels.

    A column all of whose told cells are numbers gives numbers, one of ``numbers`` must. Raises
    `LabelFileError` when the table cannot be read, has a word in a column of ``numbers``, names a picture
    twice with different labels, or names none of the manifest's.
    """
    read = tables.read_table(table, str(table))
    name = tables.path_column(read)
    if name is None:
        raise LabelFileError(
            f"{table}: no column of pictures; name one 'path'; columns: {', '.join(read.header)}"
        )
    columns = [column for column in read.header if column != name]
    numeric = {column for column in columns if column in numbers or read.numeric(column)}
    by_path: dict[str, dict[str, str | float]] = {}
    missing = 0
    for line in read.lines:
        labels: dict[str, str | float] = {}
        for column in columns:
            if tables.is_missing(line[column], number=column in numeric):
                missing += 1
                continue
            value = tables.number(line[column], comma=read.comma) if column in numeric else None
            if value is None and column in numbers:
                raise LabelFileError(
                    f"{read.where(line, column)} is no number, and {column} is to be one; mend the cell, "
                    "or leave it empty"
                )
            labels[column] = line[column] if value is None else value
        key = line[name].replace("\\", "/").removeprefix("./")
        if by_path.setdefault(key, labels) != labels:
            raise LabelFileError(f"{read.where(line)}: {key} has other labels in an earlier line")
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
        raise LabelFileError(
            f"{table}: none of its {quantity(len(by_path), 'picture')} is in the data set; it names "
            f"{next(iter(by_path), '')!r}, the data set {next((row.path for row in manifest), '')!r}"
        )
    unlabelled = sum(_line_of(row, by_path, by_name) is None for row in manifest)
    step = manifest.with_rows(rows, step="labels", table=table.name, columns=sorted(columns))
    return Labelled(step, len(rows) - unlabelled, unlabelled, len(by_path) - len(used), missing)


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
