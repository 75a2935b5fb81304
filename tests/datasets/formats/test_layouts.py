"""Data sets as tools, services and machines leave them are read, or refused by name."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType

import pytest
from label_sets import put

from lineament.datasets.importing.labels import Imported, import_labels, summary
from lineament.datasets.opening import open_dataset
from lineament.errors import LabelFileError, LineamentError, UsageError

LINE = "0 0.5 0.5 0.5 0.5\n"
BOX = (10.0, 6.0, 30.0, 18.0)
Make = Callable[[Path], object]


def write(folder: Path, name: str, text: str | bytes | dict | list) -> None:
    """A file, and the folders it needs; what is no text is written as JSON."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(text, bytes):
        path.write_bytes(text)
    else:
        path.write_text(text if isinstance(text, str) else json.dumps(text), encoding="utf-8")


def pairs(folder: Path, *places: str, text: str = LINE) -> None:
    """Pictures and label files: ``PICTURE|LABELS``."""
    for number, place in enumerate(places):
        picture, label = place.split("|")
        put(folder, picture, number)
        write(folder, label, text)


def coco(name: str = "a.jpg", **fields: object) -> dict:
    """One picture with one face; ``fields`` replace those of the document."""
    return {
        "images": [{"id": 1, "file_name": name, "width": 40, "height": 24}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [10, 6, 20, 12]}],
        "categories": [{"id": 1, "name": "face"}],
        **fields,
    }


def voc(filename: str = "a.jpg", extra: str = "") -> str:
    """One face of a picture, counted from 1 as Pascal VOC does."""
    return (
        f"<annotation><filename>{filename}</filename>{extra}<size><width>40</width><height>24</height></size>"
        "<object><name>face</name><bndbox><xmin>11</xmin><ymin>7</ymin><xmax>30</xmax><ymax>18</ymax></bndbox>"
        "</object></annotation>"
    )


def yolo_yaml(folder: Path, yaml: str) -> None:
    """Two splits with a picture each, and a data.yaml."""
    pairs(folder, "train/images/a.jpg|train/labels/a.txt", "valid/images/b.jpg|valid/labels/b.txt")
    write(folder, "data.yaml", yaml)


def cvat_darknet(folder: Path) -> None:
    pairs(folder, "obj_train_data/a.jpg|obj_train_data/a.txt", "obj_train_data/b.jpg|obj_train_data/b.txt")
    write(
        folder,
        "obj.data",
        "classes = 1\ntrain = data/train.txt\nnames = data/obj.names\nbackup = backup/\n",
    )
    write(folder, "obj.names", "face\n")
    write(folder, "train.txt", "data/obj_train_data/a.jpg\ndata/obj_train_data/b.jpg\n")


def cvat_xml(folder: Path) -> None:
    put(folder, "images/a.jpg")
    write(
        folder,
        "annotations.xml",
        '<?xml version="1.0" encoding="utf-8"?><annotations><version>1.1</version><meta/><image id="0" '
        'name="a.jpg" width="40" height="24" subset="Train"><box label="face" xtl="10" ytl="6" xbr="30" '
        'ybr="18" occluded="0"><attribute name="age">31</attribute></box></image></annotations>',
    )


def via(folder: Path) -> None:
    put(folder, "a.jpg")
    region = {
        "shape_attributes": {"name": "rect", "x": 10, "y": 6, "width": 20, "height": 12},
        "region_attributes": {"name": "face"},
    }
    entry = {"filename": "a.jpg", "size": 99, "regions": [region], "file_attributes": {}}
    write(folder, "via_project.json", {"_via_settings": {}, "_via_img_metadata": {"a.jpg99": entry}})


def via_version_1(folder: Path) -> None:
    put(folder, "a.jpg")
    region = {"shape_attributes": {"name": "rect", "x": 10, "y": 6, "width": 20, "height": 12}}
    write(folder, "via_region_data.json", {"a.jpg99": {"filename": "a.jpg", "regions": {"0": region}}})


