"""The index of bytes gives what the exact one gives, whatever the rows are and whatever multiplies them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest

from lineament.errors import StoreError
from lineament.records import ALL, Bound, Change, Changes, Record, RecordKind, Where
from lineament.search import int8, kernels
from lineament.search.exact import ExactIndex
from lineament.search.int8 import Int8Index, quantised
from lineament.stores.gallery_store import GalleryStore
from lineament.stores.memory import MemoryLedger
from lineament.stores.sqlite import SqliteLedger
from lineament.testing.index_contract import IndexContract, told
from lineament.testing.made_up_records import MODEL, unit_vectors
from lineament.types import Float32


class Told(MemoryLedger):
    """A ledger that holds what an index was told."""

    def take(self, change: Change) -> None:
        if change.anew:
            super().commit(Changes(remove=[r.id for r in self.read(ALL)]))
        put = [
            Record(id_, subject, vector, kind)
            for id_, subject, vector, kind in zip(
                change.ids, change.subjects, change.vectors, change.kinds, strict=True
            )
        ]
        dimension = change.vectors.shape[1]
        bind = Bound(MODEL, dimension) if put else None
        super().commit(Changes(bind=bind, remove=change.gone, put=put))


class Following(Int8Index):
    """Bytes from the first row on, beside a ledger that is told the same."""

    def __init__(self) -> None:
        self.told = Told()
        super().__init__(self.told, from_rows=1)

    def apply(self, changes: Iterable[Change]) -> None:
        def taken() -> Iterator[Change]:
            for change in changes:
                self.told.take(change)
                yield change

        super().apply(taken())


class TestInt8(IndexContract):
    @pytest.fixture
    def index(self) -> Int8Index:
        return Following()


def rows_of(kind: str, count: int, dimension: int) -> Float32:
    """Rows that are hard on bytes: one large number, near copies, copies, or none of these."""
    rng = np.random.default_rng(7)
    rows = rng.standard_normal((count, dimension))
    if kind == "one large number":
        rows[:, 0] *= 300
    elif kind == "near copies":
        rows = rows[:1] + 1e-4 * rows
    elif kind == "copies":
        rows[:] = rows[:3].repeat(-(-count // 3), axis=0)[:count]
    unit: Float32 = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit


@pytest.mark.parametrize("blocks", [(1 << 16, 256, 64), (64, 4, 3)], ids=["as it is", "small blocks"])
@pytest.mark.parametrize("kind", ["usual", "one large number", "near copies", "copies"])
def test_it_answers_as_the_exact_index(
    monkeypatch: pytest.MonkeyPatch, kind: str, blocks: tuple[int, int, int]
) -> None:
    """The same ids and similarities to the last bit, for any rows, any k, and among some rows only."""
    for name, value in zip(("_ROW_BLOCK", "_STRIDE", "_QUERY_BLOCK"), blocks, strict=True):
        monkeypatch.setattr(int8, name, value)
    rows = rows_of(kind, 700, 48)
    records = [Record(f"{i:04d}", f"s{i % 50}", row) for i, row in enumerate(rows)]
    exact, found = ExactIndex(), Following()
    for index in (exact, found):
        index.apply([told(records)])
    queries = np.concatenate([unit_vectors(9, 3, 48), rows[:3]])
    some = Where(subjects=[f"s{i}" for i in range(0, 50, 3)])
    for k in (1, 7, 699, 2000):
        for where in (ALL, some):
            assert found.search(queries, k, where) == exact.search(queries, k, where)


def test_few_are_compared_in_full() -> None:
    """Of random rows, the ledger is asked for a small part: the bound is no wider than it has to be."""
    asked: list[int] = []
    rows = unit_vectors(20_000, 1, 128)
    index = Following()
    index.apply([told([Record(f"{i:05d}", "s", row) for i, row in enumerate(rows)])])
    read = index.told.read

    def counted(where: Where = ALL, **more: object) -> Iterator[Record]:
        asked.append(len(where.ids or ()))
        return read(where)

    index.told.read = counted  # type: ignore[method-assign, assignment]
    index.search(unit_vectors(20, 2, 128), 10)
    assert sum(asked) / 20 < 100


def test_the_bound_holds() -> None:
    """No product of the bytes differs from the true one by more than what both leave out allows."""
    rows, queries = rows_of("one large number", 500, 64), unit_vectors(20, 5, 64)
    (c, s, r), (d, t, u) = quantised(rows), quantised(queries)
    guess = (d.astype(int) @ c.astype(int).T) * s[None] * t[:, None]
    off = np.abs(guess - queries.astype(np.float64) @ rows.astype(np.float64).T)
    assert (off <= r[None] + (1.001 + r[None]) * u[:, None] + 1e-6).all()


@pytest.mark.parametrize("library", ["numkong", "simsimd"])
def test_a_kernel_gives_what_numpy_gives(library: str) -> None:
    """A library that is installed passes the probe that chooses it."""
    module = pytest.importorskip(library, reason=f"{library} is not installed")
    make = {"numkong": kernels._numkong, "simsimd": kernels._simsimd}[library]
    assert kernels._agrees(make(module))


def test_a_kernel_that_is_wrong_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that gives other numbers, or raises, is passed over; NumPy is left."""

    class Wrong:
        @staticmethod
        def cdist(a: kernels.Int8, b: kernels.Int8, name: str) -> Float32:
            return kernels.by_numpy(a, b) + 1

        dots_pack = dots_packed = None

    monkeypatch.setitem(sys.modules, "numkong", Wrong)
    monkeypatch.setitem(sys.modules, "simsimd", None)
    kernels.kernel.cache_clear()
    try:
        assert kernels.kernel()[0] == "numpy"
    finally:
        kernels.kernel.cache_clear()


def test_a_gallery_in_a_file_becomes_bytes_when_it_grows(tmp_path: Path) -> None:
    """The same store answers alike below and above the size, and after an erasure."""
    ledger = SqliteLedger(tmp_path / "people.db")
    store = GalleryStore(ledger, Int8Index(ledger, from_rows=60))
    plain = GalleryStore(ledger, ExactIndex())
    rows, queries = unit_vectors(90, 1), unit_vectors(4, 2)
    records = [Record(f"{i:02d}", f"s{i % 30}", row) for i, row in enumerate(rows)]
    store.commit(Changes(bind=Bound(MODEL, rows.shape[1]), put=records[:50]))
    for changes in (Changes(put=records[50:]), Changes(erase=["s3"]), Changes(rename=[("s4", "s5")])):
        assert store.search(queries, 8) == plain.search(queries, 8)
        store.commit(changes)
    assert store.search(queries, 8) == plain.search(queries, 8)
    held = store.index._of_kind[RecordKind.SAMPLE]  # type: ignore[attr-defined]
    assert type(held) is int8.Int8Rows
    store.close()


def test_rows_that_the_gallery_lacks_are_told() -> None:
    """An index that names what its ledger does not hold is a named error, not a wrong person."""
    index = Following()
    index.apply([told([Record("a", "s", unit_vectors(1, 1, 8)[0])])])
    index.told.commit(Changes(remove=["a"]))
    with pytest.raises(StoreError, match="does not hold"):
        index.search(unit_vectors(1, 1, 8), 1)
