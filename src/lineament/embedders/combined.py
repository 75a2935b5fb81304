"""Two embeddings as one vector: SFace's and 0095's, weighted so that cosines add up by 0.6 and 0.4."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

import numpy as np

from lineament.embedders.reidentification0095 import Reidentification0095, Reidentification0095Config
from lineament.embedders.sface import SFace, SFaceConfig
from lineament.io import catalog
from lineament.io.onnx import Precision
from lineament.registry import embedders
from lineament.types import Float32, ModelId, UInt8

SHARE: Final = 0.6
"""Of SFace in a cosine; fitted on fold 1 of LFW, and flat around there (docs/reference/pipelines.md)."""


@dataclass(frozen=True, slots=True)
class CombinedConfig:
    """``precision``, of both: see `lineament.io.onnx.open_session`."""

    precision: Precision = "balanced"


@embedders.register("combined", CombinedConfig)
class Combined:
    """Embeds by both networks: ``[sqrt(.6) SFace, sqrt(.4) 0095]``, each of unit length before.

    The vector's direction is that; its length is SFace's own, which tells how usable a face is
    (`lineament.quality.score`). Safe to call from several threads.
    """

    dimension = SFace.dimension + Reidentification0095.dimension
    crop_size = SFace.crop_size

    def __init__(self, config: CombinedConfig | None = None) -> None:
        self.config = config or CombinedConfig()
        self._first = SFace(SFaceConfig(self.config.precision))
        self._second = Reidentification0095(Reidentification0095Config(self.config.precision))
        self.model = model_id()

    def embed(self, crops: UInt8) -> Float32:
        """uint8 ``(N, 112, 112, 3)`` RGB -> float32 ``(N, 384)``, not normalised; raises `InvalidArray`."""
        first, length = _unit(self._first.embed(crops))
        second, _ = _unit(self._second.embed(crops))
        joined = np.concatenate([np.sqrt(SHARE) * first, np.sqrt(1 - SHARE) * second], axis=1)
        return np.asarray(joined * length, np.float32)


def model_id() -> ModelId:
    """Of both files and their shares, without loading either."""
    first, second = (catalog.card(name).sha256 for name in ("sface", "reidentification0095"))
    parts = f"{SHARE} {first} {1 - SHARE:.1f} {second}"
    return ModelId("combined", hashlib.sha256(parts.encode()).hexdigest())


def _unit(vectors: Float32) -> tuple[Float32, Float32]:
    lengths = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    return vectors / lengths, lengths
