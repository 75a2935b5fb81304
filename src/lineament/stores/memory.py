"""The reference store: a dictionary and a float64 sort, plain enough to see that it is right.

Every other store must give the same answers (`lineament.testing.store_contract`). Nothing outlives the
process.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NoReturn
from unicodedata import normalize

import numpy as np

from lineament.config import several
from lineament.errors import ConfigError, InvalidArray, ModelMismatch, UsageError
from lineament.io import forks
from lineament.records import Hit, Record, RecordKind
from lineament.search.exact import require_queries, similarities
from lineament.types import Float32, ModelId


def open_url(location: str, *, create: bool = True) -> MemoryLedger:
    """An empty store; ``memory:`` takes nothing after the colon."""
    if location:
        raise ConfigError(f"memory: takes nothing after the colon, got {location!r}")
    return MemoryLedger()


class MemoryLedger:
    """Keeps everything in this process; a forked child goes on with a copy of its own."""

    def __init__(self) -> None:
        self._lock = forks.StoreLock()
        self._records: dict[str, Record] = {}
        self._of_subject: dict[str, dict[str, Record]] = {}
        self._of_picture: dict[str, dict[str, Record]] = {}
        self._names: dict[str, set[str]] = {}
        self._counts: Counter[RecordKind] = Counter()
        self._bound: tuple[ModelId, int] | None = None
        self._sorted: dict[RecordKind, tuple[list[Record], Float32]] = {}
        self._revision = 0
        # What was under each id before the transaction changed it, oldest first; None outside of one.
        self._before: list[tuple[str, Record | None]] | None = None
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

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make what happens inside one write; an exception undoes it all. Nests."""
        with self._lock:
            outermost, bound = self._before is None, self._bound
            self._before = before = [] if self._before is None else self._before
            start = len(before)
            try:
                yield
            except BaseException:
                for id_, record in reversed(before[start:]):
                    self._put(id_, record)
                del before[start:]
                self._bound = bound
                raise
            finally:
                if outermost:
                    self._before = None

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """One state of the store throughout. Nests."""
        with self._lock:
            yield

    def revision(self) -> int:
        """Grows with every write."""
        with self._lock:
            return self._revision

    def upsert(self, records: Sequence[Record]) -> None:
        """Write records; an id already there is replaced."""
        with self._lock:
            require_dimension(records, None if self._bound is None else self._bound[1])
            for record in records:
                self._put(record.id, record)

    def remove(self, ids: Sequence[str]) -> int:
        """Drop records; returns how many there were."""
        with self._lock:
            there = [id_ for id_ in dict.fromkeys(several(ids)) if id_ in self._records]
            for id_ in there:
                self._put(id_, None)
            return len(there)

    def remove_subject(self, subject: str) -> int:
        """Drop every record of a subject; returns how many there were."""
        with self._lock:
            return self.remove(list(self._of_subject.get(subject, ())))

    def rename_subject(self, old: str, new: str) -> int:
        """Move every record of ``old`` to ``new``; returns how many there were."""
        with self._lock:
            moved = [replace(record, subject=new) for record in self.scan(old)]
            self.upsert(moved)
            return len(moved)

    def get(self, ids: Sequence[str]) -> list[Record]:
        """Those of the records that exist, ordered by id."""
        with self._lock:
            return [self._records[id_] for id_ in sorted(set(several(ids))) if id_ in self._records]

    def find_subject(self, name: str) -> str | None:
        """The subject of this name, else of its other Unicode spelling, else None."""
        with self._lock:
            spellings = self._names.get(normalize("NFC", name), ())
            return name if name in spellings else min(spellings, default=None)

    def of_subjects(self, subjects: Sequence[str], kind: RecordKind) -> list[Record]:
        """The records of one kind of these subjects, ordered by id."""
        with self._lock:
            found = (r for name in set(subjects) for r in self._of_subject.get(name, {}).values())
            return sorted((r for r in found if r.kind is kind), key=_id)

    def of_pictures(self, pictures: Sequence[str]) -> list[Record]:
        """The records made of the pictures with these digests, ordered by id."""
        with self._lock:
            wanted = set(pictures) - {""}
            return sorted((r for p in wanted for r in self._of_picture.get(p, {}).values()), key=_id)

    def search(self, queries: Float32, k: int, kind: RecordKind = RecordKind.SAMPLE) -> list[list[Hit]]:
        """The k records nearest to each query, best first; ties by id."""
        with self._lock:
            queries = require_queries(queries, None if self._bound is None else self._bound[1], k)
            if kind not in self._sorted:
                records = list(self.scan(kind=kind))
                vectors = np.stack([r.vector for r in records]) if records else np.empty((0, 0), np.float32)
                self._sorted[kind] = records, vectors
            records, vectors = self._sorted[kind]
            found: list[list[Hit]] = []
            for query in queries:
                scores = similarities(vectors, query) if records else np.empty(0)
                # Records are in the order of their ids, and a stable sort leaves ties that way.
                best = np.argsort(-scores, kind="stable")[:k]
                found.append([Hit(records[i].id, records[i].subject, float(scores[i])) for i in best])
            return found

    def scan(self, subject: str | None = None, kind: RecordKind | None = None) -> Iterator[Record]:
        """Every record, ordered by id, or those of one subject or kind."""
        with self._lock:
            records = self._records if subject is None else self._of_subject.get(subject, {})
            return iter(sorted((r for r in records.values() if kind in (None, r.kind)), key=_id))

    def subjects(self, *, after: str = "", limit: int | None = None) -> list[tuple[str, int]]:
        """Each subject that has a record, with its number of samples, ordered by name."""
        with self._lock:
            names = sorted(name for name in self._of_subject if name > after)[:limit]
            return [(name, len(self.of_subjects([name], RecordKind.SAMPLE))) for name in names]

    def count(self, kind: RecordKind | None = None) -> int:
        """How many records there are."""
        with self._lock:
            return len(self._records) if kind is None else self._counts[kind]

    def model(self) -> ModelId | None:
        """The model bound, or None."""
        return None if self._bound is None else self._bound[0]

    def bind_model(self, model: ModelId, dimension: int) -> None:
        """Fix the model on first use; raises `ModelMismatch` if another is bound."""
        with self._lock:
            self._bound = self._bound or (model, dimension)
            require_model(self._bound, model, dimension)

    def backup(self, path: Path) -> None:
        """Write everything as a new ``sqlite:`` gallery."""
        from lineament.stores._sqlite_file import require_absent
        from lineament.stores.sqlite import SqliteLedger

        require_absent(path)
        with self._lock:
            copy = SqliteLedger(path)
            try:
                with copy.transaction():
                    if self._bound is not None:
                        copy.bind_model(*self._bound)
                    copy.upsert(list(self.scan()))
            finally:
                copy.close()

    def files(self) -> list[Path]:
        """None."""
        return []

    def copies(self) -> list[Path]:
        """None that are known."""
        return []

    def close(self) -> None:
        """Forget everything."""
        with self._lock:
            for id_ in list(self._records):
                self._put(id_, None)

    def _put(self, id_: str, record: Record | None) -> None:
        """Set what is under an id, or drop it, in every table: the one place where records change."""
        old = self._records.pop(id_, None)
        if self._before is not None:
            self._before.append((id_, old))
        if old is not None:
            _drop(self._of_picture, old.picture, id_)
            _drop(self._of_subject, old.subject, id_)
            if old.subject not in self._of_subject:
                form = normalize("NFC", old.subject)
                self._names[form].discard(old.subject)
                if not self._names[form]:
                    del self._names[form]
            self._counts[old.kind] -= 1
            self._sorted.pop(old.kind, None)
        if record is not None:
            self._records[id_] = record
            self._of_picture.setdefault(record.picture, {})[id_] = record
            self._of_subject.setdefault(record.subject, {})[id_] = record
            self._names.setdefault(normalize("NFC", record.subject), set()).add(record.subject)
            self._counts[record.kind] += 1
            self._sorted.pop(record.kind, None)
        self._revision += 1


def _id(record: Record) -> str:
    return record.id


def _drop(table: dict[str, dict[str, Record]], key: str, id_: str) -> None:
    del table[key][id_]
    if not table[key]:
        del table[key]


def require_dimension(records: Sequence[Record], dimension: int | None) -> None:
    """Raise `ModelMismatch` before a model is bound, `InvalidArray` for vectors of another dimension."""
    if dimension is None and records:
        raise ModelMismatch("the gallery has no model yet; bind one before writing embeddings")
    for record in records:
        if len(record.vector) != dimension:
            raise InvalidArray(f"record {record.id}: {len(record.vector)} numbers, expected {dimension}")


def require_model(bound: tuple[ModelId, int], model: ModelId, dimension: int) -> None:
    """Raise `ModelMismatch` unless a store bound to one model is asked for the same."""
    if bound != (model, dimension):
        raise ModelMismatch(
            f"the gallery holds embeddings of {bound[0]} ({bound[1]} numbers), not of {model} "
            f"({dimension}); enrol into a new gallery to change the model"
        )
