"""Residual networks for small faces, the IR blocks of the ArcFace paper (Deng et al. 2019, CVPR, 3.1).

Against torchvision's ResNets: no pooling at the beginning, so 112 pixels end in a 7x7 map instead of a 4x4
one; blocks BN, 3x3, BN, PReLU, 3x3, BN; and the whole map, not its mean, goes into the embedding.
"""

from __future__ import annotations

import torch
from torch import nn

from lineament.training.architectures.backbone import Backbone

BLOCKS = {"iresnet18": (2, 2, 2, 2), "iresnet50": (3, 4, 14, 3), "iresnet100": (3, 13, 30, 3)}
_WIDTHS = (64, 128, 256, 512)
_MAP = 7


class _Block(nn.Module):
    def __init__(self, before: int, width: int, stride: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            nn.BatchNorm2d(before),
            nn.Conv2d(before, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.PReLU(width),
            nn.Conv2d(width, width, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(width),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or before != width:
            self.shortcut = nn.Sequential(
                nn.Conv2d(before, width, 1, stride, bias=False), nn.BatchNorm2d(width)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        total: torch.Tensor = self.residual(x) + self.shortcut(x)
        return total


def names() -> tuple[str, ...]:
    """The names of this family, by depth."""
    return tuple(BLOCKS)


def build(name: str) -> Backbone:
    """``iresnet18``, ``iresnet50`` or ``iresnet100``: ``(N, 3, S, S)`` -> ``(N, 25088)``.

    S is 112 by design; another is averaged to the same map of 7x7.
    """
    stages: list[nn.Module] = [
        nn.Sequential(nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.PReLU(64))
    ]
    before = 64
    for width, count in zip(_WIDTHS, BLOCKS[name], strict=True):
        blocks = [_Block(before, width, 2), *(_Block(width, width, 1) for _ in range(count - 1))]
        stages.append(nn.Sequential(*blocks))
        before = width
    stages.append(nn.BatchNorm2d(before))
    body = nn.Sequential(*stages, nn.AdaptiveAvgPool2d(_MAP), nn.Flatten())
    for module in body.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, 0, 0.1)
    return Backbone(name, body, stages, before * _MAP * _MAP, 32, maps=f"body.{len(_WIDTHS)}")
