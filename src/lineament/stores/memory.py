"""The reference ledger: dictionaries, plain enough to see that they are right.

Every other ledger must give the same answers (`lineament.testing.LedgerContract`). Nothing outlives the
process.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import takewhile
from operator import attrgetter
from pathlib import Path
from typing import NoReturn
from unicodedata import normalize

import numpy as np

from lineament.errors import ConfigError, StoreError, UsageError
from lineament.io import forks
from lineament.records import ALL, Bound, Change, Changes, Record, RecordKind, Revision, SubjectCount, Where
from lineament.stores._checks import require_expected, require_fitting

_BATCH = 10_000


def open_url(location: str, *, create: bool = True) -> MemoryLedger:
    """An empty ledger; ``memory:`` takes nothing after the colon."""
    if location:
        raise ConfigError(f"memory: takes nothing after the colon, got {location!r}")
    return MemoryLedger()


class MemoryLedger:
    """Keeps everything in this process; a forked child goes on with a copy of its own."""

    def __init__(self) -> None:
        self._lock = forks.StoreLock()
        self._name = uuid.uuid4().hex
        self._records: dict[str, Record] = {}
        self._of_subject: dict[str, dict[str, Record]] = {}
        self._of_picture: dict[str, dict[str, Record]] = {}
        self._names: dict[str, set[str]] = {}
        self._counts: Counter[RecordKind] = Counter()
        self._bound: Bound | None = None
        self._number = 0
        self._erased_at = 0
        # The number of the commit that wrote each record, the last written last.
        self._written: dict[str, int] = {}
        self._reading = 0
        forks.prepare_for_forks(self)

    def prepare_fork(self) -> None:
        """Before a fork: wait for what is under way, so that the child's copy is whole."""
        self._lock.hold_for_fork()

    def resume_after_fork(self) -> None:
        """After a fork, in the parent."""
        self._lock.resume()

    def renew_after_fork(self) -> None:
        """After a fork, in the child."""
        self._lock.renew()

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled: what another process enrolled in its copy would be lost unseen."""
        raise UsageError(
            "a memory: gallery lives in one process and cannot be pickled; use a sqlite: gallery, which "
            "several processes may hold"
        )

    def commit(self, changes: Changes, *, expect: Revision | None = None) -> Revision:
        """Make the changes, all or none; raises `Conflict` where another revision was expected."""
        with self._lock:
            if self._reading:
                raise StoreError("no write can begin inside a snapshot; end it first")
            require_expected(expect, self.revision())
            bound = require_fitting(changes, self._bound)
            before: list[tuple[str, Record | None]] = []
            number = self._number + 1
            try:
                erased = self._make(changes, number, before)
            except BaseException:
                for id_, record in reversed(before):
                    self._put(id_, record, number)
                raise
            self._bound = bound
            self._number = number if before else self._number
            self._erased_at = number if erased else self._erased_at
            return self.revision()

    def _make(self, changes: Changes, number: int, before: list[tuple[str, Record | None]]) -> bool:
        """Make the changes and note in ``before`` what was there; whether anything is gone."""

        def put(id_: str, record: Record | None) -> None:
            before.append((id_, self._records.get(id_)))
            self._put(id_, record, number)

        for old, new in changes.rename:
            if old != new:
                for record in list(self._of_subject.get(old, {}).values()):
                    put(record.id, replace(record, subject=new))
        for subject in changes.erase:
            for id_ in list(self._of_subject.get(subject, ())):
                put(id_, None)
        for id_ in changes.remove:
            if id_ in self._records:
                put(id_, None)
        erased = bool(before)
        for record in changes.put:
            put(record.id, record)
        return erased

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Let other threads wait."""
        with self._lock:
            yield

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """One state throughout. Nests."""
        with self._lock:
            self._reading += 1
            try:
                yield
            finally:
                self._reading -= 1

    def revision(self) -> Revision:
        """Another one after every write."""
        with self._lock:
            return f"{self._name}:{self._number}"

    def changes_since(self, revision: Revision) -> Iterator[Change]:
        """What was written since; everything, if anything was erased since."""
        now = self.revision()
        if revision == now:
            return
        name, _, number = revision.rpartition(":")
        since = int(number) if name == self._name else -1
        anew = since < self._erased_at
        newest = takewhile(lambda item: anew or item[1] > since, reversed(self._written.items()))
        told = [self._records[id_] for id_, _ in newest]
        for start in range(0, len(told), _BATCH):
            part = told[start : start + _BATCH]
            yield Change(
                anew=anew and start == 0,
                ids=[r.id for r in part],
                subjects=[r.subject for r in part],
                kinds=[r.kind for r in part],
                vectors=np.stack([r.vector for r in part]),
            )
        yield Change(now, anew=anew and not told)

    def read(self, where: Where = ALL, *, after: str = "", limit: int | None = None) -> Iterator[Record]:
        """The records meant, ordered by id."""
        with self._lock:
            found = sorted((r for r in self._near(where) if where.fits(r) and r.id > after), key=_id)
            return iter(found[:limit])

    def _near(self, where: Where) -> Iterator[Record]:
        """Some records, those meant among them."""
        if where.ids is not None:
            return (self._records[id_] for id_ in where.ids if id_ in self._records)
        for names, table in ((where.subjects, self._of_subject), (where.pictures, self._of_picture)):
            if names is not None:
                return (record for name in names for record in table.get(name, {}).values())
        return iter(self._records.values())

    def find_subject(self, name: str) -> str | None:
        """The subject of this name, else of its other Unicode spelling, else None."""
        with self._lock:
            spellings = self._names.get(normalize("NFC", name), ())
            return name if name in spellings else min(spellings, default=None)

    def subjects(self, *, after: str = "", limit: int | None = None) -> list[SubjectCount]:
        """Each subject that has a record, with its number of samples, ordered by name."""
        with self._lock:
            names = sorted(name for name in self._of_subject if name > after)[:limit]
            kinds = [[record.kind for record in self._of_subject[name].values()] for name in names]
            return [(n, k.count(RecordKind.SAMPLE)) for n, k in zip(names, kinds, strict=True)]

    def count(self, where: Where = ALL) -> int:
        """How many records are meant."""
        with self._lock:
            if where.only_kinds:
                kinds = RecordKind if where.kinds is None else where.kinds
                return sum(self._counts[kind] for kind in kinds)
            return sum(where.fits(record) for record in self._near(where))

    def bound(self) -> Bound | None:
        """The model bound, or None."""
        return self._bound

    def files(self) -> list[Path]:
        """None."""
        return []

    def copies(self) -> list[Path]:
        """None that are known."""
        return []

    def close(self) -> None:
        """Forget everything."""
        with self._lock:
            self.commit(Changes(remove=list(self._records)))

    def _put(self, id_: str, record: Record | None, number: int) -> None:
        """Set what is under an id, or drop it, in every table: the one place where records change."""
        old = self._records.pop(id_, None)
        self._written.pop(id_, None)
        if old is not None:
            _drop(self._of_picture, old.picture, id_)
            _drop(self._of_subject, old.subject, id_)
            if old.subject not in self._of_subject:
                form = normalize("NFC", old.subject)
                self._names[form].discard(old.subject)
                if not self._names[form]:
                    del self._names[form]
            self._counts[old.kind] -= 1
        if record is not None:
            self._records[id_] = record
            self._written[id_] = number
            self._of_picture.setdefault(record.picture, {})[id_] = record
            self._of_subject.setdefault(record.subject, {})[id_] = record
            self._names.setdefault(normalize("NFC", record.subject), set()).add(record.subject)
            self._counts[record.kind] += 1


_id = attrgetter("id")


def _drop(table: dict[str, dict[str, Record]], key: str, id_: str) -> None:
    del table[key][id_]
    if not table[key]:
        del table[key]
