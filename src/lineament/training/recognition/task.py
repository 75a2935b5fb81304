"""What an embedder's training minimises and watches: a margin loss or triplets, and FNMR on strangers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from lineament.counting import quantity
from lineament.datasets.augment.pipeline import Pipeline
from lineament.errors import ConfigError
from lineament.io.catalog import InputContract
from lineament.training.architectures import Backbone
from lineament.training.data import Batch, Batches, normalised
from lineament.training.predictions import predict
from lineament.training.recognition.centres import Centres, CentreSettings
from lineament.training.recognition.losses import DEFAULT_MARGIN, HardTriplets, margin_of
from lineament.training.recognition.unseen import People, verify
from lineament.training.settings import LoopSettings
from lineament.training.transfer import FineTuning, require_learned


@dataclass(frozen=True, slots=True)
class EmbedderSettings:
    """What to train and how.

    ``weights``: none, imagenet, a file or a run folder. ``loss``: see
    `lineament.training.recognition.losses`; ``margin`` None takes the paper's. ``scale`` multiplies
    cosines before the softmax. ``sampler`` balanced makes batches of ``photos_each`` photos a subject;
    shuffled takes every photo once an epoch. ``at_least`` leaves out training subjects with fewer
    photos. ``backbone_rate`` scales the learning rate of all but the new layers; the first
    ``frozen_stages`` of the backbone do not learn at all. ``fmr`` is the false match rate at which FNMR
    on the split val picks the best epoch; None takes the lowest that val supports. ``aligned`` vouches
    for crops without a step ``extract`` that they are aligned to the ArcFace template.
    """

    architecture: str = "mobilefacenet"
    weights: str = "none"
    dimension: int = 128
    size: int = 112
    loss: Literal["softmax", "arcface", "cosface", "adaface", "triplet"] = "arcface"
    margin: float | None = None
    scale: float = 64.0
    centres: CentreSettings = field(default_factory=CentreSettings)
    sampler: Literal["balanced", "shuffled"] = "balanced"
    photos_each: int = 4
    at_least: int = 2
    backbone_rate: float = 1.0
    frozen_stages: int = 0
    dropout: float = 0.0
    augment: tuple[str, ...] = ("flip", "exposure:16", "contrast")
    fmr: float | None = None
    aligned: bool = False
    loop: LoopSettings = field(default_factory=LoopSettings)

    def __post_init__(self) -> None:
        if not 32 <= self.size <= 448 or not 2 <= self.dimension <= 4096:
            raise ConfigError("size lies between 32 and 448 pixels, dimension between 2 and 4096")
        if not 0 <= self.dropout < 1 or self.backbone_rate < 0 or self.scale <= 0 or self.at_least < 1:
            raise ConfigError(
                "dropout lies from 0 to below 1, backbone_rate from 0, scale above 0, at_least from 1"
            )
        if self.frozen_stages < 0:
            raise ConfigError("frozen_stages is at least 0")
        require_learned("fine-tuning", self.weights, FineTuning(frozen_stages=self.frozen_stages))
        if self.photos_each < 1 or (self.margin is not None and self.margin < 0):
            raise ConfigError("photos_each is at least 1, margin at least 0")
        if self.loss == "triplet" and (
            self.sampler != "balanced" or self.photos_each < 2 or self.at_least < 2
        ):
            raise ConfigError(
                "triplets need two photos of a subject in a batch: sampler balanced, photos_each and "
                "at_least 2 or more"
            )
        if self.loop.batch_size < 2 * (self.photos_each if self.sampler == "balanced" else 1):
            raise ConfigError(
                f"loop.batch_size is {self.loop.batch_size}; a batch holds two subjects or more: at least "
                f"twice photos_each, {2 * self.photos_each}"
            )
        if self.fmr is not None and not 0 < self.fmr < 1:
            raise ConfigError("fmr lies between 0 and 1")
        if self.loop.stop_at is not None:
            raise ConfigError("loop.stop_at is an accuracy; an embedder is judged by FNMR: leave it out")
        if Pipeline(self.augment).normalise is not None:
            raise ConfigError("augment: the network's input is normalised anyway, leave normalise out")


class EmbedderNet(nn.Module):
    """A backbone, one linear layer and a batch normalisation that leaves the embedding centred."""

    def __init__(self, backbone: Backbone, dimension: int, dropout: float, frozen_stages: int = 0) -> None:
        super().__init__()
        if frozen_stages >= len(backbone.stages):
            raise ConfigError(
                f"frozen_stages: {backbone.name} has {quantity(len(backbone.stages), 'stage')}"
            )
        still = backbone.stages[:frozen_stages]
        for module in still:
            module.requires_grad_(False)
        self._still = [still]  # in a list so that the modules are not registered twice
        self.backbone = backbone
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(backbone.dimension, dimension, bias=False)
        self.norm = nn.BatchNorm1d(dimension, affine=False)

    def train(self, mode: bool = True) -> EmbedderNet:
        """Like any module's, but frozen stages keep their batch statistics."""
        super().train(mode)
        for module in self._still[0]:
            module.eval()
        return self

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """float32 ``(N, 3, S, S)`` -> ``(N, D)``, not of unit length."""
        embedding: torch.Tensor = self.norm(self.head(self.dropout(self.backbone(pixels))))
        return embedding


