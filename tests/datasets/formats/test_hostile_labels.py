"""Label files that are broken or hostile: a named error or a counted outcome, and nothing lost."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from label_sets import face_row, one, put

from lineament.datasets.exporting import export_labels
from lineament.datasets.importing.labels import Imported, import_labels
from lineament.datasets.opening import open_dataset
from lineament.errors import LabelFileError, LineamentError, UsageError
from lineament.io.manifest import Manifest


def coco(
    folder: Path, annotations: list, images: list | None = None, categories: list | None = None
) -> Imported:
    """Import a COCO file over one picture of 40 x 24."""
    put(folder, "a.jpg")
    if images is None:
        images = [{"id": 0, "file_name": "a.jpg", "width": 40, "height": 24}]
    data = {
        "images": images,
        "annotations": annotations,
        "categories": categories or [{"id": 0, "name": "face"}],
    }
    (folder / "coco.json").write_text(json.dumps(data))
    return import_labels(folder)


def box(bbox: object, **fields: object) -> dict:
    return {"id": 1, "image_id": 0, "category_id": 0, "bbox": bbox, **fields}


@pytest.mark.parametrize(
    ("bbox", "problem", "outcome"),
    [
        ([1, 2, 10, 10], None, "ok"),
        ([-5, 2, 10, 10], "box_over_edge", "ok"),
        ([30, 2, 20, 10], "box_over_edge", "ok"),
        ([50, 2, 10, 10], "box_outside", "refused"),
        ([-20, -20, 5, 5], "box_outside", "refused"),
        ([1, 2, 0, 10], "box_without_area", "refused"),
        ([1, 2, -4, 10], "box_without_area", "refused"),
        ([float("nan"), 2, 4, 10], "box_not_finite", "refused"),
        ([1, 2, float("inf"), 10], "box_not_finite", "refused"),
        ([1e308, 2, 1e308, 10], "box_not_finite", "refused"),
        ("1 2 3 4", "box_missing", "refused"),
        ([1, 2, 3], "box_missing", "refused"),
        ([True, 2, 3, 4], "box_missing", "refused"),
        ([10**400, 2, 3, 4], "box_not_finite", "refused"),
        (None, "box_missing", "refused"),
    ],
)
def test_a_bad_box_is_counted(bbox: object, problem: str | None, outcome: str, tmp_path: Path) -> None:
    """A box over the edge stays as it is; one that cannot be a face is left out, counted, and the picture
    is not passed off as one without faces."""
    found = coco(tmp_path, [box(bbox)])
    row = one(found.manifest)
    assert row.outcome == outcome
    assert found.problems.counts() == ({} if problem is None else {problem: 1}) | (
        {"no_usable_box": 1} if outcome == "refused" else {}
    )
    if problem == "box_over_edge":
        assert isinstance(bbox, list)
        assert row.box == (bbox[0], bbox[1], bbox[0] + bbox[2], bbox[1] + bbox[3])


def test_ids_from_0_are_ids(tmp_path: Path) -> None:
    """COCO files that number from 0 read like any other; we write from 1, categories keep theirs."""
    found = coco(tmp_path, [box([1, 2, 10, 10]) | {"id": 0}])
    assert one(found.manifest).box == (1, 2, 11, 12)
    export_labels(found.manifest, tmp_path / "out", "coco")
    written = json.loads((tmp_path / "out" / "coco.json").read_text())
    assert [written[k][0]["id"] for k in ("images", "annotations")] == [1, 1]
    assert written["categories"] == [{"id": 0, "name": "face"}]


def test_crowds_and_unknown_references_are_kept_or_counted(tmp_path: Path) -> None:
    """iscrowd becomes a label, an unknown class keeps its number as its name, an unknown picture counts."""
    found = coco(
        tmp_path,
        [
            box([1, 2, 10, 10], iscrowd=1),
            box([2, 2, 10, 10], category_id=7) | {"id": 2},
            box([3, 2, 10, 10], image_id=9) | {"id": 3},
            box([4, 2, 10, 10]) | {"id": 2},
        ],
    )
    assert sorted(str(row.labels) for row in found.manifest) == ["{'class': '7'}", "{'iscrowd': 1.0}", "{}"]
    assert found.problems.counts() == {"duplicate_id": 1, "unknown_class": 1, "unknown_picture": 1}


def test_an_id_that_means_two_pictures_is_refused(tmp_path: Path) -> None:
    """Nothing can tell which picture the faces belong to, so the file is not read at all."""
    images = [{"id": 0, "file_name": "a.jpg"}, {"id": 0, "file_name": "b.jpg"}]
    with pytest.raises(LabelFileError, match="two images have the id 0"):
        coco(tmp_path, [], images)


def test_missing_and_strayed_pictures_are_counted(tmp_path: Path) -> None:
    """A label file reaches no picture outside its folder, and says so of each it misses."""
    outside = tmp_path / "secret.jpg"
    put(tmp_path, "secret.jpg", 5)
    names = [
        "a.jpg",
        "gone.jpg",
        "../secret.jpg",
        str(outside),
        "x/../../secret.jpg",
        "",
        "a\0b",
        "n" * 5000,
    ]
    images = [{"id": n, "file_name": name} for n, name in enumerate(names)]
    found = coco(tmp_path / "in", [box([1, 2, 3, 4]), box([1, 2, 3, 4], image_id=1)], images)
    assert [row.path for row in found.manifest] == ["a.jpg"]
    counts = found.problems.counts()
    assert counts["picture_outside"] + counts["missing_picture"] == 7
    assert counts["face_of_missing_picture"] == 1


def test_a_picture_that_cannot_be_read_stays_as_a_refused_row(tmp_path: Path) -> None:
    """A corrupt or empty file is a row with its error; the other pictures go on."""
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "text.jpg").write_text("hello, this is no picture")
    images = [{"id": n, "file_name": name} for n, name in enumerate(["a.jpg", "empty.jpg", "text.jpg"])]
    found = coco(tmp_path, [box([1, 2, 3, 4], image_id=n) | {"id": n} for n in range(3)], images)
    errors = sorted((row.error or "").partition(":")[0] for row in found.manifest)
    assert errors == ["", "EmptyPicture", "UnsupportedFormat"]
    assert found.problems["refused_picture"] == 2


def test_pictures_without_labels_are_counted(tmp_path: Path) -> None:
    """A picture that the labels do not name is not silently left out."""
    put(tmp_path, "other/b.jpg", 1)
    assert coco(tmp_path, [box([1, 2, 3, 4])]).problems.counts() == {"picture_without_labels": 1}


def test_landmarks_are_taken_by_name(tmp_path: Path) -> None:
    """Five keypoints in another order are put in ours; other numbers of them are counted."""
    points = {
        "nose": (3, 4),
        "left_eye": (5, 3),
        "right_eye": (1, 3),
        "left_mouth": (5, 6),
        "right_mouth": (2, 6),
    }
    flat = [v for x, y in points.values() for v in (x, y, 2)]
    category = [{"id": 0, "name": "face", "keypoints": list(points)}]
    row = one(coco(tmp_path, [box([1, 2, 9, 9], keypoints=flat)], categories=category).manifest)
    assert row.landmarks == ((1, 3), (5, 3), (3, 4), (2, 6), (5, 6))
    found = coco(tmp_path, [box([1, 2, 9, 9], keypoints=flat * 3)], categories=category)
    assert one(found.manifest).landmarks is None
    assert found.problems.counts() == {"not_taken: keypoints that are not five": 1}


LAUGHS = (
    '<!DOCTYPE annotation [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><annotation><filename>&c;</filename></annotation>'
)
OUTSIDE = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotation><filename>&x;</filename></annotation>'
DEEP = "<annotation>" + "<a>" * 100_000


@pytest.mark.parametrize(
    "text", [LAUGHS, OUTSIDE, DEEP, "<annotation>", "", "\0", "<annotation><object/></annotation>"]
)
def test_broken_xml_refuses_its_picture_only(text: str, tmp_path: Path) -> None:
    """Entities, depth and truncation end in a refused picture; the next file is read."""
    put(tmp_path, "JPEGImages/a.jpg")
    put(tmp_path, "JPEGImages/b.jpg", 1)
    (tmp_path / "Annotations").mkdir()
    (tmp_path / "Annotations" / "a.xml").write_text(text)
    good = (
        "<annotation><filename>b.jpg</filename><object><name>x</name><bndbox><xmin>1</xmin><ymin>1</ymin>"
    )
    good += "<xmax>9</xmax><ymax>9</ymax></bndbox></object></annotation>"
    (tmp_path / "Annotations" / "b.xml").write_text(good)
    found = import_labels(tmp_path, "voc")
    broken, fine = sorted(found.manifest, key=lambda row: row.path)
    if "object/" in text:  # well-formed, but it names no picture
        assert broken.outcome == "refused"
    assert (broken.path, broken.outcome) == ("JPEGImages/a.jpg", "refused")
    assert (broken.error or "").startswith("LabelFileError")
    assert (fine.box, fine.labels) == ((0, 0, 9, 9), {"class": "x"})


@pytest.mark.parametrize(
    "text", ["{", "[]", "", "[" * 100_000, '{"shapes": 1, "imagePath": "a.jpg"}', "\xff"]
)
def test_broken_labelme_refuses_its_picture_only(text: str, tmp_path: Path) -> None:
    """A broken JSON file leaves a refused row for the picture beside it."""
    put(tmp_path, "a.jpg")
    (tmp_path / "a.json").write_bytes(text.encode("latin-1"))
    row = one(import_labels(tmp_path, "labelme").manifest)
    assert row.outcome == "refused"


@pytest.mark.parametrize(
    "text", ["{", "[]", "", "[" * 100_000, '{"images": 3, "annotations": [], "categories": []}']
)
def test_broken_coco_is_a_named_error(text: str, tmp_path: Path) -> None:
    """The one file of a set cannot be half read."""
    put(tmp_path, "a.jpg")
    (tmp_path / "coco.json").write_text(text)
    with pytest.raises(LineamentError):
        import_labels(tmp_path / "coco.json", "coco")


def yolo(folder: Path, lines: str, yaml: str = "train: images\nnames: [face, mask]\n") -> Imported:
    put(folder, "images/a.jpg")
    (folder / "labels").mkdir()
    (folder / "labels" / "a.txt").write_text(lines)
    (folder / "data.yaml").write_text(yaml)
    return import_labels(folder)


@pytest.mark.parametrize(
    ("lines", "box", "problem"),
    [
        ("0 0.5 0.5 0.5 0.5\n", (10, 6, 30, 18), None),
        ("5 0.5 0.5 0.5 0.5", (10, 6, 30, 18), "unknown_class"),
        ("0 0.25 0.25 0.75 0.25 0.75 0.75", (10, 6, 30, 18), "polygon_to_box"),
        ("0 nan 0.5 0.5 0.5", None, "box_not_finite"),
        ("0 1e999 0.5 0.5 0.5", None, "box_not_finite"),
        ("0 0.5 0.5 0 0.5", None, "box_without_area"),
        ("0 0.5 0.5", None, "broken_labels"),
        ("face 0.5 0.5 0.5 0.5", None, "broken_labels"),
        ("0 0.5 0.5 0.5 0.5 0.9", None, "broken_labels"),
    ],
)
def test_yolo_lines(lines: str, box: tuple | None, problem: str | None, tmp_path: Path) -> None:
    """Shares become pixels of the picture; what is no box is counted and refuses the picture."""
    found = yolo(tmp_path, lines)
    row = one(found.manifest)
    assert row.box == (None if box is None else pytest.approx(box))
    assert row.split == "train"
    assert problem is None or found.problems[problem] == 1
    assert (row.outcome == "refused") == (box is None)


@pytest.mark.parametrize(
    "yaml",
    [
        "train: images\nnames: !!python/object/apply:os.system ['true']\n",
        "names: [face\n",
        "a: &a [x,x]\nb: &b [*a,*a]\nnames: [*b, *b]\ntrain: images\n",
        "[" * 5000,
        "train: images\n",
    ],
)
def test_hostile_yaml_is_refused(yaml: str, tmp_path: Path) -> None:
    """No object is built, no alias is blown up, and what names no classes is no data file."""
    with pytest.raises(LineamentError):
        put(tmp_path, "images/a.jpg")
        (tmp_path / "data.yaml").write_text(yaml)
        import_labels(tmp_path, "yolo")


def test_wider_pictures_without_faces(tmp_path: Path) -> None:
    """A count of 0 is followed by a line of zeros in the published files and by none elsewhere."""
    for number, name in enumerate("abc"):
        put(tmp_path, f"WIDER_train/images/0--X/{name}.jpg", number)
    (tmp_path / "wider_face_split").mkdir()
    (tmp_path / "wider_face_split" / "wider_face_train_bbx_gt.txt").write_text(
        "0--X/a.jpg\n0\n0 0 0 0 0 0 0 0 0 0 \n0--X/b.jpg\n0\n0--X/c.jpg\n2\n"
        "1 2 5 6 2 0 1 0 0 1 \n3 3 0 4 0 0 0 1 0 0 \n"
    )
    found = import_labels(tmp_path)
    rows = sorted(found.manifest, key=lambda row: row.path)
    assert [row.outcome for row in rows] == ["no_face", "no_face", "ok"]
    assert rows[2].box == (1, 2, 6, 8)
    assert (rows[2].labels["blur"], rows[2].labels["pose"], rows[2].split) == (2.0, 1.0, "train")
    assert found.problems.counts() == {"box_without_area": 1}


@pytest.mark.parametrize(
    "text", ["a.jpg\n3\n1 2 3 4\n", "a.jpg\nmany\n", "a.jpg\n1\n1 2 x 4\n", "a.jpg\n-1\n", "a.jpg"]
)
def test_a_cut_wider_list_is_a_named_error(text: str, tmp_path: Path) -> None:
    """A list that ends early or counts wrongly is not half read."""
    put(tmp_path, "a.jpg")
    (tmp_path / "x_bbx_gt.txt").write_text("b.jpg\n1\n1 2 3 4\n" + text)
    with pytest.raises(LabelFileError, match=r"x_bbx_gt.txt, line"):
        import_labels(tmp_path, "wider")


def test_a_table_never_runs_in_a_spreadsheet(tmp_path: Path) -> None:
    """No written cell of text starts with a character that a spreadsheet takes for a formula, and all of
    them come back exactly."""
    nasty = ["=cmd|' /C calc'!A0", "+1", "-x", "@SUM(A1)", "\tx", "\rx", "'quoted", "12", "", "1e5", "nan"]
    nasty += ["Ann;=1+1", "Ann\n@x", "'=1", "''", "\uff1d1", " =1", "a;'=1"]
    rows = tuple(
        face_row(
            tmp_path / "in", f"{n}.jpg", n, subject=text, labels={"l": text, "n": float(n), "x;=1": text}
        )
        for n, text in enumerate(nasty)
    )
    done = export_labels(Manifest(rows, (), tmp_path / "in"), tmp_path / "out", "csv")
    assert not done.losses
    import csv

    with (tmp_path / "out" / "labels.csv").open(newline="") as file:
        cells = [cell for line in list(csv.reader(file))[1:] for cell in line]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    content = (tmp_path / "out" / "labels.csv").read_text("utf-8")
    assert not [cell for cell in content.replace("\n", ";").split(";") if cell.startswith(("=", "@"))]
    assert Manifest(rows).digest() == import_labels(tmp_path / "out").manifest.digest()


def test_tables_of_others_are_read_as_they_are(tmp_path: Path) -> None:
    """A quote at the start of a foreign cell belongs to it; numeric columns become numbers."""
    put(tmp_path, "images/a.jpg")
    (tmp_path / "labels.csv").write_text("image,person,age,town\na.jpg,'t Hooft,31,'s-Gravenhage\n")
    row = one(import_labels(tmp_path).manifest)
    assert (row.subject, row.labels) == ("'t Hooft", {"age": 31.0, "town": "'s-Gravenhage"})
    assert (row.outcome, row.box) == ("ok", None)


@pytest.mark.parametrize("text", ["path,path\na,b\n", "path,x\na.jpg\n", 'path\n"a.jpg\n', "name\nx\n"])
def test_a_broken_table_is_a_named_error(text: str, tmp_path: Path) -> None:
    """Twin columns, short lines, open quotes and a table without paths are refused by name."""
    put(tmp_path, "a.jpg")
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(LabelFileError):
        import_labels(tmp_path / "labels.csv", "csv")


def test_roboflow_names_and_readme(tmp_path: Path) -> None:
    """The name before upload, the licence and the page are taken; valid is val; ../ is read as meant."""
    put(tmp_path, "valid/images/me_jpg.rf.0123456789abcdef0123456789abcdef.jpg")
    put(tmp_path, "train/images/it.jpg", 1)
    (tmp_path / "valid" / "labels").mkdir()
    (tmp_path / "valid/labels/me_jpg.rf.0123456789abcdef0123456789abcdef.txt").write_text("0 .5 .5 .5 .5\n")
    (tmp_path / "data.yaml").write_text(
        "train: ../train/images\nval: ../valid/images\nnc: 1\nnames: ['face']\n"
        "roboflow:\n  license: CC BY 4.0\n  url: https://universe.roboflow.com/x/y/dataset/1\n"
    )
    (tmp_path / "README.roboflow.txt").write_text("...")
    found = import_labels(tmp_path)
    assert found.format == "roboflow"
    row = next(row for row in found.manifest if row.split == "val")
    assert row.labels == {"source_name": "me.jpg"}
    assert row.provenance.licence == "CC BY 4.0"
    assert row.provenance.page == "https://universe.roboflow.com/x/y/dataset/1"


def test_labelme_shapes(tmp_path: Path) -> None:
    """Rectangles by any two corners, polygons by the box around, lines counted, flags and points taken."""
    put(tmp_path, "a.jpg")
    shapes = [
        {
            "label": "mask",
            "points": [[20, 18], [4, 2]],
            "shape_type": "rectangle",
            "flags": {"blurred": True},
        },
        {"label": "face", "points": [[1, 1], [9, 2], [5, 9]], "shape_type": "polygon"},
        {"label": "face", "points": [[1, 1], [9, 2]], "shape_type": "line"},
        {"label": "nose", "points": [[5, 5]], "shape_type": "point", "group_id": 4},
    ]
    data = {"shapes": shapes, "imagePath": "..\\gone\\a.jpg", "imageWidth": 40, "imageHeight": 24}
    (tmp_path / "a.json").write_text(json.dumps(data))
    found = import_labels(tmp_path)
    rows = sorted(found.manifest, key=lambda row: row.box or ())
    assert [row.box for row in rows] == [(1, 1, 9, 9), (4, 2, 20, 18)]
    assert rows[1].labels == {"class": "mask", "blurred": 1.0}
    assert found.problems.counts() == {
        "not_taken: landmarks without a box": 1,
        "not_taken: line": 1,
        "picture_found_beside": 1,
        "polygon_to_box": 1,
    }


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["coco.json", "data.yaml", "labels.csv", "a.json", "a.xml", "x_bbx_gt.txt"]),
    st.binary(max_size=200),
)
def test_any_bytes_end_in_a_named_outcome(
    tmp_path_factory: pytest.TempPathFactory, name: str, data: bytes
) -> None:
    """Whatever stands in a label file, the answer is a manifest or a LineamentError."""
    folder = tmp_path_factory.mktemp("any")
    put(folder, "a.jpg")
    (folder / name).write_bytes(data)
    for format in (None, "coco", "yolo", "csv", "labelme", "voc", "wider", "roboflow"):
        try:
            import_labels(folder, format)
        except LineamentError:
            continue


def test_an_export_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    """A folder in use is refused, a changed picture is counted, a failed export leaves nothing behind."""
    row = face_row(tmp_path / "in", "a.jpg")
    manifest = Manifest((row,), (), tmp_path / "in")
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "x").write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        export_labels(manifest, tmp_path / "used", "coco")
    put(tmp_path / "in", "a.jpg", 9)
    with pytest.raises(LabelFileError, match="has a place"):
        export_labels(manifest, tmp_path / "out", "coco")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in", "used"]
    both = Manifest((row, face_row(tmp_path / "in", "b.jpg", 1)), (), tmp_path / "in")
    done = export_labels(both, tmp_path / "out", "coco")
    assert (done.pictures, done.problems.counts(), done.losses["row"]) == (1, {"picture_changed": 1}, 1)


def test_a_full_disk_is_a_named_error(tmp_path: Path) -> None:
    """When the system refuses to write on, the answer is an error by name and nothing is left behind."""
    row = face_row(tmp_path / "in", "a.jpg")
    Manifest((row,), (), tmp_path / "in").save(tmp_path / "in" / "manifest.jsonl")
    program = (
        "import resource, sys\n"
        "from lineament.cli.main import main\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "main()\n"
    )
    for arguments in (["export", "in", "out", "--format", "coco"], ["import", "in", "--out", "out"]):
        done = subprocess.run(
            [sys.executable, "-B", "-c", program, "dataset", *arguments],  # or it truncates .pyc files
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode in (1, 2), done.stderr
        assert "Error: " in done.stderr
        assert "Traceback" not in done.stderr
        assert [p.name for p in tmp_path.iterdir()] == ["in"]


def test_open_dataset_takes_every_format(tmp_path: Path) -> None:
    """What import reads, every other command opens, with the problems in the manifest's first step."""
    coco(tmp_path / "coco", [box([-5, 2, 10, 10])])
    manifest = open_dataset(tmp_path / "coco")
    assert manifest.steps[0]["problems"] == {"box_over_edge": 1}
    assert open_dataset(tmp_path / "coco" / "coco.json").digest() == manifest.digest()
    put(tmp_path / "people", "Ann/a.jpg")
    assert open_dataset(tmp_path / "people").steps == ({"step": "folder"},)
    put(tmp_path / "split", "train/Ann/a.jpg")
    put(tmp_path / "split", "valid/Ann/b.jpg", 1)
    rows = open_dataset(tmp_path / "split").rows
    assert {(row.split, row.subject) for row in rows} == {("train", "Ann"), ("val", "Ann")}
