"""Threads: the contract of an engine, batches by what they hold, and answers as they come."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest

from lineament.engines.batching import BYTES_A_BATCH, Each
from lineament.engines.threads import Threads
from lineament.errors import ConfigError, UsageError
from lineament.testing.engine_contract import EngineContract, in_child, length, needs_fork, square, until


class TestThreads(EngineContract):
    @pytest.fixture
    def engine(self) -> Iterator[Threads]:
        with Threads(2) as engine:
            yield engine

    @pytest.fixture
    def wide(self) -> Iterator[Threads]:
        with Threads(2, ahead=self.wait) as engine:
            yield engine


class TestThreadsWithoutSpare(TestThreads):
    """As an analyzer has them, whose batches are large."""

    ahead = 4

    @pytest.fixture
    def engine(self) -> Iterator[Threads]:
        with Threads(2, ahead=1, name="analyze") as engine:
            yield engine


@pytest.mark.parametrize("workers", [0, -1, 1.5, "2"])
def test_workers_are_a_number(workers: object) -> None:
    """An engine of no workers, or of half a one, is a named error."""
    with pytest.raises(ConfigError, match="workers"):
        Threads(workers)  # type: ignore[arg-type]


def test_batches_end_at_what_they_hold() -> None:
    """Items that tell how many bytes they hold come together up to a bound, so memory is bounded too."""
    third = np.zeros(BYTES_A_BATCH // 3, np.uint8)
    with Threads(1) as engine:
        assert list(engine.map_batches(length, [third] * 7, size=8)) == [3] * 6 + [1]


@pytest.fixture
def engine() -> Iterator[Threads]:
    with Threads(2) as engine:
        yield engine


def counted(number: int) -> Iterator[int]:
    """As many answers as the number says."""
    for _ in range(number):
        yield number


def test_a_stream_gives_everything(engine: Threads) -> None:
    """All answers of all items arrive, more than the queue holds, and those of one item in its order."""
    items = [0, 3, 1500, 1, 2]
    found = list(engine.stream(counted, items, stop=threading.Event()))
    assert sorted(found) == sorted(n for n in items for _ in range(n))
    assert list(engine.stream(counted, [], stop=threading.Event())) == []


def test_a_stream_does_not_wait_for_the_slowest(engine: Threads) -> None:
    """Answers come as they are made: an item that never ends keeps no other's answers back."""
    stop = threading.Event()

    def work(number: int) -> Iterator[int]:
        if number == 0:
            stop.wait()
        yield number

    stream = engine.stream(work, [0, 1, 2, 3], stop=stop)
    assert [next(stream) for _ in range(3)] == [1, 2, 3]
    stream.close()  # type: ignore[attr-defined]
    assert stop.is_set()


def test_leaving_a_stream_early_stops_its_work(engine: Threads) -> None:
    """Whoever leaves sets ``stop``, what is under way ends by it, and what waits is never begun."""
    stop = threading.Event()
    begun: list[int] = []

    def work(number: int) -> Iterator[int]:
        begun.append(number)
        while not stop.is_set():
            yield number

    stream = engine.stream(work, range(50), stop=stop)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert stop.is_set() and set(begun) <= {0, 1}
    assert list(engine.map_batches(Each(square), [3])) == [9]


@pytest.mark.parametrize("error", [ZeroDivisionError, SystemExit])
def test_what_the_work_of_a_stream_raises(engine: Threads, error: type[BaseException]) -> None:
    """An error of one item arrives as itself and stops the others."""
    stop = threading.Event()

    def work(number: int) -> Iterator[int]:
        if number == 1:
            raise error
        while not stop.is_set():
            yield number

    with pytest.raises(error):
        for _ in engine.stream(work, [0, 1], stop=stop):
            pass
    assert stop.is_set()


def test_closing_under_a_stream_is_told(engine: Threads) -> None:
    """Somebody else closes the engine: the stream does not end as if all items had been worked on."""
    stop, begun = threading.Event(), threading.Event()

    def work(number: int) -> Iterator[int]:
        begun.set()
        stop.wait()
        yield number

    stream = engine.stream(work, range(5), stop=stop)
    closing = threading.Thread(target=engine.close)

    def close() -> None:
        until(begun.is_set)
        closing.start()
        until(lambda: engine._pool is None)
        stop.set()

    other = threading.Thread(target=close)
    other.start()
    with pytest.raises(UsageError, match="ended by close"):
        list(stream)
    other.join()
    closing.join()


@needs_fork
def test_a_stream_in_a_forked_child(engine: Threads) -> None:
    """A stream begun before a fork is a named error in the child, and goes on in the parent."""
    stream = engine.stream(counted, [1, 2, 3], stop=threading.Event())
    first = next(stream)

    def child() -> None:
        with pytest.raises(UsageError, match="in the child"):
            list(stream)
        assert list(engine.stream(counted, [2], stop=threading.Event())) == [2, 2]

    assert in_child(child) == 0
    assert sorted([first, *stream]) == [1, 2, 2, 3, 3, 3]
