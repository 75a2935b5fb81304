"""``lineament calibrate`` and the commands that take its file."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lineament.cli.main import app
from lineament.errors import ConfigError, InsufficientData, ModelMismatch, UsageError
from lineament.io import calibration_file, catalog
from lineament.io.calibration_file import Calibration
from lineament.scoring.probability import Probability
from lineament.types import Interval, ModelId, Threshold

SAMPLES = Path(__file__).parents[2] / "samples"
OBAMA = [str(SAMPLES / f"obama_{name}.jpg") for name in ("2012_portrait", "2010_white_house")]


@pytest.fixture
def people(tmp_path: Path) -> Path:
    root = tmp_path / "people"
    for path in SAMPLES.iterdir():
        if path.suffix != ".md":
            (root / path.name.split("_")[0]).mkdir(parents=True, exist_ok=True)
            shutil.copy(path, root / path.name.split("_")[0] / path.name)
    return root


def threshold_file(
    path: Path, value: float, kind: str = "FMR", enrolled: int | None = None, model: ModelId | None = None
) -> str:
    """A calibration as the command writes it, at a threshold of the test's choice."""
    threshold = Threshold(
        value,
        model or catalog.card("sface").model_id,
        0.01,
        "my people",
        0.01,
        Interval(0, 0.02),
        5000,
        101,
        kind,  # type: ignore[arg-type]
        enrolled,
    )
    calibration_file.save(path, Calibration(threshold, Probability("logistic", 20.0, -7.0), {}))
    return str(path)


def test_three_people_are_too_few_and_nothing_is_written(people: Path, tmp_path: Path) -> None:
    """The refusal says how many are needed; no file is left behind."""
    out = tmp_path / "t.json"
    run = CliRunner().invoke(
        app, ["calibrate", str(people), "--target-fmr", "0.01", "--out", str(out), "--workers", "1"]
    )
    assert isinstance(run.exception, InsufficientData)
    assert "needs 30 people to choose it on, you have" in str(run.exception)
    assert not out.exists()


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ([], UsageError),
        (["--target-fmr", "0.1", "--target-fpir", "0.1"], UsageError),
        (["--target-fmr", "2"], ConfigError),
        (["--target-fmr", "0.1", "--hold-out", "1"], ConfigError),
        (["--target-fmr", "0.1", "--probability", "magic"], ConfigError),
        (["--target-fmr", "0.1", "--split", "test"], UsageError),
    ],
)
def test_wrong_usage_is_named_before_any_picture_is_read(
    people: Path, options: list[str], kind: type[Exception]
) -> None:
    """No target, two targets, values out of range, a split of a folder."""
    assert isinstance(CliRunner().invoke(app, ["calibrate", str(people), *options]).exception, kind)


@pytest.mark.parametrize(("value", "decision"), [(0.1, "match"), (0.99, "no_match")])
def test_verify_decides_by_the_file_and_says_how_sure(tmp_path: Path, value: float, decision: str) -> None:
    """The file's threshold decides; the probability follows from its curve and the prior."""
    file = threshold_file(tmp_path / "t.json", value)
    command = ["verify", *OBAMA, "--threshold-file", file, "--json", "-"]
    found = json.loads(CliRunner().invoke(app, [*command, "--prior", "0.001"]).stdout)
    assert found["decision"] == decision
    assert found["threshold"]["measured_on"] == "my people"
    curve = calibration_file.load(Path(file)).probability
    assert curve is not None
    assert found["probability"] == {
        "value": pytest.approx(curve.given(found["similarity"], 0.001)),
        "prior": 0.001,
    }


def test_a_threshold_of_another_model_or_kind_is_refused(tmp_path: Path) -> None:
    """Other weights: ModelMismatch. One for searches does not decide a comparison: UsageError."""
    other = threshold_file(tmp_path / "a.json", 0.4, model=ModelId("sface", "ab" * 32))
    search = threshold_file(tmp_path / "b.json", 0.4, "FPIR", 10)
    for file, kind in ((other, ModelMismatch), (search, UsageError)):
        run = CliRunner().invoke(app, ["verify", *OBAMA, "--threshold-file", file])
        assert isinstance(run.exception, kind)
    command = ["evaluate", "verification", "--all", str(SAMPLES), "--threshold-file", search]
    assert isinstance(CliRunner().invoke(app, command).exception, UsageError)


def test_gallery_commands_decide_by_the_file_and_warn_when_outgrown(people: Path, tmp_path: Path) -> None:
    """Calibrated for one person, three are enrolled: status and identify say so."""
    url = f"sqlite:{tmp_path / 'g.db'}"
    run = CliRunner().invoke(app, ["gallery", "enrol", str(people), "--gallery", url, "--workers", "1"])
    assert run.exit_code == 0, run.output
    file = threshold_file(tmp_path / "t.json", 0.99, "FPIR", 1)
    asked = ["--gallery", url, "--threshold-file", file]
    status = json.loads(CliRunner().invoke(app, ["gallery", "status", *asked, "--json", "-"]).stdout)
    assert (status["people"], status["threshold"]["value"]) == (3, 0.99)
    assert "calibrated for 1 people at FPIR 0.01, it holds 3" in status["warning"]
    run = CliRunner().invoke(app, ["gallery", "identify", OBAMA[0], *asked])
    assert "warning: the gallery has outgrown its threshold" in run.stdout
    plain = json.loads(
        CliRunner().invoke(app, ["gallery", "status", "--gallery", url, "--json", "-"]).stdout
    )
    assert plain["warning"] is None
    assert plain["strangers_matched"] < 0.01
