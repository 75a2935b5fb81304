"""MobileFaceNet: a million parameters for faces (Chen et al. 2018, "MobileFaceNets", CCBR, table 1).

A MobileNetV2 with PReLU whose last map is weighted place by place (global depthwise convolution) instead of
averaged: the corners of an aligned face tell less than its middle.
"""

from __future__ import annotations

import torch
from torch import nn

from lineament.training.architectures.backbone import Backbone

_BOTTLENECKS = ((2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1), (4, 128, 1, 2), (2, 128, 2, 1))
"""Expansion, width, repeats, stride of the first."""
_MAP = 7
_LAST = 512


def _conv(before: int, width: int, kernel: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    conv = nn.Conv2d(before, width, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(width)]


class _Bottleneck(nn.Module):
    def __init__(self, before: int, width: int, expansion: int, stride: int) -> None:
        super().__init__()
        inner = before * expansion
        self.adds = stride == 1 and before == width
        self.layers = nn.Sequential(
            *_conv(before, inner, 1),
            nn.PReLU(inner),
            *_conv(inner, inner, 3, stride, groups=inner),
            nn.PReLU(inner),
            *_conv(inner, width, 1),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.layers(x)
        return x + out if self.adds else out


def names() -> tuple[str, ...]:
    """The one name of this family."""
    return ("mobilefacenet",)


def build(name: str) -> Backbone:
    """float32 ``(N, 3, S, S)`` -> ``(N, 512)``; S is 112 by design, another is averaged to its map."""
    stem = nn.Sequential(*_conv(3, 64, 3, 2), nn.PReLU(64), *_conv(64, 64, 3, groups=64), nn.PReLU(64))
    stages: list[nn.Module] = [stem]
    before = 64
    for expansion, width, repeats, stride in _BOTTLENECKS:
        blocks = [_Bottleneck(before, width, expansion, stride)]
        blocks += [_Bottleneck(width, width, expansion, 1) for _ in range(repeats - 1)]
        stages.append(nn.Sequential(*blocks))
        before = width
    stages.append(nn.Sequential(*_conv(before, _LAST, 1), nn.PReLU(_LAST)))
    maps = f"body.{len(stages) - 1}"
    weighted = nn.Sequential(nn.Conv2d(_LAST, _LAST, _MAP, groups=_LAST, bias=False), nn.BatchNorm2d(_LAST))
    stages.append(weighted)
    body = nn.Sequential(*stages[:-1], nn.AdaptiveAvgPool2d(_MAP), weighted, nn.Flatten())
    return Backbone(name, body, stages, _LAST, 32, maps=maps)
