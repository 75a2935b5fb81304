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

from lineament.errors import StoreError

_FORK_WAIT_S = 1.0
"""How long a fork waits for a search or a write under way in another thread."""


class Renewable(Protocol):
    """Something that holds threads, locks or connections."""

    def renew_after_fork(self) -> None:
        """Called in the child, before anything else runs there; the parent's own is left alone."""
        ...


class Prepared(Renewable, Protocol):
    """Something that must not be in use, or not be open, at the moment of a fork."""

    def prepare_fork(self) -> None:
        """Called in the parent before it forks."""
        ...

    def resume_after_fork(self) -> None:
        """Called in the parent afterwards."""
        ...


_renewables: weakref.WeakSet[Renewable] = weakref.WeakSet()
_prepared: weakref.WeakSet[Prepared] = weakref.WeakSet()


def prepare_for_forks(thing: Prepared) -> None:
    """Have ``thing`` told before and after every fork while it lives, in the parent and in the child."""
    _prepared.add(thing)
    _renewables.add(thing)


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


class StoreLock:
    """A re-entrant lock that a fork waits for, a moment at most, so that a child finds nothing half done.

    In a child that was forked while somebody held it all the same it is never got: `StoreError`.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._depth = 0
        self._taken = False
        self._interrupted = False

    def __enter__(self) -> None:
        if self._interrupted:
            raise StoreError(
                "this gallery was being read or written when this process was forked, and cannot be used "
                "in it; fork while nothing is under way, or start the process anew (the spawn method)"
            )
        self._lock.acquire()
        self._depth += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._depth -= 1
        self._lock.release()

    def hold_for_fork(self) -> bool:
        """Whether nobody is at work, the forking thread included; held until `resume`."""
        self._taken = self._lock.acquire(timeout=_FORK_WAIT_S)
        return self._taken and self._depth == 0

    def resume(self) -> None:
        """After the fork, in the parent."""
        if self._taken:
            self._taken = False
            self._lock.release()

    def renew(self) -> None:
        """After the fork, in the child: free, whoever held it."""
        self._interrupted = self._interrupted or not self._taken or self._depth > 0
        # The forking thread may be inside the lock: what it leaves then is this one.
        depth = self._depth if self._taken else 0
        self._lock, self._depth, self._taken = threading.RLock(), depth, False
        for _ in range(depth):
            self._lock.acquire()


def _prepare_all() -> None:
    for thing in list(_prepared):
        thing.prepare_fork()


def _resume_all() -> None:
    for thing in list(_prepared):
        thing.resume_after_fork()


def _renew_all() -> None:
    for thing in list(_renewables):
        thing.renew_after_fork()


if hasattr(os, "register_at_fork"):  # there is no fork on Windows
    os.register_at_fork(before=_prepare_all, after_in_parent=_resume_all, after_in_child=_renew_all)
