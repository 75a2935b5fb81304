"""OpenCV kept to the threads that call it, and its setting left as the program around us has it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lineament.io import forks

_importing = forks.Lock()


def import_cv2() -> Any:
    """OpenCV with its data, imported by one thread at a time.

    Its package replaces itself while it is being imported, so that a second thread may see it half made.
    """
    with _importing:
        import cv2
        import cv2.data

        return cv2


class _Setting:
    """How many blocks of `one_thread_each` are being run, and what OpenCV was set to before the first.

    OpenCV's threads sleep between its calls. A child that was forked meanwhile waits for ever where it sets
    another number of them, for those to wake that it does not have (seen with 4.14, in loading processes of
    a training). So there are none while a process forks.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.inside = 0
        self.found = 0
        self.before_fork = 0
        forks.prepare_for_forks(self)

    def prepare_fork(self) -> None:
        """End OpenCV's threads, where it was loaded."""
        cv2: Any = sys.modules.get("cv2")
        self.before_fork = cv2.getNumThreads() if hasattr(cv2, "setNumThreads") else 0
        if self.before_fork:
            cv2.setNumThreads(1)

    def resume_after_fork(self) -> None:
        """As before; the threads are made when they are needed."""
        if self.before_fork:
            sys.modules["cv2"].setNumThreads(self.before_fork)

    def renew_after_fork(self) -> None:
        """Blocks of the parent's threads never end in a child."""
        self.lock = threading.Lock()
        if self.before_fork:
            sys.modules["cv2"].setNumThreads(self.found if self.inside else self.before_fork)
        self.inside = 0


_setting = _Setting()


@contextmanager
def one_thread_each() -> Iterator[None]:
    """OpenCV computes in the calling thread: its own pool would fight our workers for the cores.

    The setting is one for the process. The first block to begin remembers what it was, and the last to end
    puts it back, so that the program around us has its own again whenever no picture is being worked on.
    """
    cv2 = import_cv2()
    with _setting.lock:
        if not _setting.inside:
            _setting.found = cv2.getNumThreads()
            cv2.setNumThreads(1)
        _setting.inside += 1
    try:
        yield
    finally:
        with _setting.lock:
            _setting.inside -= 1
            if not _setting.inside:
                cv2.setNumThreads(_setting.found)
