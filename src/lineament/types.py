"""Domain data: frozen dataclasses whose names carry their conventions.

Pictures are RGB. Boxes are ``xyxy`` in continuous pixels, so an area has no ``+1``. Landmarks are five
points: right eye, left eye, nose, right mouth corner, left mouth corner, where right and left are the
*subject's*. Sizes are ``size_wh``, shapes ``hw``. Angles are radians unless the name ends in ``_deg``.
Similarities are cosines: higher is likelier the same person.
"""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Self, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from lineament import pixels
from lineament.errors import InvalidArray, LineamentError, ModelMismatch, UsageError
from lineament.lazily import lazily
from lineament.shown import shown

if TYPE_CHECKING:
    from PIL.Image import Image as PillowPicture

__all__ = [
    "Attempt",
    "AttributeScores",
    "Candidate",
    "Decision",
    "Embedding",
    "Face",
    "Faces",
    "Image",
    "Interval",
    "Match",
    "ModelId",
    "Outcome",
    "Quality",
    "Status",
    "Threshold",
    "Verification",
]

# Public here before they had a module of their own.
__getattr__, __dir__ = lazily(__name__, {"lineament.records": ("Hit", "Record", "RecordKind")})

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
UInt8 = NDArray[np.uint8]

T = TypeVar("T")

LANDMARK_NAMES = ("right_eye", "left_eye", "nose", "right_mouth", "left_mouth")


def require_float32(name: str, values: Any, shape: tuple[int | None, ...]) -> Float32:
    """Validate once at the edge: finite float32 of the given shape (None = any length)."""
    array = np.ascontiguousarray(values, dtype=np.float32)
    if array.ndim != len(shape) or any(
        want is not None and got != want for got, want in zip(array.shape, shape, strict=True)
    ):
        wanted = ", ".join("any" if n is None else str(n) for n in shape)
        raise InvalidArray(f"{name}: expected shape ({wanted}), got {array.shape}")
    if not np.isfinite(array).all():
        raise InvalidArray(f"{name}: holds NaN or infinity")
    return array


