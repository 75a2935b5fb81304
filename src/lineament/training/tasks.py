"""What a training is made of: the task that is trained, and where it stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import torch
from torch import nn

from lineament.training.data import Batch

Row = dict[str, float]


class Task(Protocol):
    """What is trained: a network, its loss on a batch, and its figures on held-out data.

    Where another network is evaluated and kept, one with the same names of weights such as their average,
    it is the attribute ``judged``.
    """

    model: nn.Module
    monitor: str
    """The figure of `evaluate` that says which epoch is best."""
    better: Literal["low", "high"]

    def groups(self) -> list[dict[str, Any]]:
        """Parameter groups; ``scale`` multiplies the learning rate."""
        ...

    def loss(self, model: nn.Module, batch: Batch) -> tuple[torch.Tensor, Mapping[str, torch.Tensor]]:
        """The loss to minimise, a mean over the batch, and figures of the batch to keep by name (scalars).

        ``model`` is `Task.model` in training mode.
        """
        ...

    def evaluate(self, device: torch.device) -> Mapping[str, float]:
        """Figures on the validation split; the model is in evaluation mode."""
        ...


class Held(Protocol):
    """What a task learns outside of its model, each process a share of it, as its attribute ``held``.

    Such are class centres, which may be too many for one process, and an average of the weights.
    """

    def absent(self) -> None:
        """Take part in a step to which this process has no samples."""
        ...

    def step(self, factor: float, scale: float) -> None:
        """Spend the gradients: ``factor`` of the full rate, of a loss that was multiplied by ``scale``."""
        ...

    def state(self) -> dict[str, Any]:
        """All shares together, at the first process; all processes call it at the same time."""
        ...

    def load(self, state: Mapping[str, Any]) -> None:
        """Take this process's share of `state`."""
        ...


Callback = Callable[["Progress", Row], "str | None"]
"""Called after each epoch with the state and the epoch's row; a text ends the training, saying why."""


@dataclass(slots=True)
class Progress:
    """Where a training stands; what a checkpoint holds besides weights."""

    epoch: int = 0
    step: int = 0
    history: list[Row] = field(default_factory=list)
    best: float | None = None
    best_epoch: int | None = None
    sums: dict[str, float] = field(default_factory=dict)
    samples: int = 0
    seconds: float = 0.0
    refused: dict[str, str] = field(default_factory=dict)
    ended: str | None = None

    @property
    def end(self) -> dict[str, Any]:
        """How many epochs there were, the best of them, and why no more, as a result tells it."""
        return {"epochs": self.epoch, "best_epoch": self.best_epoch, "ended": self.ended}
