"""Trainings of seconds, end to end: pictures, training, ONNX, and the ONNX opened again."""

from __future__ import annotations

import csv
import json
import os
import signal
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from picture_classes import CLASSES, pictures
from typer.testing import CliRunner

from lineament.cli.main import app, main
from lineament.cli.train.options import settings_from
from lineament.datasets.extraction.extract import ExtractSettings, extract
from lineament.datasets.opening import open_dataset
from lineament.errors import (
    ConfigError,
    NotEnoughSamples,
    SplitError,
    UndeclaredLabel,
    UnknownName,
    WeightsMismatch,
)
from lineament.geometry.crop_style import CropStyle
from lineament.io import images
from lineament.io.manifest import Manifest
from lineament.io.trained import TrainedCard, open_trained
from lineament.training.architectures import build
from lineament.training.classification.classes import classes_of
from lineament.training.classification.result import ClassifierResult
from lineament.training.classification.settings import ClassifierSettings
from lineament.training.classification.trainer import Classifier, ClassifierTask, length, train_classifier
from lineament.training.data import Batch, Pictures
from lineament.training.runs import export
from lineament.training.runs.folder import RunFolder
from lineament.training.settings import LoopSettings
from lineament.training.splits import rows_of

ROOT = Path(__file__).parents[2]
COUNTS = {"train": 24, "val": 8, "test": 10}
LOOP = LoopSettings(epochs=6, batch_size=12, learning_rate=3e-3, patience=None, threads=1)
SMALL = ClassifierSettings("reference", "scratch", label="lines", size=32, loop=LOOP)