def _chosen(rows: Any, count: int) -> int | NDArray[np.intp]:
    """One row as a plain index from 0, several as an array of them; raises `IndexError`."""
    if not isinstance(rows, slice | list | tuple | bool | np.bool_) and getattr(rows, "ndim", 0) == 0:
        try:
            index = operator.index(rows)
        except TypeError:
            raise IndexError(
                f"{rows!r} is no index: give a whole number, a slice, a mask or a list of numbers"
            ) from None
        if not -count <= index < count:
            raise IndexError(f"index {index} is out of range: there are {count}")
        return index % count
    picked: NDArray[np.intp] = np.arange(count)[rows]
    if picked.ndim != 1:
        raise IndexError("a mask or list of numbers has one dimension")
    return picked


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """One picture, decoded, upright; `from_array` and `from_pil` make one of what other libraries hold.

    ``pixels`` is uint8 ``(H, W, 3)`` RGB with the EXIF orientation applied. ``scale`` is how many
    pixels of the upright file one pixel of this array stands for: 1 unless decoded at reduced size.
    ``timestamp`` is in seconds from the start of a video.
    """

    pixels: UInt8
    source: str = "<memory>"
    timestamp: float | None = None
    scale: float = 1.0

    def __repr__(self) -> str:
        width, height = self.size_wh
        return f"Image({width}x{height}, source={self.source!r})"

    def __post_init__(self) -> None:
        p = self.pixels
        if p.dtype != np.uint8 or p.ndim != 3 or p.shape[2] != 3 or 0 in p.shape:
            raise InvalidArray(f"picture: expected uint8 (H, W, 3) RGB, got {p.dtype} {p.shape}")

    @classmethod
    def from_array(
        cls,
        array: Any,
        order: Literal["rgb", "bgr", "grey"],
        *,
        white: float | None = None,
        source: str = "<memory>",
        timestamp: float | None = None,
    ) -> Self:
        """A picture of an array ``(H, W, 3)``, ``(H, W, 4)`` with alpha, or ``(H, W)`` grey; copies it.

        ``order`` says what its channels are: OpenCV's are ``"bgr"``. ``white`` is the value that is white:
        it is 255 for uint8 and True for bool, and must be said of every other type (1.0 for most floats,
        65535 for most uint16). Alpha is laid over white. Raises `InvalidArray` for what cannot be a
        picture, naming the call that helps.
        """
        return cls(pixels.from_array(array, order, white), source=source, timestamp=timestamp)

    @classmethod
    def from_pil(cls, picture: PillowPicture, *, source: str | None = None) -> Self:
        """A picture of a PIL picture in any mode, upright: the pixels that its file would give.

        Of several frames it is the current one; ``source`` is by default the file it was opened from.
        Raises the `PictureError` that the file would, and `PictureUnreadable` where it was closed.
        """
        from lineament.io.pillow_picture import pixels_of

        name = source or str(getattr(picture, "filename", "")) or "<memory>"
        return cls(pixels_of(picture), source=name)

    @property
    def hw(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.pixels.shape[0], self.pixels.shape[1]

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.pixels.shape[1], self.pixels.shape[0]

    def digest(self) -> str:
        """SHA-256 of the size and the pixels, in hex: the same for a file, its bytes and a stream."""
        pixels = np.ascontiguousarray(self.pixels)
        total = hashlib.sha256(b"%dx%d:" % self.size_wh)
        total.update(pixels.data)
        return total.hexdigest()


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
        return f"Embedding({len(self.vector)} numbers of {self.model})"

    def __post_init__(self) -> None:
        vector = require_float32("embedding", self.vector, (None,))
        if abs(float(np.linalg.norm(vector)) - 1) > 1e-3:
            raise InvalidArray("embedding: not of unit length; divide by its norm first")
        object.__setattr__(self, "vector", vector)

    def similarity(self, other: Embedding) -> float:
        """Cosine similarity in [-1, 1]; raises `ModelMismatch` across models."""
        self.model.require(other.model)
        return float(self.vector @ other.vector)


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
        picked = _chosen(rows, len(self))
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
    ``model``. A column nobody computed is ``None``.
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
        columns = {"attempts": self.attempts, "quality": self.quality, **self.attributes}
        for name, column in columns.items():
            if column is not None and len(column) != n:
                raise InvalidArray(f"{name}: {len(column)} rows for {n} faces")

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
        picked = _chosen(rows, len(self))
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
        )

    def with_columns(self, **columns: Any) -> Faces:
        """The same faces with the given columns set."""
        return replace(self, **columns)


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One row of `Faces`: ``box`` float32 ``(4,)``, ``landmarks`` float32 ``(5, 2)`` or None.

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

    def __repr__(self) -> str:
        box = ", ".join(f"{edge:.1f}" for edge in self.box)
        told = [f"box=({box})", f"score={self.score:.3f}"]
        told += [f"{self.embedding}"] if self.embedding is not None else []
        told += [f"quality={self.quality.score:.3f}"] if self.quality is not None else []
        told += [f"{name}={value!r}" for name, value in self.attributes.items()]
        return f"Face({', '.join(told)})"


class Status(StrEnum):
    """How a picture ended. Every picture ends in exactly one of these."""

    OK = "ok"
    NO_FACE = "no_face"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What became of one picture: its faces, or a named reason why there are none.

    ``size_wh`` is that of the upright picture, None when it could not be read. ``image`` is kept only
    when the caller asked for the pixels. ``digest`` is that of the decoded pixels (`Image.digest`), where
    the caller asked for it.
    """

    source: str
    status: Status
    size_wh: tuple[int, int] | None = None
    faces: Faces = field(default_factory=Faces.none)
    error: LineamentError | None = None
    image: Image | None = None
    digest: str | None = None

    __repr__ = shown

    @classmethod
    def refused(cls, source: str, error: LineamentError) -> Outcome:
        """A picture that ended in a named error."""
        return cls(source=source, status=Status.REFUSED, error=error)


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval; ``level`` is its nominal coverage."""

    low: float
    high: float
    level: float = 0.95


