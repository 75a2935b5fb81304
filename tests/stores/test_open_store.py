"""Galleries are named by URLs; what cannot be a gallery is refused by name and left as it is."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import apsw
import pytest

from lineament import stores
from lineament.errors import ConfigError, StoreError, StoreVersionError, UnknownName
from lineament.records import Changes
from lineament.stores import default_url, open_store
from lineament.stores.between_engines import backup
from lineament.stores.memory import MemoryLedger
from lineament.stores.sqlite import SqliteLedger
from lineament.testing.made_up_records import BIND, record


@pytest.fixture
def gallery(tmp_path: Path) -> Path:
    path = tmp_path / "people.db"
    store = SqliteLedger(path)
    store.commit(BIND)
    store.commit(Changes(put=[record(i) for i in range(50)]))
    store.close()
    return path


@pytest.mark.parametrize("form", ["sqlite:people.db", "sqlite:{}/people.db", "sqlite://{}/people.db"])
def test_sqlite_urls(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path may be relative, absolute, or absolute after two slashes."""
    monkeypatch.chdir(tmp_path)
    open_store(form.format(tmp_path)).close()
    assert [p.name for p in tmp_path.iterdir()] == ["people.db"]


@pytest.mark.parametrize("name", [":memory:", "file:x?mode=memory", "a%20b?c#d.db", "=cmd|x"])
def test_odd_file_names_are_files(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What follows the scheme is a file name, never a command to SQLite."""
    monkeypatch.chdir(tmp_path)
    open_store(f"sqlite:{name}").close()
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_default_is_in_the_data_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a URL the gallery is a file in the user's data directory, whose folder is made."""
    monkeypatch.setattr("platformdirs.user_data_dir", lambda *_, **__: str(tmp_path / "data" / "lineament"))
    open_store().close()
    assert default_url() == f"sqlite:{tmp_path}/data/lineament/people.db"
    assert (tmp_path / "data" / "lineament" / "people.db").is_file()


def test_memory() -> None:
    """``memory:`` is an empty store of one's own."""
    assert isinstance(open_store("memory:").ledger, MemoryLedger)
    with pytest.raises(ConfigError):
        open_store("memory:shared")


def test_unknown_scheme_suggests() -> None:
    """A misspelt scheme is answered with the nearest one."""
    with pytest.raises(UnknownName, match="did you mean 'sqlite'"):
        open_store("sqlit:people.db")
    with pytest.raises(UnknownName, match=r"write .sqlite:people\.db"):
        open_store("people.db")
    with pytest.raises(ConfigError):
        open_store("sqlite:")


def open_elsewhere(location: str, *, create: bool) -> MemoryLedger:
    assert location == "//host/people"
    assert create is False
    return MemoryLedger()


def test_engine_of_another_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry point adds a scheme and gets what follows it."""
    point = EntryPoint("elsewhere", f"{__name__}:open_elsewhere", stores.ENTRY_POINTS)

    def points(*, group: str, name: str = "elsewhere") -> list[EntryPoint]:
        return [point] if (group, name) == (stores.ENTRY_POINTS, "elsewhere") else []

    monkeypatch.setattr(stores, "entry_points", points)
    assert stores.schemes() == ["elsewhere", "memory", "sqlite"]
    assert isinstance(open_store("elsewhere://host/people", create=False).ledger, MemoryLedger)


def test_only_the_owner_can_read(gallery: Path) -> None:
    """The file, its log and its index have mode 0600, whatever the umask."""
    store = SqliteLedger(gallery)
    store.commit(Changes(put=[record(99)]))
    files = [gallery, Path(f"{gallery}-wal"), Path(f"{gallery}-shm")]
    assert [stat.S_IMODE(f.stat().st_mode) for f in files] == [0o600] * 3
    store.close()


def test_settings_that_durability_and_erasure_rest_on(gallery: Path) -> None:
    """WAL, synchronous=FULL, secure_delete, foreign keys, and a SQLite without the WAL-reset bug."""
    store = SqliteLedger(gallery)
    wanted = {
        "journal_mode": "wal",
        "synchronous": 2,
        "secure_delete": 1,
        "foreign_keys": 1,
        "temp_store": 2,
    }
    for name, value in wanted.items():
        assert store._sql(f"PRAGMA {name}") == [(value,)]
    assert apsw.SQLITE_VERSION_NUMBER >= 3051003
    store.close()


def test_missing_file_is_not_made_unasked(tmp_path: Path) -> None:
    """A misspelt name is an error when looking somebody up, not a new empty gallery."""
    with pytest.raises(StoreError, match="no gallery"):
        open_store(f"sqlite:{tmp_path}/nobody.db", create=False)
    assert list(tmp_path.iterdir()) == []


def other_program(path: Path) -> None:
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE notes (text)")
    database.commit()
    database.close()


def newer(path: Path) -> None:
    SqliteLedger(path).close()
    database = apsw.Connection(str(path))
    database.execute("PRAGMA user_version = 99")
    database.close()


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda p: p.write_bytes(b"\x80\x04\x95 a pickle, say" * 100), StoreError, "not a gallery"),
        (lambda p: p.write_text("hello"), StoreError, "not a gallery"),
        (other_program, StoreError, "another program"),
        (newer, StoreVersionError, "upgrade"),
    ],
    ids=["bytes", "text", "another program's database", "newer version"],
)
def test_files_that_are_no_galleries(make: object, error: type, match: str, tmp_path: Path) -> None:
    """A file that is none of ours is refused with what to do, and not one byte of it changes."""
    path = tmp_path / "people.db"
    make(path)  # type: ignore[operator]
    before = path.read_bytes()
    with pytest.raises(error, match=match):
        SqliteLedger(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["people.db"]


@pytest.mark.parametrize("kind", ["folder", "fifo"])
def test_things_that_are_no_files(kind: str, tmp_path: Path) -> None:
    """A folder or FIFO is refused at once."""
    path = tmp_path / "people.db"
    path.mkdir() if kind == "folder" else os.mkfifo(path)
    with pytest.raises(StoreError, match="not a regular file"):
        SqliteLedger(path)


def test_missing_folder(tmp_path: Path) -> None:
    """A folder that is not there is named, not made."""
    with pytest.raises(StoreError, match="No such file"):
        SqliteLedger(tmp_path / "none" / "people.db")


@pytest.mark.parametrize("at", [1, 3, 7])
def test_damage_is_named(gallery: Path, at: int) -> None:
    """Overwritten pages end in a `StoreError`, on opening or on reading; the file stays as it is."""
    content = bytearray(gallery.read_bytes())
    content[at * 4096 : (at + 1) * 4096] = b"\xff" * 4096
    gallery.write_bytes(content)
    with pytest.raises(StoreError, match="damaged"):
        store = open_store(gallery)
        try:
            list(store.read())
            store.search(record(1).vector[None], 3)
            store.subjects()
            store.commit(Changes(put=[record(i) for i in range(100)]))
        finally:
            store.close()


def test_closed_store_is_named(gallery: Path) -> None:
    """Using a closed store is a `StoreError`."""
    store = SqliteLedger(gallery)
    store.close()
    with pytest.raises(StoreError):
        store.count()


def test_lone_surrogate_is_named(gallery: Path) -> None:
    """Text that no file can hold is refused and nothing is written."""
    store = SqliteLedger(gallery)
    with pytest.raises(StoreError, match="Unicode"):
        store.commit(Changes(put=[record(100), record(101, "a\ud800")]))
    assert store.count() == 50
    store.close()


def test_backup_refuses_links(gallery: Path, tmp_path: Path) -> None:
    """A backup never follows or replaces a link, even a broken one, and leaves no partial file."""
    target = tmp_path / "copies"
    target.mkdir()
    (target / "copy.db").symlink_to(tmp_path / "nowhere")
    store = SqliteLedger(gallery)
    with pytest.raises(StoreError, match="exists already"):
        backup(store, target / "copy.db")
    backup(store, target / "other.db")
    store.close()
    assert sorted(p.name for p in target.iterdir()) == ["copy.db", "other.db"]
    assert stat.S_IMODE((target / "other.db").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("runs/people.db", "write 'sqlite:runs/people.db'"),
        ("people", "write 'sqlite:people'"),
        (r"C:\albums\people.db", "does not say what kind of gallery it is: write 'sqlite:C:"),
        ("D:/people.db", "write 'sqlite:D:/people.db'"),
        ("", "write 'sqlite:people.db'"),
        (
            "postgres://host/people",
            "no kind of gallery is called 'postgres'; known: memory, sqlite; a gallery in",
        ),
    ],
)
def test_what_is_no_url_is_answered_with_one(url: str, told: str) -> None:
    """A path alone and a scheme that nobody has are named, with what to write instead."""
    with pytest.raises(UnknownName) as caught:
        open_store(url)
    assert told in str(caught.value)


def test_memory_needs_no_sqlite() -> None:
    """A gallery in memory is enrolled into, searched and erased from where SQLite cannot be imported."""
    program = """
import sys
sys.modules["apsw"] = sys.modules["sqlite3"] = None
from lineament import Gallery
from lineament.testing import FakeAnalyzer, picture, threshold, unit_vectors
analyzer = FakeAnalyzer({"a": unit_vectors(1, 1)})
with Gallery("memory:", analyzer, threshold=threshold(0.9)) as gallery:
    gallery.enrol("Ann", picture("a"))
    assert next(gallery.identify(picture("a"))).matches[0].subject == "Ann"
    gallery.rename("Ann", "Bo")
    print(gallery.remove("Bo"), gallery.people)
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (run.stdout, run.returncode) == ("2 records erased 0\n", 0), run.stderr
