"""Very small networks exported as every trainer does, for tests of what opens and runs trained models."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from lineament.geometry.crop_style import CropStyle
from lineament.io.catalog import InputContract
from lineament.io.manifest import Manifest
from lineament.io.trained import Head, TrainedCard, TrainedData

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class NoSettings:
    """Of a training that never was."""


COLOURS = ("red", "green", "blue")
PEOPLE = Head("subject", "classes", COLOURS)


def export_tiny(
    folder: Path,
    heads: tuple[Head, ...] = (PEOPLE,),
    *,
    job: Literal["classifier", "attributes", "embedding"] = "classifier",
    crop: CropStyle | None = None,
    size: int = 32,
    manifest: Manifest | None = None,
) -> nn.Module:
    """Export a network whose class logits grow with the mean red, green and blue of its picture.

    A number is the mean of all grey levels. Returns the network.
    """
    import torch
    from torch import nn

    from lineament.training.runs.export import export
    from lineament.training.runs.folder import open_run

    class Mean(nn.Module):
        def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
            means = pixels.mean(dim=(2, 3))
            kinds = {"classes": 20 * means, "number": 255 * means.mean(dim=1, keepdim=True)}
            return tuple(kinds.get(head.kind, means) for head in heads)

    model = Mean()
    data = manifest or Manifest(())
    card = TrainedCard(
        name=folder.name,
        job=job,
        architecture="mean",
        file="model.onnx",
        sha256="",
        input=InputContract(size=size, colour="RGB", mean=(0.0,) * 3, std=(255.0,) * 3),
        heads=heads,
        data=TrainedData(data.digest()),
        crop=crop,
    )
    with open_run(folder, job, NoSettings(), data) as run:
        export(model, card, run)
        run.finish({})
    return model


SEVERAL = (Head("tint", "classes", COLOURS), Head("level", "number", unit="grey levels"))
_made: dict[str, Path] = {}


def people_run(factory: pytest.TempPathFactory) -> Path:
    """The run folder of a classifier of the people red, green and blue; exported once a test session."""
    return _once(factory, "people", (PEOPLE,), "classifier")


def several_run(factory: pytest.TempPathFactory) -> Path:
    """The run folder of a network with the heads `SEVERAL`; exported once a test session."""
    return _once(factory, "several", SEVERAL, "attributes")


def variant(source: Path, target: Path, *, crop: CropStyle | None = None, **card: Any) -> Path:
    """A copy of a run folder whose card says something else."""
    shutil.copytree(source, target)
    path = target / "card.json"
    values = json.loads(path.read_text()) | card
    if crop is not None:
        values["crop"] = asdict(crop)
    path.write_text(json.dumps(values))
    return target


def _once(
    factory: pytest.TempPathFactory,
    name: str,
    heads: tuple[Head, ...],
    job: Literal["classifier", "attributes"],
) -> Path:
    if name not in _made:
        folder = factory.mktemp("tiny") / name
        export_tiny(folder, heads, job=job)
        _made[name] = folder
    return _made[name]
