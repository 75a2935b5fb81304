"""A face as a vector, and which model made it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lineament.counting import quantity
from lineament.errors import InvalidArray, ModelMismatch
from lineament.types.arrays import Float32, require_float32


@dataclass(frozen=True, slots=True)
class ModelId:
    """Which weights made an embedding: the card's name and the SHA-256 of the pinned file."""

    name: str
    sha256: str

    def __str__(self) -> str:
        return f"{self.name}@{self.sha256[:12]}"

    def require(self, other: ModelId) -> None:
        """Raise `ModelMismatch` unless ``other`` is the same model."""
        if self != other:
            raise ModelMismatch(f"cannot compare embeddings of {self} with embeddings of {other}")


@dataclass(frozen=True, slots=True, eq=False)
class Embedding:
    """A face as a unit vector: float32 ``(D,)``, with the model that made it.

    ``length`` is the vector's length before normalisation, a hint at how usable the face was.
    """

    vector: Float32
    model: ModelId
    length: float = 1.0

    def __repr__(self) -> str:
        return f"Embedding({quantity(len(self.vector), 'number')} of {self.model})"

    def __post_init__(self) -> None:
        vector = require_float32("embedding", self.vector, (None,))
        if abs(float(np.linalg.norm(vector)) - 1) > 1e-3:
            raise InvalidArray("embedding: not of unit length; divide by its norm first")
        object.__setattr__(self, "vector", vector)

    def similarity(self, other: Embedding) -> float:
        """Cosine similarity in [-1, 1]; raises `ModelMismatch` across models."""
        self.model.require(other.model)
        return float(self.vector @ other.vector)
