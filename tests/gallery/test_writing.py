"""Enrolling keeps nobody waiting while it searches, misses nothing written meanwhile, and does not grow."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from lineament.errors import FaceOfAnotherSubject, UnknownSubject
from lineament.gallery.fusion import mean_direction
from lineament.gallery.gallery import Gallery
from lineament.gallery.writing import committed
from lineament.records import Bound, Changes, Hit, Record, RecordKind, Revision, Where
from lineament.stores.gallery_store import SAMPLES, GalleryStore
from lineament.stores.memory import MemoryLedger
from lineament.stores.sqlite import SqliteLedger
from lineament.testing.fakes import MODEL, FakeAnalyzer, picture, threshold
from lineament.testing.made_up_records import unit_vectors
from lineament.types import Float32

VECTORS = unit_vectors(8, 3, 16)


class Interrupted(GalleryStore):
    """A store in which something happens each time a search has just ended."""

    after_search: Callable[[], None] | None = None

    def search(self, queries: Float32, k: int, where: Where = SAMPLES) -> list[list[Hit]]:
        hits = super().search(queries, k, where)
        if self.after_search is not None:
            self.after_search()
        return hits


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    analyzer = FakeAnalyzer({f"p{i}": VECTORS[i : i + 1] for i in range(8)} | {"like-p0": VECTORS[:1]})
    return Gallery(Interrupted(SqliteLedger(tmp_path / "people.db")), analyzer, threshold=threshold(0.9))


def in_another_process(gallery: Gallery, work: Callable[[Gallery], object]) -> None:
    """What another process does on the same file: a connection and a thread of its own."""
    ledger = gallery.store.ledger
    assert isinstance(ledger, SqliteLedger)
    errors: list[BaseException] = []

    def run() -> None:
        try:
            with Gallery(ledger.path, gallery.analyzer, threshold=threshold(0.9)) as other:
                work(other)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert errors == []


def test_others_write_while_it_searches(gallery: Gallery) -> None:
    """A search under way keeps no other process from writing, and what was written then counts."""
    store = gallery.store
    assert isinstance(store, Interrupted)
    searches = []

    def once() -> None:
        searches.append(1)
        if len(searches) == 1:
            in_another_process(gallery, lambda other: other.enrol("Joe", picture("p0")))

    store.after_search = once
    [done] = gallery.enrol("Bob", picture("like-p0"))
    assert isinstance(done.error, FaceOfAnotherSubject)
    assert gallery.subjects() == [("Joe", 1)]


def test_it_searches_again_only_if_something_changed(gallery: Gallery) -> None:
    """With nobody writing one search decides; a write meanwhile, of whoever, makes it decide anew."""
    store = gallery.store
    assert isinstance(store, Interrupted)
    searches: list[int] = []

    def note() -> None:
        searches.append(1)
        if len(searches) == 2:
            in_another_process(gallery, lambda other: other.enrol("Zoë", picture("p1")))

    store.after_search = note
    [done] = gallery.enrol("Joe", picture("p0"))
    assert (done.error, len(searches)) == (None, 1)
    [done] = gallery.enrol("Bob", picture("p2"))
    # Three of this process, of which the second was in vain; the other one has a store of its own.
    assert (done.error, len(searches)) == (None, 3)
    assert gallery.subjects() == [("Bob", 1), ("Joe", 1), ("Zoë", 1)]


def test_it_ends_however_much_is_written_meanwhile(gallery: Gallery) -> None:
    """With somebody writing into every search the last one keeps them out, and the photo is enrolled."""
    store = gallery.store
    assert isinstance(store, Interrupted)
    searches: list[int] = []

    def always() -> None:
        searches.append(1)
        if len(searches) < 4:
            number = len(searches)
            in_another_process(gallery, lambda other: other.enrol(f"s{number}", picture(f"p{number}")))

    store.after_search = always
    [done] = gallery.enrol("Joe", picture("p0"))
    assert done.error is None
    assert len(searches) == 4
    assert len(gallery.subjects()) == 4


class Overtaken(MemoryLedger):
    """A ledger to which somebody else writes just before each of some commits."""

    def __init__(self, times: int) -> None:
        super().__init__()
        super().commit(Changes(bind=Bound(MODEL, 16)))
        self.times, self.turns = times, 0

    def commit(self, changes: Changes, *, expect: Revision | None = None) -> Revision:
        if self.times > 0 and not self.turns:
            self.times -= 1
            super().commit(Changes(put=[Record(f"other {self.times}", "x", VECTORS[0])]))
        return super().commit(changes, expect=expect)

    @contextmanager
    def turn(self) -> Iterator[None]:
        self.turns += 1
        with super().turn():
            yield


@pytest.mark.parametrize("times", [0, 1, 2, 3, 99])
def test_a_decision_is_written_of_its_own_state(times: int) -> None:
    """Whatever changes before the write, what is written was decided of the state that it changed.

    Whoever is overtaken by somebody who never stops takes a turn and is through.
    """
    ledger = Overtaken(times)
    seen: list[int] = []

    def decide() -> tuple[Changes, int]:
        seen.append(ledger.count())
        return Changes(put=[Record("mine", f"of {seen[-1]}", VECTORS[1])]), seen[-1]

    overtaken = min(times, 3)
    assert committed(ledger, decide) == overtaken
    assert seen == list(range(overtaken + 1))
    assert next(ledger.read(Where(ids=["mine"]))).subject == f"of {overtaken}"
    assert ledger.turns == (times >= 3)


def test_a_decision_that_raises_writes_nothing() -> None:
    """What a decision raises, at the first try or a later one, ends it with nothing of it written."""
    ledger = Overtaken(2)
    seen: list[int] = []

    def decide() -> tuple[Changes, None]:
        seen.append(ledger.count())
        if len(seen) == 2:
            raise UnknownSubject("gone meanwhile")
        return Changes(put=[Record("mine", "x", VECTORS[1])]), None

    with pytest.raises(UnknownSubject):
        committed(ledger, decide)
    assert seen == [0, 1] and list(ledger.read(Where(ids=["mine"]))) == []


ENROLLING = """
import sys
from lineament.gallery.fusion import mean_direction
from lineament.gallery.gallery import Gallery
from lineament.testing.fakes import FakeAnalyzer, picture, threshold
from lineament.testing.made_up_records import unit_vectors
number, path = int(sys.argv[1]), sys.argv[2]
vectors = unit_vectors(8, number, 16)
faces = FakeAnalyzer({f"{number}-{i}": vectors[i : i + 1] for i in range(8)})
with Gallery(f"sqlite:{path}", faces, threshold=threshold(0.999)) as gallery:
    for i in range(8):
        [done] = gallery.enrol("Joe", picture(f"{number}-{i}"))
        assert done.error is None, done.error
        if i % 3 == number % 3:
            gallery.remove_sample(done.sample)
            [done] = gallery.enrol("Joe", picture(f"{number}-{i}"))
            assert done.error is None, done.error
