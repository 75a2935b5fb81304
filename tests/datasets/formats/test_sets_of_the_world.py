"""Whole data sets as tools and their authors publish them: read right, or refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from label_sets import picture_bytes

from lineament.datasets.importing.labels import Imported, import_labels, summary
from lineament.datasets.opening import open_dataset
from lineament.errors import LineamentError
from lineament.io import left_out

LINE = "0 0.5 0.5 0.5 0.5\n"
BOX = (10.0, 6.0, 30.0, 18.0)
PICTURE: Any = object()
VOC = (
    "<annotation><filename>{}</filename><size><width>40</width><height>24</height></size><object>"
    "<name>face</name><bndbox><xmin>11</xmin><ymin>7</ymin><xmax>30</xmax><ymax>18</ymax></bndbox></object>"
    "</annotation>"
)


def made(folder: Path, files: dict[str, Any]) -> Path:
    """The files of a data set, each picture with other bytes; what is no text is written as JSON."""
    for number, (name, content) in enumerate(files.items()):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        told = picture_bytes(number) if content is PICTURE else content
        text = told if isinstance(told, str | bytes) else json.dumps(told)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def coco(*names: str, **fields: Any) -> dict[str, Any]:
    return {
        "images": [{"id": n, "file_name": name, "width": 40, "height": 24} for n, name in enumerate(names)],
        "annotations": [
            {"id": n, "image_id": n, "category_id": 0, "bbox": [10, 6, 20, 12]} for n in range(len(names))
        ],
        "categories": [{"id": 0, "name": "face"}],
        **fields,
    }


def studio(**fields: Any) -> str:
    """A region of Label Studio, in percent, as a cell of CSV."""
    region = {"x": 25, "y": 25, "width": 50, "height": 50, "rotation": 0, "rectanglelabels": ["face"]}
    told = json.dumps([{**region, "original_width": 40, "original_height": 24, **fields}])
    return '"' + told.replace('"', '""') + '"'


BOXED: dict[str, dict[str, Any]] = {
    "Label Studio's CSV": {
        "project-1.csv": f"image,id,label,annotator\n/data/upload/1/1a-a.jpg,1,{studio()},1\n",
        "images/1a-a.jpg": PICTURE,
    },
    "Label Studio's CSV, turned by a right angle": {
        "p.csv": f"image,id,label\na.jpg,1,{studio(x=75, y=25, width=30, height=500 / 6, rotation=90)}\n",
        "a.jpg": PICTURE,
    },
    "Label Studio's CSV, a polygon": {
        "p.csv": f"image,id,label\na.jpg,1,{studio(points=[[25, 25], [75, 25], [75, 75]])}\n",
        "a.jpg": PICTURE,
    },
    "Azure's COCO in shares": {
        "labels.json": coco(
            "a.jpg",
            annotations=[
                {"id": 1, "image_id": 0, "category_id": 0, "bbox": [0.25, 0.25, 0.5, 0.5], "area": 0.25}
            ],
        ),
        "a.jpg": PICTURE,
    },
    "VOCdevkit": {
        "VOCdevkit/VOC2007/Annotations/000001.xml": VOC.format("000001.jpg"),
        "VOCdevkit/VOC2007/JPEGImages/000001.jpg": PICTURE,
        "VOCdevkit/VOC2007/ImageSets/Main/train.txt": "000001\n",
    },
    "makesense.ai": {
        "labels.csv": "label_name,bbox_x,bbox_y,bbox_width,bbox_height,image_name\nface,10,6,20,12,a.jpg\n",
        "a.jpg": PICTURE,
    },
    "a table from Windows": {
        "l.csv": "image,x1,y1,x2,y2\nC:\\Users\\me\\Meine Bilder\\a 1.jpg,10,6,30,18\n",
        "Meine Bilder/a 1.jpg": PICTURE,
    },
    "Google Open Images": {
        "train-annotations-bbox.csv": "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax\n"
        "000a,xclick,/m/0dzct,1,0.25,0.75,0.25,0.75\n",
        "train/000a.jpg": PICTURE,
    },
}


def imported(folder: Path, files: dict[str, Any], format: str | None = None) -> Imported:
    return import_labels(made(folder, files), format)


@pytest.mark.parametrize("name", BOXED)
def test_one_face_of_many_tools(name: str, tmp_path: Path) -> None:
    """Whatever a tool writes a box as, it is the same box, and no label takes its place."""
    (row,) = imported(tmp_path, BOXED[name]).manifest
    assert row.box == pytest.approx(BOX)
    assert "label" not in row.labels


def test_the_splits_of_each_kit_are_its_own(tmp_path: Path) -> None:
    """VOC2007 and VOC2012 number their pictures alike, and their lists are of their own pictures."""
    files: dict[str, Any] = {}
    for year, split in (("VOC2007", "train"), ("VOC2012", "val")):
        files[f"VOCdevkit/{year}/Annotations/000001.xml"] = VOC.format("000001.jpg")
        files[f"VOCdevkit/{year}/JPEGImages/000001.jpg"] = PICTURE
        files[f"VOCdevkit/{year}/ImageSets/Main/{split}.txt"] = "000001\n"
    found = imported(tmp_path, files)
    assert {row.path.split("/")[1]: row.split for row in found.manifest} == {
        "VOC2007": "train",
        "VOC2012": "val",
    }
    assert not found.problems


PEOPLE: dict[str, dict[str, Any]] = {
    "LFW of Kaggle, lists as tables": {
        "lfw/lfw/Ann/Ann_0001.jpg": PICTURE,
        "lfw/lfw/Bob/Bob_0001.jpg": PICTURE,
        "pairs.csv": "name,imagenum1,imagenum2,\nAnn,1,2,\n",
        "lfw_allnames.csv": "name,images\nAnn,1\n",
        "peopleDevTrain.csv": "name,images\nBob,1\n",
        "mismatchpairsDevTest.csv": "name,imagenum1,name,imagenum2\nAnn,1,Bob,1\n",
    },
    "LFW with a table of emotions beside": {
        "images/Ann/Ann_0001.jpg": PICTURE,
        "images/Bob/Bob_0001.jpg": PICTURE,
        "emotion_labels.csv": "image,emotion\nAnn/Ann_0001.jpg,happiness\nBob/Bob_0001.jpg,anger\n",
    },
    "Google Takeout": {
        "Ann/a.jpg": PICTURE,
        "Ann/a.jpg.json": {"title": "a.jpg", "photoTakenTime": {"timestamp": "1"}},
        "Ann/metadata.json": {"title": "Ann"},
        "Bob/b.jpg": PICTURE,
    },
    "our answers beside": {
        "Ann/a.jpg": PICTURE,
        "Bob/b.jpg": PICTURE,
        "found.jsonl": '{"source": "Ann/a.jpg", "outcome": "ok", "faces": []}\t\n',
    },
    "fastai": {
        "train/Ann/1.jpg": PICTURE,
        "train/Bob/1.jpg": PICTURE,
        "valid/Ann/2.jpg": PICTURE,
        "models/export.pkl": b"x",
    },
    "Keras, test not labelled": {
        "train/Ann/1.jpg": PICTURE,
        "train/Bob/1.jpg": PICTURE,
        "test/unlabelled/2.jpg": PICTURE,
    },
    "folders of years": {
        "Ann/2019/a.jpg": PICTURE,
        "Ann/2020/b.jpg": PICTURE,
        "Bob/2019/c.jpg": PICTURE,
    },
}


@pytest.mark.parametrize("name", PEOPLE)
def test_the_people_of_a_data_set_are_ann_and_bob(name: str, tmp_path: Path) -> None:
    """Neither lists of comparisons, nor files of services, nor our own answers hide the people."""
    found = imported(tmp_path, PEOPLE[name])
    assert {row.subject for row in found.manifest} == {"Ann", "Bob"}


def test_one_persons_years_are_no_people(tmp_path: Path) -> None:
    """Ann's photos of 2019 and 2020 are of one person."""
    found = imported(tmp_path, {"Ann/2019/a.jpg": PICTURE, "Ann/2020-05 May/b.jpg": PICTURE})
    assert {row.subject for row in found.manifest} == {"Ann"}


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "UTKFace": ({"UTKFace/26_0_2_20170116172920904.jpg.chip.jpg": PICTURE}, "UTKFace.*names=\\{age\\}"),
    "IMDB-WIKI": ({"wiki/10000217_1981-05-05_2009.jpg": PICTURE}, "IMDB-WIKI.*names="),
    "Market-1501": (
        {"bounding_box_train/0001_c1s1_000001_00.jpg": PICTURE, "query/0002_c1s1_000001_00.jpg": PICTURE},
        "Market-1501.*names=",
    ),
    "AFLW": (
        {"data/aflw.sqlite": b"SQLite format 3\0", "0/a.jpg": PICTURE, "2/b.jpg": PICTURE},
        "aflw.sqlite",
    ),
    "AffectNet": (
        {"train_set/images/0.jpg": PICTURE, "train_set/annotations/0_exp.npy": b"\x93NUMPY"},
        "0_exp.npy",
    ),
    "AWS": (
        {"out.manifest": '{"source-ref": "s3://b/a.jpg"}\n', "Ann/a.jpg": PICTURE, "Bob/b.jpg": PICTURE},
        "AWS",
    ),
    "Vertex": (
        {"i.csv": "training,gs://b/a.jpg,happy\n", "Ann/a.jpg": PICTURE, "Bob/b.jpg": PICTURE},
        "Vertex",
    ),
    "VGG-Face": ({"files/A.txt": "00000001 http://x.com/a.jpg 1 2 3 4 0.9 4 1\n"}, "A.txt.*addresses"),
    "FDDB": (
        {
            "FDDB-fold-01-ellipseList.txt": "2002/08/11/big/img_591\n1\n6.0 10.0 1.57 20.0 12.0  1\n",
            "2002/a.jpg": PICTURE,
        },
        "FDDB",
    ),
    "FER2013": ({"fer2013.csv": "emotion,pixels,Usage\n0,7 7 7 7,Training\n"}, "fer2013.csv.*pixels"),
    "DarkLabel": (
        {"gt/v.txt": "0,1,10,6,20,12,face\n", "v/0.jpg": PICTURE, "w/0.jpg": PICTURE},
        "DarkLabel",
    ),
    "Scale": (
        {"t.json": [{"task_id": "1", "response": {}}], "v/a.jpg": PICTURE, "w/0.jpg": PICTURE},
        "Scale",
    ),
    "VIA 3": (
        {"p.json": {"project": {"pid": "x"}, "metadata": {}, "view": {}}, "v/a.jpg": PICTURE},
        "VIA 3",
    ),
    "JSON-MIN": (
        {
            "m.json": [{"image": "a.jpg", "id": 1, "label": [{"x": 1, "original_width": 40}]}],
            "v/a.jpg": PICTURE,
        },
        "JSON-MIN",
    ),
    "Hugging Face": (
        {"metadata.jsonl": '{"file_name": "a.jpg", "label": "x"}\n', "v/a.jpg": PICTURE},
        "Hugging Face",
    ),
    "LFW's attributes": (
        {"lfw/Ann/Ann_0001.jpg": PICTURE, "lfw_attributes.txt": "#\tperson\timagenum\tMale\n"},
        "lfw_attributes.txt",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_read_is_named(name: str, tmp_path: Path) -> None:
    """A layout that is not read names the file or the tool, and makes no people of its folders."""
    files, said = REFUSED[name]
    with pytest.raises(LineamentError, match=said):
        imported(tmp_path, files)


def test_a_confidence_is_told_with_its_way_out(tmp_path: Path) -> None:
    """What may be an angle as well is not guessed: the refusal says file, line and what to do."""
    (row,) = imported(
        tmp_path, {"images/a.jpg": PICTURE, "labels/a.txt": "0 0.5 0.5 0.5 0.5 0.91\n"}
    ).manifest
    assert row.outcome == "refused"
    assert "labels/a.txt, line 1: 5 numbers" in str(row.error)
    assert "save_conf" in str(row.error)


@pytest.mark.parametrize(
    ("pattern", "name", "labels", "subject"),
    [
        (
            "{age}_{gender}_{race}_",
            "26_0_2_2017.jpg.chip.jpg",
            {"age": 26.0, "gender": 0.0, "race": 2.0},
            None,
        ),
        ("{}_{subject}_{age}_{gender}.", "7_Ann Bee_31_f.jpg", {"age": 31.0, "gender": "f"}, "Ann Bee"),
        ("{subject}-{emotion}", "ann-happy.png", {"emotion": "happy"}, "ann"),
    ],
)
def test_names_of_files_tell_labels(
    pattern: str, name: str, labels: dict[str, Any], subject: str | None, tmp_path: Path
) -> None:
    """``names=`` says what a name holds; a name that does not fit is counted and keeps its picture."""
    found = imported(
        tmp_path, {f"some/{name}": PICTURE, "some/other.jpg": PICTURE}, f"imagefolder:names={pattern}"
    )
    told = {row.path: (dict(row.labels), row.subject) for row in found.manifest}
    assert told == {f"some/{name}": (labels, subject), "some/other.jpg": ({}, None)}
    assert found.problems.counts() == {"name_without_labels": 1}


@pytest.mark.parametrize("sheet", ["sample_submission.csv", "sampleSubmission.csv", "submission.csv"])
def test_made_up_answers_are_no_labels(sheet: str, tmp_path: Path) -> None:
    """Kaggle's sample of a submission gives every test picture the same label."""
    found = imported(
        tmp_path,
        {
            "train.csv": "image_id,emotion\na,happy\nb,sad\n",
            sheet: "image_id,emotion\nc,happy\n",
            "images/a.png": PICTURE,
            "images/b.png": PICTURE,
            "images/c.png": PICTURE,
        },
    )
    assert {row.path: row.labels["emotion"] for row in found.manifest} == {
        "images/a.png": "happy",
        "images/b.png": "sad",
    }
    assert found.problems.counts()["not_taken: a sample of answers"] == 1


def test_a_lost_annotation_makes_no_negative_picture(tmp_path: Path) -> None:
    """Where one annotation finds no picture, a picture without any may be the one that it was of."""
    stray = [
        {"id": n, "image_id": image, "category_id": 0, "bbox": [10, 6, 20, 12]}
        for n, image in enumerate((0, 22))
    ]
    found = imported(
        tmp_path,
        {
            "c.json": coco("a.jpg", "b.jpg", annotations=stray),
            "a.jpg": PICTURE,
            "b.jpg": PICTURE,
        },
    )
    assert summary(found) | {"faces": 1, "no_face": 0, "refused": 1} == summary(found)


def test_a_command_tells_what_was_wrong_with_labels_that_it_opened(tmp_path: Path) -> None:
    """What an import counts is counted by every command that opens the folder itself."""
    made(tmp_path, {"images/a.jpg": PICTURE, "labels/a.txt": LINE * 2, "classes.txt": "face\n"})
    with left_out.noticing():
        open_dataset(tmp_path)
        told = left_out.gathered()
    assert told.to_json()["labels"] == {"face_twice": 1}
    assert any("face_twice 1" in sentence for sentence in told.sentences())
