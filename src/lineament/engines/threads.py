"""Work on many items in a few threads, with the answers in order and little waiting in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from lineament.io.first_imports import import_first
from lineament.io.opencv import one_thread_each

T = TypeVar("T")
R = TypeVar("R")


def in_threads(workers: int, work: Callable[[T], R], items: Iterable[T]) -> Iterator[tuple[T, R]]:
    """Each item with its answer, in the order given; at most ``2 * workers`` wait at a time.

    An exception of ``work`` is raised here and ends the rest.
    """
    waiting: deque[tuple[T, Future[R]]] = deque()

    def one(item: T) -> R:
        with one_thread_each():
            return work(item)

    import_first()
    with ThreadPoolExecutor(workers, "lineament") as pool:
        try:
            for item in items:
                waiting.append((item, pool.submit(one, item)))
                if len(waiting) > 2 * workers:
                    first, future = waiting.popleft()
                    yield first, future.result()
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result()
        finally:
            for _, future in waiting:
                future.cancel()
