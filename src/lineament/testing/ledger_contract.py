"""What every ledger must do, as tests: subclass `LedgerContract` and provide the fixture ``ledger``, empty.

class TestMine(LedgerContract):
    @pytest.fixture
    def ledger(self) -> Iterator[Ledger]:
        opened = MyLedger()
        yield opened
        opened.close()

The heart is congruence: the same random commits to `lineament.stores.memory` give the same answers, and
whoever follows `changes_since` from any state holds what is there.
"""

from __future__ import annotations

import random
import threading

import pytest

from lineament.errors import Conflict, InvalidArray, ModelMismatch, StoreError
from lineament.protocols import Ledger
from lineament.records import Bound, Changes, Record, RecordKind, Where
from lineament.stores.between_engines import carry
from lineament.stores.memory import MemoryLedger
from lineament.testing.made_up_records import (
    BIND,
    DIMENSION,
    MODEL,
    SUBJECTS,
    any_changes,
    fields,
    record,
    unit_vectors,
)
from lineament.types import ModelId


class Follower:
    """What an index knows of a ledger that it follows."""

    def __init__(self) -> None:
        self.revision = ""
        self.known: dict[str, tuple[object, ...]] = {}

    def follow(self, ledger: Ledger) -> None:
        """Make good what changed since it last did."""
        with ledger.snapshot():
            for change in ledger.changes_since(self.revision):
                if change.anew:
                    self.known = {}
                for id_ in change.gone:
                    self.known.pop(id_, None)
                vectors = [vector.tobytes() for vector in change.vectors]
                self.known |= {
                    id_: (id_, *row)
                    for id_, *row in zip(change.ids, change.subjects, vectors, change.kinds, strict=True)
                }
                self.revision = change.revision
            # Nothing is told of records changed within a batch that is not whole yet.
            assert self.revision == ledger.revision()


