"""What a ledger and an index must do together, as tests: subclass `StoreContract` with a fixture ``store``.

class TestMine(StoreContract):
    @pytest.fixture
    def store(self) -> Iterator[GalleryStore]:
        opened = GalleryStore(MyLedger(), MyIndex())
        yield opened
        opened.close()

Whatever the two are, the store answers as one of `lineament.stores.memory` and `lineament.search.exact`.
"""

from __future__ import annotations

import random

import numpy as np
import pytest

from lineament.errors import Conflict, InvalidArray
from lineament.protocols import Ledger
from lineament.records import Changes, RecordKind, Where
from lineament.stores.gallery_store import GalleryStore
from lineament.stores.memory import MemoryLedger
from lineament.testing.ledger_contract import assert_same_answers
from lineament.testing.made_up_records import (
    BIND,
    DIMENSION,
    MODEL,
    SUBJECTS,
    any_changes,
    assert_same_hits,
    record,
    unit_vectors,
)
from lineament.types import Float32


class StoreContract:
    """The contract of `lineament.stores.gallery_store.GalleryStore`, whatever it is made of."""

    margin = 0.0
    """How far similarities may differ from the exact ones; 0 for an exact index, whose ties go by id."""

    rounds = 200
    """Random commits of the congruence test."""

    @pytest.fixture(autouse=True)
    def _bound(self, store: GalleryStore) -> None:
        store.commit(BIND)

    def test_it_is_a_ledger(self, store: GalleryStore) -> None:
        """Whoever only reads and writes may be given a store for a ledger."""
        assert isinstance(store, Ledger) and store.model() == MODEL

    def test_empty(self, store: GalleryStore) -> None:
        """An empty store finds nothing."""
        assert store.search(unit_vectors(2, 1), 3) == [[], []]

    def test_searches_see_what_was_written(self, store: GalleryStore) -> None:
        """A search answers of the records as they are, past its store, too."""
        store.ledger.commit(Changes(put=[record(1), record(2, "bo")]))
        assert [hit.id for hit in store.search(record(2).vector[None], 1)[0]] == ["0002"]
        store.ledger.commit(Changes(rename=[("bo", "cleo")]))
        assert [hit.subject for hit in store.search(record(2).vector[None], 1)[0]] == ["cleo"]
        store.ledger.commit(Changes(remove=["0002"]))
        assert [hit.id for hit in store.search(record(2).vector[None], 9)[0]] == ["0001"]

    def test_snapshot_is_one_state(self, store: GalleryStore) -> None:
        """Inside a snapshot searches answer of the same state as all other questions."""
        store.commit(Changes(put=[record(1)]))
        with store.snapshot(), store.snapshot():
            assert store.count() == len(store.search(unit_vectors(1, 1), 9)[0]) == 1

    def test_what_was_not_committed_is_not_found(self, store: GalleryStore) -> None:
        """A commit that fails or conflicts leaves searches as they were."""
        revision = store.revision()
        store.commit(Changes(put=[record(1), record(2, "bo")]))
        before = store.search(unit_vectors(2, 3), 9)
        with pytest.raises(Conflict):
            store.commit(Changes(remove=["0001"], put=[record(3)]), expect=revision)
        assert store.search(unit_vectors(2, 3), 9) == before

    def test_an_erasure_reaches_the_index(self, store: GalleryStore) -> None:
        """When an erasure returns the index, asked by itself, knows nothing of what is gone."""
        store.commit(Changes(put=[record(1), record(2, "bo")]))
        store.search(unit_vectors(1, 1), 9)
        store.commit(Changes(erase=["bo"]))
        assert "0002" not in {hit.id for hit in store.index.search(record(2).vector[None], 9)[0]}
        assert [hit.id for hit in store.search(record(2).vector[None], 9)[0]] == ["0001"]

    def test_among_the_records_of_a_picture(self, store: GalleryStore) -> None:
        """A search may be among the records of some pictures, which only the ledger knows."""
        store.commit(Changes(put=[record(i) for i in range(9)]))
        hits = store.search(record(1).vector[None], 9, Where(pictures=[f"{4:064x}", f"{5:064x}"]))[0]
        assert {hit.id for hit in hits} == {"0004", "0005"}

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
        store.commit(Changes(put=[record(1)]))
        with pytest.raises(InvalidArray):
            store.search(queries.astype(np.float32), 1)

    def test_bad_k(self, store: GalleryStore) -> None:
        """At least one neighbour must be asked for."""
        with pytest.raises(InvalidArray):
            store.search(unit_vectors(1, 1), 0)

    def test_no_queries(self, store: GalleryStore) -> None:
        """No queries give no answers."""
        store.commit(Changes(put=[record(1)]))
        assert store.search(np.empty((0, DIMENSION), np.float32), 3) == []

    @pytest.mark.parametrize("seed", range(3))
    def test_congruence(self, store: GalleryStore, seed: int) -> None:
        """The same random commits give the same answers as the reference ledger with the exact index."""
        reference = GalleryStore(MemoryLedger())
        reference.commit(BIND)
        rng = random.Random(seed)
        for _ in range(self.rounds):
            changes = any_changes(rng)
            store.commit(changes)
            reference.commit(changes)
            assert_same_answers(store, reference, rng)
            queries, k = unit_vectors(3, rng.randrange(20)), rng.choice([1, 4, 100])
            where = Where(
                kinds=rng.choice([None, [rng.choice(list(RecordKind))]]),
                subjects=rng.choice([None, None, rng.choices(SUBJECTS, k=2)]),
                pictures=rng.choice([None, None, ["p1", "p2"]]),
            )
            want = reference.search(queries, k, where)
            assert_same_hits(store.search(queries, k, where), want, self.margin)
