"""Detectors: their losses and answers, a training from pictures to the runtime, resumption, silence."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scene_pictures
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from lineament.cli.main import app
from lineament.errors import (
    ConfigError,
    NotEnoughSamples,
    SplitError,
    UnknownName,
    WeightsMismatch,
    WeightsUnavailable,
)
from lineament.io import images
from lineament.io.manifest import Manifest
from lineament.io.trained import TrainedCard
from lineament.registry import detectors
from lineament.training.data import Batches, shuffled
from lineament.training.detection.scenes import Scene, Scenes, scenes_of
from lineament.training.detection.scores import LEAST_SCORE, MOST, Found, monitored, summary
from lineament.training.detection.settings import DetectorLoop, DetectorSettings
from lineament.training.detection.torchvision import SsdNetwork
from lineament.training.detection.trainer import DetectionTask, train_detector
from lineament.training.detection.yolo import YoloNetwork
from lineament.training.loop import fit
from lineament.training.runs.folder import BEST, CHECKPOINT, open_run
from lineament.types import Faces

SSD = "torchvision:ssdlite_mobilenet_v3_small"
LOOP = DetectorLoop(epochs=2, batch_size=8, learning_rate=2e-3, threads=1)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    folder = tmp_path_factory.mktemp("discs")
    return scene_pictures.write(folder, {"train": 24, "val": 6, "test": 6}, empty=4, kinds=("face", "mask"))


@pytest.fixture(scope="module")
def trained(manifest: Manifest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    """torchvision's detector, trained through the command."""
    out = tmp_path_factory.mktemp("runs") / "ssd"
    command = ["train", "detector", str(manifest.folder), "--out", str(out), "--model", SSD, "--size", "96"]
    options = ["--epochs", "6", "--batch-size", "8", "--learning-rate", "0.003", "--json", "-"]
    done = CliRunner().invoke(app, [*command, *options, "--set", "loop.threads=1"])
    assert done.exit_code == 0, done.stderr
    assert "AGPL" not in done.stderr
    return out, json.loads(done.stdout)


def test_the_loss_falls(trained: tuple[Path, dict]) -> None:
    """Even a short training on a few pictures lowers the loss."""
    first, last = trained[1]["train_loss"]
    assert last < 0.9 * first


def test_the_run_folder_is_whole(trained: tuple[Path, dict], manifest: Manifest) -> None:
    """Settings, figures, curves, drawn pictures, weights, network and card are there, and agree."""
    out, result = trained
    names = {path.name for path in out.iterdir()}
    assert names >= {
        "config.toml", "metrics.csv", "curves.png", "precision_recall.png", "f1.png", "predictions.png",
        "best.safetensors", "model.onnx", "card.json", "result.json", "environment.json",
    }  # fmt: skip
    card = TrainedCard.load(out)
    assert card.heads[0].classes == ("face", "mask") and card.measured["score"] == result["score"]
    assert result["measured_on"] == "test" and result["pictures_measured"] == result["pictures"]["test"]
    assert result["truths"] == sum(row.split == "test" and row.box is not None for row in manifest)
    assert train_detector(manifest, out, _settings_of(out)).to_json() == result


def _settings_of(out: Path) -> DetectorSettings:
    from lineament.config import from_toml

    return from_toml(DetectorSettings, out / "config.toml")


def test_the_runtime_answers_as_the_training_measured(
    trained: tuple[Path, dict], manifest: Manifest
) -> None:
    """The detector that opens the run folder has, on the test pictures, the figures in the result."""
    out, result = trained
    classes = ("face", "mask")
    detector = detectors.create("yolo", model=str(out), score=LEAST_SCORE, top_k=MOST)
    found = []
    for scene in scenes_of(manifest, "test", classes):
        (faces,) = detector.detect([images.load(manifest.folder / scene.path)])
        kinds = np.array([classes.index(kind) for kind in faces.attributes["class"].values], np.intp)
        found.append(Found(scene, faces, kinds))
    again = summary(found, classes, result["score"])
    # So short a training answers every picture alike: scores differ in the seventh decimal, in which torch
    # and the runtime do too, and the order of such ties moves the average precision.
    assert again["map50"] == pytest.approx(result["map50"], abs=2e-2)
    assert again["map50_95"] == pytest.approx(result["map50_95"], abs=1e-2)


