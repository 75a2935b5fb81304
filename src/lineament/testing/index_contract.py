"""What every vector index must do, as tests: subclass `IndexContract` with an empty fixture ``index``.

class TestMine(IndexContract):
    @pytest.fixture
    def index(self) -> Iterator[VectorIndex]:
        opened = MyIndex()
        yield opened
        opened.close()
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest

from lineament.protocols import VectorIndex
from lineament.records import ALL, Change, Hit, Record, RecordKind, Where
from lineament.search.exact import similarities
from lineament.testing.made_up_records import (
    DIMENSION,
    SUBJECTS,
    assert_same_hits,
    record,
    unit_vectors,
)
from lineament.types import Float32

SAMPLE, TEMPLATE, DISPUTE = RecordKind.SAMPLE, RecordKind.TEMPLATE, RecordKind.DISPUTE


def told(
    records: Sequence[Record], revision: str = "1", *, anew: bool = False, gone: Sequence[str] = ()
) -> Change:
    """A change that puts records."""
    return Change(
        revision,
        anew,
        gone,
        [r.id for r in records],
        [r.subject for r in records],
        [r.kind for r in records],
        np.stack([r.vector for r in records]) if records else np.empty((0, 0), np.float32),
    )


def plain_sort(records: Sequence[Record], query: Float32, k: int, where: Where = ALL) -> list[Hit]:
    """The slow oracle: every record that is meant, sorted."""
    meant = [r for r in records if where.fits(r)]
    hits = [Hit(r.id, r.subject, float(similarities(r.vector[None], query)[0])) for r in meant]
    return sorted(hits, key=lambda hit: (-hit.similarity, hit.id))[:k]


class IndexContract:
    """The contract of `lineament.protocols.VectorIndex`."""

    margin = 0.0
    """How far similarities may differ from the exact ones; 0 for an exact index, whose ties go by id."""

    rounds = 200
    """Random changes of the congruence test."""

    def test_satisfies_protocol(self, index: VectorIndex) -> None:
        """It has the methods of the seam."""
        assert isinstance(index, VectorIndex)

    def test_empty(self, index: VectorIndex) -> None:
        """An index that was told nothing stands at no revision and finds nothing."""
        assert index.revision == ""
        assert index.search(unit_vectors(2, 1), 3) == [[], []]
        index.apply([Change("1", anew=True)])
        assert (index.revision, index.search(unit_vectors(2, 1), 3)) == ("1", [[], []])

    def test_it_stands_where_it_was_told(self, index: VectorIndex) -> None:
        """The revision is that of the last change; an answer that broke off leaves it at none."""
        index.apply([told([record(1)], "1"), told([record(2)], "2")])
        assert index.revision == "2"

        def breaks_off() -> object:
            yield told([record(3)], "", anew=True)
            raise BrokenPipeError

        with pytest.raises(BrokenPipeError):
            index.apply(breaks_off())  # type: ignore[arg-type]
        assert index.revision == ""
        index.apply([told([record(4)], "3", anew=True)])
        assert index.revision == "3"
        assert [hit.id for hit in index.search(unit_vectors(1, 1), 9)[0]] == ["0004"]

    def test_what_is_gone_stays_gone(self, index: VectorIndex) -> None:
        """Records gone by id, or left out by a new beginning, are found no more, whatever is told later."""
        index.apply([told([record(i) for i in range(6)], "1")])
        index.apply([told([], "2", gone=["0001", "0003", "unknown"]), told([record(9)], "3")])
        found = {hit.id for hit in index.search(unit_vectors(1, 1), 99)[0]}
        assert found == {"0000", "0002", "0004", "0005", "0009"}
        index.apply([told([record(2)], "", anew=True), told([record(7)], "4")])
        assert {hit.id for hit in index.search(unit_vectors(1, 1), 99)[0]} == {"0002", "0007"}

    def test_gone_and_put_at_once(self, index: VectorIndex) -> None:
        """Within one change what is gone goes first, so that a record put under the same id is there."""
        index.apply([told([record(1, "anna")], "1")])
        index.apply([told([record(1, "bo")], "2", gone=["0001"])])
        assert [(h.id, h.subject) for h in index.search(unit_vectors(1, 1), 9)[0]] == [("0001", "bo")]

    def test_replacing_moves(self, index: VectorIndex) -> None:
        """A replaced record is found under its new subject and kind alone."""
        index.apply([told([record(1, "anna")], "1"), told([record(1, "bo", DISPUTE)], "2")])
        assert index.search(unit_vectors(1, 1), 1, Where(kinds=[SAMPLE])) == [[]]
        [hits] = index.search(unit_vectors(1, 1), 9, Where(kinds=[DISPUTE]))
        assert [hit.subject for hit in hits] == ["bo"]

    def test_ties_go_by_id(self, index: VectorIndex) -> None:
        """Equal vectors come in the order of their ids, also where k cuts through them."""
        vector = unit_vectors(1, 7)[0]
        index.apply([told([Record(f"{n:04d}", f"s{n}", vector) for n in (5, 3, 9, 1, 7)])])
        hits = index.search(vector[None], 3)[0]
        if self.margin == 0:
            assert [hit.id for hit in hits] == ["0001", "0003", "0005"]
        assert hits[0].similarity == pytest.approx(1, abs=max(self.margin, 1e-5))

    def test_no_queries(self, index: VectorIndex) -> None:
        """No queries give no answers."""
        index.apply([told([record(1)])])
        assert index.search(np.empty((0, DIMENSION), np.float32), 3) == []

    @pytest.mark.parametrize(
        "where",
        [
            Where(),
            Where(kinds=[SAMPLE]),
            Where(kinds=[TEMPLATE, DISPUTE]),
            Where(kinds=[]),
            Where(subjects=SUBJECTS[:2]),
            Where(subjects=["nobody"]),
            Where(ids=["0003", "0007", "0011", "unknown"]),
            Where(kinds=[SAMPLE], subjects=SUBJECTS[:3], ids=[f"{i:04d}" for i in range(30)]),
        ],
        ids=[
            "all",
            "a kind",
            "two kinds",
            "no kind",
            "two people",
            "nobody",
            "ids",
            "kind, people and ids",
        ],
    )
    def test_only_what_is_meant(self, index: VectorIndex, where: Where) -> None:
        """The nearest of those meant are found, however many others are nearer."""
        records = [record(i, SUBJECTS[i % len(SUBJECTS)], list(RecordKind)[i % 5 % 3]) for i in range(60)]
        index.apply([told(records)])
        queries = unit_vectors(4, 99)
        want = [plain_sort(records, query, 5, where) for query in queries]
        assert_same_hits(index.search(queries, 5, where), want, self.margin)

    def test_closing_forgets(self, index: VectorIndex) -> None:
        """Closed, an index may be closed again."""
        index.apply([told([record(1)])])
        index.close()
        index.close()

    @pytest.mark.parametrize("seed", range(3))
    def test_congruence(self, index: VectorIndex, seed: int) -> None:
        """Any changes leave what sorting the records that are left finds."""
        rng = random.Random(seed)
        known: dict[str, Record] = {}
        for turn in range(self.rounds):
            # Few vectors for many ids, so that ties are common; of one id only its last state is told.
            put = {
                id_: Record(
                    id_,
                    rng.choice(SUBJECTS),
                    unit_vectors(1, rng.randrange(20))[0],
                    rng.choice(list(RecordKind)),
                )
                for id_ in (f"{rng.randrange(60):04d}" for _ in range(rng.randrange(4)))
            }
            gone = [f"{rng.randrange(60):04d}" for _ in range(rng.randrange(3))]
            anew = rng.random() < 0.03
            index.apply([told(list(put.values()), str(turn), anew=anew, gone=gone)])
            known = {id_: r for id_, r in known.items() if not anew and id_ not in gone} | put
            queries, k = unit_vectors(3, rng.randrange(20)), rng.choice([1, 4, 100])
            where = Where(
                kinds=rng.choice([None, [rng.choice(list(RecordKind))]]),
                subjects=rng.choice([None, None, rng.choices(SUBJECTS, k=2)]),
            )
            want = [plain_sort(list(known.values()), query, k, where) for query in queries]
            assert_same_hits(index.search(queries, k, where), want, self.margin)
