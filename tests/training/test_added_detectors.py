"""Detectors of Ultralytics under a name: what is read, what is refused, and that the answers are theirs.

The files are saved by Ultralytics' own classes, so the pickles are the ones that its users have.
"""

from __future__ import annotations

import importlib.util
import json
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import ultralytics_files
from typer.testing import CliRunner

from lineament import added
from lineament.cli.main import app
from lineament.errors import ConfigError, UnknownName, UsageError, WeightsMismatch
from lineament.geometry.letterbox import letterbox
from lineament.io import images, torch_files
from lineament.registry import detectors
from lineament.training.ultralytics import file as yolo_file
from lineament.training.ultralytics.adding import add_detector, chosen_classes

needs_ultralytics = pytest.mark.skipif(
    importlib.util.find_spec("ultralytics") is None, reason="not installed: lineament[yolo]"
)
SAMPLES = Path(__file__).parents[2] / "samples"
PHOTO = SAMPLES / "obama_2009_congress.jpg"


def seen(photo: Path, size: int) -> torch.Tensor:
    square, _ = letterbox(images.load(photo).pixels, size)
    return torch.from_numpy(np.array(square, np.float32)).permute(2, 0, 1)[None] / 255


@needs_ultralytics
@pytest.mark.parametrize(
    "name",
    [
        "small",
        "yolov8n",
        "yolov8n-p2",
        "yolov8n-p6",
        "yolov8n-pose",
        "yolov5n",
        "yolo11n",
        "yolo11s",
        "yolo11n-pose",
    ],
)
def test_our_layers_answer_as_those_that_were_saved(name: str, tmp_path: Path) -> None:
    """A file's network, built anew of our layers, answers a real photo as Ultralytics' own, within 1e-4 of
    the side in boxes and 1e-4 in probabilities."""
    model = ultralytics_files.network(name)
    read = yolo_file.read(ultralytics_files.save(tmp_path / "best.pt", model))
    assert (read.classes, read.size) == (("face",), 128)
    assert read.architecture == (name if name != "small" else "Ultralytics DetectionModel")
    with torch.no_grad():
        theirs, ours = model(seen(PHOTO, 128))[0], read.network([0])(seen(PHOTO, 128))
    assert ours.shape == theirs.shape
    assert (ours - theirs)[:, :4].abs().max() <= 1e-4 * 128
    assert (ours - theirs)[:, 4:5].abs().max() <= 1e-4


@needs_ultralytics
def test_the_averaged_weights_and_a_choice_of_classes(tmp_path: Path) -> None:
    """``ema`` comes before ``model``, and only the chosen classes are answered, in the file's order."""
    model = ultralytics_files.network("yolov8n", ("car", "face", "head"))
    other = ultralytics_files.network("yolov8n", ("car", "face", "head"))
    torch.nn.init.zeros_(next(other.parameters()))
    path = ultralytics_files.save(tmp_path / "best.pt", model, where="ema", model=other.half())
    with torch.no_grad():
        theirs = model(seen(PHOTO, 128))[0]
        ours = yolo_file.read(path).network([1, 2])(seen(PHOTO, 128))
    assert torch.allclose(ours[:, 4:], theirs[:, 5:7], atol=1e-4)


@pytest.mark.parametrize(
    ("known", "chosen"),
    [
        (("face",), (0,)),
        (("car", "Human face", "head"), (1,)),
        (("FACE", "license_plate"), (0,)),
        (("faceMask", "HumanFace"), (0, 1)),
        (("head", "helmet", "person"), (0,)),
        (("face_front", "face-side", "body"), (0, 1)),
    ],
)
def test_faces_are_found_and_else_heads(known: tuple[str, ...], chosen: tuple[int, ...]) -> None:
    """Classes that have the word face, or where there are none head; heads are told not to be faces."""
    found, told = chosen_classes(known, (), "x.pt")
    assert found == chosen
    assert any("heads, not faces" in line for line in told) == (known[0] == "head")