@pytest.fixture(scope="module")
def striped(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Stripes of three directions; one picture of each split is damaged, two have no label."""
    folder = tmp_path_factory.mktemp("striped")
    manifest = pictures(folder, COUNTS)
    for split in COUNTS:
        (folder / f"{split}-5.png").write_bytes(b"\x89PNG\r\n\x1a\n damaged")
    unlabelled = {"train-6.png", "test-7.png"}
    return replace(
        manifest, rows=tuple(replace(r, labels={}) if r.path in unlabelled else r for r in manifest)
    )


@pytest.fixture(scope="module")
def scratch(striped: Manifest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ClassifierResult]:
    out = tmp_path_factory.mktemp("runs") / "scratch"
    return out, train_classifier(striped, out, SMALL)


def test_it_learns_what_can_be_seen(scratch: tuple[Path, ClassifierResult]) -> None:
    """Rule: on classes that differ plainly nearly every test picture is right, far above guessing."""
    _, result = scratch
    assert result.test.accuracy.value > 0.9
    assert result.chance == pytest.approx(1 / 3)
    assert 0.2 < result.majority < 0.5
    assert result.test.accuracy.low < result.test.accuracy.value


def test_every_picture_is_counted_once(scratch: tuple[Path, ClassifierResult]) -> None:
    """Rule: measured, refused and unlabelled pictures add up to the rows of the split."""
    out, result = scratch
    for split, count in COUNTS.items():
        parts = (result.splits[split].accuracy.n, result.refused[split], result.unlabelled[split])
        assert sum(parts) == 3 * count
        assert parts[1:] == (1, 0 if split == "val" else 1)
    lines = [line.split("\t") for line in (out / "refused.txt").read_text().splitlines()]
    assert sorted(line[:2] for line in lines) == [[s, f"{s}-5.png"] for s in sorted(COUNTS)]
    assert all("CorruptPicture" in line[2] for line in lines)


def test_the_onnx_file_answers_as_measured(
    scratch: tuple[Path, ClassifierResult], striped: Manifest
) -> None:
    """Rule: the file with its card, opened by the runtime, reproduces the accuracy of the result."""
    out, result = scratch
    model = open_trained(out, "classifier")
    head = model.card.head("lines")
    assert head.classes == CLASSES
    right = []
    for row in rows_of(striped, "test"):
        if row.labels and not row.path.endswith("-5.png"):
            pixels = images.load(striped.file(row)).pixels
            logits = model.run(pixels[None])["lines"][0]
            right.append(head.classes[int(logits.argmax())] == row.labels["lines"])
    assert np.mean(right) == pytest.approx(result.test.accuracy.value)
    assert model.card.data.digest == striped.digest()
    assert model.card.measured["accuracy"] == result.test.accuracy.to_json()
    assert "whole pictures" in model.card.notes


def test_the_run_folder_is_complete(scratch: tuple[Path, ClassifierResult]) -> None:
    """Rule: every file that a run promises lies in its folder, and the figures are pictures."""
    out, result = scratch
    for name in ("config.toml", "environment.json", "manifest.jsonl", "best.safetensors", "model.onnx"):
        assert (out / name).stat().st_size > 0
    assert list((out / "events").iterdir())
    for name in ("curves.png", "confusion.png"):
        assert min(images.load(out / name).pixels.shape[:2]) > 300
    rows = list(csv.DictReader((out / "metrics.csv").open()))
    assert len(rows) == result.epochs
    assert {"train_loss", "train_accuracy", "val_loss", "val_accuracy"} <= set(rows[0])
    assert json.loads((out / "result.json").read_text()) == result.to_json()


def test_per_class_figures_agree_with_the_accuracy(scratch: tuple[Path, ClassifierResult]) -> None:
    """Rule: recalls weighted by their support are the accuracy."""
    _, result = scratch
    table = result.per_class
    assert [row.name for row in table] == list(CLASSES)
    right = sum(row.recall * row.support for row in table)
    assert right / sum(row.support for row in table) == pytest.approx(result.test.accuracy.value)


def test_a_finished_run_is_not_trained_again(
    scratch: tuple[Path, ClassifierResult], striped: Manifest
) -> None:
    """Rule: the same command gives the same result, and touches nothing."""
    out, result = scratch
    before = (out / "model.onnx").stat().st_mtime_ns
    assert train_classifier(striped, out, SMALL) == result
    assert (out / "model.onnx").stat().st_mtime_ns == before


def test_the_config_written_trains_the_same(scratch: tuple[Path, ClassifierResult]) -> None:
    """Rule: config.toml of a run is a config for another one with the very same settings."""
    out, _ = scratch
    assert settings_from(ClassifierSettings, out / "config.toml", None) == SMALL


def test_an_earlier_run_is_a_start(
    scratch: tuple[Path, ClassifierResult], striped: Manifest, tmp_path: Path
) -> None:
    """Rule: fine-tuning from a run folder begins with its weights, says so, and learns on cached features.

    It tells of as many batches as announced. A network of another kind is refused.
    """
    out, _ = scratch
    settings = replace(SMALL, method="feature-extraction", weights=str(out), augment=("noise",), variants=2)
    settings = replace(settings, loop=replace(LOOP, epochs=3))
    told: list[int] = []
    result = train_classifier(striped, tmp_path / "next", settings, advance=told.append)
    assert sum(told) == length(striped, settings)
    assert result.trained_from.startswith("the training scratch, itself from random weights")
    assert result.test.accuracy.value > 0.9
    assert result.trained == 3 * (256 + 1)
    assert TrainedCard.load(tmp_path / "next").trained_from == result.trained_from
    kept = sorted(p.relative_to(tmp_path / "next/features").as_posix() for p in tmp_path.rglob("0*.npy"))
    assert kept == ["fit/000.npy", "fit/001.npy", "test/000.npy", "train/000.npy", "val/000.npy"]
    with pytest.raises(WeightsMismatch, match="a reference, not a squeezenet1_0"):
        train_classifier(striped, tmp_path / "other", replace(settings, architecture="squeezenet1_0"))


def test_features_may_come_from_the_middle(
    scratch: tuple[Path, ClassifierResult], striped: Manifest, tmp_path: Path
) -> None:
    """Rule: with ``feature_layer`` the class layer learns on that layer's map, and the exported file, which
    ends there, answers as measured."""
    out, _ = scratch
    settings = replace(SMALL, method="feature-extraction", weights=str(out), feature_layer="2")
    result = train_classifier(striped, tmp_path / "middle", replace(settings, loop=replace(LOOP, epochs=3)))
    model = open_trained(tmp_path / "middle", "classifier")
    rows = [r for r in rows_of(striped, "test") if r.labels and not r.path.endswith("-5.png")]
    pixels = np.stack([images.load(striped.file(row)).pixels for row in rows])
    found = [CLASSES[i] for i in model.run(pixels)["lines"].argmax(axis=1)]
    right = np.mean([name == row.labels["lines"] for name, row in zip(found, rows, strict=True)])
    assert right == pytest.approx(result.test.accuracy.value)
    assert right > 0.9
    assert result.trained > 3 * (256 + 1)  # more features than the last ones


def test_an_interruption_after_the_last_epoch_loses_nothing(
    scratch: tuple[Path, ClassifierResult],
    striped: Manifest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rule: a run that ended between its best weights and its export goes on and finishes the same."""
    run, _ = scratch
    settings = replace(SMALL, method="feature-extraction", weights=str(run), loop=replace(LOOP, epochs=2))
    wanted = train_classifier(striped, tmp_path / "whole", settings)

    def interrupted(*_args: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(export, "export", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train_classifier(striped, tmp_path / "parts", settings)
    assert not (tmp_path / "parts" / "result.json").exists()
    got = train_classifier(striped, tmp_path / "parts", settings)
    assert replace(got, folder=wanted.folder, seconds=wanted.seconds) == wanted
    best = [(tmp_path / name / "best.safetensors").read_bytes() for name in ("whole", "parts")]
    assert best[0] == best[1]


def test_labels_that_lie_give_chance_accuracy(tmp_path: Path) -> None:
    """Rule: where labels are random, a network that learns them by heart guesses on the test split."""
    manifest = pictures(tmp_path / "data", {"train": 12, "val": 10, "test": 60}, labels="random")
    loop = replace(LOOP, epochs=12, learning_rate=1e-3)
    result = train_classifier(manifest, tmp_path / "run", replace(SMALL, loop=loop))
    with (tmp_path / "run" / "metrics.csv").open() as file:
        assert float(list(csv.DictReader(file))[-1]["train_accuracy"]) > 0.9
    n = result.test.accuracy.n
    # Four standard deviations: one run in 16,000 by chance.
    assert abs(result.test.accuracy.value - 1 / 3) < 4 * np.sqrt(2 / 9 / n)
    assert result.overfits_from is not None


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Crops of five of the sample photos, two people; each has one training picture."""
    folder = tmp_path_factory.mktemp("faces")
    splits = {
        "obama_2009_congress.jpg": "train",
        "biden_2013_portrait.jpg": "train",
        "obama_2012_portrait.jpg": "val",
        "biden_2010_white_house.jpg": "val",
        "obama_2010_white_house.jpg": "test",
    }
    for name in splits:
        photo = folder / "photos" / name.split("_")[0] / name
        photo.parent.mkdir(parents=True, exist_ok=True)
        photo.write_bytes((ROOT / "samples" / name).read_bytes())
    crops = extract(
        open_dataset(folder / "photos"),
        folder / "crops",
        ExtractSettings(style=CropStyle(112, margin=0.1, align=True)),
    ).manifest
    rows = [replace(row, split=splits[f"{Path(row.path).stem}.jpg"]) for row in crops]
    return crops.with_rows(rows, "split")


def test_two_people_are_told_apart_by_fine_tuning(faces: Manifest, tmp_path: Path) -> None:
    """Rule: ImageNet's MobileNetV2 learns two photos by heart; the card tells crop, origin and people.

    A class of one picture is trained on and counted, one that a split lacks is counted too.
    """
    loop = LoopSettings(epochs=6, batch_size=2, patience=None, threads=1)
    settings = ClassifierSettings(size=96, augment=("flip", "rotate:10"), dropout=0.0, loop=loop)
    result = train_classifier(faces, tmp_path / "run", settings)
    assert result.train.accuracy.value == 1.0
    assert result.classes_with_one_picture == 2
    assert result.classes_without_pictures == {"train": 0, "val": 0, "test": 1}
    model = open_trained(tmp_path / "run", "classifier")
    card = model.card
    assert card.crop == CropStyle(112, margin=0.1, align=True)
    assert card.head("subject").classes == ("biden", "obama")
    assert "MobileNetV2" in str(card.trained_from)
    assert card.input.size == 96
    row = next(row for row in faces if row.split == "train" and row.subject == "biden")
    pixels, _, _ = Pictures(faces, [row], lambda *_: {}, size=96)[(0, 0)]
    assert model.run(pixels[None])["subject"].argmax() == 0


@pytest.mark.parametrize("gone", ["train", "val"])
def test_an_empty_split_is_an_error(gone: str, striped: Manifest, tmp_path: Path) -> None:
    """Rule: without rows to learn from or to choose by there is no training, and no run folder."""
    rows = tuple(r for r in striped if r.split != gone)
    with pytest.raises(NotEnoughSamples, match=repr(gone)):
        train_classifier(replace(striped, rows=rows), tmp_path / "run", SMALL)
    assert not (tmp_path / "run").exists()


def test_a_class_that_was_not_trained_is_undeclared(striped: Manifest, tmp_path: Path) -> None:
    """Rule: a class of val or test that train lacks is an error with its name and how many rows it has."""
    rows = tuple(r for r in striped if (r.split, r.labels.get("lines")) != ("train", "level"))
    with pytest.raises(UndeclaredLabel, match=r"8 rows of the split 'val' are of 1 class.*'level'"):
        train_classifier(replace(striped, rows=rows), tmp_path / "run", SMALL)


def test_a_label_that_was_not_declared_is_an_error(striped: Manifest, tmp_path: Path) -> None:
    """Rule: with declared classes any other label ends in UndeclaredLabel, an absent one too."""
    with pytest.raises(UndeclaredLabel, match="not declared: 'slanted'"):
        train_classifier(striped, tmp_path / "run", replace(SMALL, classes=("level", "upright")))
    with pytest.raises(NotEnoughSamples, match="'waved'"):
        train_classifier(striped, tmp_path / "run", replace(SMALL, classes=(*CLASSES, "waved")))
    with pytest.raises(NotEnoughSamples, match="labels there: lines, subject"):
        train_classifier(striped, tmp_path / "run", replace(SMALL, label="age"))


def test_declared_classes_keep_their_order(striped: Manifest) -> None:
    """Rule: class numbers follow the declaration; undeclared they follow the alphabet."""
    rows = {split: rows_of(striped, split) for split in COUNTS}
    assert classes_of(rows, "lines").names == CLASSES
    assert classes_of(rows, "lines", CLASSES[::-1]).numbers == {"upright": 0, "slanted": 1, "level": 2}


def test_one_class_is_no_classifier(striped: Manifest, tmp_path: Path) -> None:
    """Rule: fewer than two classes end in NotEnoughSamples."""
    rows = tuple(r for r in striped if r.labels.get("lines") == "level")
    with pytest.raises(NotEnoughSamples, match="2 classes"):
        train_classifier(replace(striped, rows=rows), tmp_path / "run", SMALL)


def test_leaking_splits_are_refused(striped: Manifest, tmp_path: Path) -> None:
    """Rule: the same bytes in train and test end in SplitError before anything is trained."""
    twin = next(r for r in striped if r.split == "train")
    copied = replace(twin, id="0" * 20, split="test")
    with pytest.raises(SplitError, match="1 picture "):
        train_classifier(replace(striped, rows=(*striped.rows, copied)), tmp_path / "run", SMALL)


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"architecture": "referense"}, UnknownName, "reference"),
        ({"architecture": "inception_v3", "size": 64}, ConfigError, "75 pixels"),
        ({"method": "fine-tuning", "weights": "no.pth"}, Exception, "no such file"),
    ],
)
def test_a_training_that_cannot_begin_says_why(
    change: Mapping[str, Any], error: type[Exception], said: str, striped: Manifest, tmp_path: Path
) -> None:
    """Rule: a wrong name, size or file is told before anything is trained."""
    with pytest.raises(error, match=said):
        train_classifier(striped, tmp_path / "run", replace(SMALL, **change))


@pytest.mark.parametrize(
    "change",
    [
        {"weights": "imagenet"},
        {"augment": ("flip", "normalise")},
        {"augment": ("flop",)},
        {"size": 8},
        {"dropout": 1.0},
        {"mixup": -0.1},
        {"feature_layer": "2"},
        {"classes": ("a", "a")},
    ],
)
def test_settings_that_make_no_sense_are_refused(change: Mapping[str, Any]) -> None:
    """Rule: they end in a usage error when they are made."""
    with pytest.raises((ConfigError, UnknownName)):
        replace(SMALL, **change)


def task_for(settings: ClassifierSettings, weights: Sequence[float] | None = None) -> ClassifierTask:
    torch.manual_seed(0)
    model = Classifier(build("reference"), 3, settings)
    return ClassifierTask(
        model,
        [],
        settings,
        None,  # type: ignore[arg-type]  # the loss asks nothing of the validation split
        lambda pixels: pixels,
        None if weights is None else torch.tensor(weights),
    )


def test_balanced_weights_make_rare_classes_count_as_much() -> None:
    """Rule: balanced, each class has the same part of the loss, however many pictures it has."""
    task = task_for(replace(SMALL, dropout=0.0), [0.5, 1.0, 2.0])
    logits = torch.randn(7, 3)
    truth = torch.tensor([0, 0, 0, 0, 1, 1, 2])
    batch = Batch(torch.zeros(7, 3), {"class": truth}, torch.arange(7))
    loss, _ = task.loss(lambda _pixels: logits, batch)  # type: ignore[arg-type]
    by_picture = torch.nn.functional.cross_entropy(logits, truth, reduction="none")
    by_class = [by_picture[truth == c].mean() for c in range(3)]
    assert float(loss) == pytest.approx(float(torch.stack(by_class).mean()), rel=1e-5)


def test_mixup_mixes_pictures_and_their_losses_by_one_share() -> None:
    """Rule: what the network sees lies between two pictures, and the loss weighs their classes alike.

    The network here names its input: pictures of 0 are class 0, of 1 class 1; -log p is then linear.
    """
    task = task_for(replace(SMALL, mixup=1.0))
    seen: list[torch.Tensor] = []

    def network(pixels: torch.Tensor) -> torch.Tensor:
        seen.append(pixels[:, 0])
        return torch.tensor([[0.0, 5.0, -50.0]]).repeat(len(pixels), 1)

    truth = torch.tensor([0, 1] * 8)
    batch = Batch(truth.float()[:, None], {"class": truth}, torch.arange(16))
    torch.manual_seed(2)
    loss, parts = task.loss(network, batch)  # type: ignore[arg-type]
    mixed = seen[0]
    assert not parts
    assert ((mixed >= 0) & (mixed <= 1)).all()
    assert ((mixed > 0) & (mixed < 1)).any()
    costs = torch.nn.functional.cross_entropy(
        torch.tensor([[0.0, 5.0, -50.0]] * 2), torch.tensor([0, 1]), reduction="none"
    )
    # A picture with value v is class 1 by the share v.
    wanted = (mixed * costs[1] + (1 - mixed) * costs[0]).mean()
    assert float(loss) == pytest.approx(float(wanted), rel=1e-5)


def test_the_example_config_names_every_setting() -> None:
    """Rule: configs/classifier.toml loads, and no setting is missing in it but those that may be none."""
    path = ROOT / "configs" / "classifier.toml"
    values = tomllib.loads(path.read_text())
    settings = settings_from(ClassifierSettings, path, None)
    assert set(values) == {f.name for f in fields(ClassifierSettings)}
    absent = {name for name in asdict(LoopSettings()) if name not in values["loop"]}
    assert all(f"# {name} = " in path.read_text() for name in absent)
    assert set(values["fine_tuning"]) == set(asdict(settings.fine_tuning))


def test_the_command_goes_on_after_ctrl_c_and_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rule: Ctrl-C during ``lineament train classifier`` ends with status 130 and says that a checkpoint is
    kept and how to go on. The same command then does the other epochs and gives the table, and with --json
    the result of the call.

    The number of batches told of is what `length` said.
    """
    manifest = pictures(tmp_path / "data", {"train": 6, "val": 3, "test": 3})
    run = tmp_path / "run"
    args = ["train", "classifier", str(tmp_path / "data"), "--out", str(run), "--epochs", "3"]
    args += ["--architecture", "reference", "--method", "scratch", "--label", "lines", "--size", "32"]
    args += ["--batch-size", "6", "--augment", "flip rotate:5", "--set", "loop.threads=1"]
    write, seen = RunFolder.write_metrics, []

    def then_ctrl_c(self: RunFolder, history: Sequence[Mapping[str, Any]]) -> None:
        write(self, history)
        seen.append(len(history))
        if len(seen) == 1:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(RunFolder, "write_metrics", then_ctrl_c)
    monkeypatch.setattr(sys, "argv", ["lineament", *args])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130
    said = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("epoch ")]
    assert said[-2] == "the last checkpoint is kept: the same command goes on from it"
    assert said[-1].startswith("interrupted; what was finished is kept (")
    assert (run / "last.ckpt").is_file() and not (run / "result.json").exists()

    json_file = tmp_path / "answer.json"
    done = CliRunner().invoke(app, [*args, "--json", str(json_file)])
    assert done.exit_code == 0, done.output
    assert seen == [1, 2, 3], "no epoch was done twice"
    result = json.loads(json_file.read_text())
    for part in ("accuracy, 95 %", "chance 0.333", str(run)):
        assert part in done.output
    assert result["test"]["accuracy"]["n"] == 9
    settings = settings_from(ClassifierSettings, run / "config.toml", None)
    assert settings.augment == ("flip", "rotate:5")
    assert length(manifest, settings) == 3 * 3
