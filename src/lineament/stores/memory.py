"""The reference store: a dictionary and a float64 sort, plain enough to see that it is right.

Every other store must give the same answers (`lineament.testing.store_contract`). Nothing outlives the
process.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from lineament.config import several
from lineament.errors import ConfigError, InvalidArray, ModelMismatch
from lineament.search.exact import require_queries, similarities
from lineament.types import Float32, Hit, ModelId, Record, RecordKind


def open_url(location: str, *, create: bool = True) -> MemoryStore:
    """An empty store; ``memory:`` takes nothing after the colon."""
    if location:
        raise ConfigError(f"memory: takes nothing after the colon, got {location!r}")
    return MemoryStore()


class MemoryStore:
    """Keeps everything in this process."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._records: dict[str, Record] = {}
        self._bound: tuple[ModelId, int] | None = None
        self._sorted: dict[RecordKind, tuple[list[Record], Float32]] = {}

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make what happens inside one write; an exception undoes it all. Nests."""
        with self._lock:
            before = dict(self._records), self._bound
            try:
                yield
            except BaseException:
                self._records, self._bound = before
                self._sorted.clear()
                raise

    def upsert(self, records: Sequence[Record]) -> None:
        """Write records; an id already there is replaced."""
        with self._lock:
            require_dimension(records, None if self._bound is None else self._bound[1])
            self._records.update((record.id, record) for record in records)
            self._sorted.clear()

    def remove(self, ids: Sequence[str]) -> int:
        """Drop records; returns how many there were."""
        with self._lock:
            self._sorted.clear()
            return sum(self._records.pop(id_, None) is not None for id_ in several(ids))

    def remove_subject(self, subject: str) -> int:
        """Drop every record of a subject; returns how many there were."""
        return self.remove([record.id for record in self.scan(subject)])

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
            return iter(
                [
                    record
                    for _, record in sorted(self._records.items())
                    if subject in (None, record.subject) and kind in (None, record.kind)
                ]
            )

    def subjects(self) -> list[tuple[str, int]]:
        """Each subject that has a record, with its number of samples, ordered by name."""
        with self._lock:
            samples: Counter[str] = Counter()
            for record in self._records.values():
                samples[record.subject] += record.kind is RecordKind.SAMPLE
            return sorted(samples.items())

    def count(self, kind: RecordKind | None = None) -> int:
        """How many records there are."""
        with self._lock:
            return sum(kind in (None, record.kind) for record in self._records.values())

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
        from lineament.stores.sqlite import SqliteStore

        require_absent(path)
        with self._lock:
            copy = SqliteStore(path)
            try:
                with copy.transaction():
                    if self._bound is not None:
                        copy.bind_model(*self._bound)
                    copy.upsert(list(self.scan()))
            finally:
                copy.close()

    def close(self) -> None:
        """Forget everything."""
        with self._lock:
            self._records.clear()
            self._sorted.clear()


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
