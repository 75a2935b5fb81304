"""What a gallery may be opened with: every wrong setting is refused at the door, by name."""

from __future__ import annotations

import os
from typing import Any

from lineament.errors import ConfigError
from lineament.protocols import Ledger
from lineament.settings import AnalyzerSettings, FaceAnalyzer
from lineament.stores import joined, open_store
from lineament.stores.gallery_store import GalleryStore


def require_analyzer(analyzer: object) -> None:
    """Raise `ConfigError` for what turns no pictures into faces with embeddings."""
    if analyzer is None or isinstance(analyzer, AnalyzerSettings):
        return
    if isinstance(analyzer, (str, type)) or not callable(getattr(analyzer, "analyze", None)):
        raise ConfigError(
            f"analyzer: {analyzer!r:.80} is no analyzer; make one: Gallery(store, Analyzer('retry:yunet'))"
        )
    if getattr(analyzer, "model", analyzer) is None:
        raise ConfigError("analyzer: a gallery needs embeddings; give an Analyzer with an embedder")


def settings_of(analyzer: FaceAnalyzer | AnalyzerSettings | None) -> FaceAnalyzer | AnalyzerSettings:
    """What an analyzer is made of, or the object itself where it does not tell."""
    if analyzer is None:
        return AnalyzerSettings()
    told = getattr(analyzer, "settings", None)
    return told if isinstance(told, AnalyzerSettings) else analyzer


def opened(store: Any, create: bool) -> GalleryStore:
    """The store that a URL, a path or None names, or the store or the ledger given.

    Raises `ConfigError` for anything else, and what `open_store` raises.
    """
    if store is None or isinstance(store, (str, os.PathLike)):
        return open_store(store, create=create)
    if isinstance(store, type) or not isinstance(store, GalleryStore | Ledger):
        raise ConfigError(
            f"store: {store!r:.80} is no gallery; give a URL ('sqlite:people.db', 'memory:'), a path "
            "(Path('people.db')), a lineament.stores.GalleryStore, or a ledger with all the methods of "
            "lineament.protocols.Ledger"
        )
    return joined(store)
