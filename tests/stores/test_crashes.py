"""What was acknowledged survives kills and power cuts; several processes may write at once."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import numpy as np
import pytest

from lineament.records import Changes, Record, Where
from lineament.stores._sqlite_rows import row_of
from lineament.stores.gallery_store import GalleryStore
from lineament.stores.sqlite import SqliteLedger
from lineament.testing.made_up_records import BIND, record, unit_vectors

WRITER = """
import sys
from lineament.records import Changes
from lineament.stores.gallery_store import GalleryStore
from lineament.stores.sqlite import SqliteLedger
from lineament.testing.made_up_records import BIND, record
path, start, count, subject = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
store = SqliteLedger(path)
store.commit(BIND)
for number in range(start, start + count):
    store.commit(Changes(put=[record(number, subject)]))
    if number % 10 == 9:
        store.commit(Changes(remove=[f"{number - 5:04d}"]))
    print(number, flush=True)
"""


def writer(path: Path, start: int, count: int, subject: str = "anna") -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(path), str(start), str(count), subject]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def expected(acknowledged: int) -> set[str]:
    """The ids there after the writer acknowledged numbers below ``acknowledged``."""
    gone = {n - 5 for n in range(acknowledged) if n % 10 == 9}
    return {f"{n:04d}" for n in range(acknowledged) if n not in gone}


def assert_sound(path: Path) -> None:
    database = apsw.Connection(str(path))
    assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert database.execute("PRAGMA foreign_key_check").fetchall() == []
    database.close()


@pytest.mark.parametrize("seed", range(6))
def test_kill_loses_nothing_acknowledged(seed: int, tmp_path: Path) -> None:
    """A writer killed at a random point leaves a sound file with all it acknowledged."""
    path = tmp_path / "people.db"
    process = writer(path, 0, 5000)
    assert process.stdout is not None
    acknowledged = 0
    for _ in range(random.Random(seed).randrange(1, 120)):
        acknowledged = int(process.stdout.readline()) + 1
    process.send_signal(signal.SIGKILL)
    process.wait()
    # Lines written before the kill but not read yet were acknowledged too.
    for line in process.stdout:
        if line.endswith("\n"):
            acknowledged = int(line) + 1
    store = SqliteLedger(path)
    found = {r.id for r in store.read()}
    store.close()
    # At most the write under way may be there beyond what was acknowledged, or its removal.
    assert found in (
        expected(acknowledged),
        expected(acknowledged) | {f"{acknowledged:04d}"},
        expected(acknowledged + 1),
    )
    assert_sound(path)


def test_two_processes_write_at_once(tmp_path: Path) -> None:
    """Two processes that make the same file and write to it at once both get everything in."""
    path = tmp_path / "people.db"
    processes = [writer(path, 0, 60, "anna"), writer(path, 1000, 60, "bo")]
    for process in processes:
        process.communicate()
        assert process.returncode == 0
    store = SqliteLedger(path)
    assert store.subjects() == [("anna", 54), ("bo", 54)]
    store.close()
    assert_sound(path)


def test_searches_see_other_processes(tmp_path: Path) -> None:
    """A search sees what another process wrote, replaced or removed a moment ago."""
    path = tmp_path / "people.db"
    mine = GalleryStore(SqliteLedger(path))
    mine.commit(BIND)
    mine.commit(Changes(put=[record(1), record(2)]))
    query = unit_vectors(1, 500)
    assert len(mine.search(query, 9)[0]) == 2
    process = writer(path, 500, 1, "bo")
    process.communicate()
    assert mine.search(query, 9)[0][0].id == "0500"
    other = SqliteLedger(path)
    other.commit(Changes(rename=[("bo", "cleo")]))
    assert mine.search(query, 9)[0][0].subject == "cleo"
    other.commit(Changes(remove=["0500"]))
    assert [hit.id for hit in mine.search(query, 1)[0]] != ["0500"]
    assert len(mine.search(query, 9)[0]) == 2
    other.close()
    mine.close()


class PowerCut:
    """An SQLite file system that remembers what was not synced, and can lose it."""

    def __init__(self) -> None:
        self.unsynced: dict[str, list[tuple[int, bytes, int]]] = {}

    def note(self, name: str, offset: int, length: int) -> None:
        """Remember what a write is about to replace."""
        path = Path(name)
        size = path.stat().st_size
        with path.open("rb") as stream:
            stream.seek(offset)
            self.unsynced.setdefault(name, []).append((offset, stream.read(length), size))

    def cut(self) -> None:
        """Put every file back to what its last sync made sure of."""
        for name, changes in self.unsynced.items():
            path = Path(name)
            if not path.exists():
                continue
            with path.open("r+b") as stream:
                for offset, before, size in reversed(changes):
                    stream.seek(offset)
                    stream.write(before)
                    stream.truncate(size)
        self.unsynced.clear()


@pytest.fixture
def power() -> Iterator[PowerCut]:
    power = PowerCut()

    class File(apsw.VFSFile):
        def __init__(self, name: Any, flags: Any) -> None:
            self.name = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
            super().__init__("", name, flags)

        def xWrite(self, data: bytes, offset: int) -> None:
            power.note(self.name, offset, len(data))
            super().xWrite(data, offset)

        def xSync(self, flags: int) -> None:
            super().xSync(flags)
            power.unsynced.pop(self.name, None)

    class Vfs(apsw.VFS):
        def __init__(self) -> None:
            super().__init__("power-cut", "")

        def xOpen(self, name: Any, flags: Any) -> File:
            return File(name, flags)

    vfs = Vfs()
    yield power
    vfs.unregister()


@pytest.mark.parametrize("writes", [1, 2, 17, 300])
def test_power_cut_loses_nothing_acknowledged(power: PowerCut, tmp_path: Path, writes: int) -> None:
    """With every unsynced byte lost, all acknowledged records are there and the file is sound."""
    path = tmp_path / "people.db"
    store = SqliteLedger(path, vfs="power-cut")
    store.commit(BIND)
    for number in range(writes):
        store.commit(Changes(put=[record(number)]))
    power.cut()
    copies = tmp_path / "after"
    copies.mkdir()
    for name in (path, Path(f"{path}-wal")):  # the shared index is memory: it is lost
        if name.exists():
            (copies / name.name).write_bytes(name.read_bytes())
    after = SqliteLedger(copies / "people.db")
    assert after.count() == writes
    after.close()
    assert_sound(copies / "people.db")


def test_power_cut_would_be_noticed(power: PowerCut, tmp_path: Path) -> None:
    """The same cut does lose records with ``synchronous=NORMAL``, so the test above can fail."""
    path = tmp_path / "people.db"
    store = SqliteLedger(path, vfs="power-cut")
    store.commit(BIND)
    store._sql("PRAGMA synchronous = NORMAL")
    store.commit(Changes(put=[record(number) for number in range(5)]))
    power.cut()
    copies = tmp_path / "after"
    copies.mkdir()
    for name in (path, Path(f"{path}-wal")):
        (copies / name.name).write_bytes(name.read_bytes())
    after = SqliteLedger(copies / "people.db")
    assert after.count() < 5
    after.close()


def test_interrupted_write_is_undone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A control-C inside a commit leaves neither its records nor a lock, nor does one inside a turn."""
    store = SqliteLedger(tmp_path / "people.db")
    store.commit(BIND)
    before = store.revision()

    def interrupted(one: Record) -> tuple[Any, ...]:
        if one.id == "0003":
            raise KeyboardInterrupt
        return row_of(one)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("lineament.stores.sqlite.row_of", interrupted)
        store.commit(Changes(put=[record(1), record(3)]))
    with pytest.raises(KeyboardInterrupt), store.turn():
        raise KeyboardInterrupt
    assert (store.revision(), store.count()) == (before, 0)
    other = SqliteLedger(tmp_path / "people.db")
    other.commit(Changes(put=[record(2)]))
    assert [r.id for r in store.read()] == ["0002"]
    assert np.array_equal(next(store.read(Where(ids=["0002"]))).vector, record(2).vector)
    other.close()
    store.close()
