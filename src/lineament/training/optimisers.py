"""The optimiser a training asks for, and its learning rate at each step.

The rate is a function of the step alone, so that a resumed training needs no state of a scheduler.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from lineament.training.settings import LoopSettings


def build(groups: Iterable[dict[str, Any]], settings: LoopSettings) -> torch.optim.Optimizer:
    """The optimiser over parameter groups, each with ``params`` and perhaps ``scale`` of the rate."""
    ready = [
        {
            "params": [p for p in group["params"] if p.requires_grad],
            "scale": float(group.get("scale", 1.0)),
            "lr": settings.learning_rate * float(group.get("scale", 1.0)),
            **({"weight_decay": group["weight_decay"]} if "weight_decay" in group else {}),
        }
        for group in groups
    ]
    ready = [group for group in ready if group["params"]]
    decay = settings.weight_decay
    if settings.optimiser == "sgd":
        return torch.optim.SGD(
            ready, lr=settings.learning_rate, momentum=settings.momentum, weight_decay=decay
        )
    kind = torch.optim.Adam if settings.optimiser == "adam" else torch.optim.AdamW
    return kind(ready, lr=settings.learning_rate, weight_decay=decay)


def set_rate(optimiser: torch.optim.Optimizer, settings: LoopSettings, epoch: float) -> float:
    """Set every group's rate for a point in time, counted in epochs; returns the unscaled rate."""
    rate = settings.learning_rate * factor(settings, epoch)
    for group in optimiser.param_groups:
        group["lr"] = rate * group["scale"]
    return rate


def factor(settings: LoopSettings, epoch: float) -> float:
    """What the schedule multiplies the learning rate with at a point in time."""
    if epoch < settings.warmup_epochs:
        return max(epoch, 1e-3) / settings.warmup_epochs
    part = (epoch - settings.warmup_epochs) / max(settings.epochs - settings.warmup_epochs, 1e-9)
    if settings.schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * min(part, 1.0)))
    if settings.schedule == "step":
        return float(0.1 ** min(int(part * 3), 2))
    return 1.0


def parameters(model: nn.Module) -> list[dict[str, Any]]:
    """One group of all parameters."""
    return [{"params": list(model.parameters())}]


def seed_of(*parts: int) -> int:
    """One number of 63 bits from several, well mixed."""
    value = 0x9E3779B97F4A7C15
    for part in parts:
        value = ((value ^ (part + 0x7F4A7C15)) * 0xBF58476D1CE4E5B9 + 0x94D049BB133111EB) & (2**64 - 1)
        value ^= value >> 29
    return value & (2**63 - 1)
