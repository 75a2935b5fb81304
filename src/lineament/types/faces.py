"""The faces of one picture: where they are, how they were found, and what was measured of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from lineament.counting import quantity
from lineament.errors import InvalidArray
from lineament.shown import shown
from lineament.types.arrays import Float32, chosen_rows, require_float32
from lineament.types.embeddings import Embedding, ModelId

T = TypeVar("T")

LANDMARK_NAMES = ("right_eye", "left_eye", "nose", "right_mouth", "left_mouth")


@dataclass(frozen=True, slots=True)
class Attempt:
    """How a face was found: which try of ``retry`` succeeded, and what it did to the picture.

    ``index`` counts from 0, the plain picture. ``rotation_deg`` is how far the picture was turned
    counter-clockwise before the face showed; ``padding`` is the border added, as a share of the longer
    side; ``scale`` the factor the picture was resized by.
    """

    index: int = 0
    name: str = "plain"
    rotation_deg: float = 0.0
    padding: float = 0.0
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Refinement:
    """What a landmarker made of one face: ``by`` its name.

    ``used`` is False where the detector's landmarks were kept, since it saw no face there or none that is
    one; ``score`` in [0, 1] is how sure it was of a face, None where it does not tell.
    """

    by: str
    used: bool
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Quality:
    """How well a face was captured. Every number is defined in ``quality/`` and docs/reference/quality.md.

    Higher is better for all but the angles. ``score`` combines the rest into [0, 1].
    """

    size: float
    yaw_deg: float
    pitch_deg: float
    roll_deg: float
    sharpness: float
    exposure: float
    detector_score: float
    embedding_length: float | None
    score: float


@dataclass(frozen=True, slots=True, eq=False)
class AttributeScores:
    """Predictions of one attribute for N faces.

    ``values`` are labels (classes) or numbers (age in years), one a face; ``probabilities`` is float32
    ``(N, C)`` over ``classes``.
    """

    name: str
    values: tuple[str | float, ...]
    classes: tuple[str, ...]
    probabilities: Float32

    __repr__ = shown

    def __post_init__(self) -> None:
        probabilities = require_float32(
            self.name, self.probabilities, (len(self.values), len(self.classes))
        )
        object.__setattr__(self, "probabilities", probabilities)

    def __len__(self) -> int:
        return len(self.values)

    def probability(self, index: int) -> float | None:
        """The probability of one face's value, None for a number."""
        value = self.values[index]
        if not isinstance(value, str) or value not in self.classes:
            return None
        return float(self.probabilities[index, self.classes.index(value)])

    def __iter__(self) -> Iterator[str | float]:
        return iter(self.values)

    @overload
    def __getitem__(self, rows: int | np.integer[Any]) -> str | float: ...

    @overload
    def __getitem__(self, rows: NDArray[Any] | slice | list[int] | list[bool]) -> AttributeScores: ...

    def __getitem__(self, rows: Any) -> str | float | AttributeScores:
        """The value of one face, or the scores of those chosen by a slice, a mask or a list of numbers."""
        picked = chosen_rows(rows, len(self))
        if isinstance(picked, int):
            return self.values[picked]
        return AttributeScores(
            self.name, tuple(self.values[i] for i in picked), self.classes, self.probabilities[picked]
        )


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """The N faces of one picture as a struct of arrays, best score first.

    ``boxes`` float32 ``(N, 4)`` xyxy; ``scores`` float32 ``(N,)`` in [0, 1]; ``landmarks`` float32
    ``(N, 5, 2)``; ``embeddings`` float32 ``(N, D)``, unit length, with ``embedding_lengths`` ``(N,)`` and
    ``model``; ``dense`` float32 ``(N, P, 2)``, the points of each face's mesh, with ``refinements``: NaN in
    the rows of those not used. A column nobody computed is ``None``.
    """

    boxes: Float32
    scores: Float32
    landmarks: Float32 | None = None
    attempts: tuple[Attempt, ...] | None = None
    embeddings: Float32 | None = None
    embedding_lengths: Float32 | None = None
    model: ModelId | None = None
    quality: tuple[Quality, ...] | None = None
    attributes: Mapping[str, AttributeScores] = field(default_factory=dict)
    dense: Float32 | None = None
    refinements: tuple[Refinement, ...] | None = None

    def __repr__(self) -> str:
        columns = [
            f.name for f in fields(self) if f.name != "attributes" and getattr(self, f.name) is not None
        ]
        return f"Faces({len(self)}: {', '.join([*columns, *self.attributes])})"

    def __post_init__(self) -> None:
        boxes = require_float32("boxes", self.boxes, (None, 4))
        n = len(boxes)
        put = object.__setattr__
        put(self, "boxes", boxes)
        put(self, "scores", require_float32("scores", self.scores, (n,)))
        if self.landmarks is not None:
            put(self, "landmarks", require_float32("landmarks", self.landmarks, (n, 5, 2)))
        if self.dense is not None:
            put(self, "dense", _dense(self.dense, n))
        if self.embeddings is not None:
            put(self, "embeddings", require_float32("embeddings", self.embeddings, (n, None)))
            if self.model is None:
                raise InvalidArray("embeddings: come without the model that made them")
        if self.embedding_lengths is not None:
            put(
                self,
                "embedding_lengths",
                require_float32("embedding lengths", self.embedding_lengths, (n,)),
            )
        columns = {
            "attempts": self.attempts,
            "quality": self.quality,
            "refinements": self.refinements,
            **self.attributes,
        }
        for name, column in columns.items():
            if column is not None and len(column) != n:
                raise InvalidArray(f"{name}: {quantity(len(column), 'row')} for {quantity(n, 'face')}")

    @classmethod
    def none(cls, *, landmarks: bool = True) -> Self:
        """No faces, with or without a landmark column."""
        return cls(
            boxes=np.zeros((0, 4), np.float32),
            scores=np.zeros(0, np.float32),
            landmarks=np.zeros((0, 5, 2), np.float32) if landmarks else None,
        )

    def __len__(self) -> int:
        return len(self.boxes)

    def __iter__(self) -> Iterator[Face]:
        return (self.face(i) for i in range(len(self)))

    @overload
    def __getitem__(self, rows: int | np.integer[Any]) -> Face: ...

    @overload
    def __getitem__(self, rows: NDArray[Any] | slice | list[int] | list[bool]) -> Faces: ...

    def __getitem__(self, rows: Any) -> Face | Faces:
        """The `Face` of one number, or the `Faces` of a slice, a mask or a list of numbers, in its order.

        Raises `IndexError`.
        """
        picked = chosen_rows(rows, len(self))
        if isinstance(picked, int):
            return self.face(picked)

        def tuple_rows(column: tuple[T, ...] | None) -> tuple[T, ...] | None:
            return None if column is None else tuple(column[i] for i in picked)

        def array_rows(column: Float32 | None) -> Float32 | None:
            return None if column is None else column[picked]

        return Faces(
            boxes=self.boxes[picked],
            scores=self.scores[picked],
            landmarks=array_rows(self.landmarks),
            attempts=tuple_rows(self.attempts),
            embeddings=array_rows(self.embeddings),
            embedding_lengths=array_rows(self.embedding_lengths),
            model=self.model,
            quality=tuple_rows(self.quality),
            attributes={name: scores[picked] for name, scores in self.attributes.items()},
            dense=array_rows(self.dense),
            refinements=tuple_rows(self.refinements),
        )

    def face(self, index: int) -> Face:
        """One row by its number from 0, as ``faces[index]``."""
        embedding = None
        if self.embeddings is not None and self.model is not None:
            length = 1.0 if self.embedding_lengths is None else float(self.embedding_lengths[index])
            embedding = Embedding(self.embeddings[index], self.model, length)
        return Face(
            box=self.boxes[index],
            score=float(self.scores[index]),
            landmarks=None if self.landmarks is None else self.landmarks[index],
            attempt=None if self.attempts is None else self.attempts[index],
            embedding=embedding,
            quality=None if self.quality is None else self.quality[index],
            attributes={name: scores.values[index] for name, scores in self.attributes.items()},
            probabilities={
                name: p for name, s in self.attributes.items() if (p := s.probability(index)) is not None
            },
            dense=None if self.dense is None or np.isnan(self.dense[index]).any() else self.dense[index],
            refinement=None if self.refinements is None else self.refinements[index],
        )

    def with_columns(self, **columns: Any) -> Faces:
        """The same faces with the given columns set."""
        return replace(self, **columns)

    def scaled(self, factor: float) -> Faces:
        """The same faces in a picture that is larger by a factor."""
        points, dense = self.landmarks, self.dense
        return self.with_columns(
            boxes=self.boxes * factor,
            landmarks=None if points is None else points * factor,
            dense=None if dense is None else dense * factor,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One row of `Faces`: ``box`` float32 ``(4,)``, ``landmarks`` ``(5, 2)``, ``dense`` ``(P, 2)`` or None.

    ``probabilities`` are those of the attributes that are classes.
    """

    box: Float32
    score: float
    landmarks: Float32 | None = None
    attempt: Attempt | None = None
    embedding: Embedding | None = None
    quality: Quality | None = None
    attributes: Mapping[str, str | float] = field(default_factory=dict)
    probabilities: Mapping[str, float] = field(default_factory=dict)
    dense: Float32 | None = None
    refinement: Refinement | None = None

    def __repr__(self) -> str:
        box = ", ".join(f"{edge:.1f}" for edge in self.box)
        told = [f"box=({box})", f"score={self.score:.3f}"]
        told += [f"{self.embedding}"] if self.embedding is not None else []
        told += [f"quality={self.quality.score:.3f}"] if self.quality is not None else []
        told += [f"{name}={value!r}" for name, value in self.attributes.items()]
        return f"Face({', '.join(told)})"


def _dense(points: Any, count: int) -> Float32:
    """The points of each face's mesh, rows of NaN for faces without."""
    array = np.ascontiguousarray(points, dtype=np.float32)
    seen = ~np.isnan(array).all(axis=(1, 2)) if array.ndim == 3 else slice(None)
    require_float32("dense", array[seen], (None, None, 2))
    if len(array) != count:
        raise InvalidArray(f"dense: {quantity(len(array), 'row')} for {quantity(count, 'face')}")
    return array
