"""What a gallery keeps: records, how they change, and what a search of them finds.

Every kind of record goes the same way: what stands in one `Changes` is there together, or not at all.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from lineament.errors import InvalidArray, ModelMismatch
from lineament.shown import shown
from lineament.types import Float32, ModelId, require_float32

__all__ = [
    "Bound",
    "Change",
    "Changes",
    "Hit",
    "Record",
    "RecordKind",
    "Where",
]

Revision = str
"""A state of a ledger, as a token that only the ledger reads: equal tokens, equal records. Empty: none."""

SubjectCount = tuple[str, int]
"""A subject, and how many samples there are of it."""


class RecordKind(StrEnum):
    """What a stored embedding is: a photo's sample, a subject's fused template, or a dispute."""

    SAMPLE = "sample"
    TEMPLATE = "template"
    DISPUTE = "dispute"


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """One stored embedding: ``vector`` float32 ``(D,)``, unit length.

    ``id`` is the idempotency key: writing the same id twice leaves one record. For a dispute, ``subject``
    is the person whom the face is *not*. ``picture`` is the `Image.digest` of the photo, ``box`` float32
    ``(4,)`` where the face lies in it, and ``size_wh`` the photo's size; a record without a box is of an
    older gallery, whose ``picture`` is the SHA-256 of the file. ``created_at`` is ISO 8601 in UTC.
    """

    id: str
    subject: str
    vector: Float32
    kind: RecordKind = RecordKind.SAMPLE
    source: str = ""
    picture: str = ""
    quality: float | None = None
    created_at: str = ""
    box: Float32 | None = None
    size_wh: tuple[int, int] | None = None

    __repr__ = shown

    def __post_init__(self) -> None:
        vector = require_float32("record vector", self.vector, (None,))
        if abs(float(np.linalg.norm(vector)) - 1) > 1e-3:
            raise InvalidArray("record vector: not of unit length")
        object.__setattr__(self, "vector", vector)
        if self.box is not None:
            object.__setattr__(self, "box", require_float32("record box", self.box, (4,)))


class Bound(NamedTuple):
    """The model whose embeddings a ledger holds, and how many numbers each has."""

    model: ModelId
    dimension: int

    def require(self, other: Bound) -> None:
        """Raise `ModelMismatch` unless embeddings of ``other`` are of the same model."""
        if self != other:
            raise ModelMismatch(
                f"the gallery holds embeddings of {self.model} ({self.dimension} numbers), not of "
                f"{other.model} ({other.dimension}); enrol into a new gallery to change the model"
            )


@dataclass(frozen=True, slots=True)
class Where:
    """Which records are meant: those that fit every field given; None leaves a field open.

    One text alone stands for a collection of it. Nothing fits an empty collection, and no record is of the
    picture ``""``.
    """

    kinds: Collection[RecordKind] | None = None
    subjects: Collection[str] | None = None
    pictures: Collection[str] | None = None
    ids: Collection[str] | None = None

    def __post_init__(self) -> None:
        for name in ("kinds", "subjects", "pictures", "ids"):
            given = getattr(self, name)
            if given is not None:
                chosen = frozenset([given] if isinstance(given, str) else given)
                object.__setattr__(self, name, chosen - {""} if name == "pictures" else chosen)

    @property
    def only_kinds(self) -> bool:
        """Whether nothing but the kind is asked for."""
        return self.subjects is None and self.pictures is None and self.ids is None

    def fits(self, record: Record) -> bool:
        """Whether a record is meant."""
        return (
            (self.kinds is None or record.kind in self.kinds)
            and (self.subjects is None or record.subject in self.subjects)
            and (self.pictures is None or record.picture in self.pictures)
            and (self.ids is None or record.id in self.ids)
        )


ALL = Where()
"""Every record."""


@dataclass(frozen=True, slots=True, eq=False)
class Changes:
    """What one commit does, in the order of the fields: all of it, or nothing.

    So a record put may be of a subject that got its name, or lost all its records, in the same commit, and
    one put under an id removed there stays. A subject ends with its last record.
    """

    bind: Bound | None = None
    """The model of the embeddings; `ModelMismatch` where the ledger holds another's."""
    rename: Sequence[tuple[str, str]] = ()
    """Subjects, each with the name all its records move to, which may be another subject's."""
    erase: Sequence[str] = ()
    """Subjects whose records of every kind go."""
    remove: Sequence[str] = ()
    """Ids of records that go."""
    put: Sequence[Record] = ()
    """Records to write; an id that is there is replaced."""

    __repr__ = shown

    def __post_init__(self) -> None:
        for name in ("rename", "erase", "remove", "put"):
            given = getattr(self, name)
            object.__setattr__(self, name, (given,) if isinstance(given, str | Record) else tuple(given))

    def __add__(self, other: Changes) -> Changes:
        """Both in one commit."""
        both = {f.name: (*getattr(self, f.name), *getattr(other, f.name)) for f in fields(self)[1:]}
        return Changes(self.bind or other.bind, **both)

    @property
    def erases(self) -> bool:
        """Whether something may go of which no readable copy may be left."""
        return bool(self.rename or self.erase or self.remove)


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """What an index makes good: it forgets all it holds (``anew``), then the ids ``gone``, then puts rows.

    Row i is the record ``ids[i]`` with ``subjects[i]``, ``kinds[i]`` and ``vectors[i]`` float32 ``(D,)``;
    an id known before is replaced, whatever its kind was. ``revision`` is that of the ledger once this and
    all that was told before it is made good, and empty while more is to come.
    """

    revision: Revision = ""
    anew: bool = False
    gone: Sequence[str] = ()
    ids: Sequence[str] = ()
    subjects: Sequence[str] = ()
    kinds: Sequence[RecordKind] = ()
    vectors: Float32 = field(default_factory=lambda: np.empty((0, 0), np.float32))

    __repr__ = shown

    def __post_init__(self) -> None:
        if not len(self.ids) == len(self.subjects) == len(self.kinds) == len(self.vectors):
            lengths = {f.name: len(getattr(self, f.name)) for f in fields(self)[3:]}
            raise InvalidArray(f"a change: one entry a record in every column, got {lengths}")


@dataclass(frozen=True, slots=True)
class Hit:
    """A stored record near a query, as a store returns it: no threshold, no grouping."""

    id: str
    subject: str
    similarity: float
