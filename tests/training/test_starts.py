"""A start that fails, and a finished training that is given more epochs."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import drawn_people
import pytest
import scene_pictures
from small_training import LOOP, Settings, Stripes, final_weights, photos, train

from lineament.errors import CheckpointMismatch, LineamentError, MissingExtra, NotEnoughSamples
from lineament.io.manifest import Manifest
from lineament.training.attributes.settings import AttributesSettings, HeadSettings
from lineament.training.attributes.trainer import train_attributes
from lineament.training.classification.settings import ClassifierSettings
from lineament.training.classification.trainer import train_classifier
from lineament.training.detection.localizer import train_localizer
from lineament.training.detection.settings import DetectorSettings, LocalizerSettings
from lineament.training.detection.trainer import train_detector
from lineament.training.recognition.settings import EmbedderSettings
from lineament.training.recognition.trainer import train_embedder
from lineament.training.runs.folder import open_run

SHORT = Settings(replace(LOOP, epochs=2))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return photos(tmp_path_factory.mktemp("stripes"))


def test_more_epochs_go_on_with_a_finished_run(data: Manifest, tmp_path: Path) -> None:
    """Two epochs, finished, and then four, end with the weights of four at once, bit for bit; the result
    is that of the longer training only once that has finished; fewer epochs are another training."""
    constant = replace(LOOP, schedule="constant", epochs=2)
    longer = Settings(replace(constant, epochs=4))
    out = tmp_path / "run"
    _, run = train(data, out, Settings(constant))
    run.finish({"epochs": 2})
    state, run = train(data, out, longer)
    assert [row["epoch"] for row in state.history] == [1, 2, 3, 4]
    with open_run(out, "stripes", longer, data) as again:
        assert again.result() is None
    train(data, tmp_path / "at-once", longer)
    best = (tmp_path / "at-once" / "best.safetensors").read_bytes()
    assert (out / "best.safetensors").read_bytes() == best
    got, wanted = final_weights(out), final_weights(tmp_path / "at-once")
    assert all(bool((got[name] == wanted[name]).all()) for name in wanted)
    assert "epochs = 4" in (out / "config.toml").read_text()
    with pytest.raises(CheckpointMismatch, match=r"loop.epochs \(4"), open_run(out, "stripes", SHORT, data):
        pass


def test_a_finished_run_without_its_checkpoint_says_so(data: Manifest, tmp_path: Path) -> None:
    """Where the checkpoint was removed, more epochs are refused, and the figures stay."""
    _, run = train(data, tmp_path / "run", SHORT)
    run.finish({"epochs": 2})
    (tmp_path / "run" / "last.ckpt").unlink()
    with pytest.raises(CheckpointMismatch, match="its checkpoint is gone"):
        train(data, tmp_path / "run", Settings(replace(LOOP, epochs=3)))
    assert (tmp_path / "run" / "result.json").is_file()


def test_patience_that_grows_goes_on(data: Manifest, tmp_path: Path) -> None:
    """A training that its patience ended goes on with more patience, and not with epochs alone."""
    still = Settings(replace(LOOP, epochs=6, patience=1, learning_rate=1e-12))
    state, run = train(data, tmp_path / "run", still, make=_Still)
    run.finish({})
    assert state.ended == "no better val_loss for 1 epoch"
    more = replace(still.loop, epochs=7)
    state, _ = train(data, tmp_path / "run", Settings(more), make=_Still)
    assert state.epoch == 2
    state, _ = train(data, tmp_path / "run", Settings(replace(more, patience=3)), make=_Still)
    assert state.epoch == 4


class _Still(Stripes):
    """Never gets better."""

    def evaluate(self, device: Any) -> dict[str, float]:
        return {"loss": 1.0, "accuracy": 0.0}


def test_nothing_is_written_by_a_start_that_fails(
    data: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the library for the end is missing, or every batch too small: no folder, not even its parent;
    and where a training of nothing left a folder, one with other settings takes it over."""
    out = tmp_path / "runs" / "a"
    find = importlib.util.find_spec
    with monkeypatch.context() as patch:
        patch.setattr(
            importlib.util, "find_spec", lambda name, *a: None if name == "onnxscript" else find(name, *a)
        )
        with pytest.raises(MissingExtra):
            train(data, out, SHORT)
    with pytest.raises(NotEnoughSamples, match="--batch-size 2"):
        train(data, out, Settings(replace(SHORT.loop, batch_size=1)))
    assert not out.parent.exists()
    with open_run(out, "stripes", Settings(replace(SHORT.loop, seed=9)), data) as run:
        run.begin()
    train(data, out, SHORT)
    assert (out / "best.safetensors").is_file()
    assert "seed = 0" in (out / "config.toml").read_text()


