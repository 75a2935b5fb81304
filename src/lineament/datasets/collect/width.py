"""How many units of work run at once: fewer when memory or the network suffers, more when all is well.

The rule, checked each time a unit asks to start:

- memory: below 15 % of it available, the number halves; while below 25 %, it does not grow;
- network: of the last 20 requests more than a quarter failed by time-out, broken connection or a busy
  server: the number halves, and counting starts anew; 20 requests with at most one such failure: one more.

The number stays between one and what was asked for. A halving for memory needs a unit to end before the
next one, so that one shortage does not halve twice.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

WINDOW = 20
LOW, ENOUGH = 0.15, 0.25

Available = Callable[[], float | None]
"""The share of memory that is available, in [0, 1]; None when nobody can tell."""


class Width:
    """An adaptive limit on concurrent units of work."""

    def __init__(self, most: int, available: Available | None = None) -> None:
        if most < 1:
            raise ValueError("at least one unit of work must be allowed")
        self.most = most
        self.now = most
        self.least_seen = most
        self._available = available or available_memory
        self._running = 0
        self._failed = self._seen = 0
        self._armed = True
        self._changed = threading.Condition()

    @contextmanager
    def unit(self) -> Iterator[None]:
        """Run one unit of work inside; waits until there is room for it."""
        with self._changed:
            self._watch_memory()
            while self._running >= self.now:
                self._changed.wait()
                self._watch_memory()
            self._running += 1
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._armed = True
                self._changed.notify_all()

    def heard(self, went_well: bool) -> None:
        """Count one request of the network."""
        with self._changed:
            self._seen += 1
            self._failed += not went_well
            if self._failed > WINDOW // 4:
                self._set(self.now // 2)
                self._failed = self._seen = 0
            elif self._seen >= WINDOW:
                share = self._available()
                if self._failed <= 1 and (share is None or share >= ENOUGH):
                    self._set(self.now + 1)
                self._failed = self._seen = 0

    def _watch_memory(self) -> None:
        share = self._available()
        if share is not None and share < LOW and self._armed:
            self._armed = False
            self._set(self.now // 2)

    def _set(self, width: int) -> None:
        self.now = max(1, min(self.most, width))
        self.least_seen = min(self.least_seen, self.now)
        self._changed.notify_all()


def available_memory() -> float | None:
    """The smaller share of what the machine and, on Linux, the control group have left."""
    shares = [share for share in (_machine_share(), _group_share()) if share is not None]
    return min(shares, default=None)


def _machine_share() -> float | None:
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
        numbers = {line.split(":")[0]: int(line.split()[1]) for line in text.splitlines()}
        return numbers["MemAvailable"] / numbers["MemTotal"]
    except (OSError, ValueError, KeyError, IndexError, ZeroDivisionError):
        pass
    try:
        psutil = importlib.import_module("psutil")
    except ImportError:
        return None
    memory = psutil.virtual_memory()
    return float(memory.available) / float(memory.total)


def _group_share(folder: Path = Path("/sys/fs/cgroup")) -> float | None:
    try:
        limit = int((folder / "memory.max").read_text(encoding="ascii"))
        used = int((folder / "memory.current").read_text(encoding="ascii"))
        cache = 0
        for line in (folder / "memory.stat").read_text(encoding="ascii").splitlines():
            if line.startswith("inactive_file "):
                cache = int(line.split()[1])
        return max(0.0, (limit - used + cache) / limit)
    except (OSError, ValueError, ZeroDivisionError):
        return None
