"""A ledger and an index of somebody else's: as plain as can be, and nothing of ours in them.

The ledger does what ours do not: it remembers which records went, and tells an index their ids.
"""

from __future__ import annotations

import threading
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from lineament.errors import StoreError
from lineament.protocols import Ledger
from lineament.records import (
    ALL,
    Bound,
    Change,
    Changes,
    Hit,
    Record,
    RecordKind,
    Revision,
    SubjectCount,
    Where,
)
from lineament.stores._checks import require_expected, require_fitting
from lineament.types import Float32


def open_url(location: str, *, create: bool = True) -> Ledger:
    return LoggingLedger()


class LoggingLedger:
    """Every commit makes a new dictionary and a page of a log."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._records: dict[str, Record] = {}
        self._log: list[tuple[set[str], dict[str, Record]]] = []
        self._model: Bound | None = None
        self._reading = 0

    def commit(self, changes: Changes, *, expect: Revision | None = None) -> Revision:
        with self._lock:
            if self._reading:
                raise StoreError("inside a snapshot")
            require_expected(expect, self.revision())
            self._model, known = require_fitting(changes, self._model), dict(self._records)
            for old, new in changes.rename:
                known |= {r.id: replace(r, subject=new) for r in known.values() if r.subject == old}
            known = {
                id_: r
                for id_, r in known.items()
                if r.subject not in changes.erase and id_ not in changes.remove
            }
            known |= {r.id: r for r in changes.put}
            gone = self._records.keys() - known.keys()
            written = {id_: r for id_, r in known.items() if self._records.get(id_) is not r}
            if gone or written:
                self._log.append((gone, written))
            self._records = known
            return self.revision()

    @contextmanager
    def turn(self) -> Iterator[None]:
        with self._lock:
            yield

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        with self._lock:
            self._reading += 1
            try:
                yield
            finally:
                self._reading -= 1

    def revision(self) -> Revision:
        return f"log {len(self._log)}"

    def changes_since(self, revision: Revision) -> Iterator[Change]:
        word, _, number = revision.partition(" ")
        pages = self._log[int(number) :] if word == "log" else [(set[str](), self._records)]
        for page, (gone, written) in enumerate(pages, 1):
            rows = list(written.values())
            yield Change(
                self.revision() if page == len(pages) else "",
                word != "log",
                sorted(gone),
                [r.id for r in rows],
                [r.subject for r in rows],
                [r.kind for r in rows],
                np.array([r.vector for r in rows], np.float32).reshape(len(rows), -1 if rows else 0),
            )

    def read(self, where: Where = ALL, *, after: str = "", limit: int | None = None) -> Iterator[Record]:
        meant = [r for id_, r in sorted(self._records.items()) if where.fits(r) and id_ > after]
        return iter(meant[:limit])

    def find_subject(self, name: str) -> str | None:
        names = {r.subject for r in self._records.values()}
        alike = sorted(
            n for n in names if unicodedata.normalize("NFC", n) == unicodedata.normalize("NFC", name)
        )
        return name if name in alike else next(iter(alike), None)

    def subjects(self, *, after: str = "", limit: int | None = None) -> list[SubjectCount]:
        names = sorted({r.subject for r in self._records.values() if r.subject > after})[:limit]
        return [(n, self.count(Where(kinds=[RecordKind.SAMPLE], subjects=[n]))) for n in names]

    def count(self, where: Where = ALL) -> int:
        return sum(map(where.fits, self._records.values()))

    def bound(self) -> Bound | None:
        return self._model

    def files(self) -> list[Path]:
        return []

    def copies(self) -> list[Path]:
        return []

    def close(self) -> None:
        self._records = {}


class PlainIndex:
    """Sorts all it knows for each query."""

    def __init__(self) -> None:
        self.revision: Revision = ""
        self._rows: dict[str, tuple[str, RecordKind, Float32]] = {}

    def apply(self, changes: Iterable[Change]) -> None:
        self.revision = ""
        for change in changes:
            kept = {} if change.anew else {i: row for i, row in self._rows.items() if i not in change.gone}
            rows = zip(change.subjects, change.kinds, change.vectors, strict=True)
            self._rows = kept | dict(zip(change.ids, rows, strict=True))
            self.revision = change.revision

    def search(self, queries: Float32, k: int, where: Where = ALL) -> list[list[Hit]]:
        found = []
        for query in queries.astype(float):
            hits = [
                Hit(id_, subject, float((vector.astype(float) * query).sum()))
                for id_, (subject, kind, vector) in self._rows.items()
                if where.fits(Record(id_, subject, vector, kind, picture="any"))
            ]
            found.append(sorted(hits, key=lambda hit: (-hit.similarity, hit.id))[:k])
        return found

    def close(self) -> None:
        self._rows = {}
