"""Run folders of earlier versions: what they say is still read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from small_training import photos

from lineament.errors import CheckpointMismatch
from lineament.training.answers import RESULT
from lineament.training.attributes.result import AttributesResult
from lineament.training.classification.result import ClassifierResult
from lineament.training.classification.trainer import train_classifier
from lineament.training.detection.results import DetectorResult, LocalizerResult
from lineament.training.recognition.result import EmbedderResult
from lineament.training.sweeping.settings import SweepSettings
from lineament.training.sweeping.sweep import cells, run_sweep

KEPT = Path(__file__).parent / "results"
KINDS = {
    "attributes": AttributesResult,
    "classifier": ClassifierResult,
    "detector": DetectorResult,
    "embedder": EmbedderResult,
    "localizer": LocalizerResult,
}


@pytest.mark.parametrize("name", KINDS)
def test_what_an_earlier_version_wrote_is_read(name: str, tmp_path: Path) -> None:
    """A ``result.json`` of before keys had one spelling opens, says in tables and words what it said, and
    written again it is what this version writes; only spelling and refused pictures differ."""
    earlier = json.loads((KEPT / f"{name}.json").read_text())
    result = KINDS[name].from_json(earlier, tmp_path)
    assert [table for table in result.tables() if table.rows] and all(result.notes())
    now = result.to_json()
    assert KINDS[name].from_json(now, tmp_path) == result
    for key in ("overfitting_from", "overfits_from", "refused"):
        earlier.pop(key, None)
        now.pop(key, None)
    assert now == earlier
    assert sum(result.refused.values()) == 1 and any("refused pictures" in note for note in result.notes())


def test_a_result_of_something_else_is_refused(tmp_path: Path) -> None:
    """Figures that are missing or none at all are a named error with the file's name."""
    for values in ({}, {"trainer": "classifier", "train": 3}, {"accuracy": {"value": None}}):
        with pytest.raises(CheckpointMismatch, match=r"result\.json.*training classifier"):
            ClassifierResult.from_json(values, tmp_path)


def test_earlier_runs_are_kept_by_a_sweep(tmp_path: Path) -> None:
    """A finished run with the earlier spelling is not trained again, by itself or in a sweep, and its
    figures are those of the sweep."""
    data = photos(tmp_path / "data")
    settings = SweepSettings(
        architectures=("reference:scratch",),
        augmentations=("none",),
        seeds=(0,),
        baseline="none",
        classifier={"size": 32, "weights": "none", "loop": {"epochs": 1, "batch_size": 6, "threads": 1}},
    )
    (cell,) = cells(settings)
    run = tmp_path / "sweep" / cell.folder
    result = train_classifier(data, run, cell.settings)
    values = result.to_json()
    values["overfitting_from"] = values.pop("overfits_from")
    (run / RESULT).write_text(json.dumps(values))
    before = (run / "model.onnx").stat().st_mtime_ns
    assert train_classifier(data, run, cell.settings) == result
    (swept,) = run_sweep(data, tmp_path / "sweep", settings).summary.runs
    assert swept.on(result.measured_on) == result.splits[result.measured_on].accuracy
    assert (run / "model.onnx").stat().st_mtime_ns == before