def test_analyze_takes_the_run_folder(trained: tuple[Path, dict], manifest: Manifest) -> None:
    """``lineament analyze --detector RUN`` gives every picture an outcome, faces their class."""
    picture = str(manifest.folder / "test_0.png")
    command = ["analyze", picture, "--detector", f"{trained[0]}:score=0.02", "--json", "-"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    line = json.loads(done.stdout)
    assert line["outcome"] == "ok"
    assert line["faces"][0]["attributes"]["class"] in ("face", "mask")


def fitted(
    manifest: Manifest, out: Path, settings: DetectorSettings, stop_after: int | None = None
) -> None:
    """A training without export and figures, whose checkpoint stays."""
    seen = 0

    def advance(count: int) -> None:
        nonlocal seen
        seen += count
        if seen == stop_after:
            raise RuntimeError("killed here")  # leaves what a kill leaves: the last checkpoint

    classes = ("face", "mask")
    with open_run(out, "detector", settings, manifest) as run:
        torch.manual_seed(0)
        network = SsdNetwork("ssdlite_mobilenet_v3_small", 2, 64)
        val = Scenes(manifest, scenes_of(manifest, "val", classes), size=64)
        data = Scenes(manifest, scenes_of(manifest, "train", classes), size=64)
        task = DetectionTask(network, val, settings, classes)
        fit(task, Batches(data, shuffled(len(data), 8, 0)), run, settings.loop, advance=advance)


@pytest.mark.parametrize("minutes", [10.0, 1e-5], ids=["checkpoints of epochs", "checkpoints of steps"])
def test_interrupted_training_ends_like_an_undisturbed_one(
    manifest: Manifest, whole: Path, tmp_path: Path, minutes: float
) -> None:
    """Stopped in the middle of an epoch and gone on with, it has the same weights, and the same average of
    them, to the last bit."""
    settings = DetectorSettings(model=SSD, size=64, loop=replace(LOOP, checkpoint_minutes=minutes))
    with pytest.raises(RuntimeError, match="killed here"):
        fitted(manifest, tmp_path, settings, 5)
    begun = torch.load(tmp_path / CHECKPOINT, weights_only=True)["held"]["steps"]
    assert begun == (3 if minutes == 10 else 4)
    fitted(manifest, tmp_path, settings)
    assert (tmp_path / BEST).read_bytes() == (whole / BEST).read_bytes()
    state, wanted = (torch.load(out / CHECKPOINT, weights_only=True) for out in (tmp_path, whole))
    assert state["held"]["steps"] == wanted["held"]["steps"] == 6
    for part in (("held", "weights"), ("model",)):
        got, known = state, wanted
        for key in part:
            got, known = got[key], known[key]
        assert all(torch.equal(got[name], known[name]) for name in known)


@pytest.fixture(scope="module")
def whole(manifest: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An undisturbed training of two epochs, three steps each."""
    out = tmp_path_factory.mktemp("whole")
    fitted(manifest, out, DetectorSettings(model=SSD, size=64, loop=LOOP))
    return out


@pytest.mark.parametrize("averaged", [True, False])
def test_the_average_of_the_weights_is_what_is_kept(
    manifest: Manifest, tmp_path: Path, averaged: bool
) -> None:
    """The best weights are the average that was judged, not those of the last step; without averaging they
    are those of the last step, and no checkpoint holds an average."""
    loop = replace(LOOP, epochs=1)
    fitted(manifest, tmp_path, DetectorSettings(model=SSD, size=64, average_weights=averaged, loop=loop))
    state, best = torch.load(tmp_path / CHECKPOINT, weights_only=True), load_file(tmp_path / BEST)
    kept, other = (state["held"]["weights"], state["model"]) if averaged else (state["model"], None)
    assert best.keys() == kept.keys() and all(torch.equal(best[name], kept[name]) for name in best)
    assert ("held" in state) == averaged
    assert other is None or not all(torch.equal(best[name], other[name]) for name in best)


def test_ssd_answers_in_pixels() -> None:
    """Offsets that encode a box decode to that box, and the probabilities are those of the classes."""
    torch.manual_seed(0)
    network = SsdNetwork("ssdlite_mobilenet_v3_small", 2, 96).eval()
    truth = torch.tensor([[10.0, 20.0, 40.0, 60.0]]).repeat(len(network.anchors), 1)
    offsets = network.ssd.box_coder.encode_single(truth, network.anchors)
    logits = torch.randn(len(network.anchors), 3)
    answer = network._decoded({"bbox_regression": offsets[None], "cls_logits": logits[None]})[0].T
    near = (network.anchors[:, 2:] - network.anchors[:, :2] > 3).all(dim=1)
    torch.testing.assert_close(
        answer[near, :4], torch.tensor([25.0, 40, 30, 40]).expand(int(near.sum()), 4), atol=1e-3, rtol=0
    )
    torch.testing.assert_close(answer[:, 4:], logits.softmax(1)[:, 1:])


def test_scores_of_a_perfect_and_an_empty_answer() -> None:
    """All boxes found give 1, none found give 0; a class without truths has no figures."""
    scene = Scene(
        "a", "a.png", np.array([[0, 0, 10, 10], [20, 20, 40, 50]], np.float32), np.array([0, 1]),
        np.zeros(2, bool),
    )  # fmt: skip
    perfect = Found(scene, Faces(scene.boxes, np.array([0.9, 0.8], np.float32)), np.array([0, 1]))
    nothing = Found(scene, Faces.none(), np.zeros(0, np.intp))
    swapped = replace(perfect, kinds=np.array([1, 0]))
    classes = ("face", "mask", "hat")
    assert monitored([perfect], classes) == {"map50": 1.0, "map50_95": 1.0}
    assert monitored([nothing], classes) == monitored([swapped], classes) == {"map50": 0.0, "map50_95": 0.0}
    result = summary([swapped], classes, 0.5)
    assert result["classes"]["hat"] is None and result["classes"]["face"].recall.value == 0
    assert result["any_class"].recall.value == 1


def test_settings_and_data_that_make_no_sense(manifest: Manifest, tmp_path: Path) -> None:
    """Each is a named error before anything is trained."""
    with pytest.raises(UnknownName, match="did you mean 'yolov8n'"):
        DetectorSettings(model="yolo8n")
    for bad in ({"size": 100}, {"nms": 0.0}, {"one_class": True, "classes": ("a", "b")}):
        with pytest.raises(ConfigError):
            DetectorSettings(**bad)  # type: ignore[arg-type]
    settings = DetectorSettings(model=SSD, size=64, loop=LOOP)
    no_val = replace(manifest, rows=tuple(r for r in manifest if r.split != "val"))
    with pytest.raises(NotEnoughSamples, match="no rows in the split 'val'"):
        train_detector(no_val, tmp_path / "a", settings)
    rows = [replace(r, split="test") if r.id == manifest.rows[0].id else r for r in manifest]
    doubled = [replace(r, id="double", split="val" if r.split != "val" else "train") for r in rows[:1]]
    with pytest.raises(SplitError):
        train_detector(replace(manifest, rows=(*rows, *doubled)), tmp_path / "a", settings)
    assert not (tmp_path / "a").exists()


def test_weights_to_start_from(tmp_path: Path) -> None:
    """A file of another number of classes fits but for its class layer; another network's is refused."""
    from safetensors.torch import save_file

    first = SsdNetwork("ssdlite_mobilenet_v3_small", 3, 64)
    save_file({k: v.clone() for k, v in first.state_dict().items()}, tmp_path / "three.safetensors")
    second = SsdNetwork("ssdlite_mobilenet_v3_small", 1, 64)
    assert str(second.load(str(tmp_path / "three.safetensors"))).startswith("three.safetensors, sha256")
    name = "ssd.backbone.parts.0.0.0.weight"
    torch.testing.assert_close(second.state_dict()[name], first.state_dict()[name])
    save_file({"other": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(WeightsMismatch):
        second.load(str(tmp_path / "other.safetensors"))
    with pytest.raises(WeightsUnavailable):
        second.load(str(tmp_path / "nothing.safetensors"))


WATCHED = """
import os, sys
told = []
def watch(event, args):
    if event.startswith("socket.") and event not in ("socket.__new__", "socket.gethostname"):
        told.append((event, str(args[1:])))
    if event == "os.mkdir":
        told.append((event, os.path.abspath(os.fsdecode(args[0]))))
    if event == "open" and isinstance(args[0], (str, bytes)) and isinstance(args[2], int):
        if args[2] & (os.O_WRONLY | os.O_RDWR):
            told.append((event, os.path.abspath(os.fsdecode(args[0]))))
sys.addaudithook(watch)
from lineament.cli.main import main
sys.argv[0] = "lineament"
try:
    main()
finally:
    print("TOLD", told)
"""


def test_yolov8_trains_offline_and_in_its_folder(manifest: Manifest, tmp_path: Path) -> None:
    """YOLOv8 trains through the command, which names its licence; no socket is used, nothing is written
    beside the run folder; the runtime then opens it without Ultralytics or torch."""
    if importlib.util.find_spec("ultralytics") is None:
        pytest.skip("the extra 'yolo' is not installed")
    out, home = tmp_path / "run", tmp_path / "home"
    home.mkdir()
    command = ["train", "detector", str(manifest.folder), "--out", str(out), "--one-class", "--size", "64"]
    settings = ["--model", "yolov8n", "--epochs", "5", "--batch-size", "8", "--learning-rate", "0.003"]
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, *command, *settings, "--set", "loop.threads=1"],
        capture_output=True, text=True, check=False, cwd=home, env={**os.environ, "HOME": str(home)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "AGPL-3.0" in done.stderr and "random weights" in done.stderr
    told = ast.literal_eval(done.stdout.rpartition("TOLD")[2].strip())
    assert [item for item in told if item[0].startswith("socket.")] == []
    assert _elsewhere(told, out, home) == []
    assert not list(home.rglob("*ltralytics*")) and not list(out.rglob("*ltralytics*"))
    result = json.loads((out / "result.json").read_text())
    assert result["train_loss"][1] < result["train_loss"][0]
    card = TrainedCard.load(out)
    assert card.licence.startswith("AGPL-3.0") and card.heads[0].classes == ("face",)
    check = (
        "import sys\nsys.modules['ultralytics'] = None\nsys.modules['torch'] = None\n"
        "from lineament.registry import detectors\nfrom lineament.io import images\n"
        f"d = detectors.create('yolo', model={str(out)!r}, score=0.001)\n"
        f"print(len(d.detect([images.load({str(manifest.folder / 'test_0.png')!r})])[0]))"
    )
    found = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert int(found.stdout) > 0


def _elsewhere(told: list[tuple[str, str]], out: Path, home: Path) -> list[tuple[str, str]]:
    """What was written beside the run folder, but for caches of compiled Python and matplotlib's fonts."""
    temporary = tempfile.gettempdir()
    return [
        (event, path)
        for event, path in told
        if not path.startswith((str(out), "/dev/"))
        and (path.startswith(str(home)) or not path.startswith(temporary))
        and not any(word in path for word in ("__pycache__", ".pyc", "matplotlib", "fontconfig"))
        and path not in (str(home / ".cache"), str(home / ".config"))
    ]


@pytest.fixture(scope="module")
def yolo() -> YoloNetwork:
    if importlib.util.find_spec("ultralytics") is None:
        pytest.skip("the extra 'yolo' is not installed")
    save, environment = torch.save, dict(os.environ)
    network = YoloNetwork("yolov8n", 1, 64)
    # Ultralytics puts its own in their places.
    assert torch.save is save and dict(os.environ) == environment
    return network


def test_checkpoints_of_ultralytics(yolo: YoloNetwork, tmp_path: Path) -> None:
    """A whole pickled model of other classes gives its weights; a file that would run code is refused."""
    other = YoloNetwork("yolov8n", 3, 64)
    other.net.args = {"imgsz": 64}  # as in their files
    torch.save({"model": other.net.half(), "ema": None, "epoch": 1}, tmp_path / "three.pt")
    assert str(yolo.load(str(tmp_path / "three.pt"))).startswith("three.pt, sha256")
    name = "model.0.conv.weight"
    torch.testing.assert_close(yolo.net.state_dict()[name], other.net.state_dict()[name].float())
    target = tmp_path / "ran"

    class Hostile:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(target),)

    torch.save({"model": Hostile()}, tmp_path / "hostile.pt")
    with pytest.raises(WeightsMismatch, match="no checkpoint of Ultralytics"):
        yolo.load(str(tmp_path / "hostile.pt"))
    assert not target.exists()
    with pytest.raises(WeightsUnavailable, match="no ImageNet weights"):
        yolo.load("imagenet")


def test_yolo_loss_is_low_where_the_box_is(yolo: YoloNetwork) -> None:
    """No boxes leave only the loss of the classes; a batch's loss is the mean of its pictures'."""
    yolo.train()
    pixels = torch.rand(2, 3, 64, 64)
    raw = yolo(pixels)
    boxes = torch.tensor([[[8.0, 8, 40, 40]], [[0.0, 0, 0, 0]]])
    loss, parts = yolo.losses(raw, boxes, torch.tensor([[0], [-1]]))
    total = sum(float(part) for part in parts.values())
    assert float(loss.detach()) == pytest.approx(total, rel=1e-4)
    assert float(parts["box_loss"]) > 0
    _, none = yolo.losses(raw, boxes, torch.tensor([[-1], [-1]]))
    assert float(none["box_loss"]) == 0 and float(none["cls_loss"]) > 0
