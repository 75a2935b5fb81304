"""The file under a SQLite gallery: made, recognised, opened, copied; every failure named."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import apsw

from lineament.errors import StoreError, StoreVersionError

APPLICATION_ID = 0x4C4E4D54  # "LNMT", in the header of the file
SCHEMA_VERSION = 1  # in the header too, as user_version
BUSY_MS = 30_000

# revision grows with every write and erasures with every erasure, so that a process can tell from two
# numbers which vectors it has not yet seen; purged is the last erasure whose traces were wiped.
_SCHEMA = f"""
CREATE TABLE state (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    revision INTEGER NOT NULL,
    erasures INTEGER NOT NULL,
    purged INTEGER NOT NULL);
INSERT INTO state VALUES (1, 0, 0, 0);
CREATE TABLE model (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    name TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    dimension INTEGER NOT NULL);
CREATE TABLE subject (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE);
CREATE TABLE record (
    id TEXT NOT NULL UNIQUE,
    subject INTEGER NOT NULL REFERENCES subject (number),
    kind TEXT NOT NULL,
    vector BLOB NOT NULL,
    source TEXT NOT NULL,
    picture TEXT NOT NULL,
    quality REAL,
    created_at TEXT NOT NULL,
    revision INTEGER NOT NULL);
CREATE INDEX record_of_subject ON record (subject);
CREATE INDEX record_of_kind ON record (kind);
CREATE INDEX record_by_revision ON record (revision);
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
"""


@contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite and the file system raise into a `StoreError` that says what to do."""
    try:
        yield
    except apsw.NotADBError as error:
        raise StoreError(f"{path}: not a gallery (no SQLite file); it was not touched") from error
    except apsw.CorruptError as error:
        raise StoreError(
            f"{path}: damaged, and left as it is; restore a backup under another name ({error})"
        ) from error
    except apsw.BusyError as error:
        raise StoreError(
            f"{path}: another process has been writing for {BUSY_MS // 1000} s; try again"
        ) from error
    except apsw.FullError as error:
        raise StoreError(f"{path}: the disk is full; nothing was written") from error
    except (apsw.ReadOnlyError, apsw.CantOpenError, apsw.PermissionsError) as error:
        raise StoreError(f"{path}: cannot be written; check its permissions and its folder's") from error
    except apsw.Error as error:
        raise StoreError(f"{path}: {error}") from error
    except UnicodeEncodeError as error:
        raise StoreError(f"{path}: text that is not valid Unicode cannot be stored") from error
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror or error}") from error


def connect(path: Path, *, create: bool, vfs: str | None) -> apsw.Connection:
    """Open a gallery file, or make one where nothing is; whatever else lies there is left as it is."""
    with named_errors(path):
        _make(path, create)
        db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE, vfs=vfs)
        try:
            db.set_busy_timeout(BUSY_MS)
            # Recognised before the first setting: turning on the log writes to the file.
            new = _is_new(db, path)
            if _one(db, "PRAGMA journal_mode = WAL") != "wal":
                raise StoreError(f"{path}: its file system cannot hold a gallery (no shared memory)")
            for setting in ("synchronous = FULL", "secure_delete = ON", "foreign_keys = ON"):
                db.execute(f"PRAGMA {setting}").fetchall()
            # The copy that VACUUM makes stays out of the temporary folder.
            db.execute("PRAGMA temp_store = MEMORY")
            if new:
                db.execute("BEGIN IMMEDIATE")
                if _is_new(db, path):  # another process may have been faster
                    db.execute(_SCHEMA)
                db.execute("COMMIT")
        except BaseException:
            db.close()
            raise
    return db


def backup(db: apsw.Connection, path: Path) -> None:
    """Copy a consistent state to a new file, which appears whole and synced or not at all."""
    target = path.absolute()
    require_absent(target)
    partial = target.with_name(f".{secrets.token_hex(8)}.partial")
    try:
        with named_errors(target):
            _make(partial, create=True)
            copy = apsw.Connection(str(partial), flags=apsw.SQLITE_OPEN_READWRITE)
            try:
                with copy.backup("main", db, "main") as task:
                    task.step(-1)
                copy.execute("PRAGMA journal_mode = DELETE").fetchall()  # one file, no log beside it
            finally:
                copy.close()
            _sync(partial)
            os.link(partial, target)  # unlike a rename, never replaces
            _sync(target.parent)
    except FileExistsError:
        require_absent(target)
        raise
    finally:
        for leftover in (partial, *(Path(f"{partial}{end}") for end in ("-wal", "-shm", "-journal"))):
            with suppress(FileNotFoundError):
                leftover.unlink()


def require_absent(path: Path) -> None:
    """Raise `StoreError` when something lies at ``path``, even a broken link."""
    if os.path.lexists(path):
        raise StoreError(f"{path} exists already and is not overwritten; name another file")


def _is_new(db: apsw.Connection, path: Path) -> bool:
    owner = _one(db, "PRAGMA application_id")
    version = _one(db, "PRAGMA user_version")
    if owner == 0 and version == 0 and _one(db, "SELECT count(*) FROM sqlite_schema") == 0:
        return True
    if owner != APPLICATION_ID:
        raise StoreError(f"{path}: the database of another program; it was not touched")
    if version > SCHEMA_VERSION:
        raise StoreVersionError(
            f"{path}: written by a newer lineament "
            f"(format {version}, this one reads up to {SCHEMA_VERSION}); upgrade lineament"
        )
    return False


def _make(path: Path, create: bool) -> None:
    """Make an empty file only its owner can read, unless one is there."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        if not create:
            raise StoreError(f"no gallery at {path}; enrol somebody first") from None
    else:
        if not stat.S_ISREG(mode):
            raise StoreError(f"{path}: not a regular file")
        return
    with suppress(FileExistsError):  # another process was faster
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        _sync(path.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _one(db: apsw.Connection, query: str) -> Any:
    return db.execute(query).fetchall()[0][0]
