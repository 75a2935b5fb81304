"""``lineament calibrate`` and the commands that take its file."""

from __future__ import annotations

import json
import shutil
from itertools import combinations
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from lineament import pipelines
from lineament.analyzer import Analyzer, central_face
from lineament.cli.main import app
from lineament.errors import ConfigError, InsufficientData, ModelMismatch, UsageError
from lineament.evaluation.calibration import held_out_rows
from lineament.evaluation.capture import capture
from lineament.evaluation.people import open_people
from lineament.geometry.alignment import ARCFACE_112
from lineament.io import calibration_file, images
from lineament.io.calibration_file import Calibration
from lineament.scoring import similarity
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
        model or pipelines.card(pipelines.DEFAULT).model_id,
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


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """45 people of two small photos each: every two of six sample faces blended in three shares."""
    root = tmp_path_factory.mktemp("crowd")
    files = sorted(path for path in SAMPLES.iterdir() if path.suffix != ".md")
    place = ARCFACE_112 * 1.2 + 33
    upright = []
    with Analyzer("yunet", None, quality=False) as analyzer:
        for outcome in analyzer.analyze([str(path) for path in files]):
            points = central_face(outcome).landmarks
            turn, _ = cv2.estimateAffinePartial2D(points, place)
            upright.append(cv2.warpAffine(images.load(Path(outcome.source)).pixels, turn, (200, 200)))
    for a, b in combinations(range(len(upright)), 2):
        for share in (0.25, 0.5, 0.75):
            face = share * upright[a] + (1 - share) * upright[b]
            folder = root / f"{a}{b}-{share:g}"
            folder.mkdir()
            for number, light in enumerate((0.7, 1.0)):
                pixels = np.clip(face * light, 0, 255).astype(np.uint8)
                images.save(folder / f"{number}.png", pixels[:, ::-1] if number else pixels)
    return root


def calibrated(crowd: Path, out: Path, *options: str) -> tuple[dict[str, Any], str]:
    """The command's JSON and what it said, after it wrote the file."""
    answer = out.with_suffix(".answer")
    command = ["calibrate", str(crowd), *options, "--out", str(out), "--json", str(answer)]
    run = CliRunner().invoke(app, command)
    assert run.exit_code == 0, run.output
    return json.loads(answer.read_text()), run.stdout


def test_calibrate_writes_the_smallest_threshold_that_keeps_the_target(crowd: Path, tmp_path: Path) -> None:
    """Of n comparisons of strangers floor(0.1 n) match: it lies just above the highest one that may not.

    The people held out had no part in it: the rate measured on them is theirs alone.
    """
    out = tmp_path / "t.json"
    answer, said = calibrated(crowd, out, "--target-fmr", "0.1", "--precision", "exact")
    chosen = calibration_file.load(out)
    assert chosen.threshold.to_json() == answer["threshold"]
    assert chosen.threshold.model == pipelines.card(pipelines.DEFAULT).model_id
    people = open_people(crowd)
    apart = held_out_rows(people.subjects, 0.3, 0)
    whose = np.array(people.subjects)
    assert answer["chosen_on"]["subjects"] == len(set(whose[~apart])) == 31
    with Analyzer("yunet", "sface", quality=False, precision="exact") as analyzer:
        found = capture(analyzer, people.pictures)
    i, j = np.triu_indices(len(whose), 1)
    strangers = (whose[i] != whose[j]) & ~apart[i] & ~apart[j]
    scores = np.sort(similarity.paired(found.embeddings[i], found.embeddings[j])[strangers])[::-1]
    assert answer["chosen_on"]["comparisons"] == len(scores)
    assert chosen.threshold.value == pytest.approx(scores[int(0.1 * len(scores))], abs=1e-5)
    assert answer["chosen_on"]["fmr"]["value"] == int(0.1 * len(scores)) / len(scores)
    assert answer["chosen_and_measured"] == "chosen on some people, measured on others"
    others = (whose[i] != whose[j]) & apart[i] & apart[j]
    seen = similarity.paired(found.embeddings[i], found.embeddings[j])[others] >= chosen.threshold.value
    assert answer["measured"]["fmr"]["n"] == len(seen)
    assert answer["measured"]["fmr"]["value"] == pytest.approx(seen.mean(), abs=2 / len(seen))
    assert "no probability: a probability needs 30 people" in said


def test_nobody_held_out_is_told_in_capitals_and_gives_a_curve(crowd: Path, tmp_path: Path) -> None:
    """Chosen and measured on the same people: allowed, told; `verify` then decides by the file."""
    out = tmp_path / "t.json"
    answer, said = calibrated(crowd, out, "--target-fmr", "0.1", "--hold-out", "0")
    assert answer["same_data"] and "CHOSEN AND MEASURED ON THE SAME PEOPLE" in said
    assert set(answer["measured"]["fnmr"]) == {"value", "low", "high", "n"}
    photos = [str(path) for path in sorted((crowd / "01-0.5").iterdir())]
    run = CliRunner().invoke(app, ["verify", *photos, "--threshold-file", str(out), "--json", "-"])
    found = json.loads(run.stdout)
    assert found["threshold"]["value"] == calibration_file.load(out).threshold.value
    assert found["probability"]["value"] > 0.5


def test_a_threshold_for_searches_is_calibrated_for_its_gallery(crowd: Path, tmp_path: Path) -> None:
    """--target-fpir: strangers who match somebody stay within the target; the file names the gallery."""
    out = tmp_path / "t.json"
    options = ["--target-fpir", "0.5", "--hold-back", "35", "--hold-out", "0", "--probability", "none"]
    answer, _ = calibrated(crowd, out, *options)
    threshold = calibration_file.load(out).threshold
    assert (threshold.kind, threshold.enrolled) == ("FPIR", 10)
    assert answer["chosen_on"]["comparisons"] == 70
    assert answer["chosen_on"]["fpir"]["value"] <= 0.5
    run = CliRunner().invoke(app, ["verify", *OBAMA, "--threshold-file", str(out)])
    assert isinstance(run.exception, UsageError)


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
    assert "calibrated for 1 person at FPIR 0.01, it holds 3" in status["warning"]
    run = CliRunner().invoke(app, ["gallery", "identify", OBAMA[0], *asked])
    assert "warning: the gallery has outgrown its threshold" in run.stdout
    plain = json.loads(
        CliRunner().invoke(app, ["gallery", "status", "--gallery", url, "--json", "-"]).stdout
    )
    assert plain["warning"] is None
    assert plain["strangers_matched"] < 0.01
