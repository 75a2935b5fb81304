"""`evaluate strangers`: below which probability a classifier names nobody."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage
from typer.testing import CliRunner

from lineament.attributes.trained import NOBODY, Trained
from lineament.cli.main import app
from lineament.errors import CardMismatch, ConfigError, InsufficientData, UsageError
from lineament.evaluation.strangers import Photo, measure, photos_in
from lineament.geometry.crop_style import CropStyle
from lineament.io import rejection
from lineament.registry import attributes
from lineament.scoring import thresholds
from tiny_models import people_run, variant

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
PORTRAIT = SAMPLES / "obama_2012_portrait.jpg"


@pytest.fixture
def run(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return variant(people_run(tmp_path_factory), tmp_path / "run", crop=CropStyle(32))


def _tinted(folder: Path, name: str, tint: tuple[float, float, float]) -> Path:
    """One portrait in another light: the network answers by the mean colour."""
    with PillowImage.open(PORTRAIT) as picture:
        small = picture.convert("RGB")
        small.thumbnail((300, 300))
    pixels = np.clip(np.asarray(small, np.float32) * tint, 0, 255).astype(np.uint8)
    folder.mkdir(parents=True, exist_ok=True)
    PillowImage.fromarray(pixels).save(folder / f"{name}.png")
    return folder / f"{name}.png"


@pytest.fixture
def strangers(tmp_path: Path) -> Path:
    """Eight people of nearly grey light, so that no answer about them is sure."""
    for n in range(8):
        _tinted(tmp_path / "strangers" / f"person {n}", "a", (0.8 + n / 100, 0.9, 1.0))
    return tmp_path / "strangers"


def test_it_is_chosen_on_half_and_measured_on_the_other(run: Path, strangers: Path, tmp_path: Path) -> None:
    """The record keeps counts and intervals; known people in their own strong light stay named."""
    for colour, tint in (("red", (1.6, 0.5, 0.4)), ("blue", (0.4, 0.5, 1.6))):
        _tinted(tmp_path / "known" / colour, "b", tint)
    found = measure(run, photos_in(strangers), photos_in(tmp_path / "known"), share=0.05)
    assert (found.people, found.chosen_on, found.named.n) == (8, 4, 4)
    assert found.named.low <= found.named.value <= found.named.high
    assert (found.needed, found.to_json()["recommended"]) == (118, None)
    assert found.kept is not None and found.right is not None
    assert found.kept.value == found.right.value == 1.0 and found.kept.n == 2
    assert 1 / 3 < found.below < 1


def _asked(*words: object) -> Any:
    done = CliRunner().invoke(app, list(map(str, words)))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def test_analyze_then_names_nobody_below_it(run: Path, strangers: Path) -> None:
    """Kept in the run folder by the command, used by --reject-below measured; numbers are taken too."""
    done = _asked("evaluate", "strangers", run, strangers, "--share", "0.6")
    assert done.exit_code == 0, done.output
    kept = json.loads((run / rejection.FILE).read_text())
    below = kept["below"]
    photo = next(strangers.rglob("*.png"))

    def face(*words: object) -> tuple[Any, str]:
        line = _asked("analyze", photo, "--classifier", run, *words, "--json", "-")
        return json.loads(line.stdout)["faces"][0], line.stderr

    def subject(*words: object) -> tuple[str, str]:
        found, said = face(*words)
        return found["attributes"]["subject"], said

    assert subject()[0] != NOBODY and subject("--reject-below", "0")[0] != NOBODY
    named, said = subject("--reject-below", "measured")
    sure = face()[0]["probabilities"]["subject"]
    # The answer's number is rounded: the limit may be this very face's.
    assert abs(sure - below) < 1e-6 or (named == NOBODY) == (sure < below)
    assert f"names nobody below {below:.4f}" in said and "of 4 faces of strangers" in said
    assert subject("--reject-below", "1")[0] == NOBODY
    assert subject()[1].count("takes every face for one of its 3 people") == 1


@pytest.mark.parametrize(
    ("share", "people", "needed"), [("0.05", 8, 118), ("0.5", 8, 10), ("0.6", 6, 8), ("0.6", 3, 8)]
)
def test_too_few_strangers_get_figures_and_no_recommendation(
    run: Path, strangers: Path, share: str, people: int, needed: int
) -> None:
    """Figures with their intervals are shown and numbers that would do are named; the command fails and
    writes nothing."""
    photos = sorted(strangers.iterdir())[people:]
    for folder in photos:
        shutil.rmtree(folder)
    answer = CliRunner().invoke(
        app, ["evaluate", "strangers", str(run), str(strangers), "--share", share, "--json", "-"]
    )
    assert isinstance(answer.exception, InsufficientData)
    assert f"takes {needed} of them" in str(answer.exception) and f"you have {people}" in str(
        answer.exception
    )
    assert not (run / rejection.FILE).exists()
    told = json.loads(answer.stdout)
    assert told["recommended"] is None and told["strangers_needed"] == needed and told["shortfall"]
    assert told["named"]["high"] - told["named"]["low"] > 0.3
    assert "use it" not in answer.output and "at most" in answer.stderr


@pytest.mark.parametrize("rate", [0.5, 0.1, 0.05, 0.01, 0.001])
def test_the_fewest_that_can_promise_a_rate_are_those_of_the_rule_of_three(rate: float) -> None:
    """With so many trials and no error the one-sided 95 % bound is at or below the rate, with one fewer
    not; about 3 / rate."""
    n = thresholds.fewest(rate)
    assert (1 - rate) ** n <= 0.05 < (1 - rate) ** (n - 1)
    assert n == pytest.approx(3 / rate, rel=0.2)


def test_a_level_kept_from_too_few_strangers_is_a_warning_where_it_is_used(
    run: Path, strangers: Path
) -> None:
    """A program may keep what the command would not: `analyze` says so."""
    rate = {"value": 0.4, "low": 0.3, "high": 0.5, "n": 100}
    record = {"named": rate, "shortfall": "to promise that takes 118 of them; you have 8"}
    card = attributes.create(str(run)).card  # type: ignore[attr-defined]
    rejection.save(run, rejection.Rejection(0.5, card.sha256, record))
    photo = next(strangers.rglob("*.png"))
    said = _asked("analyze", photo, "--classifier", run, "--reject-below", "measured", "--json", "-").stderr
    assert "warning: to promise that takes 118" in said


def test_a_face_just_below_is_nobody_and_just_at_it_is_somebody(run: Path, strangers: Path) -> None:
    """The limit itself is enough to be named."""
    photo = next(strangers.rglob("*.png"))
    line = _asked("analyze", photo, "--classifier", run, "--json", "-")
    p = json.loads(line.stdout)["faces"][0]["probabilities"]["subject"]
    for below, nobody in ((p - 1e-4, False), (p + 1e-4, True)):
        told = _asked("analyze", photo, "--classifier", run, "--reject-below", below, "--json", "-")
        assert (json.loads(told.stdout)["faces"][0]["attributes"]["subject"] == NOBODY) == nobody


def test_what_cannot_be_measured_or_used_is_named(run: Path, strangers: Path, tmp_path: Path) -> None:
    """No measurement, one of other weights, known people among the strangers, too few, no number."""
    spec = f"{run}:reject_below=measured"
    with pytest.raises(ConfigError, match="evaluate strangers"):
        attributes.create(spec)
    rate = {"value": 0.1, "low": 0.0, "high": 0.5, "n": 4}
    rejection.save(run, rejection.Rejection(0.5, "0" * 64, {"named": rate}))
    with pytest.raises(CardMismatch, match="other weights"):
        attributes.create(spec)
    photos = photos_in(strangers)
    with pytest.raises(UsageError, match="red: no strangers"):
        measure(run, [*photos, Photo(photos[0].file, "red")])
    with pytest.raises(InsufficientData, match="1 stranger "):
        measure(run, photos[:1])
    with pytest.raises(UsageError, match="neither a manifest nor a folder"):
        photos_in(tmp_path / "nothing")
    with pytest.raises(ConfigError):
        attributes.create(f"{run}:reject_below=2")
    with pytest.raises(UsageError, match="--classifier DIR"):
        _asked("analyze", PORTRAIT, "--reject-below", "0.5")


def test_a_flat_folder_is_of_as_many_people_as_photos(strangers: Path, tmp_path: Path) -> None:
    """Photos without names are each of somebody else; a folder a person names them."""
    (tmp_path / "flat").mkdir()
    for n, file in enumerate(sorted(strangers.rglob("*.png"))):
        shutil.copy(file, tmp_path / "flat" / f"{n}.png")
    assert len({photo.person for photo in photos_in(tmp_path / "flat")}) == 8
    assert {photo.person for photo in photos_in(strangers)} == {f"person {n}" for n in range(8)}


def test_without_it_every_face_is_named(run: Path) -> None:
    """The default rejects nothing."""
    opened = attributes.create(str(run))
    assert isinstance(opened, Trained) and opened.reject_below == 0