@pytest.mark.parametrize(
    "known", [("person", "bicycle", "car"), ("0",), ("surface", "headphones"), ("Normal", "Fall")]
)
def test_models_without_faces_are_refused_with_their_classes(known: tuple[str, ...]) -> None:
    """Unless the user says which class is meant, which is then told."""
    with pytest.raises(WeightsMismatch, match=f"its classes: {known[0]!r}.*--classes"):
        chosen_classes(known, (), "x.pt")
    found, told = chosen_classes(known, (known[0],), "x.pt")
    assert found == (0,) and known[0] in told[0]
    with pytest.raises(WeightsMismatch, match="no class 'eye'"):
        chosen_classes(known, ("eye",), "x.pt")


@needs_ultralytics
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("yolov8n-seg", "SegmentationModel answers no boxes"),
        ("yolov8n-obb", "OBBModel answers no boxes"),
        ("yolov10n", "not among those of YOLOv8"),
        ("yolo12n", "not among those of YOLOv8"),
        ("yolov8n-ghost", "GhostConv.*export it to ONNX"),
    ],
)
def test_other_networks_are_refused_by_name(name: str, words: str, tmp_path: Path) -> None:
    """Never a network that answers something else, or half of one."""
    path = ultralytics_files.save(tmp_path / "best.pt", ultralytics_files.network(name))
    with pytest.raises(WeightsMismatch, match=words):
        yolo_file.read(path).network([0])


@needs_ultralytics
def test_pictures_fit_the_steps_of_the_network(tmp_path: Path) -> None:
    """A network with a step of 64 px is not offered pictures it cannot divide: the size is named."""
    path = ultralytics_files.save(tmp_path / "best.pt", ultralytics_files.network("yolov8n-p6"))
    assert yolo_file.read(path).divisor == 64
    with pytest.raises(ConfigError, match="96 px: a multiple of 64"):
        add_detector(path, "six", source="x", licence="y", size=96)


@needs_ultralytics
def test_points_of_a_body_are_no_landmarks(tmp_path: Path) -> None:
    """Seventeen points are a body's: the runtime would take five of them for eyes, nose and mouth."""
    model = ultralytics_files.network("yolov8n-pose", ("face",), points=17)
    with pytest.raises(WeightsMismatch, match="gives 17 points"):
        yolo_file.read(ultralytics_files.save(tmp_path / "pose.pt", model)).network([0])


class Hostile:
    """What a pickle may ask for: any call with any arguments."""

    def __init__(self, call: Any, *arguments: Any) -> None:
        self.made = call, arguments

    def __reduce__(self) -> Any:
        return self.made


