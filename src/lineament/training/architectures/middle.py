"""The first layers of a network, as a backbone: what its middle sees, and where.

The last features of a network trained on ImageNet tell what is there, not where its parts are. Aligned
faces differ in exactly that: a map from the middle, each of its places a feature, tells people apart
better (benchmarks/small_data.py; for other tasks Yosinski et al. 2014).
"""

from __future__ import annotations

import torch
from torch import nn

from lineament.config import did_you_mean
from lineament.errors import ConfigError
from lineament.training.architectures.backbone import Backbone


class _Beginning(Backbone):
    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """float32 ``(N, 3, S, S)`` -> ``(N, dimension)``: the map, place by place."""
        features: torch.Tensor = self.body(pixels)["map"].flatten(1)
        return features


def ended_at(backbone: Backbone, layer: str, size: int) -> Backbone:
    """``backbone`` up to ``layer`` (``features.13``, ``layer3`` ...), for pictures of ``size`` pixels.

    Weights keep their names; later layers are gone. Raises `ConfigError` for a layer it does not have.
    """
    from torchvision.models.feature_extraction import create_feature_extractor

    names = [name for name, _ in backbone.body.named_modules() if name]
    if layer not in names:
        raise ConfigError(
            f"feature_layer: {backbone.name} has no layer {layer!r}{did_you_mean(layer, names)}; it begins "
            f"with {', '.join(name for name, _ in backbone.body.named_children())}"
        )
    body = create_feature_extractor(backbone.body, {layer: "map"})
    with torch.no_grad():
        found = body.eval()(torch.zeros(1, 3, size, size))["map"]
    kept = {id(p) for p in body.parameters()}
    stages: list[nn.Module] = []
    for stage in backbone.stages:
        whole = list(stage.parameters())
        left = [p for p in whole if id(p) in kept]
        if left:
            stages.append(stage if len(left) == len(whole) else nn.ParameterList(left))
    return _Beginning(backbone.name, body, stages, found[0].numel(), size, f"body.{layer}", only_size=size)
