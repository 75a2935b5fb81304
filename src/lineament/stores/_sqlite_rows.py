"""A record as a row of the table, and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from lineament.errors import InvalidArray
from lineament.records import Record, RecordKind

COLUMNS = "record.id, subject.name, kind, vector, source, picture, quality, created_at, box, width, height"

_VALUES = (
    "id",
    "subject",
    "kind",
    "vector",
    "source",
    "picture",
    "quality",
    "created_at",
    "box",
    "width",
    "height",
    "revision",
)
UPSERT = (
    f"INSERT INTO record ({', '.join(_VALUES)})"
    " SELECT ?1, number, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12 FROM subject WHERE name = ?2"
    f" ON CONFLICT (id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _VALUES[1:])}"
)
"""Takes `row_of` and the revision."""


def row_of(record: Record) -> tuple[Any, ...]:
    """The columns of a record."""
    width, height = record.size_wh or (None, None)
    return (
        record.id,
        record.subject,
        record.kind,
        record.vector.astype("<f4").tobytes(),
        record.source,
        record.picture,
        record.quality,
        record.created_at,
        None if record.box is None else record.box.astype("<f4").tobytes(),
        width,
        height,
    )


class DamagedRow(ValueError):
    """A row that no lineament wrote."""


def record_of(row: tuple[Any, ...]) -> Record:
    """The record in a row of `COLUMNS`; raises `DamagedRow`, as SQLite keeps any value in any column."""
    id_, subject, kind, vector, source, picture, quality, created_at, box, width, height = row
    if not (
        all(isinstance(value, str) for value in (id_, subject, source, picture, created_at))
        and kind in tuple(RecordKind)
        and isinstance(vector, bytes)
        and len(vector) % 4 == 0
        and (box is None or (isinstance(box, bytes) and len(box) == 16))
        and (quality is None or isinstance(quality, float))
        and all(value is None or isinstance(value, int) for value in (width, height))
    ):
        raise DamagedRow(f"the record {str(id_)[:60]!r} holds values of the wrong kind")
    try:
        return Record(
            id_,
            subject,
            np.frombuffer(vector, "<f4").astype(np.float32),
            RecordKind(kind),
            source,
            picture,
            quality,
            created_at,
            None if box is None else np.frombuffer(box, "<f4").astype(np.float32),
            None if width is None else (width, height),
        )
    except InvalidArray as error:
        raise DamagedRow(f"the record {id_[:60]!r}: {error}") from error
