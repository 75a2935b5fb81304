"""Tables as tools and people write them are read by what their columns mean, not by one spelling."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from label_sets import put

from lineament.datasets import tables
from lineament.datasets.importing.labels import Imported, import_labels
from lineament.errors import LabelFileError

P = ("a0.jpg", "a1.jpg", "a2.jpg")
BOX = (3.0, 4.0, 13.0, 20.0)


def imported(
    folder: Path, files: Mapping[str, str | bytes], pictures: tuple[str, ...] = P, format: str | None = None
) -> Imported:
    for number, name in enumerate(pictures):
        put(folder, name, number)
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return import_labels(folder, format)


@pytest.mark.parametrize(
    "text",
    [
        "path,x1,y1,x2,y2\na0.jpg,3,4,13,20\n",
        "path; x1; y1; x2; y2\na0.jpg; 3; 4; 13; 20\n",
        "filename\txmin\tymin\txmax\tymax\na0.jpg\t3\t4\t13\t20\n",
        "Filename|Left|Top|Right|Bottom\na0.jpg|3|4|13|20\n",
        "image_name,x,y,w,h,label\na0.jpg,3,4,10,16,face\n",
        "image_id,x_1,y_1,width,height\na0.jpg,3,4,10,16\n",
        "img,xmin,ymin,width,height\na0.jpg,3,4,10,16\n",
        "file,img_width,img_height,bbox_x,bbox_y,bbox_w,bbox_h\na0.jpg,40,24,3,4,10,16\n",
        "subDirectory_filePath,face_x,face_y,face_width,face_height\n/data/689/a0.jpg,3,4,10,16\n",
        'image_id,width,height,bbox\na0,40,24,"[3, 4, 10, 16]"\n',
        "path,bbox_xyxy\na0.jpg,3 4 13 20\n",
        "filename,width,height,x_center,y_center,w,h\na0.jpg,40,24,8,12,10,16\n",
        "filename,width,height,class,xmin,ymin,xmax,ymax\na0.jpg,40,24,face,3,4,13,20\n",
        "filename,x0,y0,x1,y1\na0.jpg,3,4,13,20\n",
        "ImageID,LabelName,XMin,XMax,YMin,YMax\na0,/m/0dzct,0.075,0.325,0.16666666666666666,0.8333333333333334\n",
        "a0.jpg,3,4,13,20,face\n",
        '\ufeffsep=;\r\nfile;x1;y1;x2;y2\r\n"a0.jpg";"3,0";"4,0";"13,0";"20,0"\r\n',
        ",path,x1,y1,x2,y2,Unnamed: 6\n0,a0.jpg,3,4,13,20,\n",
        "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes\n"
        'a0.jpg,1,"{}",1,0,"{""name"":""rect"",""x"":3,""y"":4,""width"":10,""height"":16}","{}"\n',
        "photo,x1,y1,x2,y2\nC:\\Users\\me\\pictures\\a0.jpg,3,4,13,20\n",
    ],
)
def test_one_box_in_many_spellings(text: str, tmp_path: Path) -> None:
    """The box and the picture are the same however separator, header, corners and path are written."""
    found = imported(tmp_path, {"boxes.csv": text})
    [row] = found.manifest
    assert (row.path, row.outcome) == ("a0.jpg", "ok")
    assert row.box == pytest.approx(BOX) and "class" not in row.labels


@pytest.mark.parametrize(
    "gap", ["", "NA", "nan", "NaN", "N/A", "?", "-", "null", "None", " na ", "#N/A", "unknown"]
)
def test_a_cell_that_tells_nothing_leaves_numbers_numbers(gap: str, tmp_path: Path) -> None:
    """It is no label, and is counted with its file, line and column."""
    found = imported(tmp_path, {"t.csv": f"path,age\na0.jpg,31\na1.jpg,{gap}\na2.jpg,4.5\n"})
    ages = {row.path: row.labels.get("age") for row in found.manifest}
    assert ages == {"a0.jpg": 31.0, "a1.jpg": None, "a2.jpg": 4.5}
    assert found.problems["missing_label"] == 1
    assert found.problems.to_json()["missing_label"]["examples"][0].startswith("t.csv, line 3, age: ")


@pytest.mark.parametrize(
    ("header", "cells", "wanted"),
    [
        ("code", ("007", "012", "100"), ("007", "012", "100")),
        ("code", ("1.0", "1", "2"), (1.0, 1.0, 2.0)),
        ("mask", ("unknown", "yes", "no"), ("unknown", "yes", "no")),
        ("age", ("31", "thirty", "40"), ("31", "thirty", "40")),
        ("hash", ("1_0", "2", "3"), ("1_0", "2", "3")),
        ("Male", ("1", "-1", "-1"), (1.0, -1.0, -1.0)),
    ],
)
def test_what_a_column_is(
    header: str, cells: tuple[str, ...], wanted: tuple[Any, ...], tmp_path: Path
) -> None:
    """Numbers only where all told cells are; codes with leading zeros and words stay as they are."""
    lines = [f"{name},{cell}" for name, cell in zip(P, cells, strict=True)]
    found = imported(tmp_path, {"t.csv": "\n".join([f"path,{header}", *lines])})
    assert tuple(row.labels[header] for row in sorted(found.manifest, key=lambda r: r.path)) == wanted
    assert found.problems["word_among_numbers"] == (header in ("age", "hash"))


def test_people_may_be_called_null(tmp_path: Path) -> None:
    """Words that mean nothing as a label may be a name; an empty cell and NA are nobody."""
    found = imported(tmp_path, {"t.csv": "path,person\na0.jpg,Null\na1.jpg,Na\na2.jpg,NA\n"})
    assert {row.subject for row in found.manifest} == {"Null", "Na", None}


@pytest.mark.parametrize(
    ("column", "cells"),
    [
        ("split", ("Train", "valid", "TEST")),
        ("partition", ("0", "1", "2")),
        ("Usage", ("Training", "PublicTest", "PrivateTest")),
        ("set", ("training", "dev", "testing")),
    ],
)
def test_splits_in_many_words(column: str, cells: tuple[str, ...], tmp_path: Path) -> None:
    """Splits are train, val and test whatever a data set calls them."""
    lines = [f"{name},{cell}" for name, cell in zip(P, cells, strict=True)]
    found = imported(tmp_path, {"t.csv": "\n".join([f"image,{column}", *lines])})
    assert [row.split for row in sorted(found.manifest, key=lambda r: r.path)] == ["train", "val", "test"]


def test_celebas_lists_are_read_together(tmp_path: Path) -> None:
    """Attributes, identities and partitions of the same pictures become one row each; the boxes, which are
    of the pictures before they were aligned, are told and not taken."""
    files = {
        "list_attr_celeba.txt": "3\nBald Male \na0.jpg -1  1\na1.jpg  1 -1\na2.jpg -1 -1\n",
        "identity_CelebA.txt": "a0.jpg 2880\na1.jpg 2937\na2.jpg 2880\n",
        "list_eval_partition.txt": "a0.jpg 0\na1.jpg 1\na2.jpg 2\n",
        "list_bbox_celeba.txt": "3\nimage_id x_1 y_1 width height\n"
        + "".join(f"{p} 95 71 226 313\n" for p in P),
    }
    found = imported(tmp_path, files, tuple(f"img_align_celeba/{name}" for name in P))
    rows = sorted(found.manifest, key=lambda row: row.path)
    assert [(r.subject, r.split, r.box, dict(r.labels)) for r in rows] == [
        ("2880", "train", None, {"Bald": -1.0, "Male": 1.0}),
        ("2937", "val", None, {"Bald": 1.0, "Male": -1.0}),
        ("2880", "test", None, {"Bald": -1.0, "Male": -1.0}),
    ]
    assert found.problems["not_taken: boxes of pictures that are not here"] == 1


def test_a_table_a_split(tmp_path: Path) -> None:
    """Roboflow's tables beside the pictures, of boxes and of classes, and FairFace's by their names."""
    for number, (name, header, cells) in enumerate(
        (
            (
                "{}/_annotations.csv",
                "filename,width,height,class,xmin,ymin,xmax,ymax",
                "40,24,face,3,4,13,20",
            ),
            ("{}/_classes.csv", "filename, mask, none", " 1, 0"),
            ("fairface_label_{}.csv", "file,age,gender", "3-9,Male"),
        )
    ):
        folder = tmp_path / str(number)
        inner = "{}/" if "fairface" in name else ""
        files = {
            name.format(split): f"{header}\n{inner.format(split)}{split}.jpg,{cells}\n"
            for split in ("train", "val", "test")
        }
        found = imported(folder, files, ("train/train.jpg", "val/val.jpg", "test/test.jpg"))
        assert {row.path: row.split for row in found.manifest} == {
            f"{split}/{split}.jpg": split for split in ("train", "val", "test")
        }
        if "classes" in name:
            assert {row.labels["class"] for row in found.manifest} == {"mask"}


def test_a_pattern_makes_the_path(tmp_path: Path) -> None:
    """Where no column is the path, a pattern of columns may be; without, the error names the columns."""
    text = "user_id\toriginal_image\tface_id\tage\n7@N03\tx.jpg\t1\t(25, 32)\n"
    picture = ("faces/7@N03/face.1.x.jpg",)
    with pytest.raises(
        LabelFileError, match=r"line 2: 'x.jpg' .*columns: user_id, original_image, face_id, age"
    ):
        imported(tmp_path, {"fold.txt": text}, picture)
    found = imported(tmp_path, {}, picture, "csv:path=faces/{user_id}/face.{face_id}.{original_image}")
    assert [row.path for row in found.manifest] == [*picture]
    with pytest.raises(LabelFileError, match="no column 'user'"):
        imported(tmp_path, {}, picture, "csv:path={user}.jpg")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "emotion,pixels,Usage\n0,70 80,Training\n",
            "no column of paths; columns: emotion, pixels, Usage; it holds",
        ),
        ("a0.jpg,1,2,3,4,5,6\n", "no header over 7 columns"),
        ("path,age,age\na0.jpg,3,4\n", "two columns have the same name, 'age'"),
        ("path,age\na0.jpg,3,4\n", "line 2: 3 cells under 2 columns; a cell that holds the separator"),
        (b"path,\x81\na0.jpg,3\n", "line 1: neither UTF-8 nor Windows-1252"),
    ],
)
def test_what_cannot_be_read_is_named(text: str | bytes, said: str, tmp_path: Path) -> None:
    """File, line, columns and the next step, never a guess."""
    put(tmp_path, "a0.jpg")
    (tmp_path / "t.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(LabelFileError, match=said):
        import_labels(tmp_path / "t.csv", "csv")


def test_labels_that_cannot_be_used_refuse_their_picture(tmp_path: Path) -> None:
    """A box with a word in it and lines that contradict each other are refused rows with file and line; a
    line without any box is a picture without a face, and the same line twice counts once."""
    text = "path,x1,y1,x2,y2\na0.jpg,1,2,3x,4\na1.jpg,,,,\na2.jpg,1,2,30,20\n"
    rows = {row.path: row for row in imported(tmp_path / "boxes", {"t.csv": text}).manifest}
    assert "t.csv, line 2: x2 is '3x'" in (rows["a0.jpg"].error or "")
    assert (rows["a1.jpg"].outcome, rows["a2.jpg"].outcome) == ("no_face", "ok")
    text = "path,g\na0.jpg,m\na0.jpg,f\na1.jpg,m\na1.jpg,m\na2.jpg,f\n"
    found = imported(tmp_path / "words", {"t.csv": text})
    rows = {row.path: row for row in found.manifest}
    assert "line 2 and t.csv, line 3: two different labels 'g'" in (rows["a0.jpg"].error or "")
    assert rows["a1.jpg"].labels == {"g": "m"} and found.problems["line_twice"] == 1


def test_other_encodings(tmp_path: Path) -> None:
    """UTF-16 with its mark and Windows-1252 are read, the latter counted as an assumption."""
    text = "path\tname\na0.jpg\tmännlich\n"
    for encoding in ("utf-16", "utf-8-sig", "cp1252"):
        found = imported(tmp_path / encoding, {"t.tsv": text.encode(encoding)})
        assert [row.labels["name"] for row in found.manifest] == ["männlich"]
        assert found.problems["read_as_windows_1252"] == (encoding == "cp1252")


def test_a_number_as_the_name_of_a_class() -> None:
    """1.0 is 1, and no two numbers share a name."""
    assert [tables.number_text(v) for v in (1.0, -1.0, 0.5, 1234567.0, 1234568.0)] == [
        "1",
        "-1",
        "0.5",
        "1234567",
        "1234568",
    ]
