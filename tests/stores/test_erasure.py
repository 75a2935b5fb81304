"""After an erasure nothing of the person can be read from the files."""

from __future__ import annotations

import random
import re
import unicodedata
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from lineament.errors import StoreError
from lineament.records import Bound, Changes, Record, RecordKind
from lineament.stores.sqlite import SqliteLedger
from lineament.testing.made_up_records import MODEL, unit_vectors

DIMENSION = 128


def raw(path: Path) -> bytes:
    """Every byte on disk: the file, its log, its index of the log."""
    files = [path, *(Path(f"{path}{end}") for end in ("-wal", "-shm", "-journal"))]
    return b"".join(f.read_bytes() for f in files if f.exists())


def person(number: int, rng: random.Random) -> tuple[str, list[Record]]:
    name = f"person {rng.getrandbits(64):016x}"
    vectors = unit_vectors(3, number, DIMENSION)
    kinds = (RecordKind.SAMPLE, RecordKind.TEMPLATE, RecordKind.DISPUTE)
    ids = [f"{rng.getrandbits(96):024x}" for _ in kinds]
    return name, [
        Record(
            id_,
            name,
            vector,
            kind,
            source=f"{id_}.jpg",
            picture=f"{rng.getrandbits(256):064x}",
            box=vector[:4] * 1000,
            size_wh=(640, 480),
        )
        for id_, vector, kind in zip(ids, vectors, kinds, strict=True)
    ]


def traces(records: list[Record], content: bytes) -> list[str]:
    found = []
    for r in records:
        texts = {"id": r.id, "name": r.subject, "source": r.source, "picture": r.picture}
        found += [what for what, text in texts.items() if text.encode() in content]
        if r.box is not None and r.box.tobytes() in content:
            found.append("box")
        vector = r.vector.tobytes()
        # A page may part a vector, so pieces count as well.
        found += ["vector" for i in range(0, len(vector), 32) if vector[i : i + 32] in content]
    return found


@pytest.fixture
def store(tmp_path: Path) -> SqliteLedger:
    store = SqliteLedger(tmp_path / "people.db")
    store.commit(Changes(bind=Bound(MODEL, DIMENSION)))
    return store


def test_traces_are_found_before(store: SqliteLedger) -> None:
    """The search for traces sees what is there, so that finding none means something."""
    _, records = person(1, random.Random(1))
    store.commit(Changes(put=records))
    assert {"id", "name", "source", "picture", "box", "vector"} <= set(traces(records, raw(store.path)))


def test_enrolled_and_erased_at_once(store: SqliteLedger) -> None:
    """A person who never left the log leaves no trace there either."""
    name, records = person(1, random.Random(1))
    store.commit(Changes(put=records))
    store.commit(Changes(erase=[name]))
    assert store.count() == 0
    assert traces(records, raw(store.path)) == []


def test_neither_spelling_of_a_name_is_left(store: SqliteLedger) -> None:
    """A name is kept in a second form to be found by; both go with the subject, also in a rename."""
    _, records = person(1, random.Random(1))
    name = "Rene\u0301e Zoe\u0308"
    for erase in (
        lambda: store.commit(Changes(erase=[name])),
        lambda: store.commit(Changes(rename=[(name, "Anna")])),
    ):
        store.commit(Changes(put=[replace(record, subject=name) for record in records]))
        forms = [form.encode() for form in (name, unicodedata.normalize("NFC", name))]
        assert all(form in raw(store.path) for form in forms)
        erase()
        assert not any(form in raw(store.path) for form in forms)


@pytest.mark.parametrize("how", ["remove", "remove_subject"])
def test_erased_from_a_large_gallery(store: SqliteLedger, how: str) -> None:
    """Of hundreds, half are erased: no piece of them is left, not even on index pages that were split.

    With ``secure_delete`` and an emptied log, but without VACUUM, two ids are left here.
    """
    rng = random.Random(1)
    people = [person(i, rng) for i in range(800)]
    for _, records in people:
        store.commit(Changes(put=records))
    gone = rng.sample(people, 400)
    if how == "remove":
        store.commit(Changes(remove=[r.id for _, records in gone for r in records]))
    else:
        store.commit(Changes(erase=[name for name, _ in gone]))
    content = raw(store.path)
    left = {name.decode() for name in re.findall(rb"person [0-9a-f]{16}", content)}
    assert left == {name for name, _ in people} - {name for name, _ in gone}
    assert [r.id for _, records in gone for r in records if r.id.encode() in content] == []
    assert [t for _, records in gone[:30] for t in traces(records, content)] == []
    assert store.count() == 1200


def test_renamed_name_is_gone(store: SqliteLedger) -> None:
    """After a rename or a merge the old name is nowhere."""
    rng = random.Random(3)
    people = [person(i, rng) for i in range(500)]
    store.commit(Changes(put=[r for _, records in people for r in records]))
    old = [name for name, _ in people[:100]]
    store.commit(Changes(rename=[(name, f"new {i % 60}") for i, name in enumerate(old)]))
    content = raw(store.path)
    assert [name for name in old if name.encode() in content] == []


def test_moved_sample_leaves_no_name(store: SqliteLedger) -> None:
    """When a subject's last record is erased, the name goes with it."""
    name, records = person(1, random.Random(1))
    store.commit(Changes(put=records))
    store.commit(Changes(remove=[r.id for r in records]))
    assert store.subjects() == []
    assert name.encode() not in raw(store.path)


def test_a_reader_in_the_way_is_told_and_made_up_for(
    store: SqliteLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While another process reads an old state the copy stays: an error says so, the next write ends it."""
    name, records = person(1, random.Random(1))
    store.commit(Changes(put=records))
    monkeypatch.setattr("lineament.stores._sqlite_file.BUSY_MS", 1)
    reader = apsw.Connection(str(store.path))
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM record").fetchall() == [(3,)]
    with pytest.raises(StoreError, match="next write or opening"):
        store.commit(Changes(erase=[name]))
    assert store.count() == 0
    assert traces(records, raw(store.path)) != []
    reader.execute("COMMIT")
    _, others = person(2, random.Random(2))
    store.commit(Changes(put=others))
    assert traces(records, raw(store.path)) == []


def test_an_erasure_cut_short_ends_with_the_next_opening(store: SqliteLedger) -> None:
    """A process that dies between the removal and the wiping leaves the wiping to the next one."""
    name, records = person(1, random.Random(1))
    store.commit(Changes(put=records))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "_purge", lambda **_: None)  # as after a kill
        store.commit(Changes(erase=[name]))
    assert traces(records, raw(store.path)) != []
    SqliteLedger(store.path).close()
    assert traces(records, raw(store.path)) == []
