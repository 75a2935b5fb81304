"""Where there is no label: what was looked for, what is here, and how one comes by labels."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from lineament.datasets.formats import formats
from lineament.datasets.formats._expected import PLAIN
from lineament.datasets.importing.labels import import_labels
from lineament.errors import LabelFileError, UsageError

READ = sorted(name for name in formats.names() if formats.create(name).importable)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((40, 40, 3), 60 * number, np.uint8))
    return tmp_path


@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize("empty", [False, True])
def test_each_format_says_what_it_looked_for_and_what_to_do(photos: Path, name: str, empty: bool) -> None:
    """Pictures without a label are never a set, whatever is said of empty ones: the error counts them,
    names the files that the format reads and where they lie, and how one makes them."""
    spec = f"{name}:empty=true" if empty else name
    if empty and not formats.create(name).located:
        pytest.skip("a format without boxes")
    expects = formats.create(name).expects
    assert expects != PLAIN
    with pytest.raises(LabelFileError) as refused:
        import_labels(photos, spec)
    told = str(refused.value)
    assert str(photos) in told and "3 pictures" in told and expects.made in told
    assert expects.files in told or (name == "yolo" and "label file (.txt)" in told)


@pytest.mark.parametrize(
    ("name", "file", "text"),
    [
        ("labelme", "package.json", json.dumps({"name": "x", "version": "1"})),
        ("labelme", "metadata.json", json.dumps([1, 2])),
        ("supervisely", "meta.json", json.dumps({"classes": [], "tags": []})),
        ("via", "package.json", json.dumps({"name": "x"})),
        ("createml", "settings.json", json.dumps({"a": 1})),
        ("voc", "notes.txt", "nothing"),
        ("cvat", "a.json", "{}"),
        ("wider", "readme.txt", "three pictures"),
        ("retinaface", "readme.txt", "three pictures"),
    ],
)
def test_a_file_of_another_kind_is_no_label(photos: Path, name: str, file: str, text: str) -> None:
    """Files that lie about do not make a set, nor an error that says less."""
    (photos / file).write_text(text, encoding="utf-8")
    with pytest.raises(LabelFileError) as refused:
        import_labels(photos, f"{name}:empty=true")
    assert formats.create(name).expects.made in str(refused.value) or file in str(refused.value)


def test_labels_of_pictures_that_are_not_here_say_so(photos: Path) -> None:
    """Then labelling is not what is missing: the pictures are, and one that was looked for is named."""
    (photos / "a.json").write_text(
        json.dumps({"shapes": [], "imagePath": "gone.jpg", "imageData": None, "version": "5"}),
        encoding="utf-8",
    )
    with pytest.raises(
        LabelFileError, match=r"no picture that is there .*gone\.jpg.*put the pictures where"
    ):
        import_labels(photos, "labelme")


def test_without_a_format_both_ways_are_named(photos: Path, tmp_path: Path) -> None:
    """Boxes are drawn, people sorted into folders; without pictures the folder is the wrong one."""
    with pytest.raises(
        UsageError, match=r"no labels and no folder a person; for boxes .*labelme DIR.*folder"
    ):
        import_labels(photos)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no labels; give the folder with pictures and labels"):
        import_labels(tmp_path / "empty")


def test_a_single_file_of_another_kind_is_named(photos: Path) -> None:
    """A picture given in place of its label."""
    with pytest.raises(LabelFileError, match=r"a file, nothing labelled for labelme; looked for a \.json"):
        import_labels(photos / "0.png", "labelme")
