"""Training an embedder end to end: drawn people to ONNX, and back into the analyzer."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from drawn_people import SIZE, draw, face

from lineament import registry
from lineament.analyzer import Analyzer
from lineament.errors import (
    CardMismatch,
    ConfigError,
    InsufficientData,
    ModelMismatch,
    NotEnoughSamples,
    SplitError,
)
from lineament.io.manifest import Manifest
from lineament.io.trained import TrainedCard
from lineament.scoring.similarity import normalise
from lineament.testing.embedder_contract import EmbedderContract
from lineament.training.recognition.settings import EmbedderSettings
from lineament.training.recognition.trainer import length, train_embedder
from lineament.training.settings import LoopSettings
from lineament.types import Status

SAMPLES = Path(__file__).parents[2] / "samples"
SETTINGS = EmbedderSettings(
    architecture="reference",
    dimension=8,
    size=SIZE,
    scale=16.0,
    photos_each=3,
    augment=("flip",),
    loop=LoopSettings(epochs=12, batch_size=12, learning_rate=3e-3, patience=None),
)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return draw(tmp_path_factory.mktemp("people"))


@pytest.fixture(scope="module")
def run(people: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "drawn"
    train_embedder(people, out, SETTINGS)
    return out


def settings(**changes: Any) -> EmbedderSettings:
    loop = {k.removeprefix("loop_"): v for k, v in changes.items() if k.startswith("loop_")}
    rest = {k: v for k, v in changes.items() if not k.startswith("loop_")}
    return replace(SETTINGS, loop=replace(SETTINGS.loop, **loop), **rest)


def subprocess_code(out: Path, people: Manifest) -> str:
    return f"""
import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
import torch; torch.set_num_threads(1)
from pathlib import Path
from test_embedder import settings
from lineament.io.manifest import Manifest
from lineament.training.recognition.settings import CentreSettings
from lineament.training.recognition.trainer import train_embedder
train_embedder(Manifest.load(Path({str(people.folder / "manifest.jsonl")!r})), Path({str(out)!r}),
               settings(loop_epochs=2, centres=CentreSettings(share=0.5)))
"""


class TestContract(EmbedderContract):
    """A trained embedder does what every embedder must."""

    @pytest.fixture(scope="class")
    @classmethod
    def embedder(cls, run: Path) -> Any:
        return registry.embedders.create(str(run))


def test_strangers_are_told_apart(run: Path, people: Manifest) -> None:
    """Trained on ten people, it finds the photos of eight others alike: the figures of the result are those
    of the ONNX file run over the test crops."""
    result = json.loads((run / "result.json").read_text())
    assert result["people"] == {"train": 10, "val": 8, "test": 8}
    embedder = registry.embedders.create(str(run))
    vectors = normalise(embedder.embed(np.stack([face(person, 0) for person in range(18, 26)])))
    others = normalise(embedder.embed(np.stack([face(person, 1) for person in range(18, 26)])))
    assert ((vectors @ others.T).argmax(axis=1) == np.arange(8)).mean() >= 0.5, "chance is 0.125"
    assert result["test"]["fnmr_at_fmr"]["0.1"]["value"] < 0.5
    assert result["test"]["mated"] == 8 * 10 and result["test"]["non_mated"] == 780 - 80


def test_the_best_epoch_has_the_lowest_fnmr(run: Path) -> None:
    """Not the lowest loss: the epoch kept is the first with the lowest FNMR on the validation split."""
    import csv

    with (run / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    result = json.loads((run / "result.json").read_text())
    rates = [float(row["val_fnmr"]) for row in rows]
    assert result["best_epoch"] == rates.index(min(rates)) + 1
    assert result["best_fnmr"] == min(rates)
    assert result["val"]["fnmr_at_fmr"]["0.1"]["value"] == pytest.approx(min(rates))
    assert result["fmr"] == 0.1


def test_the_run_folder_is_whole(run: Path) -> None:
    """Config, data, metrics, curves, weights, ONNX, card and result; the config can be trained from."""
    for name in ("config.toml", "environment.json", "manifest.jsonl", "metrics.csv", "curves.png"):
        assert (run / name).stat().st_size
    for name in ("best.safetensors", "model.onnx", "card.json", "roc_val.png", "roc_test.png"):
        assert (run / name).stat().st_size
    card = TrainedCard.load(run)
    assert card.job == "embedding" and card.input.alignment == "arcface_112"
    assert card.crop is not None and card.crop.align
    assert card.measured["test"]["people"] == 8
    from lineament.config import from_toml

    assert from_toml(EmbedderSettings, run / "config.toml") == SETTINGS


def test_analyzes_photos(run: Path) -> None:
    """The run folder's path is an embedder of the analyzer, which aligns faces to its size."""
    with Analyzer(embedder=str(run), workers=1) as analyzer:
        (outcome,) = analyzer.analyze([SAMPLES / "obama_2012_portrait.jpg"])
        assert outcome.status is Status.OK
        embedding = outcome.faces[0].embedding
        assert embedding is not None
        assert embedding.vector.shape == (8,)
        assert embedding.model == TrainedCard.load(run).model_id


