"""The sum of a face's embedding and its mirror image's: a system of its own, with thresholds of its own."""

from __future__ import annotations

import numpy as np

from lineament.protocols import Embedder
from lineament.types import Float32, ModelId, UInt8

SINGLE = "one embedding a face"
MARK = "+mirror"
"""What the name of a mirrored model ends with."""

SUMMED = "sum of the embeddings of a face and its mirror image: not the model alone"


class Mirrored:
    """Embeds each crop twice, as it is and mirrored, and adds the two; twice the work.

    Its model is another one than ``embedder``'s: their thresholds are not interchangeable.
    """

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder
        self.dimension = embedder.dimension
        self.crop_size = embedder.crop_size
        self.model = ModelId(f"{embedder.model.name}{MARK}", embedder.model.sha256)

    def embed(self, crops: UInt8) -> Float32:
        """uint8 ``(N, S, S, 3)`` -> float32 ``(N, D)``, not normalised."""
        mirrored = np.ascontiguousarray(crops[:, :, ::-1])
        return np.asarray(self.embedder.embed(crops) + self.embedder.embed(mirrored), np.float32)
