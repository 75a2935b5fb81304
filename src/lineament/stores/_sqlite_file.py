"""The file under a SQLite gallery: made, recognised, opened, copied; every failure named."""

from __future__ import annotations

import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import apsw

from lineament.errors import StoreError
from lineament.io.writing import sync
from lineament.records import Revision
from lineament.stores import _sqlite_schema as schema
from lineament.stores._sqlite_rows import DamagedRow

BUSY_MS = 30_000

_BESIDE = ("-wal", "-shm", "-journal")
_PARTIAL = re.compile(r"\.[0-9a-f]{16}\.partial(-wal|-shm|-journal)?")
_HEADER = 72
"""Bytes of a SQLite file up to the end of its application id."""


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
        raise StoreError(
            f"{path}: cannot be opened or written; check its permissions and its folder's"
        ) from error
    except apsw.ConnectionClosedError as error:
        raise StoreError(f"{path}: this gallery is closed; open it again") from error
    except DamagedRow as error:
        raise StoreError(f"{path}: damaged: {error}; restore a backup under another name") from error
    except apsw.Error as error:
        raise StoreError(f"{path}: {error}") from error
    except UnicodeEncodeError as error:
        raise StoreError(f"{path}: text that is not valid Unicode cannot be stored") from error
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror or error}") from error


def connect(path: Path, *, create: bool, vfs: str | None) -> apsw.Connection | None:
    """Open a gallery file to read and write, or make one where nothing is; None where it can only be read.

    Whatever else lies there is left as it is.
    """
    with named_errors(path):
        _make(path, create)
        db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE, vfs=vfs)
        try:
            schema.distrust(db)
            if db.readonly("main"):
                db.close()
                return None
            db.set_busy_timeout(BUSY_MS)
            # Recognised before the first setting: turning on the log writes to the file.
            schema.version(db, path)
            if _one(db, "PRAGMA journal_mode = WAL") != "wal":
                raise StoreError(f"{path}: its file system cannot hold a gallery (no shared memory)")
            for setting in ("synchronous = FULL", "secure_delete = ON", "foreign_keys = ON"):
                db.execute(f"PRAGMA {setting}").fetchall()
            # The copy that VACUUM makes stays out of the temporary folder.
            db.execute("PRAGMA temp_store = MEMORY")
            schema.bring_up_to_date(db, path)
        except (apsw.ReadOnlyError, apsw.CantOpenError):
            db.close()
            if _log_can_be_made(path):
                raise
            return None
        except BaseException:
            db.close()
            raise
    return db


def closed() -> apsw.Connection:
    """A connection that is closed: whoever uses it is told so."""
    db = apsw.Connection("")
    db.close()
    return db


def is_open(db: apsw.Connection) -> bool:
    """Whether a connection was not closed yet."""
    try:
        db.filename  # noqa: B018
    except apsw.ConnectionClosedError:
        return False
    return True


def _log_can_be_made(path: Path) -> bool:
    """Whether the folder takes the log beside the file: without that the file can only be read."""
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


@contextmanager
def replacing_nothing(path: Path) -> Iterator[Path]:
    """A file to fill and close, which then appears at ``path`` whole and synced, or not at all."""
    target = path.absolute()
    require_absent(target)
    partial = target.with_name(f".{secrets.token_hex(8)}.partial")
    try:
        yield partial
        with named_errors(target):
            db = apsw.Connection(str(partial), flags=apsw.SQLITE_OPEN_READWRITE)
            try:
                db.execute("PRAGMA journal_mode = DELETE").fetchall()  # one file, no log beside it
            finally:
                db.close()
            sync(partial)
            os.link(partial, target)  # unlike a rename, never replaces
            sync(target.parent)
    except FileExistsError:
        require_absent(target)
        raise
    finally:
        for leftover in existing(partial):
            leftover.unlink(missing_ok=True)


def place(path: Path) -> str:
    """What tells a file from another one that lies at the same path later."""
    with named_errors(path):
        found = path.stat()
    return f"{found.st_dev:x}-{found.st_ino:x}"


def parts_of(revision: Revision) -> tuple[int, str]:
    """The number of the last write in a revision, and the file and its last erasure; -1 for no revision."""
    rest, _, erasures = revision.rpartition(".")
    place, _, number = rest.rpartition(":")
    return (int(number), f"{place}.{erasures}") if place else (-1, "")


def existing(path: Path) -> list[Path]:
    """A gallery's file and those beside it that are there."""
    return [one for one in (path, *(Path(f"{path}{end}") for end in _BESIDE)) if one.exists()]


def copies_beside(path: Path) -> list[Path]:
    """Other galleries in a gallery's folder, and what backups that were cut short left there."""
    own = {path, *(Path(f"{path}{end}") for end in _BESIDE)}
    with named_errors(path), os.scandir(path.parent) as entries:
        files = sorted(Path(entry.path) for entry in entries if entry.is_file(follow_symlinks=False))
    return [file for file in files if file not in own and (_PARTIAL.fullmatch(file.name) or _is_ours(file))]


def _is_ours(path: Path) -> bool:
    """Whether the header of a file is that of a gallery."""
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER)
    except OSError:  # not ours to read, or gone meanwhile
        return False
    owner = header[_HEADER - 4 :]
    return header.startswith(b"SQLite format 3\0") and owner == schema.APPLICATION_ID.to_bytes(4, "big")


def require_absent(path: Path) -> None:
    """Raise `StoreError` when something lies at ``path``, even a broken link."""
    if os.path.lexists(path):
        raise StoreError(f"{path} exists already and is not overwritten; name another file")


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
        sync(path.parent)


def _one(db: apsw.Connection, query: str) -> Any:
    return db.execute(query).fetchall()[0][0]
