"""One network with several heads, and what it is trained for.

The heads share a backbone. A row teaches the heads whose labels it has; each head's loss is scaled up by
the share of rows that have its label, so that a rare label counts as much as a common one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from lineament.training.architectures import Backbone
from lineament.training.attributes.heads import MISSING, Attribute
from lineament.training.classification.report import monitored
from lineament.training.data import Batch, Batches
from lineament.training.predictions import predict
from lineament.training.settings import FineTuning, Method
from lineament.training.transfer import Transferred
from lineament.training.transfer_run import Prepare, TransferTask

_HUBER = 0.25
"""In deviations of the training rows: where the loss of a number turns from squared to absolute."""


class AttributeNetwork(Transferred):
    """A backbone with one layer a head; answers logits ``(N, C)``, or ``(N, 1)`` in a number's own unit."""

    def __init__(
        self,
        backbone: Backbone,
        attributes: Sequence[Attribute],
        method: Method,
        tuning: FineTuning,
        dropout: float,
    ) -> None:
        super().__init__(backbone, method, tuning)
        self.dropout = nn.Dropout(dropout)
        self.heads = nn.ModuleList(
            _Number(backbone.dimension, a.middle, a.scale)
            if a.kind == "number"
            else nn.Linear(backbone.dimension, len(a.classes))
            for a in attributes
        )

    def answer(self, features: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Features ``(N, D)`` -> one tensor a head."""
        dropped = self.dropout(features)
        return tuple(head(dropped) for head in self.heads)


class _Number(nn.Module):
    """One value, learned in deviations from the mean and answered in its own unit."""

    middle: torch.Tensor
    scale: torch.Tensor

    def __init__(self, dimension: int, middle: float, scale: float) -> None:
        super().__init__()
        self.linear = nn.Linear(dimension, 1)
        self.register_buffer("middle", torch.tensor(middle, dtype=torch.float32))
        self.register_buffer("scale", torch.tensor(scale, dtype=torch.float32))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        values: torch.Tensor = self.linear(features) * self.scale + self.middle
        return values


class AttributesTask(TransferTask):
    """The weighted sum of all heads' losses."""

    def __init__(
        self,
        model: nn.Module,
        groups: list[dict[str, Any]],
        attributes: Sequence[Attribute],
        val: Batches,
        prepare: Prepare,
    ) -> None:
        super().__init__(model, groups, val, prepare)
        self.attributes = attributes

    def loss(self, model: nn.Module, batch: Batch) -> tuple[torch.Tensor, Mapping[str, torch.Tensor]]:
        """The sum over heads, and each head's own loss."""
        outputs = model(self.prepare(batch.pixels))
        total = torch.zeros((), device=batch.pixels.device)
        parts: dict[str, torch.Tensor] = {}
        for attribute, output in zip(self.attributes, outputs, strict=True):
            each = sample_losses(attribute, output, batch.targets[attribute.name])
            part = each.mean() / attribute.share
            parts[f"loss_{attribute.name}"] = part.detach()
            total = total + attribute.weight * part
        return total, parts

    def evaluate(self, device: torch.device) -> Mapping[str, float]:
        """The losses on the validation split, each head's mean absolute error or `monitored` rates.

        ``accuracy`` is the mean over the heads with classes, which ``stop_at`` looks at.
        """
        found = predict(self.model, self.val, device, self.prepare)
        figures: dict[str, float] = {}
        total, accuracies = 0.0, []
        for attribute, output in zip(self.attributes, found.outputs, strict=True):
            truth = found.targets[attribute.name]
            known = truth != MISSING if attribute.kind == "classes" else np.isfinite(truth)
            each = sample_losses(attribute, torch.from_numpy(output), torch.from_numpy(truth))
            # Pictures may have been refused, labelled ones among them: then there is nothing to say.
            part = float(each.sum()) / int(known.sum()) if known.any() else float("nan")
            figures[f"loss_{attribute.name}"] = part
            total += attribute.weight * part
            if attribute.kind == "number":
                error = float(np.abs(output[known, 0] - truth[known]).mean())
                figures[f"mean_absolute_error_{attribute.name}"] = error
            else:
                if not known.any():
                    continue
                rates = monitored(output[known], truth[known])
                figures |= {f"{name}_{attribute.name}": rate for name, rate in rates.items()}
                accuracies.append(rates["accuracy"])
        mean = {"accuracy": float(np.mean(accuracies))} if accuracies else {}
        return {"loss": total, **mean, **figures}


def sample_losses(attribute: Attribute, output: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Each sample's loss ``(N,)``, 0 without a label: cross-entropy, or Huber's loss of a number."""
    output = output.float()
    if attribute.kind == "number":
        known = torch.isfinite(truth)
        wanted = torch.where(known, truth, torch.zeros_like(truth)).to(output.dtype)
        off = (output[:, 0] - wanted) / attribute.scale
        each = nn.functional.smooth_l1_loss(off, torch.zeros_like(off), beta=_HUBER, reduction="none")
        return torch.where(known, each, torch.zeros_like(each))
    weight = torch.tensor(attribute.class_weights, dtype=output.dtype, device=output.device)
    return nn.functional.cross_entropy(
        output, truth.long(), weight=weight, ignore_index=MISSING, reduction="none"
    )
