"""Data sets and detectors of heads: what they hold and find is called heads, from import to figures."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import localizer_network
import numpy as np
import pytest
import yolo_network
from typer.testing import CliRunner

from lineament import registry
from lineament.analyzer import Analyzer
from lineament.cli.main import app
from lineament.evaluation.detection_report import WIDER
from lineament.io import images
from lineament.io.trained import Head, TrainedCard

PLACES = [(64, 32), (0, 96)]


def pictures(folder: Path, kinds: list[str]) -> Path:
    """Two pictures with a reddish cell for each box, and COCO labels of one class a cell."""
    (folder / "photos").mkdir(parents=True)
    document: dict[str, Any] = {"images": [], "annotations": [], "categories": []}
    document["categories"] = [{"id": n, "name": kind} for n, kind in enumerate(dict.fromkeys(kinds))]
    numbers = {one["name"]: one["id"] for one in document["categories"]}
    for number in range(2):
        pixels = np.full((128, 128, 3), 90, np.uint8)
        pixels[:8, :8] += np.uint8(number)
        for (x, y), kind in zip(PLACES, kinds, strict=True):
            pixels[y : y + 32, x : x + 32, 0] = 200
            entry = {"id": len(document["annotations"]), "image_id": number, "category_id": numbers[kind]}
            document["annotations"].append({**entry, "bbox": [x - 8, y - 8, 48, 48]})
        images.save(folder / "photos" / f"{number}.png", pixels)
        document["images"].append({"id": number, "file_name": f"photos/{number}.png"})
    (folder / "labels.json").write_text(json.dumps(document))
    return folder


def said(*arguments: object) -> str:
    """The text of a command that ends well."""
    done = CliRunner().invoke(app, [*map(str, arguments)])
    assert done.exit_code == 0, done.output
    return " ".join(done.output.split())


def answer(*arguments: object) -> dict[str, Any]:
    """The first JSON object of one."""
    done = CliRunner().invoke(app, [*map(str, arguments), "--json", "-"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout.splitlines()[0])  # type: ignore[no-any-return]


@pytest.fixture
def heads(tmp_path: Path) -> Path:
    """A run folder whose network finds heads."""
    yolo_network.write(tmp_path / "heads", classes=("head",), measured={"score": 0.4})
    return tmp_path / "heads"


def test_an_import_counts_heads(tmp_path: Path) -> None:
    """In words and JSON; the rows keep their class."""
    data = pictures(tmp_path / "set", ["head", "head"])
    told = answer("dataset", "import", data / "labels.json")
    assert (told["faces"], told["boxes"]) == (0, {"head": 4})
    text = said("dataset", "import", data / "labels.json", "--replace")
    assert "2 pictures, 4 heads with a box" in text and "face" not in text.replace("--format", "")


def test_a_detector_of_heads_finds_heads(heads: Path, tmp_path: Path) -> None:
    """Its single class stands at each finding, in the table, the sum, the JSON and what is drawn; also for
    pictures without any."""
    data = pictures(tmp_path / "set", ["head", "head"])
    (data / "empty").mkdir()
    images.save(data / "empty" / "e.png", np.full((128, 128, 3), 90, np.uint8))
    told = answer("detect", data / "photos" / "0.png", "--detector", heads)
    assert [face["attributes"]["class"] for face in told["faces"]] == ["head", "head"]
    text = said("detect", data / "photos", data / "empty", "--detector", heads)
    assert "4 heads" in text and "no head" in text and "faces" not in text


def test_of_both_each_is_called_by_its_name(tmp_path: Path) -> None:
    """A network of faces and heads counts both."""
    yolo_network.write(tmp_path / "run", classes=("face", "head"), measured={"score": 0.4})
    data = pictures(tmp_path / "set", ["head", "face"])
    assert "4 faces and 0 heads" in said("detect", data / "photos", "--detector", tmp_path / "run")


def test_figures_of_heads_are_of_heads(heads: Path, tmp_path: Path) -> None:
    """An evaluation says what was measured."""
    data = pictures(tmp_path / "set", ["head", "head"])
    where = ["--images", data / "photos", "--labels", data / "labels.json"]
    text = said("evaluate", "detection", *where, "--detector", heads)
    assert "4 heads that count" in text and "All heads (IoU 0.5" in text
    plain = " ".join(text.split())
    assert "warning" not in plain
    for note in WIDER.values():
        plain = plain.replace(note, "")
    assert " faces" not in plain
    assert answer("evaluate", "detection", *where, "--detector", heads)["boxes"] == {"head": 4}


@pytest.mark.parametrize(("finds", "left"), [("face", "head"), ("head", "face"), ("mask", "person")])
def test_only_what_a_detector_looks_for_counts(finds: str, left: str, tmp_path: Path) -> None:
    """Labels of faces and heads: a detector of faces does not miss the heads, nor one of heads the faces;
    what is left out is told."""
    yolo_network.write(tmp_path / "run", classes=(finds,), measured={"score": 0.4})
    data = pictures(tmp_path / "set", [finds, left])
    told = answer(
        *("evaluate", "detection", "--images", data / "photos", "--labels", data / "labels.json"),
        *("--detector", tmp_path / "run"),
    )
    assert told["truths"] == 2 and told["recall"]["value"] == 1.0
    assert (told["boxes"], told["boxes_of_other_classes"]) == ({finds: 2}, {left: 2})


def test_faces_measured_on_heads_are_not_without_a_word(tmp_path: Path) -> None:
    """Labels of heads alone, and a detector of faces: measured, with a warning of what the figures are."""
    yolo_network.write(tmp_path / "run", measured={"score": 0.4})
    data = pictures(tmp_path / "set", ["head", "head"])
    where = ["--images", data / "photos", "--labels", data / "labels.json"]
    text = said("evaluate", "detection", *where, "--detector", tmp_path / "run")
    assert "warning: the labels are of heads, the detector finds faces" in text


@pytest.mark.parametrize("kind", ["head", "face"])
def test_heads_do_not_go_to_recognition_without_a_word(
    kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever makes an analyzer with an embedder, or asks attributes, behind a detector of heads is warned
    of it, whatever wraps the detector; to look for heads alone needs no warning."""
    folder = tmp_path / f"{kind}s"
    yolo_network.write(folder, classes=(kind,), measured={"score": 0.4})
    with caplog.at_level(logging.WARNING, "lineament"):
        Analyzer(str(folder), embedder=None, quality=False).close()
        assert not caplog.records
        for spec in (str(folder), f"retry:{folder}"):
            caplog.clear()
            Analyzer(spec).close()
            told = [record.getMessage() for record in caplog.records]
            assert len(told) == (kind == "head")
            assert all("finds heads, not faces" in one and str(folder) in one for one in told)


