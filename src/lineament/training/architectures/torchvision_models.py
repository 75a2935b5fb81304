"""torchvision's classification models without their last layer."""

from __future__ import annotations

from functools import cache
from typing import Any

from torch import nn

from lineament.training.architectures.backbone import Backbone

_MIN_SIZE = {"inception_v3": 75, "alexnet": 63}


@cache
def names() -> tuple[str, ...]:
    """Names of torchvision's classification models."""
    from torchvision import models

    return tuple(models.list_models(module=models))


def build(name: str) -> Backbone:
    """One of them, untrained: random weights, no class layer."""
    from torchvision import models

    extra: dict[str, Any] = {"weights": None}
    if name in ("inception_v3", "googlenet"):
        # The auxiliary heads serve the original training only. The published weights expect another range
        # than ImageNet's mean and deviation give; the network converts it, trained here or not.
        extra |= {"aux_logits": False, "init_weights": True, "transform_input": True}
    body: nn.Module = models.get_model(name, **extra)
    dimension, maps = _take_head(body, name)
    return Backbone(name, body, _stages(body), dimension, _MIN_SIZE.get(name, 32), f"body.{maps}")


def _take_head(body: nn.Module, name: str) -> tuple[int, str]:
    """Replace the last layer by nothing; returns the width of what it took, and the last feature map."""
    if name.startswith("squeezenet"):
        body.classifier = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        return 512, "features"
    for attribute in ("fc", "classifier", "heads", "head"):
        head = getattr(body, attribute, None)
        if isinstance(head, nn.Linear):
            setattr(body, attribute, nn.Identity())
            return head.in_features, _last_map(body)
        if isinstance(head, nn.Sequential) and isinstance(head[-1], nn.Linear):
            width = head[-1].in_features
            head[-1] = nn.Identity()
            return width, _last_map(body)
    raise NotImplementedError(f"{name}: the class layer of this model was not found")


def _last_map(body: nn.Module) -> str:
    for name in ("features", "layer4", "Mixed_7c", "inception5b", "encoder", "stages"):
        if hasattr(body, name):
            return name
    return next(iter(dict(body.named_children())))


def _stages(body: nn.Module) -> list[nn.Module]:
    """Children in order, a long feature extractor by its own children."""
    stages: list[nn.Module] = []
    for child in body.children():
        inner = list(child.children()) if isinstance(child, nn.Sequential) and len(child) > 4 else [child]
        stages += inner
    return [stage for stage in stages if any(True for _ in stage.parameters())]
