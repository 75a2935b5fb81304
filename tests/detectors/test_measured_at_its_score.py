"""`evaluate detection` of detectors trained here, against labels and against a manifest with splits."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import localizer_network
import numpy as np
import pytest
import yolo_network
from typer.testing import CliRunner

from lineament.cli.evaluate import app
from lineament.datasets.importing.labels import import_labels
from lineament.errors import UsageError
from lineament.evaluation.detection import LOWEST_SCORE, open_detector
from lineament.evaluation.truths import read_truths
from lineament.io import images
from lineament.io.manifest import Manifest, ManifestRow, row_id

SURE, FAINT = (64, 32), (0, 96)
"""Corners of the cells of a face found with certainty and of one found with a score of 0.12."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network whose card says that it is used at 0.4."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    yolo_network.write(folder, measured={"score": 0.4})
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Four pictures, different to the byte, of a sure face and a faint one each, with COCO labels."""
    (tmp_path / "photos").mkdir()
    pictures, faces = [], []
    for number in range(4):
        pixels = np.full((128, 128, 3), 90, np.uint8)
        pixels[:8, :8] += np.uint8(number)
        for (x, y), red in ((SURE, 200), (FAINT, 128)):
            pixels[y : y + 32, x : x + 32, 0] = red
            faces.append({"id": len(faces), "image_id": number, "category_id": 1, "iscrowd": 0})
            faces[-1]["bbox"] = [x - 8, y - 8, 48, 48]
        images.save(tmp_path / "photos" / f"{number}.png", pixels)
        pictures.append({"id": number, "file_name": f"{number}.png"})
    document = {"images": pictures, "annotations": faces, "categories": [{"id": 1, "name": "face"}]}
    (tmp_path / "labels.json").write_text(json.dumps(document))
    return tmp_path


def _measured(*arguments: str | Path) -> dict[str, Any]:
    done = CliRunner().invoke(app, ["detection", *map(str, arguments), "--json", "-"])
    assert done.exit_code == 0, done.output
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize(
    ("spec", "score", "recall"),
    [
        ("{}", 0.4, 0.5),
        ("{}:score=0.9", 0.9, 0.5),
        ("{}:nms=0.6", 0.4, 0.5),
        ("{}:score=0.05,nms=0.6", 0.05, 1.0),
        ("yolo:model={}", 0.4, 0.5),
        ("yolo:score=0.8,model={}", 0.8, 0.5),
    ],
)
def test_precision_at_the_detectors_score_and_average_precision_of_everything(
    data: Path, run: Path, spec: str, score: float, recall: float
) -> None:
    """The score is the spec's, else the card's; whichever it is, it takes nothing from the mAP."""
    arguments = ("--images", data / "photos", "--labels", data / "labels.json")
    answer = _measured(*arguments, "--detector", spec.format(run))
    assert answer["score"] == score
    assert answer["recall"]["value"] == recall
    assert answer["precision"]["value"] == answer["map50"]["value"] == 1.0
    assert answer["lowest_score"] == LOWEST_SCORE


@pytest.mark.parametrize(
    ("spec", "score", "lowest"),
    [
        ("yunet", 0.6, LOWEST_SCORE),
        ("yunet:score=0.8", 0.8, LOWEST_SCORE),
        ("yunet:long-side=512,score=0.01", 0.01, 0.01),
        ("haar", 0.1, LOWEST_SCORE),
        ("haar:cascade=alt,score=0.5", 0.5, LOWEST_SCORE),
        ("{loc}", 0.5, LOWEST_SCORE),
        ("{loc}:score=0.7", 0.7, LOWEST_SCORE),
        ("retry:{run}", 0.4, 0.4),
        ("retry:yunet:score=0.7", 0.7, 0.7),
        ("landmarked:{run}:score=0.3", 0.3, 0.3),
    ],
)
def test_every_detector_with_a_threshold_is_lowered_for_average_precision(
    tmp_path: Path, run: Path, spec: str, score: float, lowest: float
) -> None:
    """But one that wraps another, which would search otherwise: that one's own threshold is told."""
    localizer_network.write(tmp_path / "loc")
    opened = open_detector(spec.format(run=run, loc=tmp_path / "loc"))
    assert (opened.score, opened.lowest) == (score, lowest)


