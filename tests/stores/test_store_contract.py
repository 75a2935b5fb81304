"""Ledgers and indexes keep their contracts, and any ledger with any index answers as any other pair."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from other_engines import LoggingLedger, PlainIndex

from lineament.protocols import Ledger, VectorIndex
from lineament.search.exact import ExactIndex
from lineament.stores.gallery_store import GalleryStore
from lineament.stores.memory import MemoryLedger
from lineament.stores.sqlite import SqliteLedger
from lineament.testing.index_contract import IndexContract
from lineament.testing.ledger_contract import LedgerContract
from lineament.testing.store_contract import StoreContract


class TestMemory(LedgerContract):
    @pytest.fixture(params=[2, 10_000])
    def ledger(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Ledger:
        monkeypatch.setattr("lineament.stores.memory._BATCH", request.param)
        return MemoryLedger()


class TestSqlite(LedgerContract):
    @pytest.fixture(params=[2, 10_000])
    def ledger(
        self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> Iterator[Ledger]:
        for pieces in ("_BATCH", "_PAGE"):
            monkeypatch.setattr(f"lineament.stores.sqlite.{pieces}", request.param)
        ledger = SqliteLedger(tmp_path / "people.db")
        yield ledger
        ledger.close()


class TestSomebodyElsesLedger(LedgerContract):
    @pytest.fixture
    def ledger(self) -> Ledger:
        return LoggingLedger()


class TestSomebodyElsesIndex(IndexContract):
    @pytest.fixture
    def index(self) -> VectorIndex:
        return PlainIndex()


PAIRS: dict[str, Callable[[Path], tuple[Ledger, VectorIndex]]] = {
    "memory, exact": lambda _: (MemoryLedger(), ExactIndex()),
    "sqlite, exact": lambda folder: (SqliteLedger(folder / "people.db"), ExactIndex()),
    "sqlite, another": lambda folder: (SqliteLedger(folder / "people.db"), PlainIndex()),
    "another, exact": lambda _: (LoggingLedger(), ExactIndex()),
}


class TestPairs(StoreContract):
    @pytest.fixture(params=PAIRS)
    def store(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[GalleryStore]:
        store = GalleryStore(*PAIRS[request.param](tmp_path))
        yield store
        store.close()