class LedgerContract:
    """The contract of `lineament.protocols.Ledger`."""

    rounds = 200
    """Random commits of the congruence test."""

    @pytest.fixture(autouse=True)
    def _bound(self, ledger: Ledger) -> None:
        ledger.commit(BIND)

    def test_satisfies_protocol(self, ledger: Ledger) -> None:
        """It has the methods of the seam."""
        assert isinstance(ledger, Ledger)

    def test_empty(self, ledger: Ledger) -> None:
        """An empty ledger answers every question, and takes away what is not there."""
        everything = Changes(rename=[("anna", "bo")], erase=["anna"], remove=["0001"])
        before = ledger.revision()
        assert ledger.commit(everything) == ledger.commit(Changes()) == before
        assert ledger.count() == ledger.count(Where(subjects=["anna"])) == 0
        assert list(ledger.read()) == [] and ledger.subjects() == []
        assert list(ledger.read(Where(ids=["0001"]))) == list(ledger.read(Where(pictures=["p"]))) == []
        assert ledger.find_subject("anna") is None

    def test_records_come_back_exactly(self, ledger: Ledger) -> None:
        """Every field of every record comes back bit for bit, whatever characters the name holds."""
        records = [record(i, name) for i, name in enumerate(SUBJECTS)]
        ledger.commit(Changes(put=records))
        assert [fields(r) for r in ledger.read()] == [fields(r) for r in records]
        assert [name for name, _ in ledger.subjects()] == sorted(SUBJECTS)

    def test_writing_twice_leaves_one(self, ledger: Ledger) -> None:
        """An id is an idempotency key."""
        ledger.commit(Changes(put=[record(1), record(1)]))
        ledger.commit(Changes(put=[record(1)]))
        assert ledger.count() == 1

    def test_replacing_moves(self, ledger: Ledger) -> None:
        """A replaced record is found under its new subject and kind alone."""
        ledger.commit(Changes(put=[record(1, "anna")]))
        ledger.commit(Changes(put=[record(1, "bo", RecordKind.DISPUTE)]))
        assert ledger.subjects() == [("bo", 0)]
        assert ledger.count(Where(kinds=[RecordKind.SAMPLE])) == 0
        assert [r.subject for r in ledger.read(Where(kinds=[RecordKind.DISPUTE]))] == ["bo"]

    def test_names_are_found_in_either_spelling(self, ledger: Ledger) -> None:
        """A name is found as it is, else in its other Unicode spelling, and no longer once it is gone."""
        composed, decomposed = "Jos\u00e9", "Jose\u0301"
        ledger.commit(Changes(put=[record(1, decomposed)]))
        assert ledger.find_subject(composed) == decomposed
        assert ledger.find_subject("Jose") is None
        ledger.commit(Changes(put=[record(2, composed)]))
        assert [ledger.find_subject(name) for name in (composed, decomposed)] == [composed, decomposed]
        ledger.commit(Changes(rename=[(decomposed, "Jo")], remove=["0002"]))
        assert [ledger.find_subject(name) for name in (composed, decomposed, "Jo")] == [None, None, "Jo"]

    def test_subjects_by_pages(self, ledger: Ledger) -> None:
        """Names behind one, at most so many, are those that the whole list has there."""
        ledger.commit(Changes(put=[record(i, name) for i, name in enumerate(SUBJECTS)]))
        everybody = ledger.subjects()
        assert ledger.subjects(after=everybody[2][0], limit=3) == everybody[3:6]
        assert ledger.subjects(after=everybody[-1][0]) == []
        assert ledger.subjects(limit=2) == everybody[:2]

    @pytest.mark.parametrize(
        "where", [Where(), Where(subjects=["anna"]), Where(ids=[f"{i:04d}" for i in range(0, 90, 2)])]
    )
    def test_records_by_pages(self, ledger: Ledger, where: Where) -> None:
        """Records behind an id, at most so many, are those that the whole list has there."""
        ledger.commit(Changes(put=[record(i, ("anna", "bo")[i % 3 == 0]) for i in range(90)]))
        everything = [r.id for r in ledger.read(where)]
        assert [r.id for r in ledger.read(where, after=everything[2], limit=7)] == everything[3:10]
        assert list(ledger.read(where, after=everything[-1])) == []
        assert list(ledger.read(where, limit=0)) == []

    def test_pictures_that_are_none(self, ledger: Ledger) -> None:
        """A record without a picture, such as a template, is of no picture."""
        template = Record("0001", "anna", unit_vectors(1, 1)[0], RecordKind.TEMPLATE)
        ledger.commit(Changes(put=[template, record(2)]))
        assert list(ledger.read(Where(pictures=[""]))) == []
        assert [r.id for r in ledger.read(Where(pictures=[f"{2:064x}", "", "unknown"]))] == ["0002"]

    def test_every_write_makes_another_revision(self, ledger: Ledger) -> None:
        """Whoever finds the revision unchanged knows that no record changed."""
        seen = [ledger.revision()]
        for changes in (
            Changes(put=[record(1), record(2, "bo"), record(3, "bo")]),
            Changes(put=[record(1)]),
            Changes(rename=[("bo", "cleo")]),
            Changes(remove=["0002"]),
            Changes(erase=["cleo"]),
        ):
            made = ledger.commit(changes)
            seen.append(ledger.revision())
            assert made == seen[-1]
        assert len(set(seen)) == len(seen)
        list(ledger.read())
        assert ledger.revision() == seen[-1]

    def test_snapshot_is_one_state(self, ledger: Ledger) -> None:
        """Inside a snapshot every question is answered of one state; they nest, and no write begins."""
        ledger.commit(Changes(put=[record(1)]))
        with ledger.snapshot(), ledger.snapshot():
            assert ledger.count() == len(list(ledger.read()))
            with pytest.raises(StoreError, match="inside a snapshot"):
                ledger.commit(Changes(put=[record(2)]))
        assert ledger.count() == 1

    def test_one_commit_has_one_order(self, ledger: Ledger) -> None:
        """Renames, then subjects erased, then records removed, then put: each sees what was before."""
        ledger.commit(Changes(put=[record(1, "anna"), record(2, "bo"), record(3, "cleo")]))
        ledger.commit(
            Changes(
                rename=[("anna", "bo"), ("cleo", "anna")],
                erase=["bo"],
                remove=["0003"],
                put=[record(2, "bo"), record(3, "dan")],
            )
        )
        assert [(r.id, r.subject) for r in ledger.read()] == [("0002", "bo"), ("0003", "dan")]

    def test_all_or_nothing(self, ledger: Ledger) -> None:
        """A commit that cannot be made leaves the ledger as it was, whichever part of it is wrong."""
        ledger.commit(Changes(put=[record(1), record(2, "bo")]))
        before, revision = [fields(r) for r in ledger.read()], ledger.revision()
        odd = Record("0009", "anna", unit_vectors(1, 2, DIMENSION + 1)[0])
        with pytest.raises(InvalidArray):
            ledger.commit(Changes(rename=[("bo", "anna")], remove=["0001"], put=[record(3), odd]))
        other = Bound(ModelId("test", "1" * 64), DIMENSION)
        with pytest.raises(ModelMismatch):
            ledger.commit(Changes(bind=other, erase=["bo"]))
        assert ([fields(r) for r in ledger.read()], ledger.revision()) == (before, revision)

    def test_decided_of_a_state_that_is_no_more(self, ledger: Ledger) -> None:
        """A commit that expects another revision is a `Conflict`, and nothing of it is there."""
        revision = ledger.commit(Changes(put=[record(1)]))
        now = ledger.commit(Changes(put=[record(2)]), expect=revision)
        with pytest.raises(Conflict):
            ledger.commit(Changes(put=[record(3)], erase=["anna"]), expect=revision)
        assert [r.id for r in ledger.read()] == ["0001", "0002"]
        ledger.commit(Changes(put=[record(3)]), expect=now)
        assert ledger.count() == 3

    def test_a_turn_keeps_others_out(self, ledger: Ledger) -> None:
        """What is decided within a turn is committed of that state, whoever else wants to write."""
        begun = threading.Event()

        def write() -> None:
            begun.set()
            ledger.commit(Changes(put=[record(2)]))

        other = threading.Thread(target=write)
        with ledger.turn():
            revision = ledger.revision()
            other.start()
            begun.wait()
            assert list(ledger.read()) == []
            ledger.commit(Changes(put=[record(1)]), expect=revision)
        other.join()
        assert [r.id for r in ledger.read()] == ["0001", "0002"]

    def test_a_turn_not_taken(self, ledger: Ledger) -> None:
        """A turn that ends without a commit, or in an error, changes nothing and keeps nobody out."""
        with ledger.turn():
            pass
        with pytest.raises(KeyError), ledger.turn():
            raise KeyError
        with ledger.turn(), pytest.raises(Conflict):
            ledger.commit(Changes(put=[record(1)]), expect="another")
        ledger.commit(Changes(put=[record(2)]))
        assert [r.id for r in ledger.read()] == ["0002"]

    def test_model_is_fixed(self, ledger: Ledger) -> None:
        """Embeddings of another model, or of another dimension, are refused."""
        assert ledger.bound() == (MODEL, DIMENSION)
        ledger.commit(BIND)
        for other in (Bound(ModelId("test", "1" * 64), DIMENSION), Bound(MODEL, DIMENSION + 1)):
            with pytest.raises(ModelMismatch):
                ledger.commit(Changes(bind=other))

    def test_changes_of_no_revision_are_everything(self, ledger: Ledger) -> None:
        """Of a revision that it does not know a ledger tells everything, of its own nothing.

        It begins anew once, and has a revision only at the end: who breaks off in between has none.
        """
        ledger.commit(Changes(put=[record(i) for i in range(5)]))
        with ledger.snapshot():
            assert list(ledger.changes_since(ledger.revision())) == []
            for unknown in ("", "x", MemoryLedger().revision()):
                told = list(ledger.changes_since(unknown))
                assert told[-1].revision == ledger.revision()
                assert [bool(change.revision) for change in told[:-1]] == [False] * (len(told) - 1)
                assert [change.anew for change in told] == [True] + [False] * (len(told) - 1)
                assert sorted(id_ for change in told for id_ in change.ids) == [
                    f"{i:04d}" for i in range(5)
                ]

    def test_followers_hold_what_is_there(self, ledger: Ledger) -> None:
        """Following the changes from any state leads to the records; nothing erased ever comes back."""
        rng = random.Random(7)
        followers: list[Follower] = []
        for turn in range(60):
            ledger.commit(any_changes(rng))
            if turn % 6 == 0:
                followers.append(Follower())
            for follower in followers:
                if rng.random() < 0.3 or turn == 59:
                    follower.follow(ledger)
                    held = {r.id: (r.id, r.subject, r.vector.tobytes(), r.kind) for r in ledger.read()}
                    assert follower.known == held

    def test_erased_from_every_file(self, ledger: Ledger) -> None:
        """What was erased stands in none of the files that the ledger names, nor in a copy it knows of."""
        ledger.commit(Changes(put=[record(1, "somebody who goes"), record(2, "bo")]))
        vector = record(1).vector.tobytes()
        before = b"".join(file.read_bytes() for file in ledger.files())
        assert vector in before or not ledger.files()
        ledger.commit(Changes(remove=["0001"]))
        content = b"".join(file.read_bytes() for file in (*ledger.files(), *ledger.copies()))
        assert vector not in content and b"somebody who goes" not in content

    def test_carried_to_another_engine(self, ledger: Ledger) -> None:
        """Records and model go to another ledger and come from one, and never into one that holds any."""
        ledger.commit(Changes(put=[record(i, SUBJECTS[i % 3]) for i in range(20)]))
        copy = MemoryLedger()
        carry(ledger, copy)
        assert [fields(r) for r in copy.read()] == [fields(r) for r in ledger.read()]
        assert copy.bound() == ledger.bound()
        with pytest.raises(StoreError, match="empty"):
            carry(copy, ledger)
        ledger.commit(Changes(erase=SUBJECTS))
        carry(copy, ledger)
        assert [fields(r) for r in copy.read()] == [fields(r) for r in ledger.read()]

    @pytest.mark.parametrize("seed", range(3))
    def test_congruence(self, ledger: Ledger, seed: int) -> None:
        """The same random commits give the same answers as the reference ledger."""
        reference = MemoryLedger()
        reference.commit(BIND)
        rng = random.Random(seed)
        for _ in range(self.rounds):
            changes = any_changes(rng)
            ledger.commit(changes)
            reference.commit(changes)
            assert_same_answers(ledger, reference, rng)
        assert [fields(r) for r in ledger.read()] == [fields(r) for r in reference.read()]


def assert_same_answers(ledger: Ledger, reference: Ledger, rng: random.Random) -> None:
    """One question of each sort, chosen at random."""
    names = rng.choices(SUBJECTS, k=2)
    ids = [f"{rng.randrange(60):04d}" for _ in range(3)]
    kinds = rng.choice([None, [], [rng.choice(list(RecordKind))], list(RecordKind)[1:]])
    where = Where(
        kinds=kinds,
        subjects=rng.choice([None, names]),
        pictures=rng.choice([None, None, ["", "p1"]]),
        ids=rng.choice([None, None, ids]),
    )
    after, limit = rng.choice(["", ids[0]]), rng.choice([None, 2])
    answers = [
        (
            [fields(r) for r in one.read(where, after=after, limit=limit)],
            one.count(where),
            one.count(Where(kinds=kinds)),
            one.subjects(),
            [one.find_subject(name) for name in names],
        )
        for one in (ledger, reference)
    ]
    assert answers[0] == answers[1]
