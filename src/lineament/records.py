"""What a gallery keeps: records, and what a search of them finds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from lineament.errors import InvalidArray
from lineament.shown import shown
from lineament.types import Float32, require_float32

__all__ = ["Hit", "Record", "RecordKind"]


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


@dataclass(frozen=True, slots=True)
class Hit:
    """A stored record near a query, as a store returns it: no threshold, no grouping."""

    id: str
    subject: str
    similarity: float
