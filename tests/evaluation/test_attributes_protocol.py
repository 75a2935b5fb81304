"""`evaluate attributes`: labels of any kind, classes and numbers, and every face accounted for."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from lineament.analyzer import Analyzer, central_face
from lineament.cli.evaluate import app
from lineament.errors import ConfigError, InsufficientData, SplitError, UsageError
from lineament.evaluation.attributes import evaluate, open_labels
from lineament.evaluation.trained_on import LeakCheck
from lineament.io import images
from lineament.types import AttributeScores, Faces, Image, UInt8

SAMPLES = Path(__file__).parents[2] / "samples"
LABELS = """image,gender,age,mood,split
obama_2012_portrait.jpg,male,51,calm,test
obama_2010_white_house.jpg,male,48,calm,test
biden_2010_white_house.jpg,male,67,calm,test
biden_2013_portrait.jpg,male,70,glad,train
collins_nasa.png,female,38,glad,test
nobody.png,female,20,sad,test
"""


class Brightness:
    """A classifier that answers by how bright the picture is: dark or bright, and never grey."""

    names = ("light",)
    classes = ("dark", "bright", "grey")

    def predict(
        self, pictures: Sequence[Image], faces: Sequence[Faces]
    ) -> list[dict[str, AttributeScores]]:
        answers = []
        for picture, found in zip(pictures, faces, strict=True):
            bright = float(picture.pixels.mean()) / 255
            chances = np.tile(np.array([1 - bright, bright, 0.0], np.float32), (len(found), 1))
            values = tuple(self.classes[i] for i in chances.argmax(1))
            answers.append({"light": AttributeScores("light", values, self.classes, chances)})
        return answers


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample photos of one person each, a picture without anybody, and a table of labels."""
    folder = tmp_path_factory.mktemp("labelled")
    (folder / "images").mkdir()
    for line in LABELS.splitlines()[1:-1]:
        shutil.copy(SAMPLES / line.split(",")[0], folder / "images")
    nobody: UInt8 = np.full((120, 160, 3), 128, np.uint8)
    images.save(folder / "images" / "nobody.png", nobody)
    (folder / "labels.csv").write_text(LABELS)
    return folder


@pytest.fixture(scope="module")
def analyzer() -> Analyzer:
    return Analyzer("yunet", None, ["gender", "age", Brightness()], quality=False, workers=1)


def _run(*options: str) -> dict[str, object]:
    run = CliRunner().invoke(app, ["attributes", *options, "--json", "-"])
    assert run.exit_code == 0, run.output
    (line,) = run.stdout.splitlines()
    return json.loads(line)


def test_gender_from_a_table_with_every_face_accounted_for(labelled: Path) -> None:
    """Promised keys; the picture without a face is a wrong answer and a named failure."""
    record = _run("--data", str(labelled / "labels.csv"), "--attribute", "gender", "--split", "all")
    assert (record["faces"], record["failures_to_acquire"]) == (6, 1)
    assert record["failures"][0]["type"] == "NoFaceFound"
    assert (record["accuracy"]["value"], record["accuracy"]["n"]) == (5 / 6, 6)
    assert (record["accuracy_of_answers"]["value"], record["accuracy_of_answers"]["n"]) == (1.0, 5)
    assert record["confusion"]["counts"] == [[1, 0], [0, 4]]
    for one in record["classes"].values():
        for key in ("precision", "recall", "f1", "auc"):
            assert set(one[key]) == {"value", "low", "high", "n"}
    assert set(record["expected_calibration_error"]) == {"value", "low", "high", "n"}
    assert sum(one["n"] for one in record["calibration"]) == 5


def test_the_test_split_is_taken_where_there_is_one(labelled: Path) -> None:
    """Rows of the training split are left out, counted."""
    record = _run("--data", str(labelled), "--attribute", "gender")
    assert (record["split"], record["faces"], record["rows_of_other_splits"]) == ("test", 5, 1)


def test_age_is_told_by_mean_error_and_bins(labelled: Path, analyzer: Analyzer) -> None:
    """Mean error equals its definition over the faces found; each face is in exactly one bin."""
    found = evaluate(open_labels(labelled / "labels.csv", "age"), analyzer, "age", resamples=50)
    assert found.number is not None and found.classes is None
    number = found.number
    assert sorted(number.truth) == [38, 48, 51, 67, 70]
    off = np.abs(number.predicted - number.truth)
    assert number.errors.mean_absolute_error.value == pytest.approx(off.mean())
    assert sum(0 if e is None else e.bias.n for e in number.by_bin.values()) == 5
    record = found.to_json()
    assert (record["faces"], record["failures_to_acquire"]) == (6, 1)
    assert record["bins"][0] == {"from": 0.0, "to": 5.0, "n": 0}


