"""How the processor time of a piece of work grows when its input doubles."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Any

from lineament.errors import LineamentError

FACTOR = 2.5
_MEASURABLE_S = 0.01
_TRIES = 12


def seconds(act: Callable[[], Any]) -> float:
    """Processor time of one call; a refusal by name is an ending as good as a result."""
    gc.disable()
    try:
        start = time.process_time()
        try:
            act()
        except LineamentError:
            pass
        return time.process_time() - start
    finally:
        gc.enable()


def require_linear(make: Callable[[int], Callable[[], Any]], start: int, most: int) -> None:
    """Fail unless twice the size takes at most two and a half times as long.

    ``make`` prepares the work for a size, and what it gives is measured. The size is doubled from ``start``
    on until the work can be measured, or up to ``most``, which is then shown to cost next to nothing. The
    smallest of several tries counts, because a busy machine only ever adds time.
    """
    size = start
    seconds(make(size))  # what is imported late is imported now
    while (once := seconds(make(size))) < _MEASURABLE_S and size < most:
        size *= 2
    single, double = make(size), make(2 * size)
    twice = seconds(double)
    for _ in range(_TRIES):
        if twice <= FACTOR * max(once, _MEASURABLE_S):
            return
        once, twice = min(once, seconds(single)), min(twice, seconds(double))
    raise AssertionError(f"size {size}: {once:.3f} s, twice of it: {twice:.3f} s")
