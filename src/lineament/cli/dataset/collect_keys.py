"""The keyboard of a sitting before a camera: a key to begin, and when frames are taken.

A terminal tells of keys pressed, never of keys let go. A key that is held repeats, so the space bar counts
as held until no repetition has come for a while.
"""

from __future__ import annotations

import contextlib
import io
import os
import select
import sys
import threading
import time
from types import TracebackType
from typing import Any, Self

from lineament.errors import UsageError

_HELD_SECONDS = 0.8
"""Keyboards wait up to two thirds of a second before a key repeats for the first time."""
_POLL_SECONDS = 0.1


class Keys:
    """The keyboard, while the block lasts. ``how``: ``always``, ``enter`` or ``hold``.

    Raises `UsageError` when a key is to be held and there is no terminal that could tell.
    """

    def __init__(self, how: str) -> None:
        self.how = how
        self.how_to_begin = "press Enter" if how != "hold" else "press Enter and hold the space bar"
        self._entered = threading.Semaphore(0)
        self._waiting = self._on = self._over = False
        self._held = float("-inf")
        self._saved: list[Any] | None = None
        self._thread = threading.Thread(target=self._read, name="keys", daemon=True)
        try:
            self._file: int | None = sys.stdin.fileno()
        except (OSError, ValueError, AttributeError, io.UnsupportedOperation):
            self._file = None
        if how == "hold" and (os.name != "posix" or self._file is None or not os.isatty(self._file)):
            raise UsageError("--record hold needs a terminal of Linux or macOS; use --record enter")

    def __enter__(self) -> Self:
        if self.how == "hold":
            import termios
            import tty

            assert self._file is not None
            self._saved = termios.tcgetattr(self._file)
            tty.setcbreak(self._file)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over = True
        if os.name == "posix":  # elsewhere nothing can end it while it waits for a line
            # It would take a key from whoever reads this terminal, or this number of a file, next.
            self._thread.join()
        if self._saved is not None:
            import termios

            assert self._file is not None
            termios.tcsetattr(self._file, termios.TCSADRAIN, self._saved)

    def wait(self) -> bool:
        """Until Enter is pressed, which begins the taking; False when nobody can press it."""
        self._waiting = True
        while not (there := self._entered.acquire(timeout=_POLL_SECONDS)) and not self._over:
            pass
        self._waiting, self._on = False, True
        return there

    def recording(self) -> bool:
        """Whether frames are taken now; always when nobody is at the keyboard."""
        if self._over or self.how == "always":
            return True
        return self._on if self.how == "enter" else time.monotonic() - self._held < _HELD_SECONDS

    def _read(self) -> None:
        while not self._over:
            for key in self._pressed():
                if key == " ":
                    self._held = time.monotonic()
                elif key == "\n" and (self._waiting or self.how != "enter"):
                    self._entered.release()
                elif key == "\n":
                    self._on = not self._on

    def _pressed(self) -> str:
        """What was typed since the last call; waits a little for it."""
        if self._file is None or os.name != "posix":
            line = sys.stdin.readline()
            self._over = self._over or not line
            return line
        with contextlib.suppress(OSError, ValueError):
            if not select.select([self._file], [], [], _POLL_SECONDS)[0]:
                return ""
            if data := os.read(self._file, 1024):
                return data.decode("utf-8", "replace")
        self._over = True
        return ""