def test_centres_survive_a_kill(people: Manifest, tmp_path: Path) -> None:
    """Killed after an epoch and gone on with, sampled centres and all: the weights of a whole run."""
    people.save(people.folder / "manifest.jsonl")
    from lineament.training.recognition.settings import CentreSettings

    wanted = settings(loop_epochs=2, centres=CentreSettings(share=0.5))
    train_embedder(people, tmp_path / "whole", wanted)
    code = subprocess_code(tmp_path / "killed", people)
    killing = (
        "import os, signal\n"
        "from lineament.training.runs import folder as run_folder\n"
        "save = run_folder.RunFolder.save_checkpoint\n"
        "def saved(self, state):\n"
        "    save(self, state)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "run_folder.RunFolder.save_checkpoint = saved\n"
    )
    first = subprocess.run([sys.executable, "-c", killing + code], check=False, capture_output=True)
    assert first.returncode == -9, first.stderr[-2000:]
    assert (tmp_path / "killed" / "last.ckpt").is_file()
    train_embedder(people, tmp_path / "killed", wanted)
    weights = [(tmp_path / name / "best.safetensors").read_bytes() for name in ("whole", "killed")]
    assert weights[0] == weights[1]


def test_another_loss_falls(people: Manifest, tmp_path: Path) -> None:
    """AdaFace, whose margins follow the data, gives a curve that falls, and a model that opens."""
    result = train_embedder(people, tmp_path / "run", settings(loss="adaface", loop_epochs=2))
    assert result.loss == "adaface"
    lines = (tmp_path / "run" / "metrics.csv").read_text().splitlines()
    column = lines[0].split(",").index("train_loss")
    losses = [float(line.split(",")[column]) for line in lines[1:]]
    assert losses[-1] < losses[0]
    assert registry.embedders.create(f"trained:model={tmp_path / 'run'}").dimension == 8


def test_people_of_the_validation_split_are_strangers(people: Manifest, tmp_path: Path) -> None:
    """A person in two splits is refused before any training, with the command that splits rightly."""
    rows = [replace(r, subject="person 000") if r.subject == "person 010" else r for r in people]
    with pytest.raises(SplitError, match="--by subject"):
        train_embedder(replace(people, rows=tuple(rows)), tmp_path / "run", SETTINGS)
    assert not (tmp_path / "run").exists()


def test_a_rate_that_the_split_cannot_support_is_refused(people: Manifest, tmp_path: Path) -> None:
    """700 non-mated comparisons say nothing of FMR 0.001; the message tells how many it takes."""
    with pytest.raises(InsufficientData, match="30,000"):
        train_embedder(people, tmp_path / "run", settings(fmr=1e-3))
    few = [r for r in people if r.split != "val" or r.subject in ("person 010", "person 011")]
    with pytest.raises(InsufficientData, match="300"):
        train_embedder(replace(people, rows=tuple(few)), tmp_path / "run", SETTINGS)


@pytest.mark.parametrize("step", ["none", "square", "margin"])
def test_crops_that_are_not_aligned_are_refused(people: Manifest, tmp_path: Path, step: str) -> None:
    """The analyzer will align faces, so training on anything else is an error that names the command."""
    told = {"square": {"size": 32, "align": False}, "margin": {"size": 32, "align": True, "margin": 0.3}}
    steps = () if step == "none" else ({"step": "extract", "settings": told[step]},)
    with pytest.raises(ConfigError, match="--align --size 32"):
        train_embedder(replace(people, steps=steps), tmp_path / "run", SETTINGS)
    if step == "none":
        assert length(replace(people, steps=()), settings(aligned=True)) > 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"loss": "triplet", "photos_each": 1},
        {"loss": "triplet", "sampler": "shuffled"},
        {"loop_batch_size": 4},
        {"loop_stop_at": 0.9},
        {"augment": ("normalise",)},
        {"fmr": 2.0},
        {"size": 16},
    ],
)
def test_settings_that_make_no_sense(wrong: dict[str, Any]) -> None:
    """Each is refused by name before any picture is read."""
    with pytest.raises(ConfigError):
        settings(**wrong)


