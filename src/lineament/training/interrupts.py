"""Ctrl-C that lets a step end whole."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interrupts() -> Iterator[threading.Event]:
    """Ctrl-C sets the event, so that a step ends whole; a second one interrupts at once."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return

    asked = 0.0

    def handle(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if event.is_set():
            # `timeout` and others signal the process and its group: that is one request.
            if time.monotonic() - asked > 0.5:
                raise KeyboardInterrupt
            return
        asked = time.monotonic()
        event.set()

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)
