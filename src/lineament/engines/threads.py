"""Batches in threads of this process: for work whose kernels release the interpreter lock."""

from __future__ import annotations

import os
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeVar, cast

from lineament.config import require_whole
from lineament.engines.batching import answered, batches
from lineament.errors import UsageError
from lineament.io import forks
from lineament.io.first_imports import import_first
from lineament.io.onnx import cores
from lineament.io.opencv import one_thread_each
from lineament.protocols import Stage

T = TypeVar("T")
R = TypeVar("R")
A = TypeVar("A")

_MOST_STREAMED = 1_000
"""Answers of `Threads.stream` that wait to be taken."""

_POLL_S = 0.02


class Threads:
    """``workers`` threads, one a core by default, which begin with the first batch and end with `close`.

    ``ahead`` is how many batches may be under way or answered beyond one a worker, ``workers`` by default:
    more of them even out work of uneven length. ``name`` says in errors what runs. Several threads may
    share one; a forked child begins with threads of its own.
    """

    def __init__(
        self, workers: int | None = None, *, ahead: int | None = None, name: str = "map_batches"
    ) -> None:
        if workers is not None:
            require_whole("workers", workers)
        self.workers = workers or cores()
        self._most = self.workers + (self.workers if ahead is None else ahead)
        self._name = name
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()
        forks.renew_in_children(self)

    def map_batches(self, stage: Stage[T, R], items: Iterable[T], *, size: int = 1) -> Iterator[R]:
        """One answer an item, in order, while later ones are being worked on.

        What ``stage`` or ``items`` raise is raised here and ends the run; so does closing the iterator.
        Batches that wait are then dropped, and those under way are finished.

        Raises `UsageError` for a run read on after `close`, or in a forked child, and `ConfigError` for a
        ``size`` that is no whole number of at least 1.
        """
        require_whole("size", size)
        process = os.getpid()
        waiting: deque[Future[Sequence[R]]] = deque()

        def one(batch: Sequence[T]) -> Sequence[R]:
            with one_thread_each():
                return answered(stage, batch)

        pool = self._threads()
        try:
            for batch in batches(items, size):
                waiting.append(self._submitted(pool, process, one, batch))
                if len(waiting) > self._most:
                    yield from self._answers(waiting.popleft(), process)
            while waiting:
                yield from self._answers(waiting.popleft(), process)
        finally:
            if os.getpid() == process:
                for future in waiting:
                    future.cancel()

    def stream(
        self, work: Callable[[T], Iterable[R]], items: Iterable[T], *, stop: threading.Event
    ) -> Iterator[R]:
        """All that ``work`` gives for each item, as it comes, in no fixed order: for work that takes hours.

        ``items`` are read at once. ``stop`` is set when the run ends, however it does, for ``work`` to look
        at. What ``work`` raises is raised here. Ends when the work under way has.
        """
        process = os.getpid()
        answers: queue.Queue[tuple[R | None, BaseException | None]] = queue.Queue(maxsize=_MOST_STREAMED)

        def one(item: T) -> None:
            try:
                for answer in work(item):
                    answers.put((answer, None))
            except BaseException as error:  # carried to the caller's thread, which ends the run
                answers.put((None, error))

        pool = self._threads()
        begun: list[Future[None]] = []
        try:
            begun.extend(self._submitted(pool, process, one, item) for item in items)
            for answer, error in self._streamed(begun, answers, process):
                if error is not None:
                    raise error
                yield cast(R, answer)
            if any(future.cancelled() for future in begun):
                raise self._closed()
        finally:
            if os.getpid() == process:
                stop.set()
                for future in begun:
                    future.cancel()
                # What is under way may be waiting for room in the queue.
                deque(self._streamed(begun, answers, process), maxlen=0)

    def close(self) -> None:
        """End the threads once they have finished what is under way; a later call begins new ones."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def renew_after_fork(self) -> None:
        """In a forked child: threads of its own, at the next call."""
        self._pool = None
        self._lock = threading.Lock()

    def _threads(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._pool is None:
                import_first()
                self._pool = ThreadPoolExecutor(self.workers, "lineament")
            return self._pool

    def _submitted(
        self, pool: ThreadPoolExecutor, process: int, one: Callable[[T], R], given: T
    ) -> Future[R]:
        self._require_here(process)
        try:
            return pool.submit(one, given)
        except RuntimeError:
            if self._pool is pool:
                raise
            raise self._closed() from None

    def _answers(self, future: Future[Sequence[R]], process: int) -> Sequence[R]:
        self._require_here(process)
        try:
            return future.result()
        except CancelledError:
            if not future.cancelled():
                raise
            raise self._closed() from None

    def _streamed(
        self, begun: Sequence[Future[None]], answers: queue.Queue[A], process: int
    ) -> Iterator[A]:
        """What is put into the queue until the work is done or dropped."""
        while True:
            self._require_here(process)
            try:
                answer = answers.get(timeout=_POLL_S)
            except queue.Empty:
                if all(future.done() for future in begun) and answers.empty():
                    return
            else:
                yield answer

    def _require_here(self, process: int) -> None:
        if os.getpid() != process:
            raise UsageError(
                f"this run of {self._name} was begun before the process forked, and its workers did not "
                f"come along; call {self._name} again in the child"
            )

    def _closed(self) -> UsageError:
        return UsageError(f"this run of {self._name} was ended by close; call {self._name} again")
