"""What a forked child has to make anew: threads do not cross a fork, and a lock may be held by one of them.

A server that loads before it forks (gunicorn's ``preload_app``) and `multiprocessing` with ``fork`` take
objects along whose worker threads are not there any more: waiting for them would be waiting for ever.
"""

from __future__ import annotations

import os
import threading
import weakref
from types import TracebackType
from typing import Protocol


class Renewable(Protocol):
    """Something that holds threads, locks or connections."""

    def renew_after_fork(self) -> None:
        """Called in the child, before anything else runs there; the parent's own is left alone."""
        ...


_renewables: weakref.WeakSet[Renewable] = weakref.WeakSet()


def renew_in_children(thing: Renewable) -> None:
    """Have ``thing`` renewed in every child that is forked while it lives."""
    _renewables.add(thing)


class Lock:
    """A lock that is free in a forked child, whoever held it in the parent."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        renew_in_children(self)

    def renew_after_fork(self) -> None:
        """A lock of the child's own."""
        self._lock = threading.Lock()

    def acquire(self) -> None:
        """Wait for the lock and take it."""
        self._lock.acquire()

    def release(self) -> None:
        """Give it back."""
        self._lock.release()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _renew_all() -> None:
    for thing in list(_renewables):
        thing.renew_after_fork()


if hasattr(os, "register_at_fork"):  # there is no fork on Windows
    os.register_at_fork(after_in_child=_renew_all)
