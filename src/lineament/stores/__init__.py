"""Ledgers of a gallery's records, one file an engine, and the store that joins one with an index.

``sqlite:people.db``, ``sqlite:///srv/people.db`` and ``memory:`` are built in. Another package adds an
engine with an entry point in the group ``lineament.stores`` whose name is the URL's scheme and which points
at a function ``(location, *, create) -> Ledger``, where the location is what follows ``scheme:``. One that
brings an index of its own returns a `GalleryStore` of both.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import re
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from lineament.config import did_you_mean
from lineament.errors import ConfigError, UnknownName
from lineament.lazily import lazily
from lineament.protocols import Ledger
from lineament.stores._default import default_url

if TYPE_CHECKING:
    from lineament.stores.between_engines import carry
    from lineament.stores.gallery_store import GalleryStore
    from lineament.stores.memory import MemoryLedger
    from lineament.stores.sqlite import SqliteLedger

__all__ = [
    "GalleryStore",
    "MemoryLedger",
    "SqliteLedger",
    "carry",
    "default_url",
    "joined",
    "open_store",
    "schemes",
]

__getattr__, __dir__ = lazily(
    __name__,
    {
        "lineament.stores.between_engines": ("carry",),
        "lineament.stores.gallery_store": ("GalleryStore",),
        "lineament.stores.memory": ("MemoryLedger",),
        "lineament.stores.sqlite": ("SqliteLedger",),
    },
)

ENTRY_POINTS = "lineament.stores"
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
"""How a path of Windows begins, which is no scheme."""


def open_store(url: str | os.PathLike[str] | None = None, *, create: bool = True) -> GalleryStore:
    """Open the store a URL names, by default a file in the user's data directory.

    A path, such as ``Path("people.db")``, is a SQLite file. With ``create`` false a gallery that does not
    exist is a `StoreError` instead of a new file. Raises `UnknownName` for a scheme nobody provides.
    """
    if isinstance(url, os.PathLike):
        from lineament.stores.sqlite import SqliteLedger

        return joined(SqliteLedger(os.fsdecode(url), create=create))
    if url is not None and not isinstance(url, str):
        raise ConfigError(f"a gallery is named by a URL or a path, not {type(url).__name__}: {url!r:.80}")
    scheme, colon, location = (default_url() if url is None else url).partition(":")
    if not colon or _DRIVE.match(scheme + colon + location):
        meant = f"'sqlite:{url}'" if url else "'sqlite:people.db'"
        raise UnknownName(f"{url!r} does not say what kind of gallery it is: write {meant}")
    return joined(_opener(scheme)(location, create=create))


def joined(ledger: Ledger | GalleryStore) -> GalleryStore:
    """A ledger with an exact index, or the store that it is already."""
    from lineament.stores.gallery_store import GalleryStore

    return ledger if isinstance(ledger, GalleryStore) else GalleryStore(ledger)


def schemes() -> list[str]:
    """Every scheme that can be opened, without importing the engines."""
    return sorted(_built_in() | {point.name for point in entry_points(group=ENTRY_POINTS)})


def _built_in() -> set[str]:
    # A scheme holds no underscore (RFC 3986), the other modules here do.
    return {module.name for module in pkgutil.iter_modules(__path__) if "_" not in module.name}


def _opener(scheme: str) -> Callable[..., Ledger | GalleryStore]:
    if scheme in _built_in():
        opener: Callable[..., Ledger] = importlib.import_module(f"{__name__}.{scheme}").open_url
        return opener
    for point in entry_points(group=ENTRY_POINTS, name=scheme):
        loaded: Callable[..., Ledger | GalleryStore] = point.load()
        return loaded
    raise UnknownName(
        f"no kind of gallery is called {scheme!r}{did_you_mean(scheme, schemes())}; a gallery in a file is "
        "written 'sqlite:people.db'"
    )
