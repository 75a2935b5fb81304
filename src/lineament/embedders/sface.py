"""SFace (Zhong et al. 2021, "SFace: Sigmoid-Constrained Hypersphere Loss", IEEE TIP), 128 dimensions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lineament.io import assets, catalog, inputs
from lineament.io.derived import derived
from lineament.io.folding import fold
from lineament.io.onnx import Precision, open_session
from lineament.io.pixel_input import take_rgb_bytes
from lineament.registry import embedders
from lineament.types import Float32, UInt8

_BATCH = 8
"""Faces a call of the network; more gains nothing and costs memory."""


@dataclass(frozen=True, slots=True)
class SFaceConfig:
    """``precision``: see `lineament.io.onnx.open_session`; docs/reference/precision.md has the figures."""

    precision: Precision = "balanced"


@embedders.register("sface", SFaceConfig)
class SFace:
    """Embeds 112 x 112 RGB crops aligned to the ArcFace template.

    The pinned file is block-quantised; it is folded to float32 once, in the cache. The network normalises
    pixels itself. Safe to call from several threads.
    """

    dimension = 128
    crop_size = 112

    def __init__(self, config: SFaceConfig | None = None) -> None:
        self.config = config or SFaceConfig()
        card = catalog.card("sface")
        self.model = card.model_id
        path = derived(assets.fetch(card), "folded-pixels-1", _fold_for_pixels)
        self._session = open_session(path, precision=self.config.precision, pinned=True)

    def embed(self, crops: UInt8) -> Float32:
        """uint8 ``(N, 112, 112, 3)`` RGB -> float32 ``(N, 128)``, not normalised; raises `InvalidArray`."""
        crops = inputs.crops(crops, self.crop_size, "sface")
        vectors = np.empty((len(crops), self.dimension), np.float32)
        for start in range(0, len(crops), _BATCH):
            batch = np.ascontiguousarray(crops[start : start + _BATCH])
            vectors[start : start + _BATCH] = self._session.run({"pixels": batch})["fc1"]
        return vectors


def _fold_for_pixels(source: Path, target: Path) -> None:
    import onnx

    fold(source, target)
    model = onnx.load(target)
    take_rgb_bytes(model, reverse_channels=False)
    onnx.save(model, target)