def createml(folder: Path) -> None:
    put(folder, "train/a.jpg")
    place = {"x": 20, "y": 12, "width": 20, "height": 12}
    entry = {"image": "a.jpg", "annotations": [{"label": "face", "coordinates": place}]}
    write(folder, "train/_annotations.createml.json", [entry])


def supervisely(folder: Path) -> None:
    put(folder, "train/img/a.jpg")
    write(folder, "meta.json", {"classes": [{"title": "face", "shape": "rectangle"}], "tags": []})
    shape = {
        "classTitle": "face",
        "geometryType": "rectangle",
        "tags": [],
        "points": {"exterior": [[10, 6], [30, 18]], "interior": []},
    }
    write(folder, "train/ann/a.jpg.json", {"size": {"height": 24, "width": 40}, "objects": [shape]})


def datumaro(folder: Path) -> None:
    put(folder, "images/train/a.jpg")
    item = {
        "id": "a",
        "annotations": [{"type": "bbox", "bbox": [10, 6, 20, 12], "label_id": 0, "attributes": {}}],
        "image": {"path": "a.jpg", "size": [24, 40]},
    }
    categories = {"label": {"labels": [{"name": "face"}]}}
    write(folder, "annotations/train.json", {"info": {}, "categories": categories, "items": [item]})


def retinaface(folder: Path) -> None:
    put(folder, "train/images/0--Parade/a.jpg")
    numbers = "10 6 20 12 14 9 0.0 24 9 0.0 19 12 0.0 15 15 0.0 23 15 0.0 0.82"
    write(folder, "train/label.txt", f"# 0--Parade/a.jpg\n{numbers}\n")


def wider_of_kaggle(folder: Path) -> None:
    put(folder, "WIDER_train/WIDER_train/images/0--Parade/a.jpg")
    text = "0--Parade/a.jpg\r\n1\r\n10 6 20 12 0 0 0 0 0 0 \r\n"
    write(folder, "wider_face_annotations/wider_face_split/wider_face_train_bbx_gt.txt", text)


def label_studio_large(folder: Path) -> None:
    images, annotations = [], []
    for number in range(30):
        put(folder, f"images/{number:08x}-photo.jpg", number)
        # Longer than any beginning of a file that one could look at.
        images.append({"id": number, "file_name": f"images\\{number:08x}-photo.jpg", "note": "x" * 20_000})
        annotations.append({"id": number, "image_id": number, "category_id": 0, "bbox": [10, 6, 20, 12]})
    write(
        folder,
        "result.json",
        {"images": images, "categories": [{"id": 0, "name": "face"}], "annotations": annotations},
    )


def list_files(folder: Path) -> None:
    pairs(folder, "pics/a.jpg|pics/a.txt", "pics/b.jpg|pics/b.txt")
    write(folder, "train.txt", "/home/me/darknet/data/faces/pics/a.jpg\n")
    write(folder, "val.txt", "C:\\faces\\pics\\b.jpg\r\n")
    write(folder, "data.yaml", "train: train.txt\nval: [val.txt]\nnames: {0: face}\n")


def one(name: str, text: object) -> Make:
    """A label file and the picture a.jpg beside it."""

    def make(folder: Path) -> None:
        put(folder, "a.jpg")
        write(folder, name, text)  # type: ignore[arg-type]

    return make


def two(*places: str, **files: str) -> Make:
    """YOLO pairs, and further files by name (``__`` is a dot)."""

    def make(folder: Path) -> None:
        pairs(folder, *places)
        for name, text in files.items():
            write(folder, name.replace("__", "."), text)

    return make


def yaml(text: str) -> Make:
    return lambda folder: yolo_yaml(folder, text)