class EmbedderTask:
    """A margin loss over class centres, or triplets; the best epoch has the lowest FNMR on strangers."""

    monitor = "fnmr"
    better: Literal["low", "high"] = "low"

    def __init__(
        self,
        model: nn.Module,
        settings: EmbedderSettings,
        people: int,
        contract: InputContract,
        val: People,
        val_batches: Batches,
        fmr: float,
    ) -> None:
        self.model, self.settings, self.contract = model, settings, contract
        self._val, self._batches, self._fmr = val, val_batches, fmr
        self.held: Centres | None = None
        margin = DEFAULT_MARGIN[settings.loss] if settings.margin is None else settings.margin
        if settings.loss == "triplet":
            self._triplets = HardTriplets(margin)
        else:
            self.held = Centres(
                people,
                settings.dimension,
                margin_of(settings.loss, margin),
                scale=settings.scale,
                settings=settings.centres,
                seed=settings.loop.seed,
            )

    def groups(self) -> list[dict[str, Any]]:
        """The backbone at its share of the rate, the new layers at the full one."""
        return [
            {
                "params": [*part.parameters()],
                "scale": self.settings.backbone_rate if name == "backbone" else 1,
            }
            for name, part in self.model.named_children()
        ]

    def prepare(self, pixels: torch.Tensor) -> torch.Tensor:
        """The network's input, by the contract."""
        return normalised(pixels, self.contract.mean, self.contract.std)

    def loss(self, model: nn.Module, batch: Batch) -> tuple[torch.Tensor, Mapping[str, torch.Tensor]]:
        """The loss, and the mean length of the embeddings, which should neither vanish nor explode."""
        embeddings = model(self.prepare(batch.pixels))
        labels = batch.targets["subject"]
        parts = {"length": embeddings.detach().float().norm(dim=1).mean()}
        if self.held is not None:
            return self.held.loss(embeddings, labels), parts
        return self._triplets(embeddings.float(), labels), parts

    def evaluate(self, device: torch.device) -> Mapping[str, float]:
        """FNMR, its threshold and the mean mated similarity, over all comparisons of the split val."""
        found = verify(self._val, predict(self.model, self._batches, device, self.prepare), [self._fmr])
        mated = found.comparisons.mated
        point = found.points[0]
        return {
            "fnmr": point.fnmr.value,
            "threshold": point.threshold,
            "mated_similarity": float(mated[np.isfinite(mated)].mean())
            if np.isfinite(mated).any()
            else 0.0,
        }
