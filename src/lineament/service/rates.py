"""How often a key may ask: a bucket that fills evenly, and holds half a minute's share."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from lineament.service.errors import too_often

_REMEMBERED = 10_000


class Rates:
    """One bucket a key, the least recently used ones forgotten. Used from one thread only."""

    def __init__(self, a_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._a_second, self._most = a_minute / 60, max(1.0, a_minute / 2)
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> None:
        """Count a request of a key; raises `Refused` (429) with the time until one is allowed again."""
        now = self._clock()
        left, at = self._left.pop(key, (self._most, now))
        left = min(self._most, left + (now - at) * self._a_second)
        allowed = left >= 1
        self._left[key] = (left - 1 if allowed else left, now)
        if len(self._left) > _REMEMBERED:
            self._left.popitem(last=False)
        if not allowed:
            raise too_often((1 - left) / self._a_second)
