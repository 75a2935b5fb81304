"""MobileFaceNet and the IResNets: as published, and exported."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lineament.io.catalog import InputContract
from lineament.io.manifest import Manifest
from lineament.io.trained import Head, TrainedCard, TrainedData, open_trained
from lineament.training.architectures import build
from lineament.training.architectures.backbone import count_parameters
from lineament.training.recognition.task import EmbedderNet
from lineament.training.runs.export import export
from lineament.training.runs.folder import open_run
from lineament.training.settings import LoopSettings


@pytest.mark.parametrize(
    ("name", "dimension", "millions"),
    [("mobilefacenet", 128, 0.99), ("iresnet18", 512, 24.0), ("iresnet50", 512, 43.6)],
)
def test_as_large_as_published(name: str, dimension: int, millions: float) -> None:
    """With the papers' embedding each has the published number of parameters, ends in a map of 7x7 from 112
    pixels, and its stages hold every parameter once."""
    with torch.device("meta"):
        backbone = build(name)
        whole = EmbedderNet(backbone, dimension, 0.0)
        maps = {}
        dict(backbone.named_modules())[backbone.maps].register_forward_hook(
            lambda _module, _inputs, output: maps.update(shape=tuple(output.shape))
        )
        features = backbone.eval()(torch.empty(2, 3, 112, 112))
    assert features.shape == (2, backbone.dimension)
    assert maps["shape"] == (2, 512, 7, 7)
    assert count_parameters(whole)["parameters"] / 1e6 == pytest.approx(millions, rel=0.02)
    inside = [id(p) for stage in backbone.stages for p in stage.parameters()]
    assert sorted(inside) == sorted(id(p) for p in backbone.parameters())


def test_frozen_stages_stay_as_they_are() -> None:
    """Neither weights nor batch statistics of frozen stages move in training."""
    whole = EmbedderNet(build("mobilefacenet"), 8, 0.0, frozen_stages=2).train()
    still, moving = whole.backbone.stages[:2], whole.backbone.stages[2:]
    before = [t.clone() for stage in still for t in stage.state_dict().values()]
    whole(torch.randn(2, 3, 32, 32)).square().sum().backward()
    assert all(torch.equal(a, b) for a, b in zip(before, _state(still), strict=True))
    assert all(p.grad is None for stage in still for p in stage.parameters())
    assert all(p.grad is not None for stage in moving for p in stage.parameters())


def _state(stages: list[torch.nn.Module]) -> list[torch.Tensor]:
    return [t for stage in stages for t in stage.state_dict().values()]


def test_exports(tmp_path: Path) -> None:
    """A MobileFaceNet's ONNX file answers as the network does, for any batch, or the export fails."""
    torch.manual_seed(0)
    whole = EmbedderNet(build("mobilefacenet"), 16, 0.0)
    card = TrainedCard(
        name="small",
        job="embedding",
        architecture="mobilefacenet",
        file="",
        sha256="",
        input=InputContract("RGB", size=48, mean=(127.5,) * 3, std=(127.5,) * 3, alignment="arcface_112"),
        heads=(Head("embedding", "embedding"),),
        data=TrainedData(""),
    )
    with open_run(tmp_path / "small", "embedder", LoopSettings(), Manifest(())) as run:
        export(whole, card, run)
    assert open_trained(tmp_path / "small", "embedding").card.golden is not None
