"""Pictures to one embedding each: the face nearest the centre is the subject. Nothing is dropped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineament.analyzer import Analyzer, central_face
from lineament.counting import quantity
from lineament.embedders import _mirrored
from lineament.errors import (
    ConfigError,
    FaceError,
    InsufficientData,
    InvalidArray,
    NoFaceFound,
    PictureError,
)
from lineament.geometry.placing import place
from lineament.io.manifest import Box
from lineament.protocols import Advance
from lineament.shown import shown
from lineament.types import Face, Float32, ModelId, Outcome


@dataclass(frozen=True, slots=True)
class Failure:
    """A failure to acquire: which picture, and the named reason."""

    source: str
    type: str
    message: str
    refused: bool

    def __str__(self) -> str:
        return f"failure to acquire: {self.source}: {self.type}: {self.message}"

    def to_json(self) -> dict[str, str]:
        """Plain text."""
        return {"source": self.source, "type": self.type, "message": self.message}


def failures_json(failures: Sequence[Failure]) -> dict[str, Any]:
    """The part of an answer that tells how many there are, and which."""
    return {"failures_to_acquire": len(failures), "failures": [one.to_json() for one in failures]}


def count_refused(failures: Sequence[Failure]) -> int:
    """How many of the pictures could not be read at all."""
    return sum(failure.refused for failure in failures)


@dataclass(frozen=True, slots=True, eq=False)
class Captures:
    """One row a picture: ``embeddings`` float32 ``(N, D)`` of unit length, NaN for a failure to acquire."""

    embeddings: Float32
    failures: tuple[Failure, ...]
    model: ModelId

    __repr__ = shown

    @property
    def failed(self) -> NDArray[np.bool_]:
        """Which pictures gave no face, ``(N,)``."""
        return np.asarray(np.isnan(self.embeddings).any(axis=1))

    @property
    def system(self) -> str:
        """In words how many embeddings a face has here."""
        return _mirrored.SUMMED if self.model.name.endswith(_mirrored.MARK) else _mirrored.SINGLE


def rate_key(rate: float) -> str:
    """A rate as a key of the JSON output: 0.01 is ``1e-2``."""
    mantissa, exponent = f"{rate:.6e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"


def capture(
    analyzer: Analyzer,
    paths: Sequence[Path],
    advance: Advance | None = None,
    boxes: Sequence[Box | None] | None = None,
) -> Captures:
    """Analyse each picture once and keep the embedding of its central face.

    ``boxes`` (xyxy, pixels of the upright picture) name the face that is meant; paths may then repeat, and
    each face found is in one box at most (`lineament.geometry.placing`). A box that none is in is a failure
    to acquire. Raises `ConfigError` for an analyzer
    without an embedder, `InsufficientData` when no picture at all gave a face.
    """
    if analyzer.model is None:
        raise ConfigError("evaluation needs an embedder")
    rows: list[Float32 | None] = [None] * len(paths)
    failures: dict[int, Failure] = {}
    wanted: dict[Path, list[int]] = {}
    for row, path in enumerate(paths):
        wanted.setdefault(path, []).append(row)
    outcomes = analyzer.analyze([str(path) for path in wanted])
    for outcome, places in zip(outcomes, wanted.values(), strict=True):
        named = [None if boxes is None else boxes[row] for row in places]
        found_in = faces_in(outcome, named)
        for row, box, at in zip(places, named, found_in, strict=True):
            try:
                face = face_of(outcome, box, at)
                assert face.embedding is not None
                rows[row] = face.embedding.vector
            except (PictureError, FaceError, InvalidArray) as error:
                refused = outcome.error is not None
                failures[row] = Failure(outcome.source, type(error).__name__, str(error), refused)
        if advance is not None:
            advance(len(places))
    found = next((row for row in rows if row is not None), None)
    if found is None:
        raise InsufficientData(f"none of the {quantity(len(rows), 'picture')} gave a face")
    nothing = np.full(len(found), np.nan, np.float32)
    embeddings = np.stack([nothing if row is None else row for row in rows])
    return Captures(embeddings, tuple(failures[row] for row in sorted(failures)), analyzer.model)


def faces_in(outcome: Outcome, boxes: Sequence[Box | None]) -> list[int]:
    """The face in each box, -1 for none."""
    faces = [-1] * len(boxes)
    named = [i for i, box in enumerate(boxes) if box is not None]
    if named and outcome.error is None:
        given = np.array([boxes[i] for i in named], np.float32)
        placed = place(given, outcome.faces.boxes, shared=True)
        for i, face in zip(named, placed.face.tolist(), strict=True):
            faces[i] = face
    return faces


def face_of(outcome: Outcome, box: Box | None, at: int) -> Face:
    """The face that was found in a box, or without a box the central one; raises as `central_face`."""
    if box is None or outcome.error is not None or not len(outcome.faces):
        return central_face(outcome)
    if at < 0:
        raise NoFaceFound(f"no face found where {outcome.source} is labelled")
    return outcome.faces[at]
