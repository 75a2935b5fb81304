"""The embedded ledger: one SQLite file, crash-safe, for several processes, clean after an erasure.

Write-ahead log with ``synchronous=FULL``: a call that returned is on disk. An erasure (a removal or a
rename) ends with VACUUM and an emptied log, because ``secure_delete`` alone leaves stale copies of names on
split index pages (docs/decisions/0005-embedded-store.md). A file that cannot be written can be searched.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any

import apsw

from lineament.errors import ConfigError, StoreError
from lineament.io import forks
from lineament.records import (
    ALL,
    Bound,
    Change,
    Changes,
    Record,
    RecordKind,
    Revision,
    SubjectCount,
    Where,
)
from lineament.stores import _sqlite_carried as carried
from lineament.stores import _sqlite_file as file
from lineament.stores import _sqlite_reading as reading
from lineament.stores._checks import require_expected, require_fitting
from lineament.stores._default import default_url
from lineament.stores._sqlite_rows import (
    CHANGED,
    COLUMNS,
    JOINED,
    UPSERT,
    change_of,
    meant,
    record_of,
    row_of,
)
from lineament.stores._sqlite_schema import folded
from lineament.types import ModelId

_PAGE = 1000
_BATCH = 10_000


def open_url(location: str, *, create: bool = True) -> SqliteLedger:
    """``people.db``, ``/abs/people.db`` or ``///abs/people.db``; a leading ``~/`` is the home directory.

    The folder of the default gallery is made; any other must exist.
    """
    path = path_of(location)
    if create and default_url() == f"sqlite:{path}":
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return SqliteLedger(path, create=create)


def path_of(location: str) -> Path:
    """The file that a URL names by what follows ``sqlite:``; raises `ConfigError` for none."""
    text = location[2:] if location.startswith("///") else location
    if not text:
        raise ConfigError("sqlite: needs a file, such as sqlite:people.db")
    return Path(text).expanduser() if text.startswith("~/") else Path(text)


def _existing(path: Path) -> SqliteLedger:
    """The gallery that was there where the store was pickled."""
    return SqliteLedger(path, create=False)


class SqliteLedger:
    """A gallery in one file, which only its owner can read.

    ``vfs`` names an SQLite file system layer, for tests that cut the power.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, create: bool = True, vfs: str | None = None
    ) -> None:
        # Absolute, so that neither the name ":memory:" nor a later chdir changes what is meant.
        self.path = Path(path).absolute()
        self._lock = forks.StoreLock()
        self._vfs = vfs
        self._connection: apsw.Connection | None = None
        self._depth = 0
        self._turn = False
        # What was opened again may be another file with the same numbers, be it in the same place on disk.
        self._again = ""
        self._place = ""
        self._frozen: reading.State | None = None
        self.read_only = False
        self._open(create)
        forks.prepare_for_forks(self)

    def _open(self, create: bool) -> None:
        carried.require_none(self.path)
        self._connection = file.connect(self.path, create=create, vfs=self._vfs)
        self.read_only = self._connection is None
        if self.read_only:
            self._open_to_read()
            return
        self._place = file.place(self.path) + self._again
        with suppress(StoreError):  # an erasure that a crash or a reader cut short; tried again later
            self._purge(wait_ms=1000)

    @property
    def _db(self) -> apsw.Connection:
        """The connection, opened again at the first use after a fork."""
        carried.require_none(self.path)
        if self._connection is None:
            self._open(create=False)
        assert self._connection is not None
        return self._connection

    def prepare_fork(self) -> None:
        """Before a fork: close the file, as no connection may cross one; it is opened again when used."""
        at_rest = self._lock.hold_for_fork()
        if at_rest and self._connection is not None and file.is_open(self._connection):
            if carried.is_carried(self.path):
                return
            self._connection.close()
            self._connection = None
            self._again = f"~{secrets.token_hex(8)}"

    def resume_after_fork(self) -> None:
        """After a fork, in the parent."""
        self._lock.resume()

    def renew_after_fork(self) -> None:
        """After a fork, in the child: what was in use cannot be used, nor its file in another way."""
        if self._connection is not None and file.is_open(self._connection):
            carried.abandon(self.path, self._connection)
        self._lock.renew()

    def __reduce__(self) -> tuple[Any, ...]:
        """Travels as the place of its file, which is opened anew."""
        return _existing, (self.path,)

    def commit(self, changes: Changes, *, expect: Revision | None = None) -> Revision:
        """Make the changes, all or none; raises `Conflict` where another revision was expected.

        Raises `StoreError` for a gallery that can only be read, and when another process keeps a copy of
        what was erased open for too long: it is gone then, and the copy goes with the next write or
        opening.
        """
        with self._lock:
            if not self._turn:
                with self.turn():
                    return self.commit(changes, expect=expect)
            try:
                require_expected(expect, self.revision())
                erased = self._make(changes)
                now = self.revision()
                self._sql("COMMIT")
            finally:
                self._end_turn()
            if erased:
                self._purge()
            else:
                with suppress(StoreError):  # somebody else's erasure: that call tells of it
                    self._purge(wait_ms=0)
            return now

    def _make(self, changes: Changes) -> bool:
        """Make the changes within the turn; whether anything is gone."""
        bound = self.bound()
        require_fitting(changes, bound)
        if bound is None and changes.bind is not None:
            model, dimension = changes.bind
            self._sql("INSERT INTO model VALUES (1, ?, ?, ?)", model.name, model.sha256, dimension)
        gone = sum(self._rename(old, new) for old, new in changes.rename if old != new)
        for name in changes.erase:
            gone += self._delete("subject = (SELECT number FROM subject WHERE name = ?)", name)
        gone += sum(self._delete("id = ?", id_) for id_ in changes.remove)
        if gone:
            self._sql("UPDATE state SET erasures = erasures + 1")
        if changes.put:
            [(revision,)] = self._sql("UPDATE state SET revision = revision + 1 RETURNING revision")
            for record in changes.put:
                before = self._sql("SELECT subject FROM record WHERE id = ?", record.id)
                self._add_subject(record.subject)
                self._sql(UPSERT, *row_of(record), revision)
                for (number,) in before:
                    self._drop_if_empty(number)
        return gone > 0

    def _rename(self, old: str, new: str) -> int:
        """Move the records of a subject; how many."""
        for (number,) in self._sql("SELECT number FROM subject WHERE name = ?", old):
            self._add_subject(new)
            target = "(SELECT number FROM subject WHERE name = ?)"
            moved = self._sql(
                f"UPDATE record SET subject = {target} WHERE subject = ? RETURNING 1", new, number
            )
            self._drop_if_empty(number)
            return len(moved)
        return 0

    def _delete(self, condition: str, value: str) -> int:
        """Delete records, and subjects that lost their last; how many records."""
        numbers = self._sql(f"DELETE FROM record WHERE {condition} RETURNING subject", value)
        for (number,) in set(numbers):
            self._drop_if_empty(number)
        return len(numbers)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Let other writers wait, until a commit inside or the end; see `commit`.

        Others wait for half a minute, and as SQLite lets them: whoever asks next may be next.
        """
        with self._lock:
            if self.read_only:
                raise StoreError(
                    f"{self.path}: can only be read (no write permission, or a read-only file system); "
                    "nothing was changed"
                )
            if self._depth:
                raise StoreError(f"{self.path}: no write can begin inside a snapshot; end it first")
            self._sql("BEGIN IMMEDIATE")
            self._depth, self._turn = 1, True
            try:
                yield
            finally:
                self._end_turn()

    def _end_turn(self) -> None:
        """Undo what was not committed; a turn that is over stays so."""
        if self._turn:
            self._depth, self._turn = 0, False
            if self._db.in_transaction:
                self._sql("ROLLBACK")

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """One state of the file throughout, without keeping writers out. Nests."""
        with self._lock:
            if self._depth:
                yield
                return
            self._follow()
            self._sql("BEGIN")
            self._depth = 1
            try:
                yield
            finally:
                self._depth = 0
                if self._db.in_transaction:
                    self._sql("COMMIT")
            if self._frozen is not None and reading.state_of(self.path) != self._frozen:
                raise StoreError(f"{self.path}: was written to while it was being read; try again")

    def revision(self) -> Revision:
        """Another one after every write, of other processes too, and in every file."""
        with self.snapshot():
            [(revision, erasures)] = self._sql("SELECT revision, erasures FROM state")
            return f"{self._place}:{revision}.{erasures}"

    def changes_since(self, revision: Revision) -> Iterator[Change]:
        """What was written since; everything, if anything was erased since. Hold a `snapshot`."""
        now = self.revision()
        if revision == now:
            return
        bound = self.bound()
        (known, erased), (_, erasures) = file.parts_of(revision), file.parts_of(now)
        since = known if erased == erasures else -1
        anew = since < 0
        with file.named_errors(self.path):
            cursor = self._db.execute(CHANGED, (since,))
            while rows := list(islice(cursor, _BATCH)):
                yield change_of(rows, 0 if bound is None else bound.dimension, anew)
                anew = False
        yield Change(now, anew)

    def read(self, where: Where = ALL, *, after: str = "", limit: int | None = None) -> Iterator[Record]:
        """The records meant, ordered by id; many are read a page at a time."""
        condition, order, values = meant(where)
        query = f"SELECT {COLUMNS} FROM {JOINED} WHERE {condition} AND {order} > ? ORDER BY {order} LIMIT ?"
        left = -1 if limit is None else limit
        while left:
            # What is looked up by an index is little, and is sorted: once, and not for every page.
            size = (_PAGE if left < 0 else min(_PAGE, left)) if where.only_kinds else left
            with self.snapshot():
                page = self._sql(query, *values, after, size)
            with file.named_errors(self.path):
                records = [record_of(row) for row in page]
            yield from records
            if len(page) != size:
                return
            left, after = max(left - size, -1), page[-1][0]

    def find_subject(self, name: str) -> str | None:
        """The subject of this name, else of its other Unicode spelling, else None."""
        with self.snapshot():
            # Of several spellings, which only a ledger's own caller can make, the same one comes first.
            query = "SELECT name FROM subject WHERE folded = ?2 ORDER BY name <> ?1, name LIMIT 1"
            found = self._sql(query, name, folded(name))
            return found[0][0] if found else None

    def subjects(self, *, after: str = "", limit: int | None = None) -> list[SubjectCount]:
        """Each subject that has a record, with its number of samples, ordered by name."""
        with self.snapshot():
            samples = "SELECT count(*) FROM record WHERE subject = number AND kind = ?1"
            query = f"SELECT name, ({samples}) FROM subject WHERE name > ?2 ORDER BY name LIMIT ?3"
            rows = self._sql(query, RecordKind.SAMPLE, after, -1 if limit is None else limit)
            return [(name, count) for name, count in rows]

    def count(self, where: Where = ALL) -> int:
        """How many records are meant."""
        condition, _, values = meant(where)
        if where.only_kinds:
            query = f"SELECT coalesce(sum(records), 0) FROM tally WHERE {condition}"
        else:
            query = f"SELECT count(*) FROM {JOINED} WHERE {condition}"
        with self.snapshot():
            return int(self._sql(query, *values)[0][0])

    def bound(self) -> Bound | None:
        """The model bound, or None."""
        with self.snapshot():
            for name, sha256, dimension in self._sql("SELECT name, sha256, dimension FROM model"):
                return Bound(ModelId(name, sha256), dimension)
            return None

    def files(self) -> list[Path]:
        """The gallery's file, its log and what SQLite keeps beside them."""
        return file.existing(self.path)

    def copies(self) -> list[Path]:
        """Other galleries in the folder, such as backups, and what a backup that was cut short left."""
        return file.copies_beside(self.path)

    def close(self) -> None:
        """Close the file; the last process to do so folds the log into it."""
        with self._lock:
            if self._connection is None:  # since a fork: nothing is open
                self._connection = file.closed()
            elif not carried.is_carried(self.path):
                self._connection.close()

    def _sql(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with file.named_errors(self.path):
            return list(self._db.execute(query, values))

    def _open_to_read(self) -> None:
        opened = reading.open_to_read(self.path)
        self._connection, self._frozen = opened.db, opened.state
        self._place = file.place(self.path) + self._again

    def _follow(self) -> None:
        """Open again what was opened without a lock and was written to since."""
        if self._frozen is not None and reading.state_of(self.path) != self._frozen:
            self._db.close()
            self._again = f"~{secrets.token_hex(8)}"
            self._open_to_read()

    def _add_subject(self, name: str) -> None:
        self._sql("INSERT OR IGNORE INTO subject (name, folded) VALUES (?, ?)", name, folded(name))

    def _drop_if_empty(self, number: int) -> None:
        self._sql(
            "DELETE FROM subject WHERE number = ?1"
            " AND NOT EXISTS (SELECT 1 FROM record WHERE subject = ?1)",
            number,
        )

    def _purge(self, wait_ms: int | None = None) -> None:
        """Rewrite the file without what was erased and empty the log, if an erasure calls for it."""
        with self._lock:
            [(erasures, purged)] = self._sql("SELECT erasures, purged FROM state")
            if purged >= erasures:
                return
            wait = file.BUSY_MS if wait_ms is None else wait_ms
            end = time.monotonic() + wait / 1000
            with file.named_errors(self.path):
                self._db.set_busy_timeout(wait)
                try:
                    self._db.execute("VACUUM")
                    while blocked := self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()[0][0]:
                        # For another checkpoint under way SQLite does not wait by itself.
                        if time.monotonic() > end:
                            break
                        time.sleep(0.02)
                finally:
                    self._db.set_busy_timeout(file.BUSY_MS)
            if blocked:
                raise StoreError(
                    f"{self.path}: erased, but another process kept the file busy, so a readable copy may "
                    "be left in its log; it goes with the next write or opening"
                )
            self._sql("UPDATE state SET purged = max(purged, ?)", erasures)
