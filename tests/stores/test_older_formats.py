"""A gallery of an older format opens with all that is in it, and gains what that format lacked."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import apsw
import numpy as np
import pytest

from lineament.errors import AlreadyEnrolled, FaceOfAnotherSubject, StoreVersionError
from lineament.gallery.gallery import Gallery
from lineament.records import Changes, RecordKind, Where
from lineament.stores._sqlite_schema import VERSION
from lineament.stores.gallery_store import GalleryStore
from lineament.stores.sqlite import SqliteLedger
from lineament.testing.fakes import FakeAnalyzer, picture, threshold
from lineament.testing.made_up_records import unit_vectors
from lineament.types import Float32

FORMAT_1 = Path(__file__).parent / "data" / "format1.db"
"""Made by the code of format 1 with a `FakeAnalyzer`: made-up vectors, pictures of nine pixels."""

PHOTO = b"no photo, eight words as bytes of a file"
VECTORS = unit_vectors(8, 5, 8)
JOSE = "Jose\u0301"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return Path(shutil.copy(FORMAT_1, tmp_path / "people.db"))


def analyzer(**more: Float32) -> FakeAnalyzer:
    faces = {f"p{i}": VECTORS[i : i + 1] for i in range(6)} | {"group": VECTORS[6:8]}
    return FakeAnalyzer(faces | more)


def schema(path: Path) -> list[tuple[object, ...]]:
    database = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        tables = [
            name for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        ]
        columns = [c for name in sorted(tables) for c in database.execute(f"PRAGMA table_info({name})")]
        others = "SELECT type, name, sql FROM sqlite_schema WHERE type <> 'table' ORDER BY type, name"
        return [*columns, *database.execute(others), *database.execute("PRAGMA user_version")]
    finally:
        database.close()


def test_opens_with_everything(old: Path) -> None:
    """People, samples, disputes and the model are as they were, and the tables those of a new gallery."""
    with Gallery(old, analyzer(), threshold=threshold(0.9)) as gallery:
        assert gallery.subjects() == [("Anna", 2), ("Bo", 2), ("Cleo", 1), (JOSE, 1)]
        assert (gallery.store.count(), gallery.people) == (11, 4)
        assert len(gallery.show("Anna").disputes) == 1
        assert gallery.resolve("Jos\u00e9") == JOSE
        assert all(r.box is None for r in gallery.store.read())
        [found] = gallery.identify([picture("p0")])
        assert found.matches[0].candidates[0].subject == "Anna"
    SqliteLedger(old.with_name("new.db")).close()
    assert schema(old) == schema(old.with_name("new.db"))


def test_counts_go_on(old: Path) -> None:
    """What is counted as it is written starts from what the older gallery held."""
    store = SqliteLedger(old)
    for _ in range(2):
        kinds = [record.kind for record in store.read()]
        assert [store.count(Where(kinds=[kind])) for kind in RecordKind] == [
            kinds.count(kind) for kind in RecordKind
        ]
        store.commit(Changes(erase=["Bo"]))
    store.close()


def test_an_old_photo_stays_enrolled(old: Path, tmp_path: Path) -> None:
    """Photos enrolled before boxes were kept are known again: as pictures, as a file, as its bytes."""
    file = tmp_path / "file.jpg"
    file.write_bytes(PHOTO)
    fake = analyzer(**{str(file): VECTORS[4:5]})
    with Gallery(old, fake, threshold=threshold(0.9)) as gallery:
        done = gallery.enrol("Anna", [picture("p0"), picture("p1")])
        done += gallery.enrol("Bo", picture("group"), largest=True)
        done += gallery.enrol("Cleo", file)
        assert [type(o.error) for o in done] == [AlreadyEnrolled] * 4
        [done_for_another] = gallery.enrol("Dan", file, allow=["other-subject"])
        assert isinstance(done_for_another.error, FaceOfAnotherSubject)
        assert gallery.store.count() == 11
        # The other face of that old group photo is nobody's yet.
        [other] = gallery.enrol("Eve", picture("group"), face=1)
        assert other.error is None


def test_an_old_photo_by_another_detector(old: Path) -> None:
    """Without a box an old record is known by its file and its similarity."""
    near = VECTORS[0] + 0.2 * VECTORS[1]
    fake = analyzer(p0=(near / np.linalg.norm(near))[None].astype(np.float32))
    with Gallery(old, fake, threshold=threshold(0.9)) as gallery:
        [done] = gallery.enrol("Bo", picture("p0"), allow=["other-subject"])
        assert isinstance(done.error, FaceOfAnotherSubject)
        assert "this very face" in str(done.error)


def test_an_old_dispute_is_not_made_twice(old: Path) -> None:
    """Disputing the face of an older dispute leaves that one record; merging still settles it."""
    with Gallery(old, analyzer(), threshold=threshold(0.9)) as gallery:
        [known] = gallery.show("Anna").disputes
        assert gallery.dispute(picture("p5"), "Anna").id == known.id


def test_searched_where_it_cannot_be_written(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An older gallery that can only be read is searched, and not a byte of it changes."""
    before = old.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr("lineament.stores._sqlite_file.connect", lambda *_, **__: None)
        store = GalleryStore(SqliteLedger(old))
    assert store.search(VECTORS[:1], 1)[0][0].subject == "Anna"
    assert store.find_subject("Jos\u00e9") == JOSE
    assert store.subjects() == [("Anna", 2), ("Bo", 2), ("Cleo", 1), (JOSE, 1)]
    store.close()
    assert old.read_bytes() == before
    assert [p.name for p in old.parent.iterdir()] == ["people.db"]


