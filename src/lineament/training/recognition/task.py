"""What an embedder's training minimises and watches: a margin loss or triplets, and FNMR on strangers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import torch
from torch import nn

from lineament.counting import quantity
from lineament.errors import ConfigError
from lineament.io.catalog import InputContract
from lineament.training.architectures import Backbone
from lineament.training.data import Batch, Batches, normalised
from lineament.training.predictions import predict
from lineament.training.recognition.centres import Centres
from lineament.training.recognition.losses import DEFAULT_MARGIN, HardTriplets, margin_of
from lineament.training.recognition.settings import EmbedderSettings
from lineament.training.recognition.unseen import People, verify


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
