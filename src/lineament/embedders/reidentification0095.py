"""face-reidentification-retail-0095 (Intel, Open Model Zoo): a MobileNet V2 of 256 dimensions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from lineament.geometry.alignment import ARCFACE_112, similarity_transform
from lineament.geometry.crops import cut
from lineament.io import assets, catalog, golden, inputs
from lineament.io.onnx import Precision, open_session
from lineament.registry import embedders
from lineament.types import Float32, Float64, UInt8

_BATCH = 8
_SIDE = 128
_TEMPLATE: Final = np.array(
    [
        [0.31556875, 0.46157411],
        [0.68262292, 0.46157411],
        [0.50026250, 0.64050536],
        [0.34947187, 0.82469196],
        [0.65343646, 0.82469196],
    ],
    np.float32,
)
"""Where the landmarks lie in its crop, in shares of the side, by the model's own page."""


@dataclass(frozen=True, slots=True)
class Reidentification0095Config:
    """``precision``: see `lineament.io.onnx.open_session`."""

    precision: Precision = "balanced"


@embedders.register("reidentification0095", Reidentification0095Config)
class Reidentification0095:
    """Embeds 112 x 112 RGB crops aligned to the ArcFace template. Safe to call from several threads.

    The network wants a template of its own, whose points lie farther apart: its crop lies within ArcFace's
    and is cut out of that. Cut out of the picture it errs as often (docs/reference/pipelines.md), and so
    one crop serves every embedder.
    """

    dimension = 256
    crop_size = 112

    def __init__(self, config: Reidentification0095Config | None = None) -> None:
        self.config = config or Reidentification0095Config()
        self._card = card = catalog.card("reidentification0095")
        self.model = card.model_id
        weights, graph = (assets.fetch(file) for file in card.files)
        self._session = open_session(weights, graph=graph, precision=self.config.precision, pinned=True)
        (self._input,), (self._output,) = self._session.input_names, self._session.output_names

    def embed(self, crops: UInt8) -> Float32:
        """uint8 ``(N, 112, 112, 3)`` RGB -> float32 ``(N, 256)``, not normalised; raises `InvalidArray`."""
        crops = inputs.crops(crops, self.crop_size, "reidentification0095")
        vectors = np.empty((len(crops), self.dimension), np.float32)
        for start in range(0, len(crops), _BATCH):
            batch = np.concatenate([cut(one, _INNER, _SIDE) for one in crops[start : start + _BATCH]])
            answer = self._session.run({self._input: golden.tensor(self._card, batch)})[self._output]
            vectors[start : start + _BATCH] = answer.reshape(len(batch), -1)
        return vectors


_INNER: Final[Float64] = similarity_transform(ARCFACE_112[None], _TEMPLATE[None] * _SIDE)
