"""Weights of a detector that may have been trained for other classes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from lineament.counting import quantity
from lineament.errors import WeightsMismatch, WeightsUnavailable
from lineament.training.runs.folder import BEST

_LEAST_SHARE = 0.8
"""The layers for other classes are less than a fifth of a detector's tensors."""
_PREFIXES = ("", "net.", "ssd.", "module.", "model.")


def file_of(weights: str) -> Path:
    """The file that a path means, the best weights of a run folder; raises `WeightsUnavailable`."""
    path = Path(weights)
    path = path / BEST if path.is_dir() else path
    if not path.is_file():
        raise WeightsUnavailable(f"{weights}: there is no such file, and no run folder with weights")
    return path


def put_fitting(network: nn.Module, state: Mapping[str, torch.Tensor], source: str) -> None:
    """Put in every tensor that has the name and shape of one of the network's.

    Raises `WeightsMismatch` when fewer than 80 % of the network's are among them; then nothing changed.
    """
    own = network.state_dict()
    prefix = max(_PREFIXES, key=lambda p: sum(p + name in state for name in own))
    fitting = {
        name: state[prefix + name]
        for name, tensor in own.items()
        if prefix + name in state and state[prefix + name].shape == tensor.shape
    }
    if len(fitting) < _LEAST_SHARE * len(own):
        raise WeightsMismatch(
            f"{source}: not weights of this network: {len(fitting)} of its "
            f"{quantity(len(own), 'tensor')} fit"
        )
    network.load_state_dict({**own, **fitting})
