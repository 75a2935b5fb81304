"""A gallery that cannot be written is searched all the same; changing it ends in a named error."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lineament.errors import StoreError
from lineament.records import Changes
from lineament.stores.between_engines import backup
from lineament.stores.gallery_store import GalleryStore
from lineament.stores.sqlite import SqliteLedger
from lineament.testing.made_up_records import BIND, record, unit_vectors

KILLED = """
import os, sys
from lineament.records import Changes
from lineament.stores.sqlite import SqliteLedger
from lineament.testing.made_up_records import record
store = SqliteLedger(sys.argv[1])
store.commit(Changes(put=[record(100, "late")]))
os._exit(9)
"""

READER = """
import json, os, sys
from lineament.errors import LineamentError
from lineament.records import Changes
from lineament.stores.gallery_store import GalleryStore
from lineament.stores.sqlite import SqliteLedger
from lineament.testing.made_up_records import record, unit_vectors
if os.getuid() == 0:
    os.setgroups([]), os.setgid(65534), os.setuid(65534)  # root may write everywhere
try:
    store = GalleryStore(SqliteLedger(sys.argv[1], create=False))
    hits = store.search(unit_vectors(1, 100), 1)[0]
    answer = {"best": hits[0].subject, "subjects": store.subjects(), "found": store.find_subject("anna")}
    answer |= {"count": store.count(), "scanned": len(list(store.read())), "model": str(store.model())}
    try:
        store.commit(Changes(put=[record(7, "x")]))
    except LineamentError as error:
        answer["write"] = f"{type(error).__name__}: {error}"
except LineamentError as error:
    answer = {"error": f"{type(error).__name__}: {error}"}
print(json.dumps(answer))
"""


def read(path: Path) -> dict[str, object]:
    """What somebody without write permission gets to see."""
    command = [sys.executable, "-c", READER, str(path)]
    answer: dict[str, object] = json.loads(subprocess.check_output(command, text=True))
    return answer


@pytest.fixture
def folder() -> Iterator[Path]:
    # Not below pytest's own folder, which only its owner may enter.
    path = Path(f"/tmp/lineament-read-only-{os.getpid()}")
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir()
    store = SqliteLedger(path / "people.db")
    store.commit(BIND)
    store.commit(Changes(put=[record(i) for i in range(50)]))
    store.close()
    yield path
    path.chmod(0o755)
    shutil.rmtree(path)


def seal(folder: Path, *, file: bool = True, inside: bool = True) -> Path:
    """Take the write permissions away, of the file, of the folder, or of both; reading stays."""
    for path in folder.iterdir():
        path.chmod(0o444 if file else 0o666)
    folder.chmod(0o555 if inside else 0o777)
    return folder / "people.db"


@pytest.mark.skipif(sys.platform != "linux", reason="permissions as on Linux")
@pytest.mark.parametrize("log", ["none", "with its index", "alone", "empty"])
@pytest.mark.parametrize("sealed", ["file and folder", "file", "folder"])
def test_searched_without_permission(folder: Path, log: str, sealed: str) -> None:
    """Whatever is sealed and whatever log a kill left, the answers are those of the last write."""
    path = folder / "people.db"
    if log in ("with its index", "alone"):
        subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
        assert Path(f"{path}-wal").stat().st_size
    if log == "alone":
        Path(f"{path}-shm").unlink()
    if log == "empty":
        Path(f"{path}-wal").touch()
    before = {p.name for p in folder.iterdir()}
    answer = read(seal(folder, file="file" in sealed, inside="folder" in sealed))
    late = log in ("with its index", "alone")
    assert answer.get("best") == ("late" if late else "anna"), answer
    assert answer["subjects"] == [["anna", 50], *([["late", 1]] if late else [])]
    assert answer["count"] == answer["scanned"] == 50 + late
    assert answer["found"] == "anna"
    if (sealed, log) == ("folder", "with its index"):
        assert "write" not in answer  # all the files are there already, so it can be written
    else:
        assert str(answer["write"]).startswith("StoreError")
        assert "can only be read" in str(answer["write"])
    # A file that the reader made, and owns, would lock the owner out.
    assert {p.name for p in folder.iterdir()} == before


@pytest.mark.skipif(sys.platform != "linux", reason="permissions as on Linux")
def test_an_interrupted_write_that_cannot_be_undone(folder: Path) -> None:
    """A rollback journal beside a file that cannot be written is named: the file may be half-written."""
    Path(f"{folder / 'people.db'}-journal").write_bytes(b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + bytes(504))
    answer = read(seal(folder))
    assert "a write was interrupted" in str(answer["error"])


@pytest.mark.skipif(sys.platform != "linux", reason="permissions as on Linux")
def test_no_gallery_there(folder: Path) -> None:
    """A gallery that is neither there nor can be made is a named error."""
    seal(folder)
    assert "no gallery" in str(read(folder / "other.db")["error"])


@pytest.fixture
def sealed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A gallery that this process takes for one that cannot be written, while another one can."""
    path = tmp_path / "people.db"
    store = SqliteLedger(path)
    store.commit(BIND)
    store.commit(Changes(put=[record(1)]))
    store.close()
    return path


