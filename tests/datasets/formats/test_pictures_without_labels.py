"""Pictures that no label names: left out and counted, or without a face where the user says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import test_layouts as layouts
from label_sets import put
from typer.testing import CliRunner

from lineament.cli.main import app
from lineament.datasets.importing.labels import import_labels, offer
from lineament.errors import ConfigError, LabelFileError

Make = layouts.Make
SETS: dict[str, Make] = {
    "coco": lambda f: (put(f, "a.jpg"), layouts.write(f, "coco.json", layouts.coco())),
    "voc": lambda f: (put(f, "a.jpg"), layouts.write(f, "a.xml", layouts.voc())),
    "labelme": lambda f: (
        put(f, "a.jpg"),
        layouts.write(
            f,
            "a.json",
            {
                "shapes": [{"label": "face", "points": [[10, 6], [30, 18]], "shape_type": "rectangle"}],
                "imagePath": "a.jpg",
            },
        ),
    ),
    "csv": lambda f: (put(f, "a.jpg"), layouts.write(f, "l.csv", "path,x1,y1,x2,y2\na.jpg,10,6,30,18\n")),
    "yolo": lambda f: (
        put(f, "pics/a.jpg"),
        layouts.write(f, "pics/a.txt", layouts.LINE),
        layouts.write(f, "train.txt", "pics/a.jpg\n"),
        layouts.write(f, "data.yaml", "train: train.txt\nnames: [face]\n"),
    ),
    "roboflow": lambda f: (
        put(f, "train/a.jpg"),
        layouts.write(f, "train/_annotations.coco.json", layouts.coco()),
    ),
    "wider": layouts.wider_of_kaggle,
    "retinaface": layouts.retinaface,
    "cvat": layouts.cvat_xml,
    "via": layouts.via,
    "createml": layouts.createml,
    "supervisely": layouts.supervisely,
    "datumaro": layouts.datumaro,
}


@pytest.mark.parametrize("format", SETS)
def test_they_are_empty_where_the_user_says_so(format: str, tmp_path: Path) -> None:
    """In every format of boxes alike: without a word they are left out, counted, and the option that takes
    them is offered; with ``empty=true`` each is a picture without a face, of the split of its folder."""
    SETS[format](tmp_path)
    put(tmp_path, "more/other.jpg", 7)
    put(tmp_path, "valid/background.jpg", 8)
    found = import_labels(tmp_path)
    assert found.format == format
    assert found.problems["picture_without_labels"] == 2
    assert [row.outcome for row in found.manifest] == ["ok"]
    assert offer(found) == f"{format}:empty=true"
    taken = import_labels(tmp_path, offer(found))
    rows = {row.path: row for row in taken.manifest}
    assert [rows[path].outcome for path in ("more/other.jpg", "valid/background.jpg")] == ["no_face"] * 2
    assert rows["valid/background.jpg"].split == "val"
    assert len(rows) == 3 and taken.assumed == 2
    assert not taken.problems["picture_without_labels"] and offer(taken) is None
    assert taken.manifest.steps[0]["format"] == f"{format}:empty=true"


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("b.json", "{}"),
        ("b.json", "not JSON"),
        ("b.xml", "<annotation><filename>b.jpg</filename>"),
        ("labels/b.txt", "what\n"),
        ("b.jpg.json", '{"objects": 3}'),
        ("b.csv", "1,2\n"),
    ],
)
def test_a_label_that_was_not_understood_makes_no_empty_picture(
    label: str, text: str, tmp_path: Path
) -> None:
    """A picture with a label file of its own name has a label, whatever is wrong with it: it is refused."""
    put(tmp_path, "a.jpg")
    layouts.write(tmp_path, "coco.json", layouts.coco())
    put(tmp_path, "b.jpg", 1)
    layouts.write(tmp_path, label, text)
    found = import_labels(tmp_path, "coco:empty=true")
    outcomes = {row.path: row.outcome for row in found.manifest}
    assert outcomes == {"a.jpg": "ok", "b.jpg": "refused"}
    (error,) = [row.error for row in found.manifest if row.error]
    assert label in error and found.assumed == 0


def test_a_picture_that_a_lost_label_may_mean_is_not_empty(tmp_path: Path) -> None:
    """A label names ``x.jpg``, and two folders have one: nobody knows which holds the face, so neither
    passes for empty."""
    put(tmp_path, "a.jpg")
    layouts.write(tmp_path, "one.json", layouts.coco())
    document = layouts.coco("gone/x.jpg")
    document["images"].append({"id": 2, "file_name": "a.jpg", "width": 40, "height": 24})
    layouts.write(tmp_path, "one.json", document)
    put(tmp_path, "p/x.jpg", 1)
    put(tmp_path, "q/x.jpg", 2)
    put(tmp_path, "background.jpg", 3)
    found = import_labels(tmp_path, "coco:empty=true")
    assert {row.path: row.outcome for row in found.manifest} == {
        "a.jpg": "no_face",
        "p/x.jpg": "refused",
        "q/x.jpg": "refused",
        "background.jpg": "no_face",
    }


def test_yolo_takes_them_for_empty_unless_told_otherwise(tmp_path: Path) -> None:
    """A picture without a label file holds no face in YOLO, and how many do is told; ``empty=false`` says
    that nobody looked at them, also for an export of Roboflow."""
    layouts.yolo_yaml(tmp_path, "train: train/images\nval: valid/images\nnames: [face]\n")
    put(tmp_path, "train/images/c.jpg", 5)
    found = import_labels(tmp_path)
    assert (found.assumed, found.problems["picture_without_labels"]) == (1, 0)
    told = import_labels(tmp_path, "yolo:empty=false")
    assert (told.assumed, told.problems["picture_without_labels"]) == (0, 1)
    assert offer(told) == "yolo:empty=true"
    (tmp_path / "README.roboflow.txt").write_text("faces")
    assert import_labels(tmp_path).assumed == 1
    assert import_labels(tmp_path, "roboflow:empty=false").problems["picture_without_labels"] == 1


def test_labels_without_boxes_do_not_tell_of_empty_pictures(tmp_path: Path) -> None:
    """A table of ages says nothing of where faces are: ``empty=true`` is refused by name there, and is not
    offered."""
    put(tmp_path, "a.jpg")
    put(tmp_path, "b.jpg", 1)
    layouts.write(tmp_path, "l.csv", "path,age\na.jpg,31\n")
    assert offer(import_labels(tmp_path)) is None
    with pytest.raises(ConfigError, match=r"empty=true .* have no boxes"):
        import_labels(tmp_path, "csv:empty=true")


def test_no_label_at_all_is_no_set(tmp_path: Path) -> None:
    """The word is about pictures beside labelled ones: a folder without labels is an error as ever."""
    put(tmp_path, "a.jpg")
    with pytest.raises(LabelFileError, match=r"nothing labelled for labelme; looked for a \.json beside"):
        import_labels(tmp_path, "labelme:empty=true")


def test_the_command_offers_exactly_the_option(tmp_path: Path) -> None:
    """What the warning prints works when it is pasted, and the JSON holds it too."""
    SETS["labelme"](tmp_path)
    put(tmp_path, "b.jpg", 1)
    said = CliRunner().invoke(app, ["dataset", "import", str(tmp_path), "--json", "-"])
    option = json.loads(said.stdout.splitlines()[0])["if_they_hold_no_face"]
    assert option == "--format labelme:empty=true"
    assert f"if they hold no face: {option}" in said.output
    again = CliRunner().invoke(
        app, ["dataset", "import", str(tmp_path), *option.split(), "--replace", "--strict"]
    )
    assert again.exit_code == 0, again.output
    assert "of those without, no label says so of 1" in again.output
