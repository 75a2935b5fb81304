"""A gallery goes from one engine to another, whole, and never over one that is there."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from lineament import stores
from lineament.errors import ConfigError, Conflict, ModelMismatch, StoreError
from lineament.gallery.gallery import Gallery
from lineament.protocols import Ledger
from lineament.records import Bound, Changes, RecordKind, Revision
from lineament.stores import GalleryStore, MemoryLedger, SqliteLedger, between_engines, carry, open_store
from lineament.testing.made_up_records import BIND, DIMENSION, SUBJECTS, fields, record, unit_vectors
from lineament.types import ModelId

KINDS = list(RecordKind)


def filled(ledger: Ledger, count: int = 50) -> Ledger:
    ledger.commit(BIND)
    ledger.commit(Changes(put=[record(i, SUBJECTS[i % 5], KINDS[i % 3]) for i in range(count)]))
    return ledger


def content(ledger: Ledger) -> tuple[object, ...]:
    return [fields(r) for r in ledger.read()], ledger.subjects(), ledger.bound()


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[SqliteLedger]:
    ledger = SqliteLedger(tmp_path / "copy.db")
    yield ledger
    ledger.close()


def test_there_and_back(copy: SqliteLedger) -> None:
    """From memory to a file and into memory again nothing is lost, and searches answer the same."""
    first, last = filled(MemoryLedger()), MemoryLedger()
    carry(first, copy)
    carry(copy, last)
    assert content(first) == content(copy) == content(last)
    answers = [GalleryStore(ledger).search(unit_vectors(4, 9), 7) for ledger in (first, copy, last)]
    assert answers[0] == answers[1] == answers[2]


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5])
def test_by_pieces(count: int, copy: SqliteLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many pieces it takes, an empty gallery and one without a model among them, all is there."""
    monkeypatch.setattr(between_engines, "_BATCH", 2)
    carry(MemoryLedger(), copy)
    assert content(copy) == ([], [], None)
    carry(filled(MemoryLedger(), count), copy)
    assert content(copy) == content(filled(MemoryLedger(), count))


def test_never_over_another(copy: SqliteLedger) -> None:
    """A gallery with records, or of another model, is left as it is."""
    other = MemoryLedger()
    other.commit(Changes(bind=Bound(ModelId("other", "1" * 64), DIMENSION)))
    with pytest.raises(ModelMismatch):
        carry(filled(copy), other)
    assert other.count() == 0
    before = content(copy)
    with pytest.raises(StoreError, match="50 records; give an empty one"):
        carry(filled(MemoryLedger(), 3), copy)
    assert content(copy) == before


def test_somebody_writes_into_it_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Records of somebody else that come in between end it by name, and are not mixed up with it."""
    monkeypatch.setattr(between_engines, "_BATCH", 20)

    class Busy(MemoryLedger):
        def commit(self, changes: Changes, *, expect: Revision | None = None) -> Revision:
            made = super().commit(changes, expect=expect)
            if self.count() == 20:
                super().commit(Changes(put=[record(999, "mallory")]))
            return made

    target = Busy()
    with pytest.raises(Conflict):
        carry(filled(MemoryLedger()), target)
    assert target.count() == 21


@pytest.mark.parametrize("form", ["{}/copy.db", "sqlite:{}/copy.db", "sqlite://{}/copy.db", "path"])
@pytest.mark.parametrize("engine", ["memory", "sqlite"])
def test_a_backup_is_a_file(form: str, engine: str, tmp_path: Path) -> None:
    """A gallery of any engine is backed up to a file, named as such or by its URL, which is a gallery."""
    source = MemoryLedger() if engine == "memory" else SqliteLedger(tmp_path / "people.db")
    path = tmp_path / "copy.db"
    to = path if form == "path" else form.format(tmp_path)
    with Gallery(filled(source)) as gallery:
        gallery.backup(to)
        before = content(gallery.store)
        with pytest.raises(StoreError, match="exists already"):
            gallery.backup(to)
    assert {p.name for p in tmp_path.iterdir()} <= {"copy.db", "people.db"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    store = open_store(path, create=False)
    assert content(store) == before
    store.close()


def test_a_backup_into_an_engine_of_another_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a URL a backup goes into any engine, if nothing is there."""
    elsewhere = MemoryLedger()
    monkeypatch.setattr(elsewhere, "close", lambda: None)
    monkeypatch.setattr(stores, "schemes", lambda: ["elsewhere", "memory", "sqlite"])
    monkeypatch.setattr(stores, "_opener", lambda _: lambda _location, *, create: elsewhere)
    with Gallery(filled(MemoryLedger())) as gallery:
        gallery.backup("elsewhere://host/people")
        assert content(elsewhere) == content(gallery.store)
        with pytest.raises(StoreError, match="give an empty one"):
            gallery.backup("elsewhere://host/people")


def test_a_backup_in_memory_is_none() -> None:
    """What would be gone when the call returns is refused, with what to call instead."""
    with Gallery(filled(MemoryLedger())) as gallery, pytest.raises(ConfigError, match="carry"):
        gallery.backup("memory:")


def test_a_backup_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """A backup cut short leaves neither the file nor a part of it."""

    class Broken(MemoryLedger):
        def read(self, *_args: object, **_kwargs: object) -> Iterator[object]:  # type: ignore[override]
            yield record(1)
            raise KeyboardInterrupt

    broken = Broken()
    broken.commit(BIND)
    with pytest.raises(KeyboardInterrupt):
        between_engines.backup(broken, tmp_path / "copy.db")
    assert list(tmp_path.iterdir()) == []
