"""torchvision's classification models without their last layer."""

from __future__ import annotations

from functools import cache
from typing import Any

from torch import nn

from lineament.errors import UnknownName
from lineament.training.architectures.backbone import Backbone

_MIN_SIZE = {"inception_v3": 75, "alexnet": 63}
_ONLY_SIZE = {"vit": 224, "maxvit": 224}
"""By family: the only side that a network with windows or places of its own takes."""
_MAPS = (
    "features",
    "layer4",
    "Mixed_7c",
    "inception5b",
    "encoder",
    "trunk_output",
    "conv5",
    "layers",
    "blocks.3",
)
"""The module that makes the last feature map, by family; the first that a network has."""


@cache
def names() -> tuple[str, ...]:
    """Names of torchvision's classification models."""
    from torchvision import models

    return tuple(models.list_models(module=models))


def build(name: str) -> Backbone:
    """One of them, untrained: no class layer. Raises `UnknownName` for one of unknown layout."""
    from torchvision import models

    extra: dict[str, Any] = {"weights": None}
    if name in ("inception_v3", "googlenet"):
        # The auxiliary heads serve the original training only. The published weights expect another range
        # than ImageNet's mean and deviation give; the network converts it, trained here or not.
        extra |= {"aux_logits": False, "init_weights": True, "transform_input": True}
    body: nn.Module = models.get_model(name, **extra)
    dimension, maps = _take_head(body, name)
    only = _ONLY_SIZE.get(name.partition("_")[0])
    least = only or _MIN_SIZE.get(name, 32)
    return Backbone(name, body, _stages(body), dimension, least, f"body.{maps}", only_size=only)


def _take_head(body: nn.Module, name: str) -> tuple[int, str]:
    """Replace the last layer by nothing; returns the width of what it took, and the last feature map."""
    if name.startswith("squeezenet"):
        body.classifier = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        return 512, "features"
    for attribute in ("fc", "classifier", "heads", "head"):
        head = getattr(body, attribute, None)
        if isinstance(head, nn.Linear):
            setattr(body, attribute, nn.Identity())
            return head.in_features, _last_map(body, name)
        if isinstance(head, nn.Sequential) and isinstance(head[-1], nn.Linear):
            width = head[-1].in_features
            head[-1] = nn.Identity()
            return width, _last_map(body, name)
    raise _unknown_layout(name, "class layer")


def _last_map(body: nn.Module, name: str) -> str:
    modules = dict(body.named_modules())
    found = next((maps for maps in _MAPS if maps in modules), None)
    if found is None:
        raise _unknown_layout(name, "last feature map")
    return found


def _unknown_layout(name: str, part: str) -> UnknownName:
    return UnknownName(
        f"{name}: this network is built in a way lineament does not know, its {part} was not found; take "
        "another one: reference, mobilenet_v2, resnet18, resnet50, efficientnet_b0 ..."
    )


def _stages(body: nn.Module) -> list[nn.Module]:
    """Children in order, a long feature extractor by its own children."""
    stages: list[nn.Module] = []
    for child in body.children():
        inner = list(child.children()) if isinstance(child, nn.Sequential) and len(child) > 4 else [child]
        stages += inner
    return [stage for stage in stages if any(True for _ in stage.parameters())]