SPLIT_UP = {"train": 1, "val": 1}
READ: dict[str, tuple[Make, str, int, dict[str, int]]] = {
    "Label Studio, COCO, long": (label_studio_large, "coco", 30, {}),
    "Label Studio, YOLO": (
        two("images/a.jpg|labels/a.txt", classes__txt="face\n", notes__json='{"categories": []}'),
        "yolo",
        1,
        {},
    ),
    "labelImg, labels elsewhere": (two("images/a.jpg|labels/a.txt"), "yolo", 1, {}),
    "labelImg, labels below the pictures": (two("a.jpg|boxes/a.txt", "b.jpg|boxes/b.txt"), "yolo", 2, {}),
    "labelImg, folders of any name": (two("photos_2024/a.jpg|my_yolo_txt/a.txt"), "yolo", 1, {}),
    "labelImg, predefined_classes": (two("a.jpg|a.txt", predefined_classes__txt="face\r\n"), "yolo", 1, {}),
    "YOLO without yaml, splits outside": (
        two("train/images/a.jpg|train/labels/a.txt", "valid/images/a.jpg|valid/labels/a.txt"),
        "yolo",
        2,
        SPLIT_UP,
    ),
    "YOLO without yaml, splits inside": (
        two("images/train2017/a.jpg|labels/train2017/a.txt", "images/val2017/a.jpg|labels/val2017/a.txt"),
        "yolo",
        2,
        SPLIT_UP,
    ),
    "YOLO without yaml, splits in names": (
        two("images_train/a.jpg|labels_train/a.txt", "images_val/a.jpg|labels_val/a.txt"),
        "yolo",
        2,
        SPLIT_UP,
    ),
    "YOLO with upper-case suffixes": (two("images/A.JPG|labels/A.txt"), "yolo", 1, {}),
    "CVAT, YOLO 1.1": (cvat_darknet, "yolo", 2, {"train": 2}),
    "CVAT for images 1.1": (cvat_xml, "cvat", 1, {"train": 1}),
    "CVAT, Datumaro": (datumaro, "datumaro", 1, {"train": 1}),
    "yaml of Colab": (
        yaml("train: /content/Faces-2/train/images\nval: /content/Faces-2/valid/images\nnames: [face]\n"),
        "yolo",
        2,
        SPLIT_UP,
    ),
    "yaml of Kaggle, absolute path": (
        yaml("path: /kaggle/input/faces\ntrain: train/images\nval: valid/images\nnames: {0: face}\n"),
        "yolo",
        2,
        SPLIT_UP,
    ),
    "yaml of Windows": (
        yaml("train: C:\\Users\\me\\faces\\train\\images\nval: D:\\f\\valid\\images\nnames: [face]\n"),
        "yolo",
        2,
        SPLIT_UP,
    ),
    "yaml leading up": (
        yaml("path: ../datasets/faces\ntrain: ../train/images\nval: ../valid/images\nnames: [face]\n"),
        "yolo",
        2,
        SPLIT_UP,
    ),
    "yaml whose names are a file": (
        lambda f: (
            yolo_yaml(f, "train: train/images\nval: valid/images\nnames: obj.names\n"),
            write(f, "obj.names", "face\n"),
        ),
        "yolo",
        2,
        SPLIT_UP,
    ),
    "yaml without names": (yaml("train: train/images\nval: valid/images\nnc: 1\n"), "yolo", 2, SPLIT_UP),
    "yaml with a byte order mark": (
        yaml("\ufefftrain: train/images\r\nval: valid/images\r\nnames: [face]\r\n"),
        "yolo",
        2,
        SPLIT_UP,
    ),
    "yaml without paths": (yaml("nc: 1\nnames: ['face']\n"), "yolo", 2, SPLIT_UP),
    "yaml with lists of pictures": (list_files, "yolo", 2, SPLIT_UP),
    "yaml in a folder of its own": (
        lambda f: (
            pairs(f, "images/train/a.jpg|labels/train/a.txt", "images/val/b.jpg|labels/val/b.txt"),
            write(
                f, "config/faces.yaml", "path: ../\ntrain: images/train\nval: images/val\nnames: [face]\n"
            ),
        ),
        "yolo",
        2,
        SPLIT_UP,
    ),
    "CVAT, Pascal VOC": (
        lambda f: (
            put(f, "JPEGImages/a.jpg"),
            write(f, "Annotations/a.xml", voc()),
            write(f, "ImageSets/Main/default.txt", "a\r\n"),
            write(f, "labelmap.txt", "# label:color_rgb:parts:actions\nface:::\n"),
        ),
        "voc",
        1,
        {},
    ),
    "labels named after the whole file": (two("a.jpg|a.jpg.txt"), "yolo", 1, {}),
    "Roboflow, darknet": (
        two("train/a.jpg|train/a.txt", "valid/b.jpg|valid/b.txt", README__roboflow__txt="x"),
        "roboflow",
        2,
        SPLIT_UP,
    ),
    "Roboflow, Pascal VOC": (
        lambda f: (
            put(f, "train/a.jpg"),
            write(f, "train/a.xml", voc()),
            write(f, "README.roboflow.txt", "x"),
        ),
        "roboflow",
        1,
        {"train": 1},
    ),
    "Supervisely": (supervisely, "supervisely", 1, {"train": 1}),
    "VGG VIA project": (via, "via", 1, {}),
    "VGG VIA 1": (via_version_1, "via", 1, {}),
    "CreateML": (createml, "createml", 1, {"train": 1}),
    "RetinaFace": (retinaface, "retinaface", 1, {"train": 1}),
    "WIDER as on Kaggle": (wider_of_kaggle, "wider", 1, {"train": 1}),
    "COCO of another machine": (one("c.json", coco("/home/me/faces/a.jpg")), "coco", 1, {}),
    "COCO of Windows": (one("c.json", coco("C:\\faces\\a.jpg")), "coco", 1, {}),
    "COCO of a server": (one("c.json", coco("https://x.org/data/a.jpg?token=1")), "coco", 1, {}),
    "COCO with images/ too much": (one("c.json", coco("images/a.jpg")), "coco", 1, {}),
    "COCO without its images/": (
        lambda f: (put(f, "data/images/a.jpg"), write(f, "labels/c.json", coco())),
        "coco",
        1,
        {},
    ),
    "COCO with quoted spaces": (
        lambda f: (put(f, "images/my photo.jpg"), write(f, "c.json", coco("images/my%20photo.jpg"))),
        "coco",
        1,
        {},
    ),
    "COCO of local files of Label Studio": (
        one("c.json", coco("/data/local-files/?d=faces/a.jpg")),
        "coco",
        1,
        {},
    ),
    "COCO, uploaded names": (one("c.json", coco("1a2b3c4d-a.jpg")), "coco", 1, {}),
    "COCO, another suffix": (one("c.json", coco("a.png")), "coco", 1, {}),
    "COCO, deep folders": (
        lambda f: (put(f, "x/y/pics/a.jpg"), write(f, "x/y/z/labels/c.json", coco())),
        "coco",
        1,
        {},
    ),
    "COCO of CVAT": (
        lambda f: (
            put(f, "images/Train/a.jpg"),
            write(f, "annotations/instances_Train.json", coco("a.jpg", licenses=[{"id": 0, "name": ""}])),
        ),
        "coco",
        1,
        {"train": 1},
    ),
    "VOC without suffix": (one("a.xml", voc("a")), "voc", 1, {}),
    "VOC with a wrong suffix": (one("a.xml", voc("a.png")), "voc", 1, {}),
    "VOC renamed": (one("a.xml", voc("IMG_0815.jpg")), "voc", 1, {}),
    "VOC, no name": (one("a.xml", voc("")), "voc", 1, {}),
    "VOC, absolute name": (one("a.xml", voc("/home/me/a.jpg")), "voc", 1, {}),
    "VOC, sister folders": (
        lambda f: (put(f, "images/a.jpg"), write(f, "annotations/xmls/a.xml", voc("old.jpg"))),
        "voc",
        1,
        {},
    ),
    "VOC in UTF-16": (one("a.xml", ("<?xml version='1.0'?>" + voc()).encode("utf-16")), "voc", 1, {}),
    "VOC that says UTF-16 and is not": (
        one("a.xml", '<?xml version="1.0" encoding="utf-16"?>' + voc()),
        "voc",
        1,
        {},
    ),
    "VOC with a byte order mark": (one("a.xml", "\ufeff" + voc()), "voc", 1, {}),
    "VOC in cp1252": (
        one(
            "a.xml",
            ('<?xml version="1.0" encoding="windows-1252"?>' + voc(extra="<o>é</o>")).encode("cp1252"),
        ),
        "voc",
        1,
        {},
    ),
    "an archive with a README": (
        lambda f: (pairs(f / "faces-main", "images/a.jpg|labels/a.txt"), write(f, "README.md", "hello")),
        "yolo",
        1,
        {},
    ),
}


