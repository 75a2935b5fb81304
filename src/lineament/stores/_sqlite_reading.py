"""Open a SQLite gallery that can only be read: no write permission, or a read-only file system.

SQLite wants to write even to read: a shared index beside the log. Where it may not, there are three cases.
A log with its index lies there, of a process that is writing or was killed: SQLite reads both. A log lies
there alone: its index is made in memory. There is no log: the file is all there is, and is read as it
stands. The last two take no lock, so what was opened holds only while the files stay as they were.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import apsw

from lineament.errors import StoreError
from lineament.stores import _sqlite_schema as schema
from lineament.stores._sqlite_file import BUSY_MS, named_errors

State = tuple[tuple[int, ...] | None, ...]


@dataclass(frozen=True, slots=True)
class ReadOnly:
    """A gallery opened to be read; ``state`` is what its files were, None if SQLite follows them itself."""

    db: apsw.Connection
    state: State | None


def open_to_read(path: Path) -> ReadOnly:
    """Open without writing anything anywhere; raises `StoreError` when its true content cannot be had."""
    state = state_of(path)
    with named_errors(path):
        db, follows = _opened(path)
        try:
            schema.distrust(db)
            db.set_busy_timeout(BUSY_MS)
            version = schema.version(db, path)
            if version == 0:
                raise StoreError(f"{path}: nothing is in it, and it cannot be written")
            if version < schema.VERSION:
                db, follows = _modern_copy(db, path), False
        except BaseException:
            db.close()
            raise
    if not follows and state_of(path) != state:
        db.close()
        raise StoreError(f"{path}: was written to while it was being opened; try again")
    return ReadOnly(db, None if follows else state)


def state_of(path: Path) -> State:
    """What tells that a gallery's files were written to since: identity, size and time of each."""
    found: list[tuple[int, ...] | None] = []
    for file in (path, _beside(path, "-wal"), _beside(path, "-journal")):
        try:
            stat = file.stat()
        except OSError:
            found.append(None)
        else:
            found.append((stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns))
    return tuple(found)


def _opened(path: Path) -> tuple[apsw.Connection, bool]:
    """A connection, and whether it sees by itself what others write."""
    if _holds_something(_beside(path, "-journal")):
        raise StoreError(
            f"{path}: a write was interrupted and cannot be undone here; "
            "open it once where it can be written, or copy it with the files beside it"
        )
    log, shared = _beside(path, "-wal"), _beside(path, "-shm")
    if shared.exists() and log.exists():
        return apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY), True
    if _holds_something(log):
        db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY, vfs="unix-none")
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        return db, False
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    return apsw.Connection(f"file:{quote(os.fsencode(path))}?immutable=1", flags=flags), False


def _modern_copy(old: apsw.Connection, path: Path) -> apsw.Connection:
    """A gallery of an older format, copied into memory and brought up to date there."""
    copy = apsw.Connection(":memory:")
    with copy.backup("main", old, "main") as task:
        task.step(-1)
    old.close()
    schema.bring_up_to_date(copy, path)
    return copy


def _beside(path: Path, end: str) -> Path:
    return path.with_name(path.name + end)


def _holds_something(file: Path) -> bool:
    try:
        return file.stat().st_size > 0
    except OSError:
        return False
