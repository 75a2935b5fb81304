"""A ledger with an index beside it: what a gallery holds.

The ledger is the truth. The index is brought up to it before every search, by what changed since, and made
anew where that cannot be told; it may be lost at any time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from lineament.io import forks
from lineament.protocols import Ledger, VectorIndex
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
from lineament.search.exact import require_queries
from lineament.search.int8 import Int8Index
from lineament.types import Float32, ModelId

SAMPLES = Where(kinds=[RecordKind.SAMPLE])


class GalleryStore:
    """Keeps records and searches them: a `Ledger` that knows its index, exact unless another is given.

    It may be used from several threads, and crosses forks and pickling as its ledger does.
    """

    def __init__(self, ledger: Ledger, index: VectorIndex | None = None) -> None:
        self.ledger = ledger
        self.index: VectorIndex = Int8Index(ledger) if index is None else index
        # Always taken within a snapshot of the ledger, never around one: so no two wait for each other.
        self._lock = forks.Lock()

    def __reduce__(self) -> tuple[type[GalleryStore], tuple[Ledger, VectorIndex]]:
        return GalleryStore, (self.ledger, self.index)

    def search(self, queries: Float32, k: int, where: Where = SAMPLES) -> list[list[Hit]]:
        """The k records nearest to each row of float32 ``(Q, D)``, best first; ties by id.

        Sees what any process wrote before the call, or before the `snapshot` it is made in. Raises
        `InvalidArray` for queries of another dimension or with NaN, and for k below 1.
        """
        with self.ledger.snapshot(), self._lock:
            bound = self.ledger.bound()
            queries = require_queries(queries, None if bound is None else bound.dimension, k)
            if where.pictures is not None:
                where = Where(ids=[record.id for record in self.ledger.read(where)])
            if self.index.revision != self.ledger.revision():
                self.index.apply(self.ledger.changes_since(self.index.revision))
            return self.index.search(queries, k, where)

    def commit(self, changes: Changes, *, expect: Revision | None = None) -> Revision:
        """Make the changes, all or none; raises `Conflict` where another revision was expected.

        What was erased is out of the index, too, when the call returns or raises.
        """
        try:
            return self.ledger.commit(changes, expect=expect)
        finally:
            if changes.erases:
                with self._lock:
                    self.index.apply([Change(anew=True)])

    def turn(self) -> AbstractContextManager[None]:
        """Let other writers wait, until a commit inside or the end."""
        return self.ledger.turn()

    def snapshot(self) -> AbstractContextManager[None]:
        """Let what is read inside be one state, without keeping any writer out. Nests."""
        return self.ledger.snapshot()

    def revision(self) -> Revision:
        """The state as it is."""
        return self.ledger.revision()

    def changes_since(self, revision: Revision) -> Iterator[Change]:
        """What an index that stands at a revision has to make good."""
        return self.ledger.changes_since(revision)

    def read(self, where: Where = ALL, *, after: str = "", limit: int | None = None) -> Iterator[Record]:
        """The records meant, ordered by id."""
        return self.ledger.read(where, after=after, limit=limit)

    def find_subject(self, name: str) -> str | None:
        """The subject of this name, else of its other Unicode spelling, else None."""
        return self.ledger.find_subject(name)

    def subjects(self, *, after: str = "", limit: int | None = None) -> list[SubjectCount]:
        """Each subject that has a record, with its number of samples, ordered by name."""
        return self.ledger.subjects(after=after, limit=limit)

    def count(self, where: Where = ALL) -> int:
        """How many records are meant."""
        return self.ledger.count(where)

    def bound(self) -> Bound | None:
        """The model whose embeddings are held, with their dimension."""
        return self.ledger.bound()

    def model(self) -> ModelId | None:
        """The model whose embeddings are held, None before the first."""
        bound = self.ledger.bound()
        return None if bound is None else bound.model

    def files(self) -> list[Path]:
        """Every file that holds records now."""
        return self.ledger.files()

    def copies(self) -> list[Path]:
        """Files beside those that may hold a copy of records, which no erasure reaches."""
        return self.ledger.copies()

    def close(self) -> None:
        """Release the ledger, the index and their memory."""
        self.index.close()
        self.ledger.close()
