"""Decide outside the write, then write only if nothing changed meanwhile.

A search takes long and keeps nobody waiting; the write that follows from it is short. Between the two
another process may write, and then the decision is made anew.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from lineament.protocols import GalleryStore

T = TypeVar("T")

_TRIES = 3


def decided(store: GalleryStore, decide: Callable[[], T], write: Callable[[T], None]) -> T:
    """What ``decide`` returned of the very state that ``write`` then changed.

    ``decide`` only reads, and may be called several times; what it raises ends the call with nothing
    written. When others keep writing in between, it is called once more with all writers kept out.
    """
    for _ in range(_TRIES):
        with store.snapshot():
            revision = store.revision()
            decision = decide()
        with store.transaction():
            if store.revision() == revision:
                write(decision)
                return decision
    with store.transaction():
        decision = decide()
        write(decision)
        return decision
