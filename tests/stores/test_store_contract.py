"""Every built-in store keeps the store's contract."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lineament.protocols import GalleryStore
from lineament.stores.memory import MemoryLedger
from lineament.stores.sqlite import SqliteLedger
from lineament.testing.store_contract import StoreContract


class TestMemory(StoreContract):
    @pytest.fixture
    def store(self) -> GalleryStore:
        return MemoryLedger()


class TestSqlite(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[GalleryStore]:
        store = SqliteLedger(tmp_path / "people.db")
        yield store
        store.close()