def test_folders_of_classes_give_labels_to_any_classifier(tmp_path: Path, analyzer: Analyzer) -> None:
    """A folder a class; a class without a face is named, a label that is no class is in no figure."""
    for name, label in (("collins_nasa.png", "bright"), ("obama_2012_portrait.jpg", "odd")):
        (tmp_path / label).mkdir()
        shutil.copy(SAMPLES / name, tmp_path / label)
    found = evaluate(open_labels(tmp_path, "light"), analyzer, "light", resamples=20)
    assert found.classes is not None
    assert (dict(found.unknown), found.classes.empty) == ({"odd": 1}, ("dark", "grey"))
    assert found.classes.accuracy.n == 1
    assert [one.auc for one in found.classes.classes] == [None, None, None]


def test_a_label_of_another_name_can_be_compared(labelled: Path, analyzer: Analyzer) -> None:
    """--label tells which column holds the truth."""
    found = evaluate(
        open_labels(labelled, "mood"), analyzer, "gender", label="gender", split="train", resamples=20
    )
    assert (found.faces, found.elsewhere) == (1, 5)
    with pytest.raises(UsageError, match="has a label"):
        evaluate(open_labels(labelled, "height"), analyzer, "gender", label="height")


def test_a_box_says_which_face_is_meant(tmp_path: Path, analyzer: Analyzer) -> None:
    """A label whose box holds no face is a failure, although the picture shows one elsewhere."""
    shutil.copy(SAMPLES / "collins_nasa.png", tmp_path)
    header = "image,gender,x1,y1,x2,y2\n"
    outcome = analyzer.analyze_one(SAMPLES / "collins_nasa.png")
    near = ",".join(f"{v:.1f}" for v in central_face(outcome).box)
    for line, failures in ((near, 0), ("0,0,20,20", 1)):
        (tmp_path / "labels.csv").write_text(f"{header}collins_nasa.png,female,{line}\n")
        manifest = open_labels(tmp_path / "labels.csv", "gender")
        if failures:
            with pytest.raises(InsufficientData, match="1 failure to acquire"):
                evaluate(manifest, analyzer, "gender", resamples=20)
        else:
            assert not evaluate(manifest, analyzer, "gender", resamples=20).failures


def test_what_no_model_answers_is_a_named_error(labelled: Path, analyzer: Analyzer) -> None:
    """An unknown attribute, words where a number is answered, a split that is not there."""
    manifest = open_labels(labelled, "gender")
    with pytest.raises(ConfigError, match="no model"):
        evaluate(manifest, analyzer, "mood")
    with pytest.raises(ConfigError, match="answered with a number"):
        evaluate(manifest, analyzer, "age", label="mood")
    with pytest.raises(SplitError, match="splits: test, train"):
        evaluate(manifest, analyzer, "gender", split="val")


def test_pictures_that_a_model_was_trained_on_are_refused(labelled: Path, tmp_path: Path) -> None:
    """The manifest beside the model's card is compared before anything is measured."""
    manifest = open_labels(labelled, "gender")
    run = tmp_path / "run"
    run.mkdir()
    manifest.save(run / "manifest.jsonl")
    with Analyzer("yunet", None, ["gender"], quality=False, workers=1) as analyzer:
        with pytest.raises(SplitError, match="train"):
            evaluate(manifest, analyzer, "gender", split="train", runs=[run])
        found = evaluate(manifest, analyzer, "gender", split="test", runs=[run], resamples=20)
    assert found.compared == {"run": LeakCheck(1)}


def test_figures_are_written_where_asked(labelled: Path, tmp_path: Path) -> None:
    """Confusion, ROC and calibration of classes; errors by bin of numbers."""
    data = ["--data", str(labelled), "--split", "all", "--plots"]
    _run(*data, str(tmp_path / "g"), "--attribute", "gender")
    _run(*data, str(tmp_path / "a"), "--attribute", "age")
    names = [sorted(p.name for p in (tmp_path / f).iterdir()) for f in "ga"]
    assert names == [["calibration.png", "confusion.png", "roc.png"], ["errors_by_bin.png"]]
