"""When a page ends the command that serves it: nothing is left, and nobody takes anything back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Ending:
    """Calls ``stop`` once, ``after_s`` seconds after nothing was left, or at once when told to.

    With None it ends only when told to. Safe from several threads.
    """

    def __init__(self, stop: Callable[[], None], *, after_s: float | None) -> None:
        self._stop, self._after_s = stop, after_s
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._at = 0.0

    def changed(self, left: int) -> None:
        """So many are left now: the countdown begins anew, or is called off."""
        with self._lock:
            self._cancel()
            if left or self._after_s is None:
                return
            self._at = time.monotonic() + self._after_s
            self._timer = threading.Timer(self._after_s, self._stop)
            self._timer.daemon = True
            self._timer.start()

    def now(self) -> None:
        """End; a request that is being answered is answered still."""
        with self._lock:
            self._cancel()
        self._stop()

    def stay(self) -> None:
        """End no more by itself."""
        with self._lock:
            self._cancel()
            self._after_s = None

    def seconds_left(self) -> float | None:
        """Until it ends by itself; None when it is not about to."""
        with self._lock:
            return None if self._timer is None else max(0.0, self._at - time.monotonic())

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