def only_reading(path: Path, monkeypatch: pytest.MonkeyPatch) -> GalleryStore:
    with monkeypatch.context() as patch:
        patch.setattr("lineament.stores._sqlite_file.connect", lambda *_, **__: None)
        return GalleryStore(SqliteLedger(path))


@pytest.mark.parametrize("closed", [True, False])
def test_never_stale(sealed: Path, monkeypatch: pytest.MonkeyPatch, closed: bool) -> None:
    """What somebody else writes later is seen by the next question, before and after it is folded in."""
    reader = only_reading(sealed, monkeypatch)
    assert reader.count() == 1
    writer = SqliteLedger(sealed)
    writer.commit(Changes(put=[record(100, "late")]))
    if closed:
        writer.close()
    assert reader.search(unit_vectors(1, 100), 1)[0][0].subject == "late"
    assert reader.count() == 2
    if closed:
        writer = SqliteLedger(sealed)
    writer.commit(Changes(erase=["late"]))
    assert reader.search(unit_vectors(1, 100), 1)[0][0].subject == "anna"
    assert reader.subjects() == [("anna", 1)]
    writer.close()
    assert reader.count() == 1
    reader.close()


def test_another_gallery_in_the_place(sealed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written over by another gallery that was written to as often, it answers of the other one."""
    reader = only_reading(sealed, monkeypatch)
    assert reader.search(unit_vectors(1, 1), 9)[0][0].id == "0001"
    other = SqliteLedger(sealed.with_name("other.db"))
    other.commit(BIND)
    other.commit(Changes(put=[record(2, "bo")]))
    other.close()
    sealed.write_bytes(sealed.with_name("other.db").read_bytes())
    assert [(hit.id, hit.subject) for hit in reader.search(unit_vectors(1, 1), 9)[0]] == [("0002", "bo")]
    reader.close()


def test_written_to_in_the_middle_of_a_question(sealed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that a write ran into is a named error, not a mixture of two states."""
    reader = only_reading(sealed, monkeypatch)
    with pytest.raises(StoreError, match="while it was being read"), reader.snapshot():
        reader.count()
        writer = SqliteLedger(sealed)
        writer.commit(Changes(put=[record(2)]))
    assert reader.count() == 2
    writer.close()
    reader.close()


def test_changing_is_refused(sealed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every write ends in a `StoreError`; a backup, which writes elsewhere, is made."""
    reader = only_reading(sealed, monkeypatch)
    for write in (
        lambda: reader.commit(Changes(put=[record(2)])),
        lambda: reader.commit(Changes(remove=["0001"])),
        lambda: reader.commit(Changes(erase=["anna"])),
        lambda: reader.commit(Changes(rename=[("anna", "bo")])),
        lambda: reader.commit(BIND),
    ):
        with pytest.raises(StoreError, match="can only be read"):
            write()
    backup(reader, sealed.with_name("copy.db"))
    reader.close()
    copy = SqliteLedger(sealed.with_name("copy.db"))
    assert copy.count() == 1
    copy.close()