def test_another_models_card_is_refused(run: Path, tmp_path: Path) -> None:
    """A card that does not ask for aligned crops is none of an embedder."""
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    card = json.loads((copy / "card.json").read_text())
    card["input"]["alignment"] = "none"
    (copy / "card.json").write_text(json.dumps(card))
    with pytest.raises(CardMismatch, match="aligned"):
        registry.embedders.create(str(copy))


def test_from_the_command_line(tmp_path: Path) -> None:
    """The command trains on triplets and tells what came of every row: pictures that cannot be read (no
    match for anything), rows without a subject, subjects with too few photos."""
    from typer.testing import CliRunner

    from lineament.cli.main import app

    manifest = draw(tmp_path / "people")
    broken = {split: next(r for r in manifest if r.split == split) for split in ("train", "val")}
    whole = next(r.subject for r in manifest if r.split == "train" and r.subject != broken["train"].subject)
    lonely = min(r.id for r in manifest if r.subject == whole)
    rows = [r for r in manifest if r.subject != whole or r.id == lonely]
    nameless = max(
        str(r.subject) for r in rows if r.split == "train" and r.subject != broken["train"].subject
    )
    rows = [replace(r, subject=None) if r.subject == nameless else r for r in rows]
    replace(manifest, rows=tuple(rows)).save(tmp_path / "people" / "manifest.jsonl")
    for row in broken.values():
        manifest.file(row).write_bytes(b"no picture")
    out = tmp_path / "run"
    arguments = ["train", "embedder", str(tmp_path / "people"), "--out", str(out), "--epochs", "1"]
    arguments += ["--architecture", "reference", "--dimension", "8", "--batch-size", "12"]
    arguments += ["--set", f"size={SIZE}", "--set", "photos_each=3", "--loss", "triplet"]
    arguments += ["--json", str(tmp_path / "out.json"), "--strict"]
    answer = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert answer.exit_code == 1, "pictures were refused, and --strict asked for"
    assert "people never trained on" in answer.output
    assert "lineament calibrate" in answer.output
    result = json.loads((tmp_path / "out.json").read_text())
    assert result["left_out"]["train"] == {
        "rows without a subject": 6,
        "rows of subjects with too few photos": 1,
        "subjects with too few photos": 1,
    }
    assert result["people"]["train"] == 8
    assert result["refused"] == {"train": 1, "val": 1, "test": 0}
    assert result["val"]["mated"] == 80
    assert result["best_fnmr"] >= 4 / 80
    told = (out / "refused.txt").read_text()
    assert all(row.path in told for row in broken.values())


def test_one_subject_cannot_be_trained_on(people: Manifest, tmp_path: Path) -> None:
    """Fewer than two people with enough photos is an error that says how many there are."""
    alone = [r for r in people if r.split != "train" or r.subject == "person 005"]
    with pytest.raises(NotEnoughSamples, match="2 photos or more, it has 1"):
        train_embedder(replace(people, rows=tuple(alone)), tmp_path / "alone", SETTINGS)


def test_no_decision_without_a_measured_threshold(run: Path) -> None:
    """Verifying with it is refused with the command that measures a threshold, by library and by command
    line; a run folder called like a shipped model does not get that model's threshold."""
    import shutil

    from typer.testing import CliRunner

    from lineament.cli.main import app
    from lineament.gallery.searching import measured_threshold, search_threshold

    photos = [str(SAMPLES / "obama_2012_portrait.jpg"), str(SAMPLES / "obama_2010_white_house.jpg")]
    with (
        Analyzer(embedder=str(run), workers=1) as analyzer,
        pytest.raises(InsufficientData, match="calibrate"),
    ):
        analyzer.verify(*photos)
    answer = CliRunner().invoke(app, ["verify", *photos, "--embedder", str(run)])
    assert isinstance(answer.exception, InsufficientData)
    namesake = run.parent / "sface"
    shutil.copytree(run, namesake)
    card = json.loads((namesake / "card.json").read_text())
    (namesake / "card.json").write_text(json.dumps({**card, "name": "sface"}))
    model = registry.embedders.create(str(namesake)).model
    assert model.name == "sface"
    for ask in (lambda: measured_threshold(model, 1e-3), lambda: search_threshold(model, 10)):
        with pytest.raises(ModelMismatch):
            ask()