@pytest.mark.parametrize("name", READ)
def test_labels_of_many_tools_are_read(name: str, tmp_path: Path) -> None:
    """Whatever tool, machine or habit made the layout, the face lies where it was drawn, in its split."""
    make, format, faces, splits = READ[name]
    make(tmp_path)
    found = import_labels(tmp_path)
    told = summary(found)
    assert (told["format"], told["pictures"], told["faces"]) == (format, faces, faces)
    assert (told["splits"], told["subjects"]) == (splits, 0)
    assert all(row.box == pytest.approx(BOX) for row in found.manifest)
    assert open_dataset(tmp_path).digest() == found.manifest.digest()


def people(*paths: str, **files: str) -> Make:
    """Pictures, and further files by name (``__`` is a dot)."""

    def make(folder: Path) -> None:
        for number, path in enumerate(paths):
            put(folder, path, number)
        for name, text in files.items():
            write(folder, name.replace("__", "."), text)

    return make


REFUSED: dict[str, tuple[Make, str]] = {
    "Labelbox": (
        people("images/a.jpg", export__ndjson='{"data_row": {"id": "x"}}\n'),
        r"export\.ndjson \(looks like Labelbox",
    ),
    "Label Studio's own JSON": (
        people("images/a.jpg", project__json='[{"id": 1, "data": {}, "annotations": []}]'),
        "Label Studio's own JSON",
    ),
    "KITTI": (
        people("images/a.jpg", a__txt="Car 0.0 0 -1.5 10 6 30 18 1.5 1.6 3.6 1 2 3 0\n"),
        "looks like KITTI",
    ),
    "DOTA": (people("images/a.jpg", a__txt="10 6 30 6 30 18 10 18 face 0\n"), "looks like DOTA"),
    "dlib": (people("images/a.jpg", faces__xml="<dataset><images/></dataset>"), "dlib's imglab"),
    "TFRecord": (people("train/a.jpg", train__tfrecord="x"), "TFRecord"),
    "OpenImages": (people("train/a.jpg", b__tsv="ImageID,XMin,XMax,YMin,YMax\n"), "OpenImages"),
    "keras-yolo3": (people("train/a.jpg", list__txt="train/a.jpg 10,6,30,18,0\n"), "paths and boxes"),
    "broken JSON": (people("ann/a.jpg", labels__json='{"images": [\n'), "not JSON: .*line 2"),
    "text of nobody": (people("ann/a.jpg", "bob/b.jpg", notes__txt="hello\n"), "notes.txt"),
    "labels of pictures that are gone": (
        people("ann/b.jpg", labels__txt="0 0.5 0.5 0.5 0.5\n"),
        "YOLO of pictures that are not here",
    ),
    "CVAT for video": (
        people("images/a.jpg", annotations__xml="<annotations><track id='0'/></annotations>"),
        "CVAT for video holds tracks",
    ),
    "yaml that is broken": (yaml('train: x\nval: "C:\\Users\\me"\n'), r"data\.yaml, line 2: not YAML"),
    "yaml that leads nowhere": (
        yaml("train: /content/gone/imgs\nval: /content/gone/pics\nnames: [face]\n"),
        "none of its paths is here.*train: /content/gone/imgs",
    ),
    "yaml of a flat copy": (
        lambda f: (
            pairs(f, "images/a.jpg|labels/a.txt"),
            write(f, "data.yaml", "train: ../train/images\nval: ../valid/images\nnames: [face]\n"),
        ),
        "none of its paths is here",
    ),
    "yaml and not one label": (
        people("train/images/a.jpg", data__yaml="train: train/images\nnames: [face]\n"),
        "none of its 1 picture has a label file",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_label_files_left_unread_are_named_and_refuse_the_guess(name: str, tmp_path: Path) -> None:
    """Where label files are that nothing reads, no folder becomes a person; the message names the file."""
    make, match = REFUSED[name]
    make(tmp_path)
    with pytest.raises(LabelFileError, match=match):
        import_labels(tmp_path)
    with pytest.raises(LabelFileError, match=match):
        open_dataset(tmp_path)


PEOPLE: dict[str, tuple[Make, set, dict[str, int]]] = {
    "plain": (people("Ann/a.jpg", "Bob/b.jpg"), {("Ann", None), ("Bob", None)}, {}),
    "loose test pictures": (
        people("train/ok/a.jpg", "train/nok/b.jpg", "test/c.jpg"),
        {("ok", "train"), ("nok", "train")},
        {"picture_without_labels": 1},
    ),
    "splits beside other folders": (
        people("train/ok/a.jpg", "test/nok/b.jpg", "extra/c.jpg", "docs/x/d.jpg"),
        {("ok", "train"), ("nok", "test")},
        {"picture_without_labels": 2},
    ),
    "splits by other names": (
        people("Training/ok/a.jpg", "dev/ok/b.jpg", "Test_set/ok/c.jpg", "trainval/ok/d.jpg"),
        {("ok", "train"), ("ok", "val"), ("ok", "test")},
        {},
    ),
    "splits with years": (
        people("train2017/ok/a.jpg", "val2017/ok/b.jpg"),
        {("ok", "train"), ("ok", "val")},
        {},
    ),
    "images around the people": (
        people("images/Ann/a.jpg", "images/Bob/b.jpg"),
        {("Ann", None), ("Bob", None)},
        {},
    ),
    "images inside the splits": (
        people("train/images/Ann/a.jpg", "valid/images/Ann/b.jpg"),
        {("Ann", "train"), ("Ann", "val")},
        {},
    ),
    "macOS": (
        people("train/Ann/a.jpg", "test/Bob/b.jpg", "__MACOSX/train/Ann/x.jpg"),
        {("Ann", "train"), ("Bob", "test")},
        {},
    ),
    "a folder around, from macOS": (
        people("faces/Ann/a.jpg", "faces/Bob/b.jpg", "__MACOSX/faces/Ann/._a.jpg"),
        {("Ann", None), ("Bob", None)},
        {},
    ),
    "code beside": (
        people("faces/Ann/a.jpg", "faces/Bob/b.jpg", **{"code/train__py": "x", "weights/face__onnx": "x"}),
        {("Ann", None), ("Bob", None)},
        {},
    ),
    "documents beside": (
        people("Ann/a.jpg", "Bob/b.jpg", README__txt="x", LICENSE__txt="x", pairs__txt="x"),
        {("Ann", None), ("Bob", None)},
        {},
    ),
}


@pytest.mark.parametrize("name", PEOPLE)
def test_folders_of_a_layout_never_become_people(name: str, tmp_path: Path) -> None:
    """Splits, ``images`` and what a system adds are no people; what lies beside the splits is counted."""
    make, expected, problems = PEOPLE[name]
    make(tmp_path)
    found = import_labels(tmp_path)
    assert {(row.subject, row.split) for row in found.manifest} == expected
    assert found.problems.counts() == problems
    assert {(row.subject, row.split) for row in open_dataset(tmp_path)} == expected


@pytest.mark.parametrize(
    "names",
    [
        ["train", "val"],
        ["images", "labels"],
        ["JPEGImages", "Annotations"],
        ["obj_train_data"],
        ["training_set", "test-set"],
        ["img", "Validation"],
        ["WIDER_images", "eval"],
    ],
)
def test_nothing_but_a_layout_is_no_set_of_people(names: list[str], tmp_path: Path) -> None:
    """Pictures in folders of a layout, with neither labels nor people, are refused by name."""
    if names[0].startswith("WIDER"):
        names[0] = "images"
    for number, name in enumerate(names):
        put(tmp_path, f"{name}/{name}_0001.jpg", number)
    with pytest.raises(UsageError, match="pictures, but no labels and no folder a person"):
        import_labels(tmp_path)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (json.dumps(coco()), None),
        (json.dumps(coco())[:-9], "not JSON"),
        (json.dumps({"pictures": []}), "'images' is not a list"),
        (json.dumps(coco(images=[{"id": None, "file_name": "a.jpg"}])), "entry 0 of 'images' lacks its id"),
        (json.dumps(coco(images=[{"id": 1}])), "lacks its id or file_name"),
        ("[]", "no JSON object"),
    ],
)
@pytest.mark.parametrize("given", ["folder", "file"])
def test_a_format_that_the_user_names_is_read_or_says_what_is_wrong(
    text: str, match: str | None, given: str, tmp_path: Path
) -> None:
    """``--format coco`` takes the one JSON file whatever its name, and its error names the fault in it."""
    put(tmp_path, "a.jpg")
    write(tmp_path, "export (1).final.json", text)
    source = tmp_path if given == "folder" else tmp_path / "export (1).final.json"
    if match is None:
        assert summary(import_labels(source, "coco"))["faces"] == 1
        return
    with pytest.raises(LabelFileError, match=match):
        import_labels(source, "coco")


