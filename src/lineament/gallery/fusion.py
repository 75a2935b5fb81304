"""How several samples of one subject answer one probe.

``mean`` compares with the template, the mean of the subject's unit embeddings brought back to unit length;
``best`` takes the most similar sample. What either does to the error rates is in docs/howto/gallery.md.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import numpy as np

from lineament.records import Changes, Record, RecordKind
from lineament.settings import Fusion
from lineament.types import Float32

KIND: dict[Fusion, RecordKind] = {"mean": RecordKind.TEMPLATE, "best": RecordKind.SAMPLE}
"""The kind of record each fusion searches."""


def mean_direction(vectors: Float32) -> Float32:
    """The mean of unit rows ``(N, D)``, N >= 1, as a unit vector ``(D,)``.

    Rows that cancel out have no mean direction; the first then stands for all.
    """
    mean = vectors.astype(np.float64).mean(axis=0)
    length = float(np.linalg.norm(mean))
    if length < 1e-6:
        first: Float32 = vectors[0]
        return first
    direction: Float32 = (mean / length).astype(np.float32)
    return direction


def renewed(subject: str, samples: Sequence[Record], before: Iterable[Record]) -> Changes:
    """The subject's one template, made anew of all its samples; it keeps the id of one there was before."""
    ids = [record.id for record in before] or [uuid.uuid4().hex[:24]]
    vector = mean_direction(np.stack([sample.vector for sample in samples]))
    template = Record(ids[0], subject, vector, RecordKind.TEMPLATE, created_at=now())
    return Changes(remove=ids[1:], put=[template])


def now() -> str:
    """This moment, ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")
