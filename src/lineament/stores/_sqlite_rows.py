"""A record as a row of the table, and back; which rows are meant, and what an index needs of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from lineament.errors import InvalidArray
from lineament.records import Change, Record, RecordKind, Where

JOINED = "record JOIN subject ON subject.number = record.subject"
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


def meant(where: Where) -> tuple[str, str, list[Any]]:
    """The condition for the rows meant, what to order them by, and the values the condition takes.

    A plus keeps SQLite from taking an index: what is asked for narrows the search down, and the order or
    the kind, of which there are few, must not lead it through everything.
    """
    # One query for any number of values: SQLite looks each of them up in the index.
    any_of = "IN (SELECT value FROM json_each(?))"
    asked = {
        f"+kind {any_of}": where.kinds,
        f"record.subject IN (SELECT number FROM subject WHERE name {any_of})": where.subjects,
        f"picture {any_of} AND picture <> ''": where.pictures,
        f"id {any_of}": where.ids,
    }
    conditions = {text: json.dumps(sorted(values)) for text, values in asked.items() if values is not None}
    order = "id" if where.only_kinds else "+id"
    return " AND ".join(conditions) or "TRUE", order, list(conditions.values())


CHANGED = f"SELECT id, name, kind, vector FROM {JOINED} WHERE revision > ?"
"""Takes a revision; gives the rows of `change_of`."""


def change_of(rows: Sequence[tuple[Any, ...]], dimension: int, anew: bool) -> Change:
    """What an index needs of some rows; raises `DamagedRow`."""
    ids, subjects, kinds, vectors = zip(*rows, strict=True)
    if not all(isinstance(vector, bytes) and len(vector) == 4 * dimension for vector in vectors):
        raise DamagedRow(f"a vector is not of {dimension} numbers")
    if unknown := set(kinds) - set(RecordKind):
        raise DamagedRow(f"a record is of the kind {str(unknown.pop())[:60]!r}")
    rows_of = np.frombuffer(b"".join(vectors), "<f4").reshape(-1, dimension)
    return Change("", anew, (), ids, subjects, [RecordKind(kind) for kind in kinds], rows_of)


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
