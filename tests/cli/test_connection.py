"""``analyze`` with trained models: any of them together, each by the folder of its training."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lineament.cli.main import app
from lineament.errors import ConfigError
from lineament.geometry.crop_style import CropStyle
from tiny_models import COLOURS, people_run, several_run, variant

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
PORTRAIT = str(SAMPLES / "obama_2012_portrait.jpg")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    variant(people_run(tmp_path_factory), folder / "cls", crop=CropStyle(32))
    variant(several_run(tmp_path_factory), folder / "attr", crop=CropStyle(40, align=True))
    return folder


def run(*words: str) -> str:
    result = CliRunner().invoke(app, ["analyze", PORTRAIT, *words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0
    return result.stdout


def test_trained_and_shipped_models_answer_together(runs: Path) -> None:
    """JSON holds every model's top value, and the probability of those that are classes."""
    words = ["--classifier", str(runs / "cls"), "--attributes", str(runs / "attr")]
    line = json.loads(run(*words, "--attributes", "gender", "--age", "--json", "-"))
    (face,) = line["faces"]
    assert set(face["attributes"]) == {"age", "gender", "tint", "level", "subject"}
    assert set(face["probabilities"]) == {"gender", "tint", "subject"}
    assert face["attributes"]["subject"] in COLOURS and 1 / 3 < face["probabilities"]["subject"] <= 1
    assert 0 < face["attributes"]["level"] < 255


def test_the_table_shows_value_and_probability(runs: Path) -> None:
    """A column an attribute: the class with its probability, a number alone."""
    line = json.loads(run("--classifier", str(runs / "cls"), "--json", "-"))
    (face,) = line["faces"]
    table = run("--classifier", str(runs / "cls"), "--attributes", str(runs / "attr"))
    assert "subject" in table and "tint" in table and "level" in table
    cell = f"{face['attributes']['subject']} {face['probabilities']['subject']:.2f}"
    assert "".join(cell.split()) in "".join(table.split())


def test_a_detector_without_landmarks_serves_an_aligning_model(runs: Path) -> None:
    """Haar gives boxes alone; the analyzer finds the landmarks the model's card asks for."""
    line = json.loads(run("--detector", "haar", "--attributes", str(runs / "attr"), "--json", "-"))
    assert set(line["faces"][0]["attributes"]) == {"tint", "level"}


def test_wrong_models_are_named(runs: Path, tmp_path: Path) -> None:
    """A folder without a card, a model for another job and a name nobody knows each end by name."""
    with pytest.raises(ConfigError, match="no card"):
        run("--classifier", str(tmp_path))
    with pytest.raises(ConfigError, match="not for classifier"):
        run("--classifier", str(runs / "attr"))
    with pytest.raises(ConfigError, match="which is no detector"):
        run("--detector", str(runs / "cls"))
    with pytest.raises(ConfigError, match="there is no folder runs/nothing"):
        run("--attributes", "runs/nothing")
