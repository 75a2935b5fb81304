"""What an import says it has read: classes of boxes, labels with their values, and what its rows are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from lineament.cli.main import app
from lineament.datasets.importing.label_summary import labels_of
from lineament.io import images
from lineament.io.manifest import ManifestRow


def pictures(folder: Path, *names: str, first: int = 10) -> None:
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        images.save(folder / name, np.full((40, 40, 3), first + number, np.uint8))


def coco(folder: Path, *faces: str, empty: int = 0) -> None:
    """A picture for each class of a box, and some without a box."""
    kinds = sorted(set(faces))
    names = [f"{number}.png" for number in range(len(faces) + empty)]
    pictures(folder, *names)
    told = {
        "images": [{"id": i, "file_name": n, "width": 40, "height": 40} for i, n in enumerate(names)],
        "categories": [{"id": i, "name": kind} for i, kind in enumerate(kinds)],
        "annotations": [
            {"id": i, "image_id": i, "category_id": kinds.index(kind), "bbox": [4, 4, 20, 20]}
            for i, kind in enumerate(faces)
        ],
    }
    (folder / "coco.json").write_text(json.dumps(told))


def table(folder: Path, header: str, *lines: str) -> None:
    pictures(folder, *(f"{number}.png" for number in range(len(lines))), first=100)
    text = "\n".join([f"image,{header}", *(f"{number}.png,{line}" for number, line in enumerate(lines))])
    (folder / "faces.csv").write_text(text + "\n")


def imported(*words: str | Path, json_file: Path) -> tuple[str, dict[str, Any]]:
    done: Result = CliRunner().invoke(app, ["dataset", *map(str, words), "--json", str(json_file)])
    assert done.exit_code == 0, done.output
    return done.output, json.loads(json_file.read_text().splitlines()[0])


@pytest.mark.parametrize(
    ("faces", "empty", "said", "rows"),
    [
        (("face", "face"), 1, "3 pictures, 2 faces with a box, 1 picture without", []),
        (("mask", "mask", "no_mask"), 0, "3 pictures, 3 faces with a box", [("mask", 2), ("no_mask", 1)]),
        (("head",), 0, "1 picture, 1 head with a box, 0 pictures without", [("head", 1)]),
        (("face", "head"), 0, "1 face and 1 head with a box", [("face", 1), ("head", 1)]),
    ],
)
def test_classes_of_boxes_are_told_with_their_numbers(
    faces: tuple[str, ...], empty: int, said: str, rows: list[tuple[str, int]], tmp_path: Path
) -> None:
    """Every class but the plain face alone has a line with its boxes, also in JSON."""
    coco(tmp_path / "set", *faces, empty=empty)
    text, answer = imported("import", tmp_path / "set", json_file=tmp_path / "a.json")
    assert said in text
    assert ("Classes of boxes" in text) == bool(rows)
    for kind, count in rows:
        assert any(kind in line and str(count) in line for line in text.splitlines() if "│" in line)
        assert answer["boxes"][kind] == count


@pytest.mark.parametrize(
    ("faces", "told"),
    [
        (("mask", "no_mask"), "2 classes of faces"),
        (("happy", "sad", "head"), "2 classes of faces"),
        (("mask", "head"), None),
        (("face",), None),
    ],
)
def test_the_way_to_one_class_is_told_where_there_are_several_of_faces(
    faces: tuple[str, ...], told: str | None, tmp_path: Path
) -> None:
    """Classes that are all of faces can be learnt as one: the option that does it is named."""
    coco(tmp_path / "set", *faces)
    text, _ = imported("import", tmp_path / "set", json_file=tmp_path / "a.json")
    assert ("--one-class" in text) == (told is not None)
    assert told is None or told in text


def test_pictures_labelled_as_a_whole_are_not_called_boxes(tmp_path: Path) -> None:
    """Rows of a table or of folders are of pictures; nothing is said of boxes, and the table is named."""
    table(tmp_path / "set", "gender,age", "male,30", "female,41", "male,52.5", "male,", "male,7", "male,9")
    text, answer = imported("import", tmp_path / "set", json_file=tmp_path / "a.json")
    assert "csv: 6 pictures, labelled as a whole, without boxes, 0 subjects" in text
    assert "labels from faces.csv" in text and "with a box" not in text
    assert "male: 5, female: 1" in text and "7 to 52.5" in text
    assert answer["without_boxes"] == 6 and answer["boxes"] == {}
    assert answer["labels"]["gender"]["values"] == {"male": 5, "female": 1}
    age = answer["labels"]["age"]
    assert (age["kind"], age["rows"], age["different"]) == ("numbers", 5, 5)
    assert (age["least"], age["greatest"]) == (7, 52.5)


def test_folders_as_a_label_are_told(tmp_path: Path) -> None:
    """A folder a class is a label with its values."""
    pictures(tmp_path / "set", "happy/a.png", "happy/b.png", "sad/c.png")
    format = "imagefolder:label=emotion"
    text, _ = imported("import", tmp_path / "set", "--format", format, json_file=tmp_path / "a.json")
    assert "3 pictures, labelled as a whole" in text and "happy: 2, sad: 1" in text


@pytest.mark.parametrize("column", ["name", "person_name", "Celebrity", "student", "email", "photo owner"])
def test_people_are_counted_and_not_listed(column: str, tmp_path: Path) -> None:
    """A label that names people or files is told by the number of its values alone, in JSON too."""
    table(tmp_path / "set", f"{column},mood", "Ann Lee,happy", "Bo Chen,sad", "Ann Lee,sad")
    text, answer = imported("import", tmp_path / "set", json_file=tmp_path / "a.json")
    assert "Ann Lee" not in text and "Ann Lee" not in json.dumps(answer)
    assert "sad: 2, happy: 1" in text
    assert "2 different" in text or "2 subjects" in text


def test_sets_that_are_joined_say_the_same(tmp_path: Path) -> None:
    """A merge tells classes and labels of the whole."""
    coco(tmp_path / "a", "mask", "no_mask")
    table(tmp_path / "b", "mood", "happy", "sad", "sad")
    joined = ("merge", tmp_path / "a", tmp_path / "b", "--out", tmp_path / "all")
    text, answer = imported(*joined, json_file=tmp_path / "a.json")
    assert "no_mask" in text and "sad: 2, happy: 1" in text and "pictures labelled as a whole" in text
    assert answer["labels"]["mood"]["rows"] == 3


def row(number: int, **labels: str | float) -> ManifestRow:
    return ManifestRow(str(number), f"{number}.png", "0" * 64, labels=labels)


@pytest.mark.parametrize(
    ("name", "values", "kind", "told"),
    [
        ("race", ["a"] * 5 + ["b"] * 4 + ["c"] * 3 + ["d"] * 2 + ["e", "f"], "words", "d: 2 and 2 others"),
        ("mood", ["a"] * 5 + ["b", "c", "d", "e"], "words", "d: 1 and 1 other"),
        ("smiling", [0.0, 1.0, 1.0], "numbers", "1: 2, 0: 1"),
        ("yaw", [-30.0, 2.5, 0.0, 11.0, 90.0], "numbers", "-30 to 90"),
        ("caption", ["a man", "a woman"], "words", "2 different"),
        ("source_name", ["IMG_1", "IMG_2"], "words", "2 different"),
        ("class_name", ["angry", "angry", "sad"], "words", "angry: 2, sad: 1"),
        ("note", [f"n{i}" for i in range(21)], "words", "21 different"),
        ("size", [1.0, "large"], "words and numbers", "1: 1, large: 1"),
    ],
)
def test_values_are_told_in_few_words(name: str, values: list[str | float], kind: str, told: str) -> None:
    """The commonest of few values, the range of many numbers, the number of many words."""
    (one,) = labels_of(row(i, **{name: value}) for i, value in enumerate(values)).values()
    assert (one.kind, one.rows, one.different) == (kind, len(values), len(set(values)))
    assert one.told().endswith(told)