@pytest.fixture
def split(data: Path) -> Path:
    """The same labels as a manifest: two pictures for training, one each for val and test."""
    manifest = import_labels(data / "labels.json").manifest
    parts = ("train", "train", "val", "test")
    rows = [replace(row, split=parts[int(Path(row.path).stem)]) for row in manifest]
    Manifest(tuple(rows), manifest.steps, data).save(data / "split.jsonl")
    return data / "split.jsonl"


@pytest.mark.parametrize(
    ("options", "pictures", "told"),
    [((), 1, "test"), (("--split", "val"), 1, "val"), (("--split", "all"), 4, "all")],
)
def test_a_manifest_is_labels_too(
    split: Path, run: Path, options: tuple[str, ...], pictures: int, told: str
) -> None:
    """Without --images, at its split test unless another is named; a folder is taken by its manifest."""
    answer = _measured("--labels", split, "--detector", run, *options)
    assert (answer["pictures"], answer["truths"]) == (pictures, 2 * pictures)
    assert (answer["split"], answer["label_format"]) == (told, "manifest")
    assert answer["pictures_of_other_splits"] == 4 - pictures
    assert answer["map50"]["value"] == 1.0


def test_a_manifest_gives_the_truths_of_the_labels_it_was_made_from(data: Path, split: Path) -> None:
    """Boxes, flags and labels, picture by picture."""
    plain = read_truths(data / "photos", data / "labels.json")
    for other in (read_truths(None, split), read_truths(data / "photos", split)):
        for one, two in zip(plain.pictures, other.pictures, strict=True):
            assert one.path == two.path
            np.testing.assert_array_equal(one.boxes, two.boxes)
            np.testing.assert_array_equal(one.ignored, two.ignored)
            assert one.labels == two.labels


def test_of_a_manifest_too_every_picture_ends_somewhere(split: Path, data: Path) -> None:
    """A picture that is gone is missed with its faces; one whose faces have no known box is left out."""
    manifest = Manifest.load(split)
    stray = ManifestRow(row_id("0" * 64, "photos/x.png"), "photos/x.png", "0" * 64, subject="Ann")
    Manifest((*manifest.rows, stray), manifest.steps, data).save(split)
    (data / "photos" / "0.png").unlink()
    truths = read_truths(None, split)
    assert truths.missing_faces == 2 and len(truths.pictures) == 3
    assert truths.unusable == {"photos/x.png": "a face whose box is not known"}


def test_what_is_missing_is_named_with_the_way_out(data: Path, split: Path, tmp_path: Path) -> None:
    """A split that is not there, labels without their pictures, and a format that they are not of."""
    with pytest.raises(UsageError, match=r"split 'exam'; there are test, train, val"):
        read_truths(None, split, split="exam")
    with pytest.raises(UsageError, match="it is not split; leave out --split"):
        read_truths(data / "photos", data / "labels.json", split="test")
    with pytest.raises(UsageError, match="--images DIR"):
        read_truths(None, data / "labels.json")
    with pytest.raises(UsageError, match="not a manifest"):
        read_truths(None, data / "labels.json", "manifest")


def test_pictures_without_labels_are_searched_where_the_user_says_so(run: Path, data: Path) -> None:
    """Of pictures that the labels do not name nobody knows what is on them: left out, with the option that
    takes them for pictures without faces, wherever the label file lies; what is found there is false."""
    pixels = np.full((128, 128, 3), 90, np.uint8)
    pixels[32:64, 64:96, 0] = 200
    images.save(data / "photos" / "other.png", pixels)
    (data / "ann").mkdir()
    (data / "labels.json").rename(data / "ann" / "labels.json")
    where = ["--images", data / "photos", "--labels", data / "ann" / "labels.json", "--detector", run]
    told = CliRunner().invoke(app, ["detection", *map(str, where)])
    assert "if they hold no face: --format coco:empty=true" in " ".join(told.output.split())
    left = _measured(*where)
    taken = _measured(*where, "--format", "coco:empty=true")
    assert (left["pictures"], left["pictures_without_labels"]) == (4, 1)
    assert (taken["pictures"], taken["pictures_without_labels"]) == (5, 0)
    assert taken["detections"] > left["detections"]
    assert taken["precision"]["value"] < left["precision"]["value"] == 1.0
