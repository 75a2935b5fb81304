"""A small convolutional network to train from scratch: the mark that transfer learning has to beat."""

from __future__ import annotations

from torch import nn

from lineament.training.architectures.backbone import Backbone

_WIDTHS = (32, 64, 128, 256)


def names() -> tuple[str, ...]:
    """The one name of this family."""
    return ("reference",)


def build(name: str) -> Backbone:
    """Four blocks of two 3x3 convolutions, halving the sides each time; then the mean over the map."""
    stages: list[nn.Module] = []
    before = 3
    for width in _WIDTHS:
        stages.append(
            nn.Sequential(
                nn.Conv2d(before, width, 3, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
                nn.Conv2d(width, width, 3, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
                nn.MaxPool2d(2),
            )
        )
        before = width
    body = nn.Sequential(*stages, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return Backbone(name, body, stages, before, 32, maps=f"body.{len(_WIDTHS) - 1}")
