"""Decide outside the write, then commit at once what was decided, if nothing changed meanwhile.

A search takes long and keeps nobody waiting; the commit that follows from it is short. Between the two
another process may write, and then the decision is made anew.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from lineament.errors import Conflict
from lineament.protocols import Ledger
from lineament.records import Changes

T = TypeVar("T")

_TRIES = 3


def committed(ledger: Ledger, decide: Callable[[], tuple[Changes, T]]) -> T:
    """Commit what ``decide`` returns to the very state of which it was decided; returns the rest of it.

    ``decide`` only reads, and may be called several times; what it raises ends the call with nothing
    written. Whoever was overtaken three times waits for a turn and decides once more in it, with all
    writers kept out: so nobody starves. `Conflict` comes of engines only whose turns keep nobody out.
    """
    for _ in range(_TRIES):
        with suppress(Conflict):
            return _once(ledger, decide)
    with ledger.turn():
        return _once(ledger, decide)


def _once(ledger: Ledger, decide: Callable[[], tuple[Changes, T]]) -> T:
    with ledger.snapshot():
        revision = ledger.revision()
        changes, answer = decide()
    ledger.commit(changes, expect=revision)
    return answer
