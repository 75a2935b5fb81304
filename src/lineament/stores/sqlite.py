"""The embedded store: one SQLite file, crash-safe, for several processes, clean after an erasure.

Write-ahead log with ``synchronous=FULL``: a call that returned is on disk. An erasure (a removal or a
rename) ends with VACUUM and an emptied log, because ``secure_delete`` alone leaves stale copies of names on
split index pages (docs/decisions/0005-embedded-store.md). A file that cannot be written can be searched.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any

import apsw
import numpy as np

from lineament.config import several
from lineament.errors import ConfigError, StoreError
from lineament.io import forks
from lineament.records import Hit, Record, RecordKind
from lineament.search.exact import ExactIndex, require_queries
from lineament.stores import _sqlite_carried as carried
from lineament.stores import _sqlite_file as file
from lineament.stores import _sqlite_reading as reading
from lineament.stores._sqlite_rows import COLUMNS, UPSERT, record_of, row_of
from lineament.stores._sqlite_schema import folded
from lineament.stores.memory import require_dimension, require_model
from lineament.types import Float32, ModelId

_PAGE = 1000
_JOINED = "record JOIN subject ON subject.number = record.subject"
# One query for any number of values: SQLite looks each of them up in the index.
_ANY_OF = "IN (SELECT value FROM json_each(?1))"


def open_url(location: str, *, create: bool = True) -> SqliteLedger:
    """``people.db``, ``/abs/people.db`` or ``///abs/people.db``; a leading ``~/`` is the home directory.

    The folder of the default gallery is made; any other must exist.
    """
    from lineament.stores import default_url

    text = location[2:] if location.startswith("///") else location
    if not text:
        raise ConfigError("sqlite: needs a file, such as sqlite:people.db")
    path = Path(text).expanduser() if text.startswith("~/") else Path(text)
    if create and default_url() == f"sqlite:{path}":
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return SqliteLedger(path, create=create)


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
        self._writing = False
        self._indexes: dict[RecordKind, ExactIndex] = {}
        self._seen = (-1, -1)
        self._erasing = False
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
            # Not kept: another file may lie there when it is opened again.
            self._indexes, self._seen = {}, (-1, -1)

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

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make what happens inside one write; an exception undoes it all. Nests.

        Raises `StoreError` for a gallery that can only be read.
        """
        with self._lock:
            if self.read_only:
                raise StoreError(
                    f"{self.path}: can only be read (no write permission, or a read-only file system); "
                    "nothing was changed"
                )
            if self._depth and not self._writing:
                raise StoreError(f"{self.path}: no write can begin inside a snapshot")
            outermost = self._depth == 0
            seen = self._seen
            self._sql("BEGIN IMMEDIATE" if outermost else "SAVEPOINT nested")
            self._depth += 1
            self._writing = True
            try:
                yield
                self._sql("COMMIT" if outermost else "RELEASE nested")
            except BaseException:
                if self._seen != seen:
                    self._seen = (-1, -1)  # the index may hold rows that never came to be
                if self._db.in_transaction:
                    self._sql("ROLLBACK" if outermost else "ROLLBACK TO nested")
                    if not outermost:
                        self._sql("RELEASE nested")
                raise
            finally:
                self._depth -= 1
                self._writing = self._depth > 0
            if outermost and self._erasing:
                self._erasing = False
                self._indexes, self._seen = {}, (-1, -1)  # nor in memory until the next search
                self._purge()
            elif outermost:
                with suppress(StoreError):  # somebody else's erasure: that call tells of it
                    self._purge(wait_ms=0)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """One state of the file throughout, without keeping writers out. Nests."""
        with self._lock:
            if self._depth:
                yield
                return
            self._follow()
            self._sql("BEGIN")
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if self._db.in_transaction:
                    self._sql("COMMIT")
            if self._frozen is not None and reading.state_of(self.path) != self._frozen:
                raise StoreError(f"{self.path}: was written to while it was being read; try again")

    def revision(self) -> int:
        """Grows with every write, of other processes too."""
        with self.snapshot():
            return int(self._sql("SELECT revision + erasures FROM state")[0][0])

    def upsert(self, records: Sequence[Record]) -> None:
        """Write records; an id already there is replaced."""
        with self.transaction():
            bound = self._bound()
            require_dimension(records, None if bound is None else bound[1])
            [(revision,)] = self._sql("UPDATE state SET revision = revision + 1 RETURNING revision")
            for record in records:
                before = self._sql("SELECT subject FROM record WHERE id = ?", record.id)
                self._add_subject(record.subject)
                self._sql(UPSERT, *row_of(record), revision)
                for (number,) in before:
                    self._drop_if_empty(number)

    def remove(self, ids: Sequence[str]) -> int:
        """Erase records, leaving no readable copy; returns how many there were.

        Raises `StoreError` when another process keeps a copy open for too long: the records are gone
        then, and the copy goes with the next write or opening.
        """
        with self.transaction():
            numbers = [
                number
                for id_ in several(ids)
                for (number,) in self._sql("DELETE FROM record WHERE id = ? RETURNING subject", id_)
            ]
            for number in set(numbers):
                self._drop_if_empty(number)
            return self._erased(len(numbers))

    def remove_subject(self, subject: str) -> int:
        """Erase every record of a subject and the name; returns how many there were. See `remove`."""
        with self.transaction():
            found = self._sql("SELECT number FROM subject WHERE name = ?", subject)
            count = 0
            for (number,) in found:
                count = len(self._sql("DELETE FROM record WHERE subject = ? RETURNING 1", number))
                self._drop_if_empty(number)
            return self._erased(count)

    def rename_subject(self, old: str, new: str) -> int:
        """Move every record of ``old`` to ``new``; returns how many. See `remove`."""
        with self.transaction():
            count = self._sql(f"SELECT count(*) FROM {_JOINED} WHERE name = ?", old)[0][0]
            if count and old != new:
                self._add_subject(new)
                self._sql(
                    "UPDATE record SET subject = (SELECT number FROM subject WHERE name = ?)"
                    " WHERE subject = (SELECT number FROM subject WHERE name = ?)",
                    new,
                    old,
                )
                self._sql("DELETE FROM subject WHERE name = ?", old)
                self._erased(count)
            return int(count)

    def get(self, ids: Sequence[str]) -> list[Record]:
        """Those of the records that exist, ordered by id."""
        return self._records(f"id {_ANY_OF}", json.dumps(several(ids)))

    def of_subjects(self, subjects: Sequence[str], kind: RecordKind) -> list[Record]:
        """The records of one kind of these subjects, ordered by id."""
        numbers = f"(SELECT number FROM subject WHERE name {_ANY_OF})"
        return self._records(
            f"record.subject IN {numbers} AND kind = ?2", json.dumps(several(subjects)), kind
        )

    def of_pictures(self, pictures: Sequence[str]) -> list[Record]:
        """The records made of the pictures with these digests, ordered by id."""
        return self._records(f"picture {_ANY_OF} AND picture <> ''", json.dumps(several(pictures)))

    def find_subject(self, name: str) -> str | None:
        """The subject of this name, else of its other Unicode spelling, else None."""
        with self.snapshot():
            # Of several spellings, which only a store's own caller can make, the same one comes first.
            query = "SELECT name FROM subject WHERE folded = ?2 ORDER BY name <> ?1, name LIMIT 1"
            found = self._sql(query, name, folded(name))
            return found[0][0] if found else None

    def search(self, queries: Float32, k: int, kind: RecordKind = RecordKind.SAMPLE) -> list[list[Hit]]:
        """The k records nearest to each query, best first; ties by id. Sees other processes' writes."""
        with self.snapshot():
            bound = self._bound()
            queries = require_queries(queries, None if bound is None else bound[1], k)
            self._refresh()
            index = self._indexes.get(kind)
            if index is None:
                return [[] for _ in queries]
            found = index.search(queries, k)
            wanted = json.dumps([id_ for hits in found for id_, _ in hits])
            names = dict(self._sql(f"SELECT id, name FROM {_JOINED} WHERE id {_ANY_OF}", wanted))
            return [[Hit(id_, names[id_], score) for id_, score in hits] for hits in found]

    def scan(self, subject: str | None = None, kind: RecordKind | None = None) -> Iterator[Record]:
        """Every record, ordered by id, or those of one subject or kind; read a page at a time.

        Hold a `snapshot` or `transaction` to see one state of the store throughout.
        """
        conditions = "(?1 IS NULL OR name = ?1) AND (?2 IS NULL OR kind = ?2)"
        if subject is not None:
            conditions = "record.subject = (SELECT number FROM subject WHERE name = ?1) AND " + conditions
        query = f"SELECT {COLUMNS} FROM {_JOINED} WHERE {conditions} AND id > ?3 ORDER BY id LIMIT ?4"
        after = ""
        while True:
            with self.snapshot():
                page = self._sql(query, subject, kind, after, _PAGE)
            with file.named_errors(self.path):
                records = [record_of(row) for row in page]
            yield from records
            if len(page) < _PAGE:
                return
            after = page[-1][0]

    def subjects(self, *, after: str = "", limit: int | None = None) -> list[tuple[str, int]]:
        """Each subject that has a record, with its number of samples, ordered by name."""
        with self.snapshot():
            samples = "SELECT count(*) FROM record WHERE subject = number AND kind = ?1"
            query = f"SELECT name, ({samples}) FROM subject WHERE name > ?2 ORDER BY name LIMIT ?3"
            rows = self._sql(query, RecordKind.SAMPLE, after, -1 if limit is None else limit)
            return [(name, count) for name, count in rows]

    def count(self, kind: RecordKind | None = None) -> int:
        """How many records there are."""
        with self.snapshot():
            query = "SELECT coalesce(sum(records), 0) FROM tally WHERE ?1 IS NULL OR kind = ?1"
            return int(self._sql(query, kind)[0][0])

    def model(self) -> ModelId | None:
        """The model bound, or None."""
        with self.snapshot():
            bound = self._bound()
            return None if bound is None else bound[0]

    def bind_model(self, model: ModelId, dimension: int) -> None:
        """Fix the model on first use; raises `ModelMismatch` if the file holds another's."""
        with self._lock:
            if self.model() is None:
                with self.transaction():
                    self._sql(
                        "INSERT OR IGNORE INTO model VALUES (1, ?, ?, ?)",
                        model.name,
                        model.sha256,
                        dimension,
                    )
            with self.snapshot():
                bound = self._bound()
            assert bound is not None
            require_model(bound, model, dimension)

    def backup(self, path: Path) -> None:
        """Write a consistent copy as a new file while others go on writing; synced to disk."""
        with self._lock:
            file.backup(self._db, Path(path))

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
            self._indexes.clear()

    def _sql(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with file.named_errors(self.path):
            return list(self._db.execute(query, values))

    def _records(self, condition: str, *values: Any) -> list[Record]:
        with self.snapshot():
            query = f"SELECT {COLUMNS} FROM {_JOINED} WHERE {condition} ORDER BY id"
            rows = self._sql(query, *values)
            with file.named_errors(self.path):
                return [record_of(row) for row in rows]

    def _open_to_read(self) -> None:
        opened = reading.open_to_read(self.path)
        self._connection, self._frozen = opened.db, opened.state
        self._indexes, self._seen = {}, (-1, -1)

    def _follow(self) -> None:
        """Open again what was opened without a lock and was written to since."""
        if self._frozen is not None and reading.state_of(self.path) != self._frozen:
            self._db.close()
            self._open_to_read()

    def _bound(self) -> tuple[ModelId, int] | None:
        for name, sha256, dimension in self._sql("SELECT name, sha256, dimension FROM model"):
            return ModelId(name, sha256), dimension
        return None

    def _add_subject(self, name: str) -> None:
        self._sql("INSERT OR IGNORE INTO subject (name, folded) VALUES (?, ?)", name, folded(name))

    def _drop_if_empty(self, number: int) -> None:
        self._sql(
            "DELETE FROM subject WHERE number = ?1"
            " AND NOT EXISTS (SELECT 1 FROM record WHERE subject = ?1)",
            number,
        )

    def _erased(self, count: int) -> int:
        if count:
            self._erasing = True
            self._sql("UPDATE state SET erasures = erasures + 1")
        return count

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

    def _refresh(self) -> None:
        """Bring the vectors in memory up to this moment's state of the file."""
        [(revision, erasures)] = self._sql("SELECT revision, erasures FROM state")
        if (revision, erasures) == self._seen:
            return
        bound = self._bound()
        if bound is None:
            return
        whole = erasures != self._seen[1]
        if whole:
            self._indexes = {}
        since = -1 if whole else self._seen[0]
        query = "SELECT id, kind, vector FROM record WHERE revision > ?"
        with file.named_errors(self.path):
            cursor = self._db.execute(query, (since,))
            while rows := list(islice(cursor, 10_000)):
                self._load(rows, bound[1], known=not whole)
        self._seen = revision, erasures

    def _load(self, rows: Sequence[tuple[Any, ...]], dimension: int, *, known: bool) -> None:
        for kind in RecordKind:
            mine = [row for row in rows if row[1] == kind]
            if any(len(blob) != 4 * dimension for _, _, blob in mine):
                raise StoreError(f"{self.path}: damaged: a vector is not of {dimension} numbers")
            if not mine:
                continue
            ids = [row[0] for row in mine]
            if known:  # a replaced record may have been of another kind
                for index in self._indexes.values():
                    for id_ in ids:
                        index.discard(id_)
            vectors = np.frombuffer(b"".join(row[2] for row in mine), "<f4").reshape(-1, dimension)
            self._indexes.setdefault(kind, ExactIndex(dimension)).put(ids, vectors)
