"""A running average of a network's weights, judged and kept in place of the network that is trained."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

DECAY = 0.9999
RAMP = 2000
"""In steps. As in Ultralytics: a short training is hardly averaged, a long one over some 10,000 steps."""


class WeightAverage:
    """A `lineament.training.tasks.Held` that follows the weights of ``trained``.

    ``model`` is the average: in step n, decay(n) of what it was and 1 - decay(n) of the weights, where
    decay(n) is ``DECAY * (1 - exp(-n / RAMP))``. Running means of normalisation are averaged too, counters
    copied. Processes that train together have equal weights, so each holds the whole average.
    """

    def __init__(self, trained: nn.Module) -> None:
        self.trained = trained
        self.model = copy.deepcopy(trained).eval().requires_grad_(False)
        self.steps = 0

    def absent(self) -> None:
        """Nothing to do: the average follows the weights, whosever samples moved them."""

    def step(self, factor: float, scale: float) -> None:
        """Take the weights after a step of the optimiser into the average."""
        self.steps += 1
        decay = DECAY * (1 - math.exp(-self.steps / RAMP))
        newest = self.trained.state_dict()
        with torch.no_grad():
            for name, average in self.model.state_dict().items():
                if average.is_floating_point():
                    average.lerp_(newest[name], 1 - decay)
                else:
                    average.copy_(newest[name])

    def state(self) -> dict[str, Any]:
        """Steps so far and the average, for a checkpoint."""
        return {"steps": self.steps, "weights": self.model.state_dict()}

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        self.model.load_state_dict(state["weights"])
        self.steps = int(state["steps"])
