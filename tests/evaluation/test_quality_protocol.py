"""`evaluate quality`: error versus discard on people, failures first to go, no person decides alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage
from typer.testing import CliRunner

from lineament.analyzer import Analyzer
from lineament.cli.evaluate import app
from lineament.errors import ConfigError, InsufficientData
from lineament.evaluation.people import open_people
from lineament.evaluation.quality import MEASURES, _pairs, evaluate

SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three people's sample photos, shrunk; one more photo of one of them shows nobody."""
    root = tmp_path_factory.mktemp("people")
    for path in sorted(SAMPLES.iterdir()):
        if path.suffix != ".md":
            folder = root / path.name.split("_")[0]
            folder.mkdir(exist_ok=True)
            with PillowImage.open(path) as picture:
                small = picture.convert("RGB")
                small.thumbnail((500, 500))
                small.save(folder / path.name)
    PillowImage.new("RGB", (200, 200), (120, 120, 120)).save(root / "obama" / "nobody.png")
    return root


def test_failures_to_acquire_are_errors_and_go_first(people: Path, tmp_path: Path) -> None:
    """Three pairs with the picture of nobody fail; every measure discards just those three first."""
    command = ["quality", "--images", str(people), "--json", "-", "--plots", str(tmp_path / "figures")]
    run = CliRunner().invoke(app, command)
    assert run.exit_code == 0, run.output
    record = json.loads(run.stdout)
    # Four pictures of one person make six pairs, two of another one, a single one none.
    assert (record["mated_comparisons"], record["failures_to_acquire"], record["errors"]) == (7, 1, 3)
    assert record["failures"][0]["type"] == "NoFaceFound"
    assert set(record["measures"]) == set(MEASURES)
    for one in record["measures"].values():
        assert (one["points"][0]["value"], one["points"][0]["n"]) == (pytest.approx(3 / 7), 7)
        assert {"value", "low", "high", "n"} <= set(one["points"][0])
    assert record["threshold_from"] == "all comparisons of different people in these very pictures"
    assert record["supported"] is False
    assert [p.name for p in (tmp_path / "figures").iterdir()] == ["error_versus_discard.png"]


def test_a_measure_is_taken_of_the_worse_picture_of_a_pair(people: Path) -> None:
    """Once the pairs with a failure are gone nothing is left to fail, whatever the measure."""
    with Analyzer("yunet", workers=1) as analyzer:
        found = evaluate(open_people(people), analyzer)
    for one in found.measures.values():
        assert one.curve.rate[0] == pytest.approx(3 / 7)
        assert one.curve.discarded[1] == pytest.approx(3 / 7)
        assert (one.curve.rate[1:] == 0).all()


def test_people_with_many_photos_do_not_decide() -> None:
    """At most so many pairs a person, the same for the same seed, others for another."""
    subjects = ("ann",) * 8 + ("bob",) * 2 + ("eve",)
    first, second = _pairs(subjects, 5, seed=0)
    assert [subjects[i] for i in first] == ["ann"] * 5 + ["bob"]
    assert all(subjects[a] == subjects[b] and a < b for a, b in zip(first, second, strict=True))
    again, other = _pairs(subjects, 5, seed=0), _pairs(subjects, 5, seed=1)
    assert (again[0] == first).all() and (again[1] == second).all()
    assert not (np.array_equal(other[0], first) and np.array_equal(other[1], second))


def test_what_cannot_be_measured_is_a_named_error(people: Path, tmp_path: Path) -> None:
    """No quality asked of the analyzer; nobody with two pictures."""
    with (
        Analyzer("yunet", workers=1, quality=False) as analyzer,
        pytest.raises(ConfigError, match="quality"),
    ):
        evaluate(open_people(people), analyzer)
    for name in ("biden", "collins"):
        (tmp_path / name).mkdir()
        shutil.copy(sorted((people / name).iterdir())[0], tmp_path / name)
    with Analyzer("yunet", workers=1) as analyzer, pytest.raises(InsufficientData):
        evaluate(open_people(tmp_path), analyzer)
