"""Pictures to one embedding each: the face nearest the centre is the subject. Nothing is dropped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lineament.analyzer import Analyzer, central_face
from lineament.errors import ConfigError, FaceError, InsufficientData, InvalidArray, PictureError
from lineament.types import Float32, ModelId

Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Failure:
    """A failure to acquire: which picture, and the named reason."""

    source: str
    type: str
    message: str
    refused: bool

    def to_json(self) -> dict[str, str]:
        """Plain text."""
        return {"source": self.source, "type": self.type, "message": self.message}


@dataclass(frozen=True, slots=True, eq=False)
class Captures:
    """One row a picture: ``embeddings`` float32 ``(N, D)`` of unit length, NaN for a failure to acquire."""

    embeddings: Float32
    failures: tuple[Failure, ...]
    model: ModelId

    @property
    def failed(self) -> NDArray[np.bool_]:
        """Which pictures gave no face, ``(N,)``."""
        return np.asarray(np.isnan(self.embeddings).any(axis=1))


def rate_key(rate: float) -> str:
    """A rate as a key of the JSON output: 0.01 is ``1e-2``."""
    mantissa, exponent = f"{rate:.6e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"


def capture(analyzer: Analyzer, paths: Sequence[Path], advance: Advance | None = None) -> Captures:
    """Analyse each picture once and keep the embedding of its central face.

    Raises `ConfigError` for an analyzer without an embedder, `InsufficientData` when no picture at all
    gave a face.
    """
    if analyzer.model is None:
        raise ConfigError("evaluation needs an embedder")
    rows: list[Float32 | None] = []
    failures = []
    for outcome in analyzer.analyze([str(path) for path in paths]):
        try:
            embedding = central_face(outcome).embedding
            assert embedding is not None
            rows.append(embedding.vector)
        except (PictureError, FaceError, InvalidArray) as error:
            rows.append(None)
            refused = outcome.error is not None
            failures.append(Failure(outcome.source, type(error).__name__, str(error), refused))
        if advance is not None:
            advance(1)
    found = next((row for row in rows if row is not None), None)
    if found is None:
        raise InsufficientData(f"none of the {len(rows)} pictures gave a face")
    nothing = np.full(len(found), np.nan, np.float32)
    embeddings = np.stack([nothing if row is None else row for row in rows])
    return Captures(embeddings, tuple(failures), analyzer.model)
