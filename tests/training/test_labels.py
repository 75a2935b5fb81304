"""Labels from a table: each row finds its line or is counted as without one, and nothing is guessed."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineament.errors import LabelFileError
from lineament.io.manifest import Manifest, ManifestRow
from lineament.training.labels import with_labels


def table(folder: Path, *lines: str) -> Path:
    path = folder / "labels.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def manifest(*paths: str, parent: str | None = None) -> Manifest:
    rows = [ManifestRow(f"{i}", p, "", labels={"old": "kept"}, parent=parent) for i, p in enumerate(paths)]
    return Manifest(tuple(rows))


def test_a_row_finds_its_line_by_path_then_by_name(tmp_path: Path) -> None:
    """The path decides where names are shared; a name alone serves only one line."""
    file = table(tmp_path, "path,mask", "a/1.jpg,yes", "b/1.jpg,no", "2.jpg,yes")
    found = with_labels(manifest("a/1.jpg", "b/1.jpg", "c/1.jpg", "deep/2.jpg"), file)
    assert [row.labels.get("mask") for row in found.manifest] == ["yes", "no", None, "yes"]
    assert (found.labelled, found.without_line, found.lines_without_row) == (3, 1, 0)
    assert all(row.labels["old"] == "kept" for row in found.manifest)


def test_a_crop_finds_the_line_of_its_photo(tmp_path: Path) -> None:
    """A crop is a JPEG named after a photo of any suffix; a photo of its own is not matched so loosely."""
    file = table(tmp_path, "file,age", "photos/p.png,31")
    crops = with_labels(manifest("p/p.jpg", parent="photo"), file).manifest
    assert crops.rows[0].labels["age"] == 31.0
    with pytest.raises(LabelFileError, match="none of its 1 picture"):
        with_labels(manifest("p.jpg"), file)


def test_numbers_are_numbers_only_where_the_whole_column_is(tmp_path: Path) -> None:
    """A column of numbers gives floats, one word in it makes it words; an empty cell is no label."""
    file = table(tmp_path, "image,age,code", "1.jpg,31,7", "2.jpg,,x7", "3.jpg, 4.5 ,")
    found = with_labels(manifest("1.jpg", "2.jpg", "3.jpg"), file).manifest
    assert [row.labels.get("age") for row in found] == [31.0, None, 4.5]
    assert [row.labels.get("code") for row in found] == ["7", "x7", None]


def test_a_declared_number_has_numbers(tmp_path: Path) -> None:
    """NA and the like are missing and counted; another word is an error with file, line and column."""
    file = table(tmp_path, "path;age", "1.jpg;31,5", "2.jpg;NA", "3.jpg;?")
    found = with_labels(manifest("1.jpg", "2.jpg", "3.jpg"), file, numbers=("age",))
    assert [row.labels.get("age") for row in found.manifest] == [31.5, None, None]
    assert found.missing == 2
    file = table(tmp_path, "path,age", "1.jpg,31", "2.jpg,old")
    with pytest.raises(LabelFileError, match=r"labels.csv, line 3, age: 'old' is no number"):
        with_labels(manifest("1.jpg", "2.jpg"), file, numbers=("age",))


def test_bad_tables_have_names(tmp_path: Path) -> None:
    """No column of pictures, unequal lines, contradicting lines, no file: each is said."""
    for lines, said in (
        (("name,age", "1,3"), "no column of pictures; .* columns: name, age"),
        (("path,age", "1.jpg"), "line 2: 1 cell under 2 columns"),
        (("path,age", "1.jpg,3", "1.jpg,4"), "line 3: 1.jpg has other labels"),
        (("path,age,age", "1.jpg,3,4"), "two columns"),
        (("path,age", '"1.jpg,3'), "cannot be read"),
    ):
        with pytest.raises(LabelFileError, match=said):
            with_labels(manifest("1.jpg"), table(tmp_path, *lines))
    with pytest.raises(LabelFileError, match="cannot be read"):
        with_labels(manifest("1.jpg"), tmp_path / "missing.csv")
    again = table(tmp_path, "path,age", "1.jpg,3", "1.jpg,3")
    assert with_labels(manifest("1.jpg"), again).labelled == 1
