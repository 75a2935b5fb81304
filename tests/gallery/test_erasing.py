"""Whoever is erased is nowhere in the gallery, under no name; what only looks alike is told."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw
import numpy as np
import pytest

from lineament.errors import ConfigError, UnknownSubject
from lineament.gallery.erasing import Why
from lineament.gallery.gallery import Gallery
from lineament.protocols import Ledger
from lineament.records import Bound, Changes, Record, RecordKind, Where
from lineament.search.exact import ExactIndex
from lineament.stores.gallery_store import GalleryStore
from lineament.stores.memory import MemoryLedger
from lineament.stores.sqlite import SqliteLedger
from lineament.testing.fakes import MODEL, threshold
from lineament.testing.made_up_records import unit_vectors
from lineament.types import Float32, ModelId

D = 128
FACES = unit_vectors(6, 5, D)
BEN, ANN, CLEO, STRANGER = range(4)
SAMPLE, TEMPLATE, DISPUTE = RecordKind.SAMPLE, RecordKind.TEMPLATE, RecordKind.DISPUTE


def like(person: int, seed: int, share: float = 0.4) -> Float32:
    """Another photo's embedding of a person."""
    mixed = FACES[person] + share * unit_vectors(1, seed, D)[0]
    return np.asarray(mixed / np.linalg.norm(mixed), np.float32)


def face(
    subject: str,
    vector: Float32,
    source: str,
    *,
    kind: RecordKind = SAMPLE,
    picture: str | None = None,
    box: tuple[float, ...] | None = (100, 100, 200, 200),
) -> Record:
    """A record whose id, and photo unless given, follow from what it is of."""
    id_ = hashlib.sha256(f"{subject}/{kind}/{source}".encode()).hexdigest()[:24]
    place = None if box is None else np.asarray(box, np.float32)
    digest = hashlib.sha256(f"{subject}/{source}".encode()).hexdigest()
    return Record(id_, subject, vector, kind, source, picture or digest, box=place)


BENS = face("Ben", like(BEN, 1), "holiday/ben_1.jpg")
ANNS = face("Ann", like(ANN, 2), "album/ann.jpg")


def stored(store: Ledger, *others: Record) -> Gallery:
    """Ben and Ann, with a template each, and other records."""
    store.commit(Changes(bind=Bound(MODEL, D)))
    for sample in (BENS, ANNS):
        template = Record(f"template {sample.id}", sample.subject, sample.vector, TEMPLATE)
        store.commit(Changes(put=[sample, template]))
    store.commit(Changes(put=others))
    return Gallery(store, threshold=threshold(0.5))


def pieces(record: Record) -> dict[str, bytes]:
    """What could be read of a record: its file name, and its vector in any precision, whole or begun."""
    v = record.vector
    scaled = np.round(v / np.abs(v).max() * 127).astype(np.int8)
    kinds = {"float32": v, "float16": v.astype(np.float16), "int8": scaled, "float64": v.astype(float)}
    begun = {f"{name} begun": array.tobytes()[:16] for name, array in kinds.items()}
    whole = {name: array.tobytes() for name, array in kinds.items()}
    file = {"file": record.source.encode(), "name of the file": Path(record.source).name.encode()}
    return {**begun, **whole, **file}


def left(folder: Path, *gone: Record) -> list[str]:
    """What of these records, and of Ben's name, stands in any file of a folder."""
    content = b"\0".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())
    found = [f"{r.id}: {what}" for r in gone for what, piece in pieces(r).items() if piece in content]
    return found + ["name"] * (b"Ben" in content)