def test_what_our_own_steps_wrote_is_no_label_file(tmp_path: Path) -> None:
    """A manifest under any name, a review's log and its proposals leave a folder of people what it is."""
    people("Ann/a.jpg", "Bob/b.jpg", proposals__jsonl="{}\n", review__jsonl="{}\n")(tmp_path)
    import_labels(tmp_path).manifest.save(tmp_path / "split one.jsonl")
    assert {row.subject for row in open_dataset(tmp_path)} == {"Ann", "Bob"}


def test_people_that_the_user_names_are_read_beside_label_files(tmp_path: Path) -> None:
    """``--format imagefolder`` is not vetoed; the label files that it does not read are counted."""
    people("Ann/a.jpg", "Bob/b.jpg", notes__txt="hello\n")(tmp_path)
    found = import_labels(tmp_path, "imagefolder")
    assert {row.subject for row in found.manifest} == {"Ann", "Bob"}
    assert found.problems.counts() == {"label_file_not_read": 1}


BOTH_SPLITS: dict[str, Make] = {
    "COCO": lambda f: (
        write(f, "labels/train.json", coco()),
        write(f, "labels/instances_val2017.json", coco()),
    ),
    "CreateML": lambda f: [
        write(
            f,
            f"{split}/_annotations.createml.json",
            [
                {
                    "image": "/Users/me/a.jpg",
                    "annotations": [
                        {"label": "face", "coordinates": {"x": 20, "y": 12, "width": 20, "height": 12}}
                    ],
                }
            ],
        )
        for split in ("train", "valid")
    ],
    "WIDER": lambda f: [
        write(f, f"lists/wider_face_{split}_bbx_gt.txt", "a.jpg\n1\n10 6 20 12 0 0 0 0 0 0\n")
        for split in ("train", "val")
    ],
    "yaml that spells val otherwise": lambda f: (
        write(f, "data.yaml", "train: ../train/*.jpg\nval: ../validation\nnames: [face]\n"),
        write(f, "data/train/a.txt", LINE),
        write(f, "data/val/a.txt", LINE),
        [(f / f"data/{split}").rename(f / split) for split in ("train", "val")],
    ),
}


