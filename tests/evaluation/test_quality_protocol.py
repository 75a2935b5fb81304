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
from lineament.evaluation.compare import compare, gate
from lineament.evaluation.people import open_people
from lineament.evaluation.quality import MEASURES, _pairs, evaluate
from lineament.evaluation.record import EvaluationRecord
from lineament.scoring.discard import SHARES

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
        first = one["fnmr_after_discarding"]["0"]
        assert (first["value"], first["n"]) == (pytest.approx(3 / 7), 7)
        assert {"value", "low", "high", "n"} <= set(first)
    assert "chosen on the comparisons of different people in these" in record["thresholds_chosen_on"]
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


def test_a_saved_record_can_be_compared_and_names_nobody(people: Path, tmp_path: Path) -> None:
    """Every share of every measure is a figure, paired by person; a page is drawn; it passes its gate."""
    saved = tmp_path / "quality.json"
    run = CliRunner().invoke(app, ["quality", "--images", str(people), "--save", str(saved)])
    assert run.exit_code == 0, run.output
    text = saved.read_text()
    assert "obama" not in text and "nobody.png" not in text
    record = EvaluationRecord.load(saved)
    assert set(record.clusters) <= set(record.figures)
    assert len(record.clusters) == len(MEASURES) * len(SHARES)
    for name, counts in record.clusters.items():
        rate = record.figures[name].rate
        assert sum(part for part, _ in counts.values()) == pytest.approx(rate.value * rate.n)
        assert sum(whole for _, whole in counts.values()) == rate.n
        assert record.figures[name].better == "low"
    assert all(row.difference.paired for row in compare(record, record) if row.name != "fmr")
    assert gate(record, record) == []
    page = tmp_path / "page.html"
    run = CliRunner().invoke(app, ["report", str(saved), "--out", str(page)])
    assert run.exit_code == 0, run.output
    assert 'class="red">the threshold was chosen on' in page.read_text()


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
