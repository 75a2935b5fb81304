"""Every built-in ledger and every pair of a ledger with an index keeps its contract."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lineament.protocols import Ledger
from lineament.stores.gallery_store import GalleryStore
from lineament.stores.memory import MemoryLedger
from lineament.stores.sqlite import SqliteLedger
from lineament.testing.ledger_contract import LedgerContract
from lineament.testing.store_contract import StoreContract


class TestMemory(LedgerContract):
    @pytest.fixture
    def ledger(self) -> Ledger:
        return MemoryLedger()


class TestSqlite(LedgerContract):
    @pytest.fixture
    def ledger(self, tmp_path: Path) -> Iterator[Ledger]:
        ledger = SqliteLedger(tmp_path / "people.db")
        yield ledger
        ledger.close()


class TestMemoryExact(StoreContract):
    @pytest.fixture
    def store(self) -> GalleryStore:
        return GalleryStore(MemoryLedger())


class TestSqliteExact(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[GalleryStore]:
        store = GalleryStore(SqliteLedger(tmp_path / "people.db"))
        yield store
        store.close()
