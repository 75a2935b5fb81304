"""Tables with a column a class: one class, or a label each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from PIL import Image

from lineament.datasets.importing.labels import Imported, import_labels
from lineament.errors import LabelFileError


def imported(folder: Path, tables: Mapping[str, str], format: str | None = None) -> Imported:
    """Import tables beside the pictures that their lines begin with."""
    for name, text in tables.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        for number, line in enumerate(text.splitlines()[1:]):
            picture = file.parent / line.partition(",")[0]
            Image.new("RGB", (8, 8), (number, len(name), len(line))).save(picture)
    return import_labels(folder, format)


def labels(found: Imported) -> dict[str, dict[str, str | float]]:
    """Labels by picture, without the name before upload."""
    return {
        row.path: {key: value for key, value in row.labels.items() if key != "source_name"}
        for row in found.manifest
    }


def test_several_true_in_a_line_are_labels(tmp_path: Path) -> None:
    """Roboflow's multi-label tables: each column is a label of 1 or 0, in every split alike, although the
    lines of one split happen to have one 1 each; names before upload and splits are taken."""
    found = imported(
        tmp_path,
        {
            "train/_classes.csv": "filename, beard, glasses, hat\n"
            "a_jpg.rf.0a1b2c3d.jpg, 1, 1, 0\nb.jpg, 0, 0, 0\n",
            "valid/_classes.csv": "filename, beard, glasses, hat\nc.jpg, 0, 1, 0\n",
        },
    )
    assert found.format == "roboflow"
    assert labels(found) == {
        "train/a_jpg.rf.0a1b2c3d.jpg": {"beard": 1.0, "glasses": 1.0, "hat": 0.0},
        "train/b.jpg": {"beard": 0.0, "glasses": 0.0, "hat": 0.0},
        "valid/c.jpg": {"beard": 0.0, "glasses": 1.0, "hat": 0.0},
    }
    assert {row.split for row in found.manifest} == {"train", "val"}
    assert [r.labels["source_name"] for r in found.manifest if "source_name" in r.labels] == ["a.jpg"]
    assert {row.outcome for row in found.manifest} == {"ok"}


def test_exactly_one_true_in_every_line_is_a_class(tmp_path: Path) -> None:
    """Then the columns are one class; a picture that nobody looked at (``Unlabeled``) has none."""
    found = imported(
        tmp_path,
        {"_classes.csv": "filename,happy,sad,Unlabeled\na.jpg,1,0,0\nb.jpg,0,1,0\nc.jpg,0,0,1\n"},
    )
    assert labels(found) == {"a.jpg": {"class": "happy"}, "b.jpg": {"class": "sad"}, "c.jpg": {}}
    assert found.problems["missing_label"] == 1


def test_a_picture_that_nobody_looked_at_has_no_labels(tmp_path: Path) -> None:
    """The 0 of an unlabelled picture does not say that the label is false."""
    text = "filename,beard,hat,unlabeled\na.jpg,1,1,0\nb.jpg,0,0,1\n"
    assert labels(imported(tmp_path, {"train/_classes.csv": text})) == {
        "train/a.jpg": {"beard": 1.0, "hat": 1.0},
        "train/b.jpg": {},
    }


@pytest.mark.parametrize(
    ("text", "classes"),
    [
        ("image_id,healthy,rust,scab\na.jpg,1,0,0\nb.jpg,0,0,1\n", ["healthy", "scab"]),
        (
            "image,yes_mask,no_mask,split\na.jpg,1.0,0.0,train\nb.jpg,0.0,1.0,test\n",
            ["yes_mask", "no_mask"],
        ),
        ("path,subject,smile,neutral\na.jpg,Ann,true,false\nb.jpg,Bob,False,TRUE\n", ["smile", "neutral"]),
        ("file;a;b\na.jpg;0;1\nb.jpg;1;0\n".replace(";", ","), ["b", "a"]),
        ("filename,quality,old,young\na.jpg,0.7,1,0\nb.jpg,0.2,0,1\n", ["old", "young"]),
    ],
)
def test_other_tables_are_classes_where_the_user_says_so(
    text: str, classes: list[str], tmp_path: Path
) -> None:
    """Of other tables nobody knows: their columns are labels, and one class with ``one_hot=class``."""
    found = imported(tmp_path, {"labels.csv": text})
    assert all("class" not in row.labels for row in found.manifest)
    told = labels(import_labels(tmp_path, "csv:one_hot=class"))
    assert [told[name]["class"] for name in ("a.jpg", "b.jpg")] == classes


def test_several_true_where_one_class_was_said(tmp_path: Path) -> None:
    """An error with the file, the line, the classes, and what else can be said."""
    text = "filename,beard,hat\na.jpg,1,0\nb.jpg,1,1\n"
    with pytest.raises(
        LabelFileError, match=r"l.csv, line 3: is of 2 classes, beard, hat; .*one_hot=labels"
    ):
        imported(tmp_path, {"l.csv": text}, "csv:one_hot=class")
    found = imported(tmp_path / "as_labels", {"_classes.csv": "filename,b,h\na.jpg,1,0\nb.jpg,0,1\n"})
    assert {row.labels.get("class") for row in found.manifest} == {"b", "h"}
    told = labels(import_labels(tmp_path / "as_labels", "csv:one_hot=labels"))
    assert told["a.jpg"] == {"b": 1.0, "h": 0.0}
