"""A label that is given twice is one truth, and the repetition is counted."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from label_sets import put

from lineament.datasets.importing.labels import import_labels, summary
from lineament.evaluation.truths import read_truths

LINE = "0 0.5 0.5 0.5 0.5\n"
SLIGHTLY = "0 0.500000 0.5000001 0.50 0.500000\n"
Make = Callable[[Path], object]


def yolo(yaml: str, lines: str = LINE, more: Make | None = None) -> Make:
    """Three pictures with a face each."""

    def make(folder: Path) -> None:
        (folder / "labels").mkdir(parents=True)
        for number in range(3):
            put(folder, f"images/{number}.jpg", number)
            (folder / "labels" / f"{number}.txt").write_text(lines)
        (folder / "data.yaml").write_text(f"{yaml}names: [face]\n")
        if more is not None:
            more(folder)

    return make


def lists(folder: Path) -> None:
    (folder / "a.txt").write_text("".join(f"images/{n}.jpg\n" for n in range(3)))
    (folder / "b.txt").write_text("".join(f"./images/{n}.jpg\n" for n in range(1, 3)))


def coco(folder: Path, images: list, annotations: list, name: str = "c.json") -> None:
    for number in range(3):
        put(folder, f"images/{number}.jpg", number)
    document = {
        "images": [{"id": i, "file_name": f"images/{n}.jpg"} for i, n in images],
        "annotations": [
            {"id": k, "image_id": i, "category_id": 1, "bbox": bbox}
            for k, (i, bbox) in enumerate(annotations)
        ],
        "categories": [{"id": 1, "name": "face"}],
    }
    (folder / name).write_text(json.dumps(document))


FACE = [10, 6, 20, 12]
THREE = [(n, n) for n in range(3)]
ONCE = [(n, FACE) for n in range(3)]
TWICE: dict[str, Make] = {
    "val is train": yolo("train: images\nval: images\n"),
    "train is val and test": yolo("train: images\nval: images\ntest: images\n"),
    "val inside train": yolo(
        "train: [images, images]\nval: images/0.jpg\n",
    ),
    "a line twice": yolo("train: images\n", LINE * 2),
    "a line twice, written otherwise": yolo("train: images\n", LINE + SLIGHTLY),
    "two lists": yolo("train: a.txt\nval: b.txt\n", more=lists),
    "a folder linked": yolo(
        "train: images\nval: linked\n", more=lambda f: (f / "linked").symlink_to(f / "images")
    ),
    "files linked": yolo(
        "train: images\nval: val/images\n",
        more=lambda f: (
            (f / "val/images").mkdir(parents=True),
            [os.link(f / f"images/{n}.jpg", f / f"val/images/{n}.jpg") for n in range(3)],
            (f / "val/labels").symlink_to(f / "labels"),
        ),
    ),
    "two ids for one picture": lambda f: coco(f, [*THREE, (10, 0)], [*ONCE, (10, FACE)]),
    "two annotations of one face": lambda f: coco(f, THREE, [*ONCE, *ONCE]),
    "two files of one set": lambda f: (
        coco(f, THREE, ONCE, "train.json"),
        coco(f, THREE[:2], ONCE[:2], "all.json"),
    ),
}


@pytest.mark.parametrize("name", TWICE)
def test_a_face_given_twice_is_one(name: str, tmp_path: Path) -> None:
    """Three pictures of a face each give three faces however often they are named, and that is counted."""
    TWICE[name](tmp_path)
    found = import_labels(tmp_path)
    told = summary(found)
    assert (told["pictures"], told["rows"], told["faces"]) == (3, 3, 3)
    assert found.problems["face_twice"] >= 1
    truths = read_truths(tmp_path / "images", tmp_path)
    assert [len(picture.boxes) for picture in truths.pictures] == [1, 1, 1]


def test_faces_that_differ_are_all_kept(tmp_path: Path) -> None:
    """Another class, another place by a pixel, another person: none of them is a repetition."""
    put(tmp_path, "a.jpg")
    lines = [LINE, LINE.replace("0 ", "1 ", 1), "0 0.55 0.5 0.5 0.5\n"]
    (tmp_path / "a.txt").write_text("".join(lines))
    (tmp_path / "classes.txt").write_text("face\nmask\n")
    found = import_labels(tmp_path)
    assert summary(found)["faces"] == 3
    assert not found.problems


def test_what_a_later_label_adds_keeps_both(tmp_path: Path) -> None:
    """Of two labels on one box the later one is a repetition only when it says nothing of its own."""
    put(tmp_path, "a.jpg")
    faces = [{"subject": "Ann"}, {}, {"subject": "Bob"}, {"subject": "Ann"}]
    document = {
        "images": [{"id": 1, "file_name": "a.jpg"}],
        "annotations": [{"id": n, "image_id": 1, "bbox": FACE, **more} for n, more in enumerate(faces)],
    }
    (tmp_path / "c.json").write_text(json.dumps(document))
    found = import_labels(tmp_path)
    assert sorted(str(row.subject) for row in found.manifest) == ["Ann", "Bob"]
    assert found.problems["face_twice"] == 2


def test_people_who_share_a_file_stay_two(tmp_path: Path) -> None:
    """A picture linked into two people's folders is a label of each: nothing tells which is right."""
    put(tmp_path, "Ann/a.jpg")
    (tmp_path / "Bob").mkdir()
    os.link(tmp_path / "Ann/a.jpg", tmp_path / "Bob/a.jpg")
    assert {row.subject for row in import_labels(tmp_path).manifest} == {"Ann", "Bob"}
