"""Layers of the YOLOv8 and YOLO11 networks, put together from their parts: written here, for inference.

Each takes the parts it is made of, so that a file's own numbers decide the network.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F


@dataclass(frozen=True, slots=True)
class Steps:
    """How a kernel moves: (height, width) each."""

    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int


class Convolution(nn.Module):
    """A convolution with the weights of a file, ``(out, in / groups, H, W)``."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None, steps: Steps) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)
        self.bias = None if bias is None else nn.Parameter(bias)
        self.steps = steps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See the class."""
        steps = self.steps
        return F.conv2d(
            x, self.weight, self.bias, steps.stride, steps.padding, steps.dilation, steps.groups
        )


class Normalisation(nn.Module):
    """A batch normalisation with the means and variances of a file."""

    def __init__(
        self,
        weight: torch.Tensor,
        bias: torch.Tensor,
        mean: torch.Tensor,
        variance: torch.Tensor,
        eps: float,
    ) -> None:
        super().__init__()
        scale = weight / torch.sqrt(variance + eps)
        self.scale = nn.Parameter(scale[:, None, None])
        self.shift = nn.Parameter((bias - mean * scale)[:, None, None])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See the class."""
        return x * self.scale + self.shift


class Bottleneck(nn.Module):
    """Two convolutions, with a way around them where ``add``."""

    def __init__(self, cv1: nn.Module, cv2: nn.Module, add: bool) -> None:
        super().__init__()
        self.cv1, self.cv2, self.add = cv1, cv2, add

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See the class."""
        y = self.cv2(self.cv1(x))
        return torch.add(x, y) if self.add else torch.as_tensor(y)


class SplitStage(nn.Module):
    """Half of the channels go through the blocks one after the other; every step is kept (C2f, C3k2)."""

    def __init__(self, cv1: nn.Module, cv2: nn.Module, blocks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.cv1, self.cv2, self.blocks = cv1, cv2, nn.ModuleList(blocks)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See the class."""
        kept = list(self.cv1(x).chunk(2, 1))
        for block in self.blocks:
            kept.append(block(kept[-1]))
        return torch.as_tensor(self.cv2(torch.cat(kept, 1)))


class TwoWayStage(nn.Module):
    """One way through the blocks, one past them (C3, C3k)."""

    def __init__(self, cv1: nn.Module, cv2: nn.Module, cv3: nn.Module, blocks: nn.Module) -> None:
        super().__init__()
        self.cv1, self.cv2, self.cv3, self.blocks = cv1, cv2, cv3, blocks

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See the class."""
        return torch.as_tensor(self.cv3(torch.cat((self.blocks(self.cv1(x)), self.cv2(x)), 1)))


class HalfStage(nn.Module):
    """Half of the channels go through the blocks: the ``first`` (C2), or the second half (C2PSA)."""

    def __init__(self, cv1: nn.Module, cv2: nn.Module, blocks: nn.Module, first: bool) -> None:
        super().__init__()
        self.cv1, self.cv2, self.blocks, self.first = cv1, cv2, blocks, first

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See the class."""
        first, second = self.cv1(x).chunk(2, 1)
        both = (self.blocks(first), second) if self.first else (first, self.blocks(second))
        return torch.as_tensor(self.cv2(torch.cat(both, 1)))


class Attention(nn.Module):
    """Every place looks at every other; ``pe`` tells where a value lies."""

    def __init__(
        self, qkv: nn.Module, proj: nn.Module, pe: nn.Module, heads: int, key: int, head: int
    ) -> None:
        super().__init__()
        self.qkv, self.proj, self.pe = qkv, proj, pe
        self.heads, self.key, self.head = heads, key, head

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See the class."""
        n, c, h, w = x.shape
        parts = self.qkv(x).view(n, self.heads, 2 * self.key + self.head, h * w)
        q, k, v = parts.split([self.key, self.key, self.head], dim=2)
        looks = ((q.transpose(-2, -1) @ k) / math.sqrt(self.key)).softmax(dim=-1)
        seen = (v @ looks.transpose(-2, -1)).view(n, c, h, w) + self.pe(v.reshape(n, c, h, w))
        return torch.as_tensor(self.proj(seen))


class AttentionBlock(nn.Module):
    """Attention, then two convolutions, each with a way around it where ``add``."""

    def __init__(self, attention: nn.Module, after: nn.Module, add: bool) -> None:
        super().__init__()
        self.attention, self.after, self.add = attention, after, add

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See the class."""
        x = x + self.attention(x) if self.add else self.attention(x)
        return torch.as_tensor(x + self.after(x) if self.add else self.after(x))


