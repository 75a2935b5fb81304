"""How the processor time of a piece of work grows when its input doubles."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from lineament.errors import LineamentError

FACTOR = 2.5
_MEASURABLE_S = 0.01
_TRIES = 8
_SIZES = 3


def seconds(act: Callable[[], Any]) -> float:
    """Processor time of one call; a refusal by name is an ending as good as a result."""
    gc.disable()
    try:
        start = time.process_time()
        with suppress(LineamentError):
            act()
        return time.process_time() - start
    finally:
        gc.enable()


def require_linear(
    make: Callable[[int], Callable[[], Any]],
    start: int,
    most: int,
    *,
    measurable_s: float = _MEASURABLE_S,
    step: float = 2.0,
) -> None:
    """Fail unless twice the size takes at most two and a half times as long.

    ``make`` prepares the work for a size, and what it gives is measured. The size grows by ``step`` from
    ``start`` on until the work can be measured, or up to ``most``, which is then shown to cost next to
    nothing. The smallest of several tries counts, because a busy machine only ever adds time, and one of
    three sizes is enough, because a cache is full at some size, while a square is one at every size.
    """
    size = start
    seconds(make(size))  # what is imported late is imported now
    while (once := seconds(make(size))) < measurable_s and size < most:
        size = max(int(size * step), size + 1)
    told = []
    for _ in range(_SIZES):
        single, double = make(size), make(2 * size)
        once, twice = min(once, seconds(single)), seconds(double)
        for _ in range(_TRIES):
            if twice <= FACTOR * max(once, measurable_s):
                return
            once, twice = min(once, seconds(single)), min(twice, seconds(double))
        told.append(f"size {size}: {once:.3f} s, twice of it: {twice:.3f} s")
        size, once = 2 * size, twice
    raise AssertionError("; ".join(told))
