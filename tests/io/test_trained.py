"""A trained model's folder: refused unless the file does what its card says."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lineament.errors import CardMismatch, ConfigError, DigestMismatch
from lineament.io.catalog import InputContract
from lineament.io.trained import Head, TrainedCard, TrainedData, open_trained

SIDE = 24


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models of one make, as a training would leave them: ``a`` and ``b``."""
    torch = pytest.importorskip("torch", reason="the training libraries are not installed")
    from lineament.training.runs.export import export
    from lineament.training.runs.folder import RunFolder

    root = tmp_path_factory.mktemp("trained")
    contract = InputContract("RGB", SIDE, mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375))
    for seed, name in enumerate("ab"):
        torch.manual_seed(seed)
        layers = (torch.nn.Conv2d(3, 8, 5, stride=3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(2))
        model = torch.nn.Sequential(*layers, torch.nn.Flatten(), torch.nn.Linear(32, 3))
        heads = (Head("who", "classes", ("x", "y", "z")),)
        data = TrainedData("0" * 64, {"train": 5}, 3, ("split",))
        card = TrainedCard(name, "classifier", "tiny", "", "", contract, heads, data)
        (root / name).mkdir()
        export(model, card, RunFolder(root / name, "tiny", ""))
    return root


@pytest.fixture
def model(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained / "a", tmp_path / "model"))


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    values = json.loads((folder / "card.json").read_text())
    change(values)
    (folder / "card.json").write_text(json.dumps(values))


def test_a_whole_folder_opens_and_answers(model: Path) -> None:
    """The card is read back whole, answers are logits over its classes, and opening imports no torch."""
    opened = open_trained(model, "classifier", "attributes")
    assert opened.card.head("who").classes == ("x", "y", "z")
    assert opened.card.model_id.name == "a"
    assert opened.run(np.zeros((2, SIDE, SIDE, 3), np.uint8))["who"].shape == (2, 3)
    code = (
        "import sys; from lineament.io.trained import open_trained; open_trained(sys.argv[1]); "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(model)], check=True, timeout=120)


@pytest.mark.parametrize(
    "change",
    [
        lambda card: card["input"].update(mean=[127.5] * 3),
        lambda card: card["input"].update(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]),
        lambda card: card["input"].update(std=[255.0] * 3),
        lambda card: card["input"].update(colour="BGR"),
        lambda card: card["golden"].update(output=[v + 0.5 for v in card["golden"]["output"]]),
        lambda card: card["golden"].update(output=card["golden"]["output"][:1]),
        lambda card: card.update(golden=None),
    ],
    ids=["mean", "shares of 1", "std", "colour order", "answer", "fewer answers", "no answer"],
)
def test_a_card_that_does_not_fit_its_file_is_refused(
    model: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    """Another mean, deviation or colour order than the network learned with, or another answer than the
    card's, or none to compare with, raises CardMismatch."""
    edit(model, change)
    with pytest.raises(CardMismatch):
        open_trained(model)


def test_swapped_weights_are_refused(model: Path, trained: Path) -> None:
    """Another model's file raises DigestMismatch; with its digest written into the card, CardMismatch."""
    shutil.copyfile(trained / "b" / "model.onnx", model / "model.onnx")
    with pytest.raises(DigestMismatch):
        open_trained(model)
    other = json.loads((trained / "b" / "card.json").read_text())["sha256"]
    edit(model, lambda card: card.update(sha256=other))
    with pytest.raises(CardMismatch, match="wrong weights"):
        open_trained(model)


def test_a_damaged_file_is_refused(model: Path) -> None:
    """One changed byte, or a missing file, is told before anything reads the file."""
    path = model / "model.onnx"
    held = bytearray(path.read_bytes())
    held[len(held) // 2] ^= 1
    path.write_bytes(held)
    with pytest.raises(DigestMismatch):
        open_trained(model)
    path.unlink()
    with pytest.raises(ConfigError, match="cannot be read"):
        open_trained(model)


@pytest.mark.parametrize("where", ["relative", "absolute", "link", "folder"])
def test_a_card_reaches_no_file_outside_its_folder(model: Path, trained: Path, where: str) -> None:
    """``../``, an absolute path, a link out of the folder, and the folder itself raise ConfigError."""
    outside = trained / "a" / "model.onnx"
    if where == "link":
        (model / "other.onnx").symlink_to(outside)
    name = {
        "relative": f"../{model.name}/../{trained.name}/a/model.onnx",
        "absolute": str(outside),
        "link": "other.onnx",
        "folder": ".",
    }[where]
    edit(model, lambda card: card.update(file=name))
    with pytest.raises(ConfigError):
        open_trained(model)


def test_a_model_for_another_job_is_refused(model: Path) -> None:
    """A classifier given as a detector raises ConfigError, naming both."""
    with pytest.raises(ConfigError, match="a model for classifier, not for detection"):
        open_trained(model, "detection")


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"lineament_card": 2}', "\udcff", '{"lineament_card": 1, "name": "a", "odd": 1}'],
    ids=["empty", "list", "nothing", "newer", "no text", "unknown key"],
)
def test_a_card_that_is_none_is_refused(model: Path, text: str) -> None:
    """Anything but a card of this version raises ConfigError that names the file."""
    (model / "card.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigError, match=r"card\.json"):
        open_trained(model)


def test_a_folder_without_a_card_says_what_is_missing(tmp_path: Path) -> None:
    """An unfinished training has no card yet."""
    with pytest.raises(ConfigError, match="finished training"):
        open_trained(tmp_path)


def test_a_card_of_another_shape_is_refused(model: Path) -> None:
    """Heads that are no list, an unknown job or kind, and numbers where text belongs raise ConfigError."""
    whole = (model / "card.json").read_text()
    changes: list[dict[str, Any]] = [
        {"job": "spy"},
        {"heads": [{"name": "who", "kind": "odd"}]},
        {"heads": 7},
        {"heads": ["who"]},
        {"input": 3},
        {"name": 3},
        {"data": []},
    ]
    for change in changes:
        (model / "card.json").write_text(whole)
        edit(model, lambda card, change=change: card.update(change))  # type: ignore[misc]
        with pytest.raises(ConfigError):
            TrainedCard.load(model)
