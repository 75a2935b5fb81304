"""What an album keeps: photos by their bytes, the faces in them, clusters, and what people decided."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self

import numpy as np

from lineament.errors import InvalidArray, UsageError
from lineament.shown import shown
from lineament.types import Float32

Kind = Literal["same", "different", "not-a-face", "ignore", "mixed", "name"]
Status = Literal["", "not-a-face"]

_REFERENCE = re.compile(r"([pf])([1-9][0-9]{0,9})")


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo by the SHA-256 of its bytes, where it was last seen, and how many faces were found in it."""

    sha256: str
    path: str
    faces: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a face is."""

    cluster: int | None = None
    strand: int | None = None
    status: Status = ""


@dataclass(slots=True, eq=False)
class AlbumFace:
    """A face of an album, by its ``number``; ``face`` is its number in the photo, from 1, as in `detect`.

    ``vector`` is float32 ``(D,)``, unit length, ``length`` its length before, where it is known; ``age`` in
    years, where it was estimated. ``cluster`` is the number of its cluster, None where it is in none, and
    ``strand`` that of the cluster it was grouped into before somebody said that two are the same: a person
    with and without glasses stays two strands of one cluster, and new faces are compared with each.
    """

    number: int
    photo: str
    face: int
    box: tuple[float, float, float, float]
    vector: Float32
    length: float | None = None
    quality: float | None = None
    age: float | None = None
    cluster: int | None = None
    strand: int | None = None
    status: Status = ""

    __repr__ = shown

    @property
    def standing(self) -> Standing:
        """Where it is now."""
        return Standing(self.cluster, self.strand, self.status)

    def put(self, standing: Standing) -> None:
        """Put it there."""
        self.cluster, self.strand = standing.cluster, standing.strand
        self.status = standing.status

    def join(self, cluster: int | None, strand: int | None = None) -> None:
        """Put it into a cluster, by default its first strand, or into none."""
        self.put(Standing(cluster, cluster if strand is None else strand, self.status))

    def to_json(self) -> dict[str, Any]:
        """Plain values; the vector as base64 of little-endian float32."""
        values = {name: getattr(self, name) for name in self.__slots__}
        values["vector"] = base64.b64encode(self.vector.astype("<f4").tobytes()).decode()
        return values

    @staticmethod
    def vector_of(text: str) -> Float32:
        """The vector of `to_json`; raises `InvalidArray` for what is none."""
        try:
            vector = np.frombuffer(base64.b64decode(text, validate=True), "<f4").astype(np.float32)
        except ValueError:
            raise InvalidArray("embedding: no base64 of float32 numbers") from None
        if not len(vector) or not abs(float(np.linalg.norm(vector)) - 1) <= 1e-3:
            raise InvalidArray("embedding: not of unit length")
        return vector


@dataclass(frozen=True, slots=True)
class Cluster:
    """What is known of a cluster besides its faces; numbers are never given twice."""

    number: int
    name: str | None = field(default=None, repr=False)
    ignored: bool = False


@dataclass(frozen=True, slots=True)
class Before:
    """How faces and clusters stood before a decision: what undoing it brings back."""

    faces: Mapping[str, Standing] = field(default_factory=dict)
    clusters: Mapping[str, Cluster | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AlbumDecision:
    """What somebody decided, in the order of ``number``.

    ``parts`` are groups of faces that are never joined automatically again: the two sides of "different",
    or what a mixed cluster fell into. ``at`` is when, in UTC.
    """

    number: int
    kind: Kind
    about: tuple[str, ...]
    parts: tuple[tuple[int, ...], ...] = ()
    before: Before = Before()
    at: str = ""
    undone: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Proposal:
    """What might be wrong: ``same`` of two clusters or faces, or ``mixed`` of one cluster, likeliest first.

    ``about`` are references (``p3``, ``f17``); ``evidence`` is how far the similarity lies above what
    joins two groups (same), or below it (mixed). ``why`` says why it was not simply done.
    """

    kind: Literal["same", "mixed"]
    about: tuple[str, ...]
    evidence: float
    why: str = ""


@dataclass(frozen=True, slots=True)
class Reference:
    """A cluster (``p3``) or a face (``f17``) of an album, as the page and `album show` write it."""

    kind: Literal["p", "f"]
    number: int

    def __str__(self) -> str:
        return f"{self.kind}{self.number}"

    @classmethod
    def of(cls, text: str) -> Self:
        """Raises `UsageError` for what is neither."""
        found = _REFERENCE.fullmatch(text.strip().lower())
        if found is None:
            raise UsageError(f"{text!r:.60} is no cluster (p3) and no face (f17) of an album")
        return cls("p" if found[1] == "p" else "f", int(found[2]))


def references(texts: Iterable[str]) -> list[Reference]:
    """Each once, in the order given."""
    return list(dict.fromkeys(Reference.of(text) for text in texts))
