"""What every trainer builds on: a network without its last layer."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from lineament.errors import ConfigError


class Backbone(nn.Module):
    """A network that gives one vector a picture.

    ``stages`` are its parts from input to output, for layer-wise learning rates; together they hold every
    parameter. ``dimension`` is the length of the vector; ``min_size`` the shortest side it takes,
    ``only_size`` the only one where it takes no other; ``maps`` names the module whose output is the last
    feature map (for class activation maps).
    """

    def __init__(
        self,
        name: str,
        body: nn.Module,
        stages: list[nn.Module],
        dimension: int,
        min_size: int,
        maps: str,
        *,
        only_size: int | None = None,
    ) -> None:
        super().__init__()
        self.only_size = only_size
        self.name, self.dimension, self.min_size, self.maps = name, dimension, min_size, maps
        self.body = body
        self._stages = [stages]  # in a list so that the modules are not registered twice

    @property
    def stages(self) -> list[nn.Module]:
        """Parts from input to output."""
        return self._stages[0]

    def require_size(self, size: int) -> None:
        """Raise `ConfigError` for pictures of a side that the network does not take."""
        if self.only_size not in (None, size):
            raise ConfigError(f"size: {self.name} takes {self.only_size} pixels only, not {size}")
        if size < self.min_size:
            raise ConfigError(f"size: {self.name} takes {self.min_size} pixels or more")

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """float32 ``(N, 3, S, S)`` -> ``(N, dimension)``."""
        features: torch.Tensor = self.body(pixels)
        return features


def count_parameters(model: nn.Module) -> dict[str, Any]:
    """Number of parameters, and of those that are trained."""
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "trained": sum(p.numel() for p in model.parameters() if p.requires_grad),
    }