"""


def test_several_processes_enrol_one_person(tmp_path: Path) -> None:
    """Whatever several processes enrol and take back at once, one template is the mean of all samples."""
    path = tmp_path / "people.db"
    commands = [[sys.executable, "-c", ENROLLING, str(number), str(path)] for number in range(3)]
    processes = [subprocess.Popen(command) for command in commands]
    assert [process.wait() for process in processes] == [0, 0, 0]
    with Gallery(path, threshold=threshold(0.999), create=False) as gallery:
        assert gallery.subjects() == [("Joe", 24)]
        samples = gallery.show("Joe").samples
        [template] = gallery.store.read(Where(kinds=[RecordKind.TEMPLATE]))
    assert np.array_equal(template.vector, mean_direction(np.stack([s.vector for s in samples])))


def people(count: int) -> list[Record]:
    """Samples and templates of so many people, every other name not ASCII, with a dispute each."""
    vectors = unit_vectors(3 * count, 1, 16)
    kinds = (RecordKind.SAMPLE, RecordKind.TEMPLATE, RecordKind.DISPUTE)
    return [
        Record(f"{i}-{kind}", f"{'Zoë' if i % 2 else 'Ann'} {i:06d}", vectors[3 * i + j], kind)
        for i in range(count)
        for j, kind in enumerate(kinds)
    ]


def steps(store: SqliteLedger, work: Callable[[], object]) -> int:
    """How many times SQLite executes two instructions for it."""
    count = [0]

    def step() -> bool:
        count[0] += 1
        return False

    store._db.set_progress_handler(step, 2)
    try:
        work()
    finally:
        store._db.set_progress_handler(None)
    return count[0]


def test_work_does_not_grow_with_the_people(tmp_path: Path) -> None:
    """In the database nothing but the depth of an index grows from 2,500 to 10,000 people."""
    work: dict[str, list[int]] = {}
    for count in (2_500, 10_000):
        store = SqliteLedger(tmp_path / f"{count}.db")
        store.commit(Changes(bind=Bound(MODEL, 16)))
        store.commit(Changes(put=people(count)))
        new = np.eye(16, dtype=np.float32)
        analyzer = FakeAnalyzer({"new": new[:1], "next": new[1:2], "last": new[2:3]})
        gallery = Gallery(store, analyzer, threshold=threshold(0.95))
        gallery.enrol("José", picture("new"))  # the vectors are in memory from here on

        def unknown(gallery: Gallery) -> None:
            with pytest.raises(UnknownSubject):
                gallery.show("Anm 000001")

        calls: dict[str, Callable[[Gallery], object]] = {
            "enrol": lambda g: g.enrol("Renée", picture("next")),
            "enrol again": lambda g: g.enrol("José", picture("new")),
            "identify": lambda g: list(g.identify(picture("new"))),
            "verify": lambda g: g.verify(picture("new"), "Jose\u0301"),
            "dispute": lambda g: g.dispute(picture("last"), "José"),
            "people": lambda g: g.people,
            "unknown": unknown,
        }
        for name, call in calls.items():
            work.setdefault(name, []).append(steps(store, partial(call, gallery)))
        store.close()
    assert all(small > 0 for small, _ in work.values())
    grown = {name for name, (small, large) in work.items() if large > 1.2 * small + 20}
    assert grown == set(), work
