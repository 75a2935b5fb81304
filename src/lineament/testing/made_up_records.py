"""Records of nobody, for tests: vectors that follow from a number, and names that try a store."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np

from lineament.records import Bound, Changes, Hit, Record, RecordKind
from lineament.types import Float32, ModelId

MODEL = ModelId("test", "0" * 64)
DIMENSION = 8
BIND = Changes(bind=Bound(MODEL, DIMENSION))
SUBJECTS = ("anna", "bo", "Ωmega", "../../x", "=cmd|x", "'; DROP TABLE record; --", "מרים", "[red]x")


def unit_vectors(count: int, seed: int, dimension: int = DIMENSION) -> Float32:
    """Random unit rows float32 ``(count, dimension)``."""
    rows = np.random.default_rng(seed).normal(size=(count, dimension))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def record(number: int, subject: str = "anna", kind: RecordKind = RecordKind.SAMPLE) -> Record:
    """A record whose vector depends on its number alone."""
    return Record(
        id=f"{number:04d}",
        subject=subject,
        vector=unit_vectors(1, number)[0],
        kind=kind,
        source=f"photos/{number}.jpg",
        picture=f"{number:064x}",
        quality=None if number % 3 else number / 1000,
        created_at="2026-01-02T03:04:05+00:00",
        box=None if number % 4 == 3 else unit_vectors(1, number, 4)[0] * 100,
        size_wh=None if number % 4 == 3 else (640 + number, 480),
    )


def fields(stored: Record) -> tuple[object, ...]:
    """Everything of a record, comparable."""
    s = stored
    place = None if s.box is None else s.box.tobytes(), s.size_wh
    return s.id, s.subject, s.vector.tobytes(), s.kind, s.source, s.picture, s.quality, s.created_at, *place


def any_changes(rng: random.Random) -> Changes:
    """A commit somebody might make: mostly of records, few of whose vectors are different ones."""
    one, two = rng.choices(SUBJECTS, k=2)
    ids = [f"{rng.randrange(60):04d}" for _ in range(3)]
    match rng.randrange(8):
        case 0 | 1 | 2 | 3:
            put = [
                Record(
                    id_,
                    one,
                    unit_vectors(1, rng.randrange(20))[0],
                    rng.choice(list(RecordKind)),
                    source=id_,
                    picture=rng.choice(["", "p1", "p2", "p3"]),
                )
                for id_ in ids
            ]
            return Changes(put=put, remove=ids[:1] if rng.random() < 0.2 else ())
        case 4:
            return Changes(remove=ids[:1])
        case 5:
            return Changes(rename=[(one, two)])
        case 6:
            return Changes(erase=[one] if rng.random() < 0.2 else ())
        case _:
            moved = Record(ids[1], two, unit_vectors(1, 1)[0])
            return Changes(rename=[(one, two)], erase=[one], remove=ids[:1], put=[moved])


def assert_same_hits(got: Sequence[Sequence[Hit]], want: Sequence[Sequence[Hit]], margin: float) -> None:
    """Equal answers; hits whose similarities differ by less than ``margin`` may stand in either order."""
    assert [len(hits) for hits in got] == [len(hits) for hits in want]
    for mine, reference in zip(got, want, strict=True):
        for hit, expected in zip(mine, reference, strict=True):
            assert abs(hit.similarity - expected.similarity) <= max(margin, 1e-6)
            if margin == 0:
                assert (hit.id, hit.subject) == (expected.id, expected.subject)