def _detector(data: Path, out: Path, **told: Any) -> None:
    scenes = scene_pictures.write(data, {"train": 4, "val": 2, "test": 2}, size=64)
    train_detector(scenes, out, DetectorSettings(**{"model": "torchvision:ssdlite_mobilenet_v2", **told}))


def _localizer(data: Path, out: Path, **told: Any) -> None:
    scenes = scene_pictures.write(data, {"train": 4, "val": 2, "test": 2}, size=64, most=1, empty=4)
    scenes = replace(scenes, rows=tuple(replace(row, split=row.split or "train") for row in scenes))
    train_localizer(scenes, out, LocalizerSettings(**{"architecture": "reference", **told}))


def _stripes(data: Path) -> Manifest:
    manifest = photos(data, 18)
    rows = [replace(r, split="test" if i > 15 else r.split) for i, r in enumerate(manifest)]
    return replace(manifest, rows=tuple(rows))


def _classifier(data: Path, out: Path, **told: Any) -> None:
    train_classifier(_stripes(data), out, ClassifierSettings(**{"architecture": "reference", **told}))


def _attributes(data: Path, out: Path, **told: Any) -> None:
    heads = (HeadSettings("who", label="subject"),)
    settings = AttributesSettings(heads=heads, **{"architecture": "reference", **told})
    train_attributes(_stripes(data), out, settings)


def _embedder(data: Path, out: Path, **told: Any) -> None:
    told = {"architecture": "reference", "size": drawn_people.SIZE, "dimension": 8, **told}
    train_embedder(drawn_people.draw(data), out, EmbedderSettings(**told))


TRAINERS: dict[str, Callable[..., None]] = {
    "detector": _detector,
    "localizer": _localizer,
    "classifier": _classifier,
    "attributes": _attributes,
    "embedder": _embedder,
}


@pytest.mark.parametrize("trainer", TRAINERS)
@pytest.mark.parametrize("why", ["no such file", "no weights", "no published ones", "offline"])
def test_no_trainer_leaves_a_folder_when_weights_are_not_to_be_had(
    trainer: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever weights cannot be had, and whoever asks for them, nothing is left behind, so that the
    same command with other weights begins."""
    monkeypatch.setenv("LINEAMENT_OFFLINE", "1")
    monkeypatch.setenv("LINEAMENT_CACHE", str(tmp_path / "cache"))
    (tmp_path / "broken.pth").write_bytes(b"broken")
    told: dict[str, Any] = {
        "no such file": {"weights": str(tmp_path / "nowhere.pth")},
        "no weights": {"weights": str(tmp_path / "broken.pth")},
        "no published ones": {"weights": "imagenet"},
        "offline": {"weights": "imagenet", "architecture": "mobilenet_v2"},
    }[why]
    if trainer == "detector":
        told.pop("architecture", None)
    with pytest.raises(LineamentError, match=r"weights|nowhere|broken"):
        TRAINERS[trainer](tmp_path / "data", tmp_path / "runs" / "a", **told)
    assert not (tmp_path / "runs").exists()
