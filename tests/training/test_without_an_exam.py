"""Data split into train and val alone suit every trainer, and every figure says what it was measured on."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import drawn_people
import picture_classes
import pytest
import scene_pictures
from typer.testing import CliRunner

from lineament.cli.main import app
from lineament.datasets.splitting.held_out import NOTE
from lineament.errors import NotEnoughSamples
from lineament.io.manifest import Manifest
from lineament.io.trained import TrainedCard

Draw = Callable[[Path], Manifest]


def stripes(folder: Path) -> Manifest:
    return picture_classes.pictures(folder, {"any": 16})


def discs(folder: Path) -> Manifest:
    return scene_pictures.write(folder, {"any": 30}, size=64, most=1, empty=30)


def people(folder: Path) -> Manifest:
    return drawn_people.draw(folder, {"any": (20, 5)})


QUICK = ["--epochs", "1", "--batch-size", "8", "--set", "loop.threads=1"]
SMALL = ["--architecture", "reference", "--method", "scratch", "--size", "64"]
TRAINERS: dict[str, tuple[Draw, list[str], list[str]]] = {
    "classifier": (stripes, [], [*SMALL, "--label", "lines", *QUICK]),
    "attributes": (stripes, [], [*SMALL, "--head", "lines", *QUICK]),
    "localizer": (discs, [], [*SMALL, *QUICK]),
    "detector": (discs, [], ["--model", "torchvision:ssdlite_mobilenet_v3_small", "--size", "64", *QUICK]),
    "embedder": (
        people,
        ["--by", "subject", "--exact"],
        ["--architecture", "reference", "--set", f"size={drawn_people.SIZE}", "--dimension", "8",
         "--epochs", "1", "--batch-size", "12", "--set", "photos_each=3", "--loss", "triplet"],
    ),
}  # fmt: skip
SWEEP: tuple[Draw, list[str], list[str]] = (
    stripes,
    [],
    ["--architectures", "reference:scratch", "--augmentations", "none,flip", "--seeds", "0",
     "--baseline", "none", "--set", "classifier.label=lines", "--set", "classifier.size=32",
     "--set", "classifier.loop.epochs=1", "--set", "classifier.loop.threads=1"],
)  # fmt: skip


def invoke(*words: str) -> str:
    run = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert run.exit_code == 0, run.output
    return str(run.stdout)


def split_data(draw: Draw, folder: Path, *given: str) -> Path:
    """Drawn pictures without splits, shared out by the command as its shares are written."""
    manifest = draw(folder)
    plain = replace(manifest, rows=tuple(replace(row, split=None) for row in manifest))
    plain.save(folder / "manifest.jsonl")
    invoke("dataset", "split", str(folder), "60/40", "--no-near", *given)
    return folder / "split.jsonl"


@pytest.mark.parametrize("trainer", TRAINERS)
def test_every_trainer_takes_train_and_val_alone(trainer: str, tmp_path: Path) -> None:
    """Of data split 60/40 the figures are of val: the table, the JSON and the card name it and say that the
    choice was made on it; none of them speaks of figures of a test."""
    draw, by, given = TRAINERS[trainer]
    data = split_data(draw, tmp_path / "data", *by)
    assert {row.split for row in Manifest.load(data)} == {"train", "val"}
    out, answer = tmp_path / "run", tmp_path / "answer.json"
    told = invoke("train", trainer, str(data), "--out", str(out), *given, "--json", str(answer))
    result = json.loads(answer.read_text())
    assert result["measured_on"] == "val" and "test" not in result
    require_told(told.replace(str(tmp_path), ""))
    require_marked(out)


def require_told(told: str) -> None:
    """The figures for people name val, and say why they flatter; of a test nothing else is said."""
    said = told.casefold()
    assert NOTE.casefold() in said and "val" in said, told
    assert "test" not in said.replace(NOTE.casefold(), ""), told


def require_marked(run: Path) -> None:
    """The card and the result say it too."""
    card = TrainedCard.load(run)
    assert card.measured["measured_on"] == "val" and card.measured["note"] == NOTE
    assert json.loads((run / "result.json").read_text())["measured_on"] == "val"


def test_a_sweep_without_test_compares_on_val(tmp_path: Path) -> None:
    """The same of a sweep; each of its files has figures of train and val alone, the best on val first."""
    draw, _, given = SWEEP
    data = split_data(draw, tmp_path / "data")
    out = tmp_path / "run"
    told = invoke("train", "sweep", str(data), "--out", str(out), *given)
    require_told(told.replace(str(tmp_path), ""))
    answer = json.loads((out / "sweep.json").read_text())
    assert answer["splits"] == ["train", "val"] and answer["measured_on"] == "val"
    assert [row["val"]["mean"] for row in answer["rows"]] == sorted(
        (row["val"]["mean"] for row in answer["rows"]), reverse=True
    )
    for run in answer["runs"]:
        require_marked(out / run["folder"])
    text = (out / "sweep.md").read_text()
    assert "| network | train | val |" in text and "## Augmentation: val accuracy in %" in text
    assert "<th>val, 95 %</th>" in (out / "sweep.html").read_text()
    with (out / "sweep.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            assert row["val_accuracy"] and not row["test_accuracy"]


def test_val_of_such_a_training_can_be_evaluated_and_is_told(tmp_path: Path) -> None:
    """Evaluate commands take val by themselves where there is no test, and say that the epoch was chosen
    on it; what was trained on stays refused."""
    draw, _, given = TRAINERS["attributes"]
    data = split_data(draw, tmp_path / "data")
    run = tmp_path / "run"
    invoke("train", "attributes", str(data), "--out", str(run), *given)
    words = [
        "evaluate",
        "attributes",
        "--data",
        str(data),
        "--attribute",
        "lines",
        "--classifier",
        str(run),
    ]
    done = CliRunner().invoke(app, [*words, "--json", "-"], catch_exceptions=True)
    if done.exit_code == 0:
        answer = json.loads(done.stdout.splitlines()[0])
        assert answer["split"] == "val" and answer["chosen_on"] == {"run": answer["pictures"]}
        assert "by which its best epoch was chosen" in done.output
    else:  # drawn stripes hold no face; the check for leaks comes before the detector is asked
        assert type(done.exception).__name__ == "InsufficientData", done.exception
    leaky = CliRunner().invoke(app, [*words, "--split", "all"])
    assert "evaluate its split val, for it has no test" in str(leaky.exception)


def test_without_val_the_way_out_is_named_and_works(tmp_path: Path) -> None:
    """Data that came with train and test alone: the error gives the command, which leaves test as it is."""
    folder = tmp_path / "data"
    picture_classes.pictures(folder, {"train": 12, "test": 4})
    given = ["--out", str(tmp_path / "run"), *TRAINERS["classifier"][2]]
    refused = CliRunner().invoke(app, ["train", "classifier", str(folder), *given])
    assert isinstance(refused.exception, NotEnoughSamples)
    assert "lineament dataset split DATA 85/15" in str(refused.exception)
    assert not (tmp_path / "run").exists()
    before = {row.path for row in Manifest.load(folder / "manifest.jsonl") if row.split == "test"}
    invoke("dataset", "split", str(folder), "85/15", "--no-near")
    after = Manifest.load(folder / "split.jsonl")
    assert {row.path for row in after if row.split == "test"} == before
    told = invoke("train", "classifier", str(folder / "split.jsonl"), *given)
    assert "test" in told and NOTE not in told
