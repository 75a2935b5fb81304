"""What a network says of every picture of a split."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lineament.counting import quantity
from lineament.errors import NotEnoughSamples
from lineament.shown import shown
from lineament.training.data import Batches


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """``outputs`` as the network gives them, float32, first axis N; ``targets`` by name, first axis N.

    ``index`` int64 ``(N,)`` are positions in the data set; ``refused`` are the pictures that could not be
    read, by row id, and not among the N.
    """

    outputs: tuple[NDArray[np.float32], ...]
    targets: dict[str, NDArray[Any]]
    index: NDArray[np.int64]
    refused: dict[str, str] = field(default_factory=dict)

    __repr__ = shown

    def __len__(self) -> int:
        return len(self.index)


def predict(
    model: nn.Module,
    batches: Batches,
    device: torch.device,
    prepare: Callable[[torch.Tensor], torch.Tensor],
) -> Predictions:
    """Run a network over all batches of epoch 0 in evaluation mode; its mode is put back afterwards.

    ``prepare`` makes the network's input of a batch's pixels. Raises `NotEnoughSamples` when no picture
    could be read.
    """
    training = model.training
    model.eval()
    outputs: list[tuple[NDArray[np.float32], ...]] = []
    targets: list[dict[str, NDArray[Any]]] = []
    index: list[NDArray[np.int64]] = []
    refused: dict[str, str] = {}
    try:
        with torch.inference_mode():
            for batch in batches.epoch():
                refused.update(batch.refused)
                if not len(batch):
                    continue
                answer = model(prepare(batch.pixels.to(device)))
                tensors = answer if isinstance(answer, (tuple, list)) else (answer,)
                outputs.append(tuple(t.float().cpu().numpy() for t in tensors))
                targets.append({name: value.numpy() for name, value in batch.targets.items()})
                index.append(batch.index.numpy())
    finally:
        model.train(training)
    if not outputs:
        raise NotEnoughSamples(f"not one of {quantity(len(refused), 'picture')} of a split could be read")
    return Predictions(
        tuple(np.concatenate(parts) for parts in zip(*outputs, strict=True)),
        {name: np.concatenate([t[name] for t in targets]) for name in targets[0]},
        np.concatenate(index),
        refused,
    )
