"""A trained network becomes an ONNX file with a card, or nothing when the two answer differently."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from small_training import LOOP, Settings, photos
from torch import nn

from lineament.errors import ExportMismatch
from lineament.io import golden
from lineament.io.catalog import InputContract
from lineament.io.trained import Head, TrainedCard, TrainedData, open_trained
from lineament.training.runs import export
from lineament.training.runs.folder import RunFolder, open_run


@pytest.fixture
def run(tmp_path: Path) -> Iterator[RunFolder]:
    with open_run(tmp_path / "run", "stripes", Settings(LOOP), photos(tmp_path / "data", 5)) as run:
        yield run


def card(*heads: Head, size: int = 24) -> TrainedCard:
    contract = InputContract("RGB", size=size, mean=(127.5,) * 3, std=(64.0,) * 3)
    return TrainedCard("tiny", "classifier", "tiny", "", "", contract, heads, TrainedData("0" * 64))


CLASSES = Head("who", "classes", ("a", "b", "c"))


class Two(nn.Module):
    """A network with two outputs, dropout and batch normalisation."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(
            nn.Conv2d(3, 6, 5, stride=3), nn.BatchNorm2d(6), nn.ReLU(), nn.Dropout(0.5)
        )
        self.who, self.age = nn.Linear(6, 3), nn.Linear(6, 1)

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features = self.body(pixels).mean(dim=(2, 3))
        return self.who(features), self.age(features)


def test_the_onnx_file_answers_as_the_network(run: RunFolder) -> None:
    """Any batch, every output by its head's name, to 1e-4; the card's digest and golden answer are those of
    the file, which opens without torch's help."""
    model = Two().train()
    done = export.export(model, card(CLASSES, Head("age", "number", unit="years")), run)
    assert done.sha256 == hashlib.sha256((run.path / "model.onnx").read_bytes()).hexdigest()
    assert not model.training
    opened = open_trained(run.path, "classifier")
    assert opened.card == done == TrainedCard.load(run.path)
    for count in (1, 3, 7):
        pixels = np.random.default_rng(count).integers(0, 256, (count, 24, 24, 3), dtype=np.uint8)
        found = opened.run(pixels)
        with torch.no_grad():
            who, age = model(torch.from_numpy(golden.tensor(done, pixels)))
        assert np.abs(found["who"] - who.numpy()).max() < 1e-4
        assert np.abs(found["age"] - age.numpy()).max() < 1e-4


class Moody(nn.Module):
    """Answers otherwise when it is traced for export than when it is called."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 3)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = self.layer(pixels.mean(dim=(2, 3)))
        return answer * (1.001 if torch.compiler.is_exporting() else 1.0)


def test_an_export_that_answers_otherwise_is_refused(run: RunFolder) -> None:
    """A difference of a thousandth raises ExportMismatch with its size, and no card is written: nothing
    opens the file."""
    with pytest.raises(ExportMismatch, match="differ by"):
        export.export(Moody(), card(CLASSES), run)
    assert not (run.path / "card.json").exists()


def test_outputs_must_be_those_of_the_card() -> None:
    """A missing output, another shape, a difference above 1e-4 (relative above 1) and NaN each raise
    ExportMismatch."""
    wanted = {"who": np.array([[1.0, 50.0]], np.float32)}
    export.require_equal({"who": wanted["who"] + 0.004}, wanted, "tiny")
    for got in (
        {},
        {"who": wanted["who"][:, :1]},
        {"who": wanted["who"] + 0.006},
        {"who": wanted["who"] * np.float32("nan")},
    ):
        with pytest.raises(ExportMismatch):
            export.require_equal(got, wanted, "tiny")


def test_a_network_of_any_size(run: RunFolder) -> None:
    """With any_size the file takes pictures of other heights and widths than it was exported with."""
    export.export(Two(), card(CLASSES, Head("age", "number")), run, any_size=True)
    opened = open_trained(run.path)
    assert opened.run(np.zeros((2, 40, 31, 3), np.uint8))["who"].shape == (2, 3)