class PooledStage(nn.Module):
    """What three poolings in a row see, side by side (SPPF)."""

    def __init__(self, cv1: nn.Module, cv2: nn.Module, pool: nn.Module, times: int, add: bool) -> None:
        super().__init__()
        self.cv1, self.cv2, self.pool, self.times, self.add = cv1, cv2, pool, times, add

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See the class."""
        kept = [self.cv1(x)]
        for _ in range(self.times):
            kept.append(self.pool(kept[-1]))
        y = self.cv2(torch.cat(kept, 1))
        return torch.as_tensor(y + x if self.add else y)


class Joined(nn.Module):
    """Several inputs side by side."""

    def forward(self, x: list[torch.Tensor]) -> torch.Tensor:
        """See the class."""
        return torch.cat(x, 1)


class Answer(nn.Module):
    """Boxes, class probabilities and points of every place: ``(N, 4 + classes + points, anchors)``.

    Centre, width, height and points in pixels of the input. Each side's distance is the mean over ``bins``
    learnt places. ``chosen`` are the classes that are answered, in order.
    """

    def __init__(
        self,
        boxes: Sequence[nn.Module],
        classes: Sequence[nn.Module],
        points: Sequence[nn.Module],
        strides: Sequence[float],
        bins: int,
        per_point: int,
        chosen: Sequence[int],
    ) -> None:
        super().__init__()
        self.boxes, self.classes = nn.ModuleList(boxes), nn.ModuleList(classes)
        self.points = nn.ModuleList(points)
        self.strides, self.bins, self.per_point = tuple(strides), bins, per_point
        self.places = nn.Parameter(torch.arange(bins, dtype=torch.float32)[None, None, :, None])
        self.chosen = nn.Parameter(torch.tensor(list(chosen)), requires_grad=False)

    def forward(self, maps: list[torch.Tensor]) -> torch.Tensor:
        """See the class."""
        return torch.cat([self._level(i, x) for i, x in enumerate(maps)], 2)

    def _level(self, i: int, x: torch.Tensor) -> torch.Tensor:
        n, _, h, w = x.shape
        sides = self.boxes[i](x).view(n, 4, self.bins, h * w)
        sides = (sides.softmax(2) * self.places).sum(2)
        y, x_ = torch.meshgrid(torch.arange(h) + 0.5, torch.arange(w) + 0.5, indexing="ij")
        middle = torch.stack([x_.flatten(), y.flatten()])[None].to(x.dtype)
        low, high = middle - sides[:, :2], middle + sides[:, 2:]
        box = torch.cat([(low + high) / 2, high - low], 1) * self.strides[i]
        scores = self.classes[i](x).flatten(2).sigmoid().index_select(1, self.chosen)
        if not self.points:
            return torch.cat([box, scores], 1)
        points = self.points[i](x).view(n, -1, self.per_point, h * w)
        at = (points[:, :, :2] * 2 + (middle - 0.5)[:, None]) * self.strides[i]
        rest = points[:, :, 2:].sigmoid()
        return torch.cat([box, scores, torch.cat([at, rest], 2).flatten(1, 2)], 1)


class LayeredNetwork(nn.Module):
    """Layers in a row, each fed by the ones it names: -1 is the one before."""

    def __init__(self, layers: Sequence[nn.Module], sources: Sequence[tuple[int, ...]]) -> None:
        super().__init__()
        self.layers, self.sources = nn.ModuleList(layers), tuple(sources)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """The last layer's answer to float32 RGB in [0, 1], ``(N, 3, S, S)``."""
        made: list[torch.Tensor] = []
        last = pixels
        for layer, sources in zip(self.layers, self.sources, strict=True):
            given = [last if source == -1 else made[source] for source in sources]
            several = isinstance(layer, (Joined, Answer))
            last = layer(given) if several else layer(given[0])
            made.append(last)
        return last