@pytest.mark.parametrize("name", BOTH_SPLITS)
def test_pictures_of_one_name_in_two_splits_are_told_apart(name: str, tmp_path: Path) -> None:
    """Where train and val both have an a.jpg, the labels of each split find their own."""
    put(tmp_path, "data/train/a.jpg")
    put(tmp_path, "data/val/a.jpg", 1)
    BOTH_SPLITS[name](tmp_path)
    found = import_labels(tmp_path)
    assert summary(found)["faces"] == 2
    assert all(f"{row.split}/a.jpg" in row.path for row in found.manifest)


MISTAKEN: dict[str, Make] = {
    "another split": lambda f: (put(f, "val/a.jpg"), write(f, "c.json", coco("train/a.jpg"))),
    "another person": lambda f: (put(f, "bob/a.jpg"), write(f, "c.json", coco("ann/a.jpg"))),
    "two that it can be": lambda f: (
        put(f, "x/a.jpg"),
        put(f, "y/a.jpg", 1),
        write(f, "c.json", coco("/home/me/a.jpg")),
    ),
}


@pytest.mark.parametrize("name", MISTAKEN)
def test_a_picture_is_not_taken_for_another_of_its_name(name: str, tmp_path: Path) -> None:
    """A name that leads elsewhere finds only the one picture it can mean, never that of another folder."""
    MISTAKEN[name](tmp_path)
    with pytest.raises(LabelFileError, match="names no picture that is there"):
        import_labels(tmp_path)


