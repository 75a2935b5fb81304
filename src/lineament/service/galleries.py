"""The galleries that keys open, each opened once; whoever asks gets one that knows its pictures already."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from lineament.gallery.gallery import Gallery
from lineament.settings import GallerySettings
from lineament.stores import open_store
from lineament.stores.gallery_store import GalleryStore
from lineament.types import Outcome


class Analysed:
    """The analyzer of a gallery whose pictures went through the workers: it hands their outcomes on."""

    def __init__(self, outcomes: Iterable[Outcome] = ()) -> None:
        self._outcomes = list(outcomes)

    def analyze(self, sources: Any, *, digests: bool = False) -> Iterator[Outcome]:
        """The outcomes of these sources, in their order."""
        del digests
        outcomes, self._outcomes = self._outcomes, []
        yield from outcomes


class Galleries:
    """Stores by their URL; safe from several threads."""

    def __init__(self, settings: GallerySettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._stores: dict[str | None, GalleryStore] = {}

    def open(self, url: str | None, outcomes: Sequence[Outcome] = ()) -> Gallery:
        """The gallery of a URL, None for the one that is served, which is not to be closed.

        What it is asked to analyse has these ``outcomes``.
        """
        return Gallery(
            self._store(url),
            Analysed(outcomes),
            threshold=self._settings.threshold,
            target_fmr=self._settings.target_fmr,
            fusion=self._settings.fusion,
            min_quality=self._settings.min_quality,
        )

    def _store(self, url: str | None) -> GalleryStore:
        wanted = self._settings.store if url is None else url
        assert wanted is None or isinstance(wanted, str)
        with self._lock:
            if wanted not in self._stores:
                self._stores[wanted] = open_store(wanted, create=self._settings.create)
            return self._stores[wanted]

    def close(self) -> None:
        """Let go of all of them."""
        with self._lock:
            stores, self._stores = self._stores, {}
        for store in stores.values():
            store.close()