@dataclass(frozen=True, slots=True)
class Threshold:
    """A decision threshold with its provenance; a bare float is never a decision.

    ``value`` is the smallest similarity that counts as a match so that the false match rate stays at or
    below ``target_rate`` on ``measured_on``; ``rate`` is the one observed there and ``interval`` its
    confidence interval. ``kind`` is ``FMR`` (1:1) or ``FPIR`` (1:N); an FPIR holds for a gallery of
    ``enrolled`` subjects.
    """

    value: float
    model: ModelId
    target_rate: float
    measured_on: str
    rate: float
    interval: Interval
    comparisons: int
    subjects: int
    kind: Literal["FMR", "FPIR"] = "FMR"
    enrolled: int | None = None

    def accepts(self, similarity: float) -> bool:
        """Whether the similarity counts as a match."""
        return similarity >= self.value

    def require_for_pairs(self) -> None:
        """Raise `UsageError` for a threshold for searches: it allows for a whole gallery of strangers."""
        if self.kind != "FMR":
            raise UsageError(
                "a threshold for searches (FPIR) decides no comparison of two (1:1); take one for an FMR"
            )

    def to_json(self) -> dict[str, Any]:
        """The value with its whole provenance."""
        return {**asdict(self), "model": str(self.model)}

    def __str__(self) -> str:
        return (
            f"{self.value:.3f} ({self.kind} {self.target_rate:g}, {self.comparisons:,} comparisons of "
            f"{self.subjects:,} subjects, {self.measured_on})"
        )


@dataclass(frozen=True, slots=True)
class Candidate:
    """A subject of the gallery that a probe may be; ``rank`` counts from 1."""

    subject: str
    similarity: float
    rank: int


class Decision(StrEnum):
    """Whether the best candidate passed the threshold."""

    MATCH = "match"
    NO_MATCH = "no_match"


@dataclass(frozen=True, slots=True)
class Match:
    """The answer to one search: candidates best first, and what the threshold says of the first."""

    candidates: tuple[Candidate, ...]
    decision: Decision
    threshold: Threshold

    @property
    def subject(self) -> str | None:
        """The subject matched, or None."""
        return self.candidates[0].subject if self.decision is Decision.MATCH else None

    @property
    def accepted(self) -> bool:
        """Whether the decision is a match."""
        return self.decision is Decision.MATCH

    def __bool__(self) -> NoReturn:
        raise _no_truth(self)


class Reason(StrEnum):
    """Why a face was taken of those in its picture."""

    ONLY = "only"
    CENTRE = "centre"
    LARGEST = "largest"
    ASKED = "asked"


@dataclass(frozen=True, slots=True)
class Compared:
    """The face of a picture that was compared.

    ``face`` is its number, from 1, of the ``faces`` found; ``box`` is xyxy in the picture's pixels.
    """

    source: str
    faces: int
    face: int
    box: tuple[float, float, float, float]
    chosen: Reason

    def __str__(self) -> str:
        where = " ".join(f"{value:.0f}" for value in self.box)
        if self.faces == 1:
            return f"{self.source}: its only face, box {where}"
        return f"{self.source}: face {self.face} of {self.faces}, {_WHY[self.chosen]}, box {where}"


_WHY = {
    Reason.ONLY: "the only one",
    Reason.CENTRE: "nearest the centre of the large ones",
    Reason.LARGEST: "the largest",
    Reason.ASKED: "as asked",
}


@dataclass(frozen=True, slots=True)
class Verification:
    """The answer to a 1:1 comparison.

    ``a`` and ``b`` are the faces compared; None for what was no face of a picture given (an embedding, a
    subject of a gallery).
    """

    similarity: float
    decision: Decision
    threshold: Threshold
    a: Compared | None = None
    b: Compared | None = None

    @property
    def accepted(self) -> bool:
        """Whether the decision is a match."""
        return self.decision is Decision.MATCH

    def __bool__(self) -> NoReturn:
        raise _no_truth(self)


def _no_truth(answer: Match | Verification) -> TypeError:
    """An answer has no truth value: a plain object is true whatever it says, strangers would pass."""
    return TypeError(f"a {type(answer).__name__} is neither true nor false; use .accepted")