def test_a_copied_xml_belongs_to_the_picture_of_its_own_name(tmp_path: Path) -> None:
    """Two XML files that name one picture are of two when each has a picture of its own name, counted."""
    for number, stem in enumerate("ab"):
        put(tmp_path, f"{stem}.jpg", number)
        write(tmp_path, f"{stem}.xml", voc("a.jpg"))
    found = import_labels(tmp_path)
    assert sorted(row.path for row in found.manifest) == ["a.jpg", "b.jpg"]
    assert found.problems.counts() == {"picture_found_beside": 1}


def test_class_names_come_in_any_encoding(tmp_path: Path) -> None:
    """A classes.txt of Windows keeps its umlauts; the assumed encoding is counted."""
    pairs(tmp_path, "a.jpg|a.txt")
    write(tmp_path, "classes.txt", "Männlich\r\n".encode("cp1252"))
    found = import_labels(tmp_path)
    assert [row.labels for row in found.manifest] == [{"class": "Männlich"}]
    assert found.problems.counts() == {"not_utf8": 1}


def imported(folder: Path, make: Make) -> Imported:
    make(folder)
    return import_labels(folder)


def test_a_split_that_is_not_here_is_counted(tmp_path: Path) -> None:
    """Roboflow's yaml always names a test folder; where there is none, the others are read."""
    found = imported(
        tmp_path,
        yaml("train: ../train/images\nval: ../valid/images\ntest: ../test/images\nnames: [face]\n"),
    )
    assert summary(found)["splits"] == SPLIT_UP
    assert found.problems.counts() == {"missing_folder": 1}


