"""Embedders trained here: ``trained:model=FOLDER``, or the run folder's path alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lineament.errors import CardMismatch
from lineament.io import golden, inputs
from lineament.io.trained import open_trained
from lineament.registry import embedders
from lineament.types import Float32, UInt8

_BATCH = 8
_HEAD = "embedding"


@dataclass(frozen=True, slots=True)
class TrainedConfig:
    """``model`` is the folder of a finished training.

    It runs in float32: what bfloat16 costs a network is measured for the shipped ones only.
    """

    model: Path


@embedders.register("trained", TrainedConfig)
class Trained:
    """Embeds aligned RGB crops of the size in the card. Safe to call from several threads.

    Its card holds no threshold, so it decides nothing before ``lineament calibrate``. Raises as
    `lineament.io.trained.open_trained` does, and `CardMismatch` for a card of crops that are not aligned.
    """

    def __init__(self, config: TrainedConfig) -> None:
        self._model = open_trained(config.model, "embedding")
        self.card = card = self._model.card
        if card.input.size is None or card.input.alignment != "arcface_112":
            raise CardMismatch(
                f"{config.model}: its card does not ask for crops aligned to the ArcFace template"
            )
        card.head(_HEAD)
        self.model = card.model_id
        self.crop_size = card.input.size
        name = f"waves-{self.crop_size}x{self.crop_size}"
        self.dimension = int(self._model.run(golden.picture(name)[None])[_HEAD].shape[1])

    def embed(self, crops: UInt8) -> Float32:
        """uint8 ``(N, S, S, 3)`` RGB -> float32 ``(N, D)``, not normalised; raises `InvalidArray`."""
        crops = inputs.crops(crops, self.crop_size, self.card.name)
        vectors = np.empty((len(crops), self.dimension), np.float32)
        for start in range(0, len(crops), _BATCH):
            vectors[start : start + _BATCH] = self._model.run(crops[start : start + _BATCH])[_HEAD]
        return vectors
