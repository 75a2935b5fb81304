"""Networks that look at what they were told to, and a picture with something to see."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from lineament.io.catalog import InputContract
from lineament.io.manifest import Manifest
from lineament.io.trained import Head, TrainedCard, TrainedData
from lineament.training.runs.export import export
from lineament.training.runs.folder import open_run
from lineament.training.settings import LoopSettings
from lineament.types import UInt8

SIZE = 32
COLOURS = ("red", "green", "blue")


class Blobs(nn.Module):
    """Says how much red, green and blue there is: each channel answers to one colour alone."""

    def __init__(self) -> None:
        super().__init__()
        self.colours = nn.Conv2d(3, 3, 4, stride=4, bias=False)
        self.head = nn.Linear(3, 3, bias=False)
        with torch.no_grad():
            self.colours.weight.fill_(-0.5 / 16)
            for i in range(3):
                self.colours.weight[i, i] = 1 / 16
            self.head.weight.copy_(10 * torch.eye(3) - 2)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = self.head(torch.relu(self.colours(pixels)).mean(dim=(2, 3)))
        return answer


class Deep(nn.Module):
    """Two convolutions round which the first one's answer passes, then layers that bend: for an oracle."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.first = nn.Conv2d(3, 5, 3, stride=4, padding=1)
        self.second = nn.Conv2d(5, 5, 3, padding=1)
        self.hidden = nn.Linear(5 * 64, 12)
        self.kind, self.level = nn.Linear(12, 4), nn.Linear(12, 1)

    def maps(self, pixels: torch.Tensor) -> torch.Tensor:
        first = torch.relu(self.first(pixels))
        return torch.relu(self.second(first)) + first

    def answers(self, maps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        hidden = torch.tanh(self.hidden(maps.flatten(1)))
        return self.kind(hidden), self.level(hidden)

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.answers(self.maps(pixels))


DEEP_HEADS = (Head("kind", "classes", ("a", "b", "c", "d")), Head("level", "number"))


def run_of(model: nn.Module, folder: Path, heads: tuple[Head, ...]) -> Path:
    """Export a network into a run folder."""
    card = TrainedCard(
        name=folder.name,
        job="classifier" if len(heads) == 1 else "attributes",
        architecture="planted",
        file="",
        sha256="",
        input=InputContract("RGB", size=SIZE, mean=(0.0,) * 3, std=(255.0,) * 3),
        heads=heads,
        data=TrainedData(""),
    )
    with open_run(folder, "planted", LoopSettings(), Manifest(())) as run:
        export(model, card, run)
        run.finish({})
    return folder


def picture() -> UInt8:
    """Grey, with a red square in the upper left quadrant and a green one in the lower right."""
    pixels = np.full((SIZE, SIZE, 3), 90, np.uint8)
    pixels[4:12, 4:12] = (230, 20, 20)
    pixels[20:28, 20:28] = (20, 230, 20)
    return pixels