@pytest.mark.parametrize(
    "unit", ["x", "1 ", "a.jpg\n", "0 0.5 0.5 0.5 0.5 ", "<a>", "[", '{"a":', "..", "- "]
)
@pytest.mark.parametrize("suffix", [".txt", ".xml", ".json", ".csv", ".yaml"])
def test_guessing_goes_over_a_long_file_once(unit: str, suffix: str, tmp_path: Path) -> None:
    """Whatever a file holds, twice as much of it takes at most 2.5 times the lines of our code."""
    work = []
    for size in (10_000, 20_000):
        folder = tmp_path / str(size)
        put(folder, "images/a.jpg")
        write(folder, f"a{suffix}", unit * (size // len(unit)))
        work.append(lines_run(lambda folder=folder: import_labels(folder)))  # type: ignore[misc]
    assert work[0] > 100
    assert work[1] <= 2.5 * work[0]


def lines_run(call: Callable[[], object]) -> int:
    """How many lines of lineament a call runs, refused or not."""
    count = 0

    def trace(frame: FrameType, event: str, _: object) -> object:
        nonlocal count
        count += event == "line"
        return trace if "lineament" in frame.f_code.co_filename else None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        with suppress(LineamentError):
            call()
    finally:
        sys.settrace(before)
    return count