def archive(path: Path, data: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("best/data.pkl", data)
        file.writestr("best/byteorder", "little")
    return path


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("place", ["alone", "model", "train_args"])
def test_no_call_of_a_file_is_made(protocol: int, place: str, tmp_path: Path) -> None:
    """What a pickle calls stays a name with arguments, wherever it stands."""
    (tmp_path / "victim").mkdir()
    call = Hostile(os.rmdir, str(tmp_path / "victim"))
    data = pickle.dumps(call if place == "alone" else {place: call}, protocol=protocol)
    path = archive(tmp_path / "best.pt", data)
    read = torch_files.read(path)
    made = read if place == "alone" else read[place]
    assert isinstance(made, torch_files.Made) and made.what.name == "rmdir"
    with pytest.raises(WeightsMismatch):
        yolo_file.read(path)
    assert (tmp_path / "victim").is_dir()
    pickle.loads(data)  # the bait is real
    assert not (tmp_path / "victim").exists()


def test_tensors_are_those_that_were_saved(tmp_path: Path) -> None:
    """Of every type and layout: transposed, of one storage, scalars, empty ones."""
    base = torch.arange(12, dtype=torch.float32).reshape(3, 4)
    saved = {
        "whole": base, "turned": base.t(), "part": base[1:, 2:], "scalar": torch.tensor(7.5),
        "empty": torch.zeros(0, 3), "half": base.half(), "brain": base.bfloat16(), "long": base.long(),
        "parameter": torch.nn.Parameter(base), "true": torch.tensor([True, False]),
    }  # fmt: skip
    torch.save(saved, tmp_path / "tensors.pt")
    read = torch_files.read(tmp_path / "tensors.pt")
    for name, tensor in saved.items():
        assert np.array_equal(read[name], tensor.detach().float().numpy().astype(read[name].dtype)), name


def test_damaged_and_foreign_files_are_named(tmp_path: Path) -> None:
    """Cut anywhere, numbers missing, a tensor beyond its numbers, no zip, a picture: `WeightsMismatch`."""
    torch.save({"model": {"a": torch.ones(40)}}, tmp_path / "whole.pt")
    data = (tmp_path / "whole.pt").read_bytes()
    bad = [data[: len(data) * share // 10] for share in range(10)] + [
        PHOTO.read_bytes()[:2000],
        b"\x80\x02.",
    ]
    for number, content in enumerate(bad):
        path = tmp_path / f"{number}.pt"
        path.write_bytes(content)
        with pytest.raises(WeightsMismatch):
            torch_files.read(path)
    with zipfile.ZipFile(tmp_path / "whole.pt") as old:
        members = {name: old.read(name) for name in old.namelist()}
    for change in ("short", "gone"):
        with zipfile.ZipFile(tmp_path / f"{change}.pt", "w") as new:
            for name, content in members.items():
                if name.endswith("data/0") and change == "gone":
                    continue
                new.writestr(name, content[:-4] if name.endswith("data/0") else content)
        with pytest.raises(WeightsMismatch):
            torch_files.read(tmp_path / f"{change}.pt")
    with pytest.raises(WeightsMismatch, match="bare state dictionary"):
        torch.save({"a": torch.ones(2)}, tmp_path / "state.pt")
        yolo_file.read(tmp_path / "state.pt")


@needs_ultralytics
def test_an_added_model_is_a_detector_like_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the command: converted, compared on a photo, listed, shown, checked, used by name with settings
    and inside a wrapper, replaced only when told, removed."""
    monkeypatch.setenv("LINEAMENT_CACHE", str(tmp_path / "models"))
    model = ultralytics_files.network("yolov8n", ("face", "car"))
    path = ultralytics_files.save(tmp_path / "best.pt", model)
    told = ["--source", "a release page", "--licence", "GPL-3.0"]

    def run(*words: object) -> Any:
        return CliRunner().invoke(app, [str(word) for word in words])

    done = run("models", "add", path, "--name", "Own-1", *told, "--photo", PHOTO)
    assert done.exit_code == 0, done.output
    assert "AGPL-3.0" in done.output and "leaves out the classes 'car'" in done.output
    card = json.loads((tmp_path / "models" / "added" / "Own-1" / "card.json").read_text())
    assert card["licence"] == "GPL-3.0" and "a release page" in card["trained_from"]
    assert card["heads"][0]["classes"] == ["face"] and card["input"]["size"] == 128
    for words in (("list",), ("show", "Own-1"), ("check", "Own-1")):
        assert "Own-1" in run("models", *words).output
    found = detectors.create("Own-1:score=0.001").detect([images.load(PHOTO)])[0]
    assert len(found)
    assert detectors.changed("Own-1:nms=0.3", score=0.5) == "Own-1:nms=0.3,score=0.5"
    assert detectors.create("retry:Own-1:score=0.9").base.score == 0.9
    analyzed = run("analyze", PHOTO, "--detector", "Own-1:score=0.001", "--json", "-")
    assert json.loads(analyzed.stdout.splitlines()[0])["outcome"] == "ok", analyzed.output
    for name, words in (("Own-1", "--replace"), ("own-1", "only in capitals"), ("yunet", "comes with")):
        with pytest.raises(UsageError, match=words):
            add_detector(path, name, source="x", licence="y")
    for name in ("a:b", "../x", "1x", "", "a,b", "a=b"):
        with pytest.raises(UsageError, match="name is a letter"):
            add_detector(path, name, source="x", licence="y")
    assert run("models", "remove", "Own-1").exit_code == 0
    assert added.names() == []
    assert isinstance(run("models", "remove", "Own-1").exception, UnknownName)
    assert list((tmp_path / "models" / "added").glob("[!.]*")) == []