HELD = {
    "the very photo, disputed": [face("Ann", BENS.vector, "copy.jpg", kind=DISPUTE, picture=BENS.picture)],
    "the very photo, as another detector cuts it": [
        face("Ann", like(BEN, 3), "cut.jpg", kind=DISPUTE, picture=BENS.picture, box=(160, 160, 300, 300))
    ],
    "the very photo, in an older gallery, by the file's digest": [
        face("Ann", BENS.vector, "older.jpg", kind=DISPUTE, picture="f" * 64, box=None)
    ],
    "another photo, disputed": [face("Ann", like(BEN, 4), "party/ben_2.jpg", kind=DISPUTE)],
    "photos disputed by several": [
        face("Ann", like(BEN, 5), "one.jpg", kind=DISPUTE),
        face("Cleo", like(CLEO, 6), "cleo.jpg"),
        face("Cleo", like(BEN, 7), "two.jpg", kind=DISPUTE),
    ][::2],
    "the very photo, enrolled for another": [
        face("Ann", like(BEN, 8), "taken for ann.jpg", picture=BENS.picture)
    ],
    "the very photo, the only one of another": [
        face("Dora", BENS.vector, "as dora.jpg", picture=BENS.picture),
        Record("template d", "Dora", BENS.vector, TEMPLATE, source="as dora.jpg"),
        face("Dora", like(STRANGER, 9), "of dora.jpg", kind=DISPUTE),
    ],
    "a photo pasted twice, with one vector": [face("Ann", BENS.vector, "again.png", kind=DISPUTE)],
}