def test_newer_is_refused(old: Path) -> None:
    """A gallery one format ahead is refused and left as it is."""
    SqliteLedger(old).close()
    database = apsw.Connection(str(old))
    database.execute(f"PRAGMA user_version = {VERSION + 1}")
    database.close()
    before = old.read_bytes()
    with pytest.raises(StoreVersionError, match="upgrade"):
        SqliteLedger(old)
    assert old.read_bytes() == before


def test_two_at_once(old: Path) -> None:
    """Of several that open an older gallery at once one brings it up to date; no step is taken twice."""
    with ThreadPoolExecutor(8) as pool:
        stores = list(pool.map(lambda _: SqliteLedger(old), range(8)))
    assert {tuple(store.subjects()) for store in stores} == {tuple(stores[0].subjects())}
    for store in stores:
        store.close()
    SqliteLedger(old.with_name("new.db")).close()
    assert schema(old) == schema(old.with_name("new.db"))


BEFORE = Path(__file__).parent / "data" / "format2.db"
"""Made by the last code whose store was ledger and index in one, with a `FakeAnalyzer` and invented names:
after an erasure and a rename, with made-up vectors and pictures of nine pixels."""


def test_a_gallery_of_the_store_in_one_opens(tmp_path: Path) -> None:
    """A gallery written before the ledger was parted from the index is the same gallery: it answers, is
    written to and erased from, and its file stays one that the code of before opens."""
    path = Path(shutil.copy(BEFORE, tmp_path / "people.db"))
    before, vectors = schema(path), unit_vectors(10, 6, 8)
    faces = FakeAnalyzer({f"p{i}": vectors[i : i + 1] for i in range(8)} | {"group": vectors[8:10]})
    with Gallery(path, faces, threshold=threshold(0.9)) as gallery:
        assert gallery.subjects() == [("Ada", 2), ("Grace Ho", 1), (JOSE, 1), ("Zo\u00eb", 2)]
        assert [len(gallery.show("Ada").disputes), gallery.people] == [1, 4]
        for photo, name in (("p0", "Ada"), ("p2", JOSE), ("p4", "Zo\u00eb")):
            [found] = gallery.identify(picture(photo))
            assert found.matches[0].candidates[0].subject == name
        [again] = gallery.enrol("Ada", picture("p1"))
        assert isinstance(again.error, AlreadyEnrolled)
        [new] = gallery.enrol("Zo\u00eb", picture("p7"), allow=["other-subject"])
        assert new.error is None
        gallery.remove("Ada")
        assert gallery.subjects() == [("Grace Ho", 1), (JOSE, 1), ("Zo\u00eb", 3)]
    assert schema(path) == before
    assert b"Ada" not in path.read_bytes()
    state = apsw.Connection(str(path)).execute("SELECT revision, erasures, purged FROM state").fetchall()
    # The counters by which the code of before tells what it has not seen, going on from 10, 2 and 2.
    assert state == [(11, 3, 3)]
