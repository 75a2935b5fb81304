"""What every store must do, as tests: subclass `StoreContract` and provide the fixture ``store``.

class TestMine(StoreContract):
    @pytest.fixture
    def store(self) -> Iterator[GalleryStore]:
        opened = MyStore()
        yield opened
        opened.close()

The heart is congruence: the same random operations against `lineament.stores.memory` give the same answers.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from lineament.errors import InvalidArray, ModelMismatch, StoreError
from lineament.protocols import GalleryStore
from lineament.records import Hit, Record, RecordKind
from lineament.stores import open_store
from lineament.stores.memory import MemoryLedger
from lineament.types import Float32, ModelId

MODEL = ModelId("test", "0" * 64)
DIMENSION = 8
SUBJECTS = ("anna", "bo", "Ωmega", "../../x", "=cmd|x", "'; DROP TABLE record; --", "מרים", "[red]x")


class Undo(Exception):
    """Raised inside a transaction to undo it."""


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


def assert_same_hits(got: Sequence[Sequence[Hit]], want: Sequence[Sequence[Hit]], margin: float) -> None:
    """Equal answers; hits whose similarities differ by less than ``margin`` may stand in either order."""
    assert [len(hits) for hits in got] == [len(hits) for hits in want]
    for mine, reference in zip(got, want, strict=True):
        for hit, expected in zip(mine, reference, strict=True):
            assert abs(hit.similarity - expected.similarity) <= max(margin, 1e-6)
            if margin == 0:
                assert (hit.id, hit.subject) == (expected.id, expected.subject)


class StoreContract:
    """The contract of `lineament.protocols.GalleryStore`."""

    margin = 0.0
    """How far similarities may differ from the exact ones; 0 for an exact store, whose ties go by id."""

    rounds = 300
    """Random operations of the congruence test."""

    @pytest.fixture(autouse=True)
    def _bound(self, store: GalleryStore) -> None:
        store.bind_model(MODEL, DIMENSION)

    def test_satisfies_protocol(self, store: GalleryStore) -> None:
        """It has the methods of the seam."""
        assert isinstance(store, GalleryStore)

    def test_empty(self, store: GalleryStore) -> None:
        """An empty store answers every question."""
        assert store.count() == 0
        assert store.subjects() == []
        assert list(store.scan()) == []
        assert store.get(["0001"]) == []
        assert store.of_subjects(["anna"], RecordKind.SAMPLE) == []
        assert store.of_pictures([f"{1:064x}"]) == []
        assert store.find_subject("anna") is None
        assert store.search(unit_vectors(2, 1), 3) == [[], []]
        assert store.remove(["0001"]) == 0
        assert store.remove_subject("anna") == 0
        assert store.rename_subject("anna", "bo") == 0

    def test_records_come_back_exactly(self, store: GalleryStore) -> None:
        """Every field of every record comes back bit for bit, whatever characters the name holds."""
        records = [record(i, name) for i, name in enumerate(SUBJECTS)]
        store.upsert(records)
        assert [fields(r) for r in store.scan()] == [fields(r) for r in records]
        assert [name for name, _ in store.subjects()] == sorted(SUBJECTS)

    def test_writing_twice_leaves_one(self, store: GalleryStore) -> None:
        """An id is an idempotency key."""
        store.upsert([record(1), record(1)])
        store.upsert([record(1)])
        assert store.count() == 1
        assert len(store.search(unit_vectors(1, 1), 5)[0]) == 1

    def test_replacing_moves(self, store: GalleryStore) -> None:
        """A replaced record is found under its new subject and kind alone."""
        store.upsert([record(1, "anna")])
        store.search(unit_vectors(1, 1), 1)
        store.upsert([record(1, "bo", RecordKind.DISPUTE)])
        assert store.subjects() == [("bo", 0)]
        assert store.search(unit_vectors(1, 1), 1) == [[]]
        assert [hit.subject for hit in store.search(unit_vectors(1, 1), 1, RecordKind.DISPUTE)[0]] == ["bo"]

    def test_names_are_found_in_either_spelling(self, store: GalleryStore) -> None:
        """A name is found as it is, else in its other Unicode spelling, and no longer once it is gone."""
        composed, decomposed = "Jos\u00e9", "Jose\u0301"
        store.upsert([record(1, decomposed)])
        assert store.find_subject(composed) == decomposed
        assert store.find_subject("Jose") is None
        store.upsert([record(2, composed)])
        assert [store.find_subject(name) for name in (composed, decomposed)] == [composed, decomposed]
        store.rename_subject(decomposed, "Jo")
        store.remove(["0002"])
        assert [store.find_subject(name) for name in (composed, decomposed, "Jo")] == [None, None, "Jo"]

    def test_subjects_by_pages(self, store: GalleryStore) -> None:
        """Names behind one, at most so many, are those that the whole list has there."""
        store.upsert([record(i, name) for i, name in enumerate(SUBJECTS)])
        everybody = store.subjects()
        assert store.subjects(after=everybody[2][0], limit=3) == everybody[3:6]
        assert store.subjects(after=everybody[-1][0]) == []
        assert store.subjects(limit=2) == everybody[:2]

    def test_pictures_that_are_none(self, store: GalleryStore) -> None:
        """A record without a picture, such as a template, is of no picture."""
        store.upsert([Record("0001", "anna", unit_vectors(1, 1)[0], RecordKind.TEMPLATE), record(2)])
        assert store.of_pictures([""]) == []
        assert [r.id for r in store.of_pictures([f"{2:064x}", "", "unknown"])] == ["0002"]

    def test_every_write_raises_the_revision(self, store: GalleryStore) -> None:
        """Whoever finds the revision unchanged knows that no record changed."""
        seen = [store.revision()]
        writes: list[Callable[[], object]] = [
            lambda: store.upsert([record(1), record(2, "bo"), record(3, "bo")]),
            lambda: store.upsert([record(1)]),
            lambda: store.rename_subject("bo", "cleo"),
            lambda: store.remove(["0002"]),
            lambda: store.remove_subject("cleo"),
        ]
        for write in writes:
            write()
            seen.append(store.revision())
        assert seen == sorted(set(seen))
        list(store.scan())
        store.search(unit_vectors(1, 1), 3)
        assert store.revision() == seen[-1]

    def test_snapshot_is_one_state(self, store: GalleryStore) -> None:
        """Inside a snapshot every question is answered of one state, and snapshots nest."""
        store.upsert([record(1)])
        with store.snapshot(), store.snapshot():
            assert store.count() == len(list(store.scan())) == len(store.search(unit_vectors(1, 1), 9)[0])

    def test_ties_go_by_id(self, store: GalleryStore) -> None:
        """Equal vectors come in the order of their ids, also where k cuts through them."""
        vector = unit_vectors(1, 7)[0]
        for number in (5, 3, 9, 1, 7):
            store.upsert([Record(f"{number:04d}", f"s{number}", vector)])
        hits = store.search(vector[None], 3)[0]
        if self.margin == 0:
            assert [hit.id for hit in hits] == ["0001", "0003", "0005"]
        assert hits[0].similarity == pytest.approx(1, abs=1e-5)

    def test_transaction_undone(self, store: GalleryStore) -> None:
        """An exception inside a transaction leaves the store as it was, searches too."""
        store.upsert([record(1), record(2, "bo")])
        before = [fields(r) for r in store.scan()]
        with pytest.raises(Undo), store.transaction():
            store.upsert([record(3)])
            store.rename_subject("bo", "anna")
            assert len(store.search(unit_vectors(1, 3), 9)[0]) == 3
            store.remove(["0001"])
            raise Undo
        assert [fields(r) for r in store.scan()] == before
        assert {hit.id for hit in store.search(unit_vectors(1, 3), 9)[0]} == {"0001", "0002"}

    def test_inner_transaction_undone(self, store: GalleryStore) -> None:
        """An exception caught between two transactions undoes the inner one alone."""
        with store.transaction():
            store.upsert([record(1)])
            with pytest.raises(Undo), store.transaction():
                store.upsert([record(2)])
                raise Undo
        assert [r.id for r in store.scan()] == ["0001"]

    def test_wrong_dimension_writes_nothing(self, store: GalleryStore) -> None:
        """One vector of another dimension refuses the whole call."""
        odd = Record("0002", "anna", unit_vectors(1, 2, DIMENSION + 1)[0])
        with pytest.raises(InvalidArray):
            store.upsert([record(1), odd])
        assert store.count() == 0

    @pytest.mark.parametrize(
        "queries",
        [
            np.full((1, DIMENSION), np.nan),
            np.full((1, DIMENSION), np.inf),
            np.zeros((1, DIMENSION + 1)),
            np.zeros(DIMENSION),
        ],
        ids=["nan", "infinity", "dimension", "one axis"],
    )
    def test_bad_queries(self, store: GalleryStore, queries: Float32) -> None:
        """A query of the wrong shape or with NaN is refused by name."""
        store.upsert([record(1)])
        with pytest.raises(InvalidArray):
            store.search(queries.astype(np.float32), 1)

    def test_bad_k(self, store: GalleryStore) -> None:
        """At least one neighbour must be asked for."""
        with pytest.raises(InvalidArray):
            store.search(unit_vectors(1, 1), 0)

    def test_no_queries(self, store: GalleryStore) -> None:
        """No queries give no answers."""
        store.upsert([record(1)])
        assert store.search(np.empty((0, DIMENSION), np.float32), 3) == []

    def test_model_is_fixed(self, store: GalleryStore) -> None:
        """Embeddings of another model, or of another dimension, are refused."""
        assert store.model() == MODEL
        store.bind_model(MODEL, DIMENSION)
        with pytest.raises(ModelMismatch):
            store.bind_model(ModelId("test", "1" * 64), DIMENSION)
        with pytest.raises(ModelMismatch):
            store.bind_model(MODEL, DIMENSION + 1)

    def test_backup(self, store: GalleryStore, tmp_path: Path) -> None:
        """A backup is a ``sqlite:`` gallery with the same records and model, and never replaces a file."""
        store.upsert([record(i, SUBJECTS[i % 3]) for i in range(20)])
        path = tmp_path / "copy.db"
        store.backup(path)
        copy = open_store(f"sqlite:{path}", create=False)
        try:
            assert [fields(r) for r in copy.scan()] == [fields(r) for r in store.scan()]
            assert copy.model() == MODEL
        finally:
            copy.close()
        content = path.read_bytes()
        with pytest.raises(StoreError, match="exists already"):
            store.backup(path)
        assert path.read_bytes() == content

    def test_erased_from_every_file(self, store: GalleryStore) -> None:
        """What was erased stands in none of the files that the store names, nor in any copy it knows of."""
        store.upsert([record(1, "somebody who goes"), record(2, "bo")])
        vector = record(1).vector.tobytes()
        before = b"".join(file.read_bytes() for file in store.files())
        assert vector in before or not store.files()
        store.remove(["0001"])
        content = b"".join(file.read_bytes() for file in (*store.files(), *store.copies()))
        assert vector not in content and b"somebody who goes" not in content

    @pytest.mark.parametrize("seed", range(3))
    def test_congruence(self, store: GalleryStore, seed: int) -> None:
        """The same random operations give the same answers as the reference store."""
        reference = MemoryLedger()
        reference.bind_model(MODEL, DIMENSION)
        rng = random.Random(seed)
        for _ in range(self.rounds):
            self._step(store, reference, rng)
        assert [fields(r) for r in store.scan()] == [fields(r) for r in reference.scan()]

    def _step(self, store: GalleryStore, reference: GalleryStore, rng: random.Random) -> None:
        one, two = rng.choices(SUBJECTS, k=2)
        kind = rng.choice(list(RecordKind))
        ids = [f"{rng.randrange(60):04d}" for _ in range(3)]
        picture = rng.choice(["", "p1", "p2", "p3"])
        match rng.randrange(10):
            case 0 | 1 | 2:
                # Few vectors for many ids, so that ties are common.
                written = [
                    Record(
                        id_, one, unit_vectors(1, rng.randrange(20))[0], kind, source=id_, picture=picture
                    )
                    for id_ in ids
                ]
                store.upsert(written)
                reference.upsert(written)
            case 3:
                assert store.remove(ids[:1]) == reference.remove(ids[:1])
            case 4:
                assert store.rename_subject(one, two) == reference.rename_subject(one, two)
            case 5:
                if rng.random() < 0.2:
                    assert store.remove_subject(one) == reference.remove_subject(one)
            case 6:
                queries = unit_vectors(3, rng.randrange(20))
                k = rng.choice([1, 4, 100])
                want = reference.search(queries, k, kind)
                assert_same_hits(store.search(queries, k, kind), want, self.margin)
            case 7:
                assert store.subjects() == reference.subjects()
                assert store.count() == reference.count()
                assert store.count(kind) == reference.count(kind)
            case 8:
                for name in (one, two):
                    assert store.find_subject(name) == reference.find_subject(name)
                found, wanted = (s.of_subjects([one, two], kind) for s in (store, reference))
                assert [fields(r) for r in found] == [fields(r) for r in wanted]
                found, wanted = (s.of_pictures([picture, "p1"]) for s in (store, reference))
                assert [fields(r) for r in found] == [fields(r) for r in wanted]
            case _:
                assert [fields(r) for r in store.get(ids)] == [fields(r) for r in reference.get(ids)]
                got = [fields(r) for r in store.scan(one, kind)]
                assert got == [fields(r) for r in reference.scan(one, kind)]
