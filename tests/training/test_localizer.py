"""The localizer: losses, rows, a training from LabelMe files to `detect`, and what it refuses."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scene_pictures
import torch
from typer.testing import CliRunner

from lineament.cli.main import app
from lineament.errors import ConfigError, NotEnoughSamples
from lineament.io import images
from lineament.io.manifest import Manifest
from lineament.io.trained import TrainedCard
from lineament.registry import detectors
from lineament.training.architectures import build
from lineament.training.detection.localizer import (
    LocalizerNetwork,
    LocalizerTask,
    loss_of,
    rows_for,
    several,
    train_localizer,
)
from lineament.training.detection.localizer_scores import overlaps, summary
from lineament.training.detection.settings import LocalizerLoop, LocalizerSettings
from lineament.training.predictions import Predictions

QUICK = LocalizerSettings(
    architecture="reference", method="scratch", size=64, normalise="unit", width=32,
    loop=LocalizerLoop(epochs=2, batch_size=8, learning_rate=1e-3, threads=1),
)  # fmt: skip


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    folder = tmp_path_factory.mktemp("discs")
    return scene_pictures.write(folder, {"train": 40, "val": 10, "test": 10}, size=64, most=1, empty=60)


@pytest.fixture(scope="module")
def trained(manifest: Manifest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    """From LabelMe files, split by the command, trained by the command."""
    folder = tmp_path_factory.mktemp("labelme")
    for path in sorted({row.path for row in manifest}):
        rows = [row for row in manifest if row.path == path and row.box is not None]
        data = (manifest.folder / path).read_bytes()
        (folder / path).write_bytes(data)
        shapes = [
            {"label": "face", "points": [row.box[:2], row.box[2:]], "shape_type": "rectangle", "flags": {}}
            for row in rows
            if row.box is not None
        ]
        document = {
            "version": "5.0.1", "flags": {}, "shapes": shapes, "imagePath": path,
            "imageData": base64.b64encode(data).decode(), "imageHeight": 64, "imageWidth": 64,
        }  # fmt: skip
        (folder / path).with_suffix(".json").write_text(json.dumps(document))
    runner = CliRunner()
    split = folder.parent / f"{folder.name}.jsonl"
    done = runner.invoke(
        app,
        ["dataset", "split", str(folder), "60/20/20", "--no-near", "--out", str(folder / "split.jsonl")],
    )
    assert done.exit_code == 0, done.output
    out = split.with_suffix("")
    command = [
        "train",
        "localizer",
        str(folder / "split.jsonl"),
        "--out",
        str(out.with_name("run")),
        "--json",
        "-",
    ]
    options = ["--architecture", "reference", "--method", "scratch", "--size", "64", "--epochs", "12"]
    settings = ["learning_rate=0.002", "threads=1", "schedule=cosine"]
    done = runner.invoke(app, [*command, *options, *(f"--set=loop.{s}" for s in settings)])
    assert done.exit_code == 0, done.output
    return out.with_name("run"), json.loads(done.stdout)


def test_learns_from_labelme_files(trained: tuple[Path, dict]) -> None:
    """It tells pictures with a disc from those without, and its box beats the mean box."""
    _, result = trained
    assert result["accuracy"]["low"] > result["guessing"]["accuracy"]
    assert result["iou"]["value"] > result["guessing"]["iou"] + 0.1
    assert result["pictures"]["train"]["no_face"] > 0 and result["several_faces"] == 0


def test_the_run_folder_is_whole(trained: tuple[Path, dict]) -> None:
    """Both losses are in the figures; curves, drawn predictions, network and card are there."""
    out, result = trained
    names = {path.name for path in out.iterdir()}
    assert names >= {
        "curves.png",
        "predictions.png",
        "model.onnx",
        "card.json",
        "metrics.csv",
        "config.toml",
    }
    header = (out / "metrics.csv").read_text().splitlines()[0].split(",")
    assert {"train_face_loss", "val_face_loss", "train_box_loss", "val_box_loss", "val_iou"} <= set(header)
    card = TrainedCard.load(out)
    assert [(head.name, head.kind) for head in card.heads] == [("face", "face"), ("box", "box")]
    assert card.measured["iou"] == result["iou"] and card.job == "localizer"


def test_the_command_finds_what_the_training_measured(
    trained: tuple[Path, dict], manifest: Manifest
) -> None:
    """``lineament detect --detector RUN`` says face for most discs and none for most empty pictures."""
    out, _ = trained
    faces = [str(manifest.folder / f"test_{i}.png") for i in range(10)]
    empty = [str(manifest.folder / f"empty_{i}.png") for i in range(10)]
    done = CliRunner().invoke(app, ["detect", *faces, *empty, "--detector", str(out), "--json", "-"])
    assert done.exit_code == 0, done.output
    outcomes = [json.loads(line)["outcome"] for line in done.stdout.splitlines()]
    assert outcomes[:10].count("ok") >= 8 and outcomes[10:].count("no_face") >= 8


def test_the_runtime_answers_as_torch(trained: tuple[Path, dict], manifest: Manifest) -> None:
    """The box in the runtime is the network's, for a picture whose sides differ from the input's."""
    out, _ = trained
    settings = replace(QUICK, width=256)
    network = LocalizerNetwork(build("reference"), settings)
    from safetensors.torch import load_file

    network.load_state_dict(load_file(out / "best.safetensors"))
    network.eval()
    pixels = images.load(manifest.folder / "test_0.png").pixels
    tensor = torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None]
    card = TrainedCard.load(out)
    task = LocalizerTask(network, None, replace(settings, normalise="imagenet"))  # type: ignore[arg-type]
    with torch.no_grad():
        face, box = network(task.prepare(tensor))
    detector = detectors.create("localizer", model=str(out), score=1e-6)
    (found,) = detector.detect([images.load(manifest.folder / "test_0.png")])
    assert card.input.mean[0] == pytest.approx(123.675)
    np.testing.assert_allclose(found.boxes[0], box[0].numpy() * 64, atol=0.01)
    np.testing.assert_allclose(found.scores, torch.sigmoid(face)[0].numpy(), atol=1e-4)


def test_loss_counts_boxes_of_faces_only() -> None:
    """A picture without a face has no box to be wrong; corners, width and height all count."""
    box = torch.tensor([[0.1, 0.2, 0.5, 0.6], [0.3, 0.3, 0.4, 0.9]])
    truth = torch.tensor([[0.1, 0.2, 0.6, 0.6], [0.0, 0.0, 0.0, 0.0]])
    face = torch.tensor([[100.0], [-100.0]])
    entropy, place = loss_of(face, box, torch.tensor([1.0, 0.0]), truth)
    assert float(entropy) == pytest.approx(0)
    # One corner is off by 0.1 in x, and so is the width.
    assert float(place) == pytest.approx(0.02)
    _, none = loss_of(face, box, torch.zeros(2), truth)
    assert float(none) == 0


def test_rows_are_pictures(manifest: Manifest) -> None:
    """One row a picture: of several faces the largest, none for an empty one; every empty one is used."""
    first = next(row for row in manifest if row.split == "train")
    second = replace(first, id="second", box=(0.0, 0.0, 60.0, 60.0))
    other = replace(manifest, rows=(*manifest, second))
    rows = rows_for(other, "train")
    assert len({row.path for row in rows}) == len(rows)
    assert next(row for row in rows if row.path == first.path).box == second.box
    assert several(other) == 1 and several(manifest) == 0
    empties = [
        row for split in ("train", "val", "test") for row in rows_for(other, split) if row.box is None
    ]
    assert len(empties) == 60


def test_settings_and_data_that_make_no_sense(manifest: Manifest, tmp_path: Path) -> None:
    """Each is a named error before anything is trained."""
    for bad in ({"size": 16}, {"dropout": 1.0}, {"box_weight": 0.0}):
        with pytest.raises(ConfigError):
            LocalizerSettings(**bad)  # type: ignore[arg-type]
    faces = replace(manifest, rows=tuple(row for row in manifest if row.box is not None))
    with pytest.raises(NotEnoughSamples, match="every picture has a face"):
        train_localizer(faces, tmp_path / "run", QUICK)
    with pytest.raises(ConfigError, match="takes 75 pixels or more"):
        train_localizer(manifest, tmp_path / "run2", replace(QUICK, architecture="inception_v3"))


@pytest.mark.parametrize("name", ["vgg16", "mobilenet_v2", "resnet18", "reference", "squeezenet1_0"])
def test_any_backbone_gives_both_answers(name: str) -> None:
    """The last map is found in each family; every parameter that is trained is in the network."""
    torch.manual_seed(0)
    settings = replace(QUICK, architecture=name, method="fine-tuning", size=64)
    network = LocalizerNetwork(build(name), settings)
    face, box = network(torch.zeros(2, 3, 64, 64))
    assert face.shape == (2, 1) and box.shape == (2, 4)
    task = LocalizerTask(network, None, settings)  # type: ignore[arg-type]
    trained = {id(p) for group in task.groups() for p in group["params"]}
    assert trained == {id(p) for p in network.parameters()}
    if name == "vgg16":
        assert sum(p.numel() for p in network.parameters()) < 20_000_000


def test_figures_have_intervals_and_what_guessing_gives(manifest: Manifest) -> None:
    """Right answers and a box that is half off give the rates one can count by hand."""
    rows = rows_for(manifest, "test")[:4]
    boxes = np.array([[0, 0, 0.5, 1], [0, 0, 1, 1], [0.2, 0.2, 0.4, 0.4], [0, 0, 1, 1]], np.float32)
    truths = np.array([[0, 0, 1, 1], [0, 0, 1, 1], [0.5, 0.5, 0.9, 0.9], [0, 0, 0, 0]], np.float32)
    np.testing.assert_allclose(overlaps(boxes, truths), [0.5, 1, 0, 0])
    found = Predictions(
        (np.array([[1.0], [1.0], [-1.0], [1.0]], np.float32), boxes),
        {"face": np.array([1.0, 1, 1, 0], np.float32), "box": truths},
        np.arange(4),
    )
    result = summary(found, rows, np.array([0.0, 0.0, 1.0, 1.0]))
    assert result["accuracy"].value == 0.5 and result["accuracy"].n == 4
    assert result["faces_found"].value == pytest.approx(2 / 3)
    assert result["false_alarms"].value == 1
    assert result["iou"].value == pytest.approx(0.5) and result["iou"].low < 0.5 < result["iou"].high
    assert result["iou50"].value == pytest.approx(2 / 3)
    assert result["guessing"] == pytest.approx(
        {"accuracy": 0.75, "iou": (1 + 1 + 0.16) / 3, "iou50": 2 / 3}
    )
