"""What an embedder is asked for: margins on the angle to a person's centre, or triplets of photos.

A margin makes the target's cosine smaller before the softmax, so that the photos of a person have to lie
closer to their centre than the decision needs. They are written out here, equal to those of
pytorch-metric-learning, because its losses hold all centres in one tensor of one process; triplets come
from it. x is a photo's embedding, theta its angle to the centre of its person:

- softmax: no margin (NormFace, Wang et al. 2017, ACM MM);
- ArcFace: cos(theta + m) (Deng et al. 2019, CVPR);
- CosFace: cos(theta) - m (Wang et al. 2018, CVPR);
- AdaFace: cos(theta + g) - h, margins by the length of x, which follows a photo's quality (Kim, Jain and
  Liu 2022, CVPR, equations 12 to 16).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch.nn import functional

DEFAULT_MARGIN = {"softmax": 0.0, "arcface": 0.5, "cosface": 0.35, "adaface": 0.4, "triplet": 0.2}


class Margin(Protocol):
    """Makes target cosines harder."""

    def __call__(self, cosine: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Cosines to the own centre ``(B,)`` and lengths of the embeddings ``(B,)`` -> harder ``(B,)``."""
        ...

    def state(self) -> dict[str, Any]:
        """What it has learnt of the data."""
        ...

    def load(self, state: Mapping[str, Any]) -> None:
        """Take `state` up again."""
        ...


class CosFace:
    """Subtracts a margin from the cosine; with 0 it is the plain softmax."""

    def __init__(self, margin: float = 0.35) -> None:
        self.margin = margin

    def __call__(self, cosine: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """See `Margin`."""
        return cosine - self.margin

    def state(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def load(self, state: Mapping[str, Any]) -> None:
        """Nothing."""


class ArcFace(CosFace):
    """Adds a margin in radians to the angle.

    Beyond pi - margin, where cos(theta + margin) would rise again, cos(theta) - margin * sin(margin) goes
    on falling.
    """

    def __init__(self, margin: float = 0.5) -> None:
        super().__init__(margin)

    def __call__(self, cosine: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """See `Margin`."""
        # The slope of acos is infinite at 1 and -1.
        inside = cosine.clamp(-1 + 1e-7, 1 - 1e-7)
        angle = torch.acos(inside)
        folded = cosine - self.margin * math.sin(self.margin)
        return torch.where(angle <= math.pi - self.margin, torch.cos(angle + self.margin), folded)


class AdaFace:
    """Margins by quality: long embeddings (good photos) are pressed hard, short ones are let off.

    ``concentration`` is the paper's h. The mean and deviation of lengths are moving averages that keep
    1 - ``renewal`` of what they were at each batch; the first batch sets them.
    """

    def __init__(self, margin: float = 0.4, concentration: float = 0.333, renewal: float = 0.01) -> None:
        self.margin, self.concentration, self.renewal = margin, concentration, renewal
        self.mean: float | None = None
        self.deviation = 0.0

    def __call__(self, cosine: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """See `Margin`."""
        lengths = lengths.detach().clamp(1e-3, 100)
        mean, deviation = float(lengths.mean()), float(lengths.std(correction=0))
        if self.mean is None:
            self.mean, self.deviation = mean, deviation
        self.mean += self.renewal * (mean - self.mean)
        self.deviation += self.renewal * (deviation - self.deviation)
        quality = (lengths - self.mean) / (self.deviation + 1e-3) * self.concentration
        quality = quality.clamp(-1, 1)
        angle = torch.acos(cosine.clamp(-1 + 1e-7, 1 - 1e-7)) - self.margin * quality
        return torch.cos(angle.clamp(1e-3, math.pi - 1e-3)) - (self.margin + self.margin * quality)

    def state(self) -> dict[str, Any]:
        """The moving averages."""
        return {"mean": self.mean, "deviation": self.deviation}

    def load(self, state: Mapping[str, Any]) -> None:
        """Take them up again."""
        self.mean, self.deviation = state["mean"], state["deviation"]


def margin_of(loss: str, size: float) -> Margin:
    """The margin of a loss that has centres."""
    if loss == "arcface":
        return ArcFace(size)
    return AdaFace(size) if loss == "adaface" else CosFace(size)


class HardTriplets:
    """Each photo with the farthest of its own person and the nearest stranger of the batch.

    Batch-hard mining (Hermans, Beyer and Leibe 2017), by pytorch-metric-learning, on cosines: the mean over
    triplets that lack the ``margin`` between the two. 0 when every triplet has it.
    """

    def __init__(self, margin: float = 0.2) -> None:
        from pytorch_metric_learning import distances, losses, miners

        distance = distances.CosineSimilarity()
        self._mine = miners.BatchHardMiner(distance=distance)
        self._loss = losses.TripletMarginLoss(margin=margin, distance=distance)

    def __call__(self, embeddings: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Embeddings ``(B, D)`` and persons ``(B,)`` -> the loss."""
        embeddings = functional.normalize(embeddings)
        loss: torch.Tensor = self._loss(embeddings, labels, self._mine(embeddings, labels))
        return loss
