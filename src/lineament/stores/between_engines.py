"""Carrying a gallery from one engine to another: its model and records, read here and written there."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path

from lineament.counting import quantity
from lineament.errors import ConfigError, StoreError
from lineament.protocols import Ledger
from lineament.records import Changes

_BATCH = 10_000


def carry(source: Ledger, into: Ledger) -> None:
    """Write all that one ledger holds into another, empty one, while others go on writing to the first.

    What comes is one state of the source. Raises `StoreError` for a ledger that holds records already,
    `ModelMismatch` for one bound to another model, and `Conflict` when somebody else writes to it
    meanwhile; what was carried until then stays.
    """
    revision = into.revision()
    if count := into.count():
        raise StoreError(f"the gallery to write into holds {quantity(count, 'record')}; give an empty one")
    with source.snapshot():
        records, bound = source.read(), source.bound()
        while part := list(islice(records, _BATCH)):
            revision = into.commit(Changes(bind=bound, put=part), expect=revision)
        into.commit(Changes(bind=bound), expect=revision)


def backup(source: Ledger, to: str | os.PathLike[str]) -> None:
    """Write a copy to a new ``sqlite:`` file, whole or not at all, or into the empty gallery of a URL.

    Raises `StoreError` where the file exists, `ConfigError` for ``memory:``, and see `carry`.
    """
    from lineament.stores import open_store, schemes
    from lineament.stores._sqlite_file import replacing_nothing
    from lineament.stores.sqlite import SqliteLedger, path_of

    if to == "memory:":
        raise ConfigError("a backup in memory: ends with this call; see lineament.stores.carry")
    scheme, colon, location = to.partition(":") if isinstance(to, str) else ("", "", "")
    if colon and scheme != "sqlite" and scheme in schemes():
        store = open_store(f"{scheme}:{location}")
        try:
            carry(source, store)
        finally:
            store.close()
        return
    path = path_of(location) if colon and scheme == "sqlite" else Path(os.fsdecode(to))
    with replacing_nothing(path) as partial:
        copy = SqliteLedger(partial)
        try:
            carry(source, copy)
        finally:
            copy.close()