def test_a_localizer_of_heads_says_so(tmp_path: Path) -> None:
    """The card holds the class, and each finding tells it; one of faces tells none."""
    localizer_network.write(tmp_path / "run")
    picture = np.full((64, 64, 3), 90, np.uint8)
    picture[..., 0] = 220
    image = images.load(_saved(tmp_path / "p.png", picture))
    faces = registry.detectors.create(tmp_path / "run").detect([image])[0]
    assert len(faces) == 1 and not faces.attributes
    card = TrainedCard.load(tmp_path / "run")
    told = json.loads((tmp_path / "run" / "card.json").read_text())
    told["heads"] = [
        {**head, "classes": ["head"]} if head["name"] == "face" else head for head in told["heads"]
    ]
    (tmp_path / "run" / "card.json").write_text(json.dumps(told))
    assert card.head("face") == Head("face", "face")
    found = registry.detectors.create(tmp_path / "run").detect([image])[0]
    assert list(found.attributes["class"]) == ["head"]


def _saved(path: Path, pixels: Any) -> Path:
    images.save(path, pixels)
    return path


def test_crowdhumans_own_files_are_named(tmp_path: Path) -> None:
    """They are not read, and no folder of them becomes people."""
    images.save(tmp_path / "Images" / "1.png", np.zeros((8, 8, 3), np.uint8))
    entry = {"ID": "1", "gtboxes": [{"tag": "person", "hbox": [1, 1, 3, 3], "fbox": [1, 1, 3, 7]}]}
    (tmp_path / "annotation_train.odgt").write_text(json.dumps(entry) + "\n")
    done = CliRunner().invoke(app, ["dataset", "import", str(tmp_path)])
    assert "annotation_train.odgt (looks like CrowdHuman" in str(done.exception)