@pytest.fixture(params=["sqlite", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[GalleryStore]:
    ledger = SqliteLedger(tmp_path / "people.db") if request.param == "sqlite" else MemoryLedger()
    opened = GalleryStore(ledger)
    yield opened
    opened.close()


@pytest.mark.parametrize("held", HELD.values(), ids=HELD)
def test_a_person_erased_is_under_no_name(store: GalleryStore, held: list[Record], tmp_path: Path) -> None:
    """The same face of the same photo, the same vector and disputes that look alike go; each is listed."""
    gallery = stored(store, *held)
    if store.files():
        assert len(left(tmp_path, BENS, *held)) > 3
    receipt = gallery.remove("Ben")
    assert left(tmp_path, BENS, *held) == []
    assert list(store.read(Where(ids=[r.id for r in (BENS, *held)]))) == []
    assert {t.id for t in receipt.traces if t.erased} == {
        BENS.id,
        f"template {BENS.id}",
        *(r.id for r in held),
    }
    assert receipt.to_decide == ()
    assert "Ann" in dict(store.subjects()) and "Dora" not in dict(store.subjects())


@pytest.mark.parametrize("held", HELD.values(), ids=HELD)
def test_templates_hold_nothing_of_who_is_erased(store: GalleryStore, held: list[Record]) -> None:
    """What others keep as their template is made of the samples that are left to them."""
    gallery = stored(store)
    samples = [record for record in held if record.kind is SAMPLE and record.subject == "Ann"]
    store.commit(Changes(put=held))
    if samples:
        mixed = unit_vectors(1, 77, D)[0]
        store.commit(Changes(put=[Record(f"template {ANNS.id}", "Ann", mixed, TEMPLATE)]))
    gallery.remove("Ben")
    [template] = store.read(Where(subjects=["Ann"], kinds=[TEMPLATE]))
    assert np.allclose(template.vector, like(ANN, 2), atol=1e-6)


KEPT_BY = {"list": (True, True), "disputes": (False, True), "all": (False, False)}


@pytest.mark.parametrize("alike", KEPT_BY)
def test_what_only_looks_alike_is_a_choice(store: GalleryStore, alike: str) -> None:
    """A twin looks alike too: disputes go by default, photos of others do not, and what stays is told."""
    dispute = face("Ann", like(BEN, 4), "d.jpg", kind=DISPUTE)
    twin = face("Bert", like(BEN, 5), "bert.jpg")
    stranger = face("Ann", like(STRANGER, 6), "s.jpg", kind=DISPUTE)
    gallery = stored(store, dispute, twin, stranger)
    receipt = gallery.remove("Ben", alike=alike)
    kept = {record.id for record in store.read(Where(ids=[dispute.id, twin.id, stranger.id]))}
    expected = {r.id for r, stays in zip((dispute, twin), KEPT_BY[alike], strict=True) if stays}
    assert kept == expected | {stranger.id}
    assert {trace.id for trace in receipt.to_decide} == expected
    listed = {one["id"]: one for one in receipt.to_json()["traces"]}
    for record in (dispute, twin):
        assert listed[record.id]["why"] == "alike"
        assert listed[record.id]["outcome"] == ("kept" if record.id in expected else "erased")
        assert listed[record.id]["similarity"] == pytest.approx(
            float(BENS.vector @ record.vector), abs=1e-5
        )
    assert stranger.id not in listed
    # A decision that was left is carried out by id, when the person is no longer there.
    for trace in receipt.to_decide:
        if list(store.read(Where(ids=[trace.id]))):  # the twin's last photo takes the dispute along
            gallery.remove_sample(trace.id)
    assert list(store.read(Where(ids=list(expected)))) == []


def test_disputes_go_unless_told_otherwise(store: GalleryStore) -> None:
    """A statement about a face is worth less than the promise to erase it; a photo may be a twin's."""
    dispute = face("Ann", like(BEN, 4), "d.jpg", kind=DISPUTE)
    gallery = stored(store, dispute, face("Bert", like(BEN, 5), "bert.jpg"))
    receipt = gallery.remove("Ben")
    assert [t.subject for t in receipt.to_decide] == ["Bert"] and list(
        store.read(Where(ids=[dispute.id]))
    ) == []
    with pytest.raises(ConfigError, match="did you mean 'all'"):
        gallery.remove("Ann", alike="al")
    assert "Ann" in dict(store.subjects())


FILE_NAMES = {
    "another face of one photo": ("group/party.jpg", "of the group", ""),
    "the folder of a person": ("people/Ben/7.jpg", None, "people/…/7.jpg"),
    "a word": ("ben_at_sea.jpg", None, "…_at_sea.jpg"),
    "a number behind it": ("BEN07.jpg", None, "…07.jpg"),
    "part of another word": ("bench/benny.jpg", None, "bench/benny.jpg"),
    "the same file, changed since": (BENS.source, None, ""),
}


@pytest.mark.parametrize(("source", "picture", "after"), FILE_NAMES.values(), ids=FILE_NAMES)
def test_file_names_that_tell_of_a_person(
    store: GalleryStore, tmp_path: Path, source: str, picture: str | None, after: str
) -> None:
    """Records of others stay, but not the file names they share with the person, nor the name in them."""
    group = replace(BENS, id="group", source="group/party.jpg", picture="of the group")
    other = face("Ann", like(ANN, 6), source, picture=picture, box=(400, 400, 500, 500))
    gallery = stored(store, other, group)
    receipt = gallery.remove("Ben")
    [kept] = store.read(Where(ids=[other.id]))
    assert (kept.subject, kept.source) == ("Ann", after)
    assert [t.id for t in receipt.traces if t.file_name_forgotten] == (
        [other.id] if after != source else []
    )
    assert left(tmp_path, BENS, group) == []


def test_a_name_within_another_persons_name(store: GalleryStore) -> None:
    """The folder of Ben Ali keeps its name when Ben goes; scripts without capitals are cut anywhere."""
    ali = face("Ben Ali", like(CLEO, 2), "people/Ben Ali/1.jpg")
    wei = face("王伟", like(STRANGER, 2), "x.jpg")
    other = face("Ann", like(ANN, 4), "王伟照片.jpg")
    gallery = stored(store, ali, wei, other)
    gallery.remove("Ben")
    assert next(store.read(Where(ids=[ali.id]))).source == "people/Ben Ali/1.jpg"
    gallery.remove("王伟")
    assert next(store.read(Where(ids=[other.id]))).source == "…照片.jpg"


def test_a_photo_erased_is_under_no_name(store: GalleryStore, tmp_path: Path) -> None:
    """One photo goes with what others hold of that very face; other photos of the person stay, as told."""
    second = face("Ben", like(BEN, 2), "holiday/second.jpg")
    dispute = face("Ann", BENS.vector, "copy.jpg", kind=DISPUTE, picture=BENS.picture)
    later = face("Ann", like(BEN, 4), "later.jpg", kind=DISPUTE)
    gallery = stored(store, second, dispute, later)
    receipt = gallery.remove_sample(BENS.id)
    assert {r.id for r in store.read(Where(ids=[BENS.id, second.id, dispute.id, later.id]))} == {
        second.id,
        later.id,
    }
    assert [t.id for t in receipt.to_decide] == [later.id]
    assert [one for one in left(tmp_path, BENS, dispute) if one != "name"] == []
    assert next(store.read(Where(subjects=["Ben"], kinds=[TEMPLATE]))).vector == pytest.approx(
        second.vector, abs=1e-6
    )
    gallery.remove_sample(second.id)  # the last one: now the person goes, and the name
    assert store.find_subject("Ben") is None and list(store.read(Where(ids=[later.id]))) == []
    assert left(tmp_path, BENS, second, dispute, later) == []


def test_a_merge_settles_by_face_and_tells_of_likeness(store: GalleryStore, tmp_path: Path) -> None:
    """A dispute about the very face of the other goes; one about a face that is only alike is told."""
    very = face("Ann", BENS.vector, "copy.jpg", kind=DISPUTE, picture=BENS.picture)
    alike = face("Ann", like(BEN, 4), "alike.jpg", kind=DISPUTE)
    own = face("Ben", like(STRANGER, 4), "people/Ben/other.jpg", kind=DISPUTE)
    gallery = stored(store, very, alike, own)
    receipt = gallery.merge("Ben", into="Ann")
    assert {r.id for r in store.read(Where(ids=[very.id, alike.id, own.id]))} == {alike.id, own.id}
    assert (receipt.records, [t.id for t in receipt.to_decide]) == (1, [alike.id])
    assert [one for one in left(tmp_path, very) if "file" in one or one == "name"] == []
    assert next(store.read(Where(ids=[own.id]))).source == "people/…/other.jpg"
    assert [name for name, _ in store.subjects()] == ["Ann"]


def test_without_a_threshold_the_receipt_says_so(store: GalleryStore) -> None:
    """A model for which nothing was measured still lets people go, and the likeness is not looked at."""
    unknown = ModelId("own", "0" * 64)
    store.commit(Changes(bind=Bound(unknown, D)))
    alike = face("Ann", like(BEN, 4), "d.jpg", kind=DISPUTE)
    store.commit(
        Changes(put=[BENS, alike, face("Ann", BENS.vector, "c.jpg", kind=DISPUTE, picture=BENS.picture)])
    )
    receipt = Gallery(store).remove("Ben")
    assert receipt.records == 2 and list(store.read(Where(ids=[alike.id]))) and receipt.threshold is None
    assert "look alike" in receipt.not_looked_at[0] and "calibrate" in receipt.not_looked_at[0]


def test_the_receipt_names_files_and_what_it_did_not_look_at(tmp_path: Path) -> None:
    """Backups in the folder, and what is left of one that was killed, are named; other files are not."""
    with stored(SqliteLedger(tmp_path / "people.db")) as gallery:
        gallery.backup(tmp_path / "backup.db")
        (tmp_path / f".{'0a' * 8}.partial").write_bytes(b"what a killed backup left")
        (tmp_path / "photo.jpg").write_bytes(b"SQLite format 3")
        os.mkfifo(tmp_path / "pipe.db")
        receipt = gallery.remove("Ben")
    assert str(tmp_path / "people.db") in receipt.files
    beside = [one.partition(": a gallery")[0] for one in receipt.not_looked_at if ": a gallery" in one]
    assert beside == [str(tmp_path / f".{'0a' * 8}.partial"), str(tmp_path / "backup.db")]


def test_a_receipt_holds_no_embedding(store: GalleryStore) -> None:
    """What proves an erasure does not undo it: neither vectors nor file names of what went."""
    receipt = stored(store, *HELD["another photo, disputed"]).remove("Ben")
    text = f"{receipt!r} {receipt.to_json()}"
    assert "ben_1.jpg" not in text and "ben_2.jpg" not in text and "array" not in text
    assert all(trace.why in Why and trace.source is None for trace in receipt.traces)


def test_memory_holds_nothing_either() -> None:
    """A gallery in memory keeps no form of a name, no file name and no vector of who is erased."""
    ledger, index = MemoryLedger(), ExactIndex()
    store = GalleryStore(ledger, index)
    held = HELD["photos disputed by several"]
    gallery = stored(store, *held, face("Ben", like(BEN, 9), "Bene\u0301.jpg"))
    store.search(BENS.vector[None], 3)
    assert "Ben" in repr([vars(rows) for rows in index._of_kind.values()])
    gallery.remove("Ben")
    kept = repr({name: value for name, value in vars(ledger).items() if name != "_lock"})
    assert "Ben" not in kept and "ben_1" not in kept and "two.jpg" not in kept and "Ann" in kept
    assert "Ben" not in repr([vars(rows) for rows in index._of_kind.values()])


class Killer(apsw.VFS):
    """Kills this process before its n-th write, sync or truncation, which ``count`` counts."""

    def __init__(self, at: int) -> None:
        self.at, self.count = at, 0
        super().__init__("killer", "")

    def step(self) -> None:
        self.count += 1
        if self.count == self.at:
            os.kill(os.getpid(), signal.SIGKILL)

    def xOpen(self, name: Any, flags: Any) -> apsw.VFSFile:
        killer = self

        class File(apsw.VFSFile):
            def xWrite(self, data: bytes, offset: int) -> None:
                killer.step()
                super().xWrite(data, offset)

            def xSync(self, flags: int) -> None:
                killer.step()
                super().xSync(flags)

            def xTruncate(self, size: int) -> None:
                killer.step()
                super().xTruncate(size)

        return File("", name, flags)


def in_a_child(work: Callable[[], None]) -> int:
    """Run in a forked process; how it ended, as ``os.wait`` tells."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    return os.waitpid(child, 0)[1]


def test_killed_at_any_write(tmp_path: Path) -> None:
    """Killed at any point of the erasure, the next opening ends it, or all is there to erase again."""
    others = [*HELD["photos disputed by several"], *HELD["another photo, disputed"]]
    more = [face(f"P{i}", unit_vectors(1, 100 + i, D)[0], f"{i}.jpg") for i in range(60)]

    def erase(folder: Path, at: int) -> None:
        killer = Killer(at)
        with Gallery(SqliteLedger(folder / "people.db", vfs="killer"), threshold=threshold(0.5)) as gallery:
            killer.count = 0
            gallery.remove("Ben")
        (folder / "writes").write_text(str(killer.count))

    def made(folder: Path) -> Path:
        folder.mkdir()
        with stored(SqliteLedger(folder / "people.db"), *others, *more):
            return folder

    whole = made(tmp_path / "whole")
    in_a_child(lambda: erase(whole, 0))
    writes = int((whole / "writes").read_text())
    assert writes > 20
    outcomes = []
    for at in range(1, writes + 1, 2):
        folder = made(tmp_path / str(at))
        assert in_a_child(lambda at=at, folder=folder: erase(folder, at)) == signal.SIGKILL  # type: ignore[misc]
        with Gallery(SqliteLedger(folder / "people.db"), threshold=threshold(0.5)) as gallery:
            try:
                receipt = gallery.remove("Ben")
            except UnknownSubject:
                outcomes.append("ended by the opening")
            else:
                outcomes.append("erased again")
                assert receipt.records == 2 + len(others)
            assert left(folder, BENS, *others) == []
            assert gallery.store.count() == 2 + len(more)
    assert set(outcomes) == {"ended by the opening", "erased again"}
