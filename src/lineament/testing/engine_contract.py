"""What every engine must do, as tests: subclass `EngineContract` and provide the two fixtures.

class TestMine(EngineContract):
    @pytest.fixture
    def engine(self) -> Iterator[Engine]:
        with closing(Mine(workers=2)) as engine:
            yield engine

    @pytest.fixture
    def wide(self) -> Iterator[Engine]:
        with closing(Mine(workers=2, ahead=EngineContract.wait)) as engine:
            yield engine
"""

from __future__ import annotations

import itertools
import os
import select
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from lineament.engines.batching import Each
from lineament.errors import LineamentError, UsageError
from lineament.protocols import Engine

_SECONDS = 60
"""Far longer than anything here takes; what hangs is ended and told of."""


def square(number: int) -> int:
    """The answer of most tests; the smaller of two neighbours takes longer."""
    if number % 2 == 0:
        time.sleep(0.002)
    return number * number


def length(batch: Sequence[int]) -> list[int]:
    """How many items came together, for each of them."""
    return [len(batch)] * len(batch)


def too_few(batch: Sequence[int]) -> list[int]:
    """A stage that forgets an item."""
    return list(batch)[1:]


def one_over(number: int) -> float:
    """Fails at 0."""
    return 1 / number


def refusing(number: int) -> int:
    """Fails at 3 with an error of ours."""
    if number == 3:
        raise UsageError("not three")
    return number


def opencv_threads(_number: int) -> int:
    """With how many threads OpenCV computes where the work is done."""
    import cv2

    return int(cv2.getNumThreads())


def kill_at_three(number: int) -> int:
    """The process that works on 3 is killed, as the system does when memory is short."""
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


@dataclass(frozen=True)
class Counted:
    """Work that takes a moment, and leaves a file for every item it begins."""

    folder: Path

    def __call__(self, number: int) -> int:
        """The item itself."""
        (self.folder / str(number)).touch()
        time.sleep(0.005)
        return number

    def begun(self) -> int:
        """How many items were begun."""
        return len(list(self.folder.iterdir()))


@dataclass(frozen=True)
class Gated:
    """Work that leaves a file for every item it begins, and waits until the gate is open."""

    folder: Path

    def __call__(self, number: int) -> int:
        """The item itself."""
        (self.folder / str(number)).touch()
        until((self.folder / "open").exists)
        return number

    def open(self) -> None:
        """Let all go on."""
        (self.folder / "open").touch()

    def begun(self) -> int:
        """How many items were begun."""
        return len([path for path in self.folder.iterdir() if path.name != "open"])


def until(holds: object) -> None:
    """Wait for something that is bound to happen."""
    assert callable(holds)
    end = time.monotonic() + _SECONDS
    while not holds():
        assert time.monotonic() < end, "it hangs"
        time.sleep(0.005)


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
needs_signals = pytest.mark.skipif(os.name == "nt", reason="Ctrl-C does not end a wait on Windows")


class EngineContract:
    """The contract of `lineament.protocols.Engine`."""

    ahead = 12
    """The most batches that an engine of two workers may take before the first answer is read."""

    wait = 400
    """How many batches the engine of the fixture ``wide`` takes ahead."""

    workers_are_processes = False
    """Whether a worker can be killed alone."""

    def squares(self, engine: Engine) -> None:
        """It works."""
        assert list(engine.map_batches(Each(square), range(20), size=3)) == [n * n for n in range(20)]

    @pytest.mark.parametrize("size", [1, 3, 7, 100])
    def test_answers_in_order(self, engine: Engine, size: int) -> None:
        """One answer an item, in the order given, however long each takes and however batches are cut."""
        answers = list(engine.map_batches(Each(square), range(40), size=size))
        assert answers == [n * n for n in range(40)]

    @pytest.mark.parametrize("count", [0, 1])
    def test_few_items(self, engine: Engine, count: int) -> None:
        """Nothing, or one item, is answered as much as many are."""
        assert list(engine.map_batches(Each(square), range(count))) == [0] * count

    def test_batches(self, engine: Engine) -> None:
        """A stage sees ``size`` items at once, and the rest at the end; one by one by default."""
        assert list(engine.map_batches(length, range(8), size=3)) == [3] * 6 + [2] * 2
        assert list(engine.map_batches(length, range(3))) == [1] * 3

    def test_wrong_sizes(self, engine: Engine) -> None:
        """A batch of no items, or of half a one, is a named error."""
        for size in (0, -1, 1.5, True, "2", None):
            with pytest.raises(UsageError, match="size"):
                list(engine.map_batches(Each(square), range(3), size=size))  # type: ignore[arg-type]
        self.squares(engine)

    def test_a_wrong_number_of_answers(self, engine: Engine) -> None:
        """A stage that gives fewer answers than items would shift all that follow; it is a named error."""
        with pytest.raises(UsageError, match=r"too_few.* gave 2 answers to 3 items"):
            list(engine.map_batches(too_few, range(6), size=3))

    def test_endless_items(self, engine: Engine) -> None:
        """Items are taken a few batches ahead of the answers read, so endless ones may be given."""
        taken = 0

        def endless() -> Iterator[int]:
            nonlocal taken
            while True:
                taken += 1
                yield taken

        answers = engine.map_batches(Each(square), endless(), size=4)
        for read in range(1, 60):
            next(answers)
            assert taken <= read + 4 * self.ahead
        answers.close()  # type: ignore[attr-defined]
        self.squares(engine)

    def test_errors_of_the_work(self, engine: Engine) -> None:
        """What a stage raises arrives as itself, after the answers before it, and spoils no later run."""
        answers = engine.map_batches(Each(one_over), [1, 2, 0, 4])
        assert (next(answers), next(answers)) == (1, 0.5)
        with pytest.raises(ZeroDivisionError):
            next(answers)
        assert list(answers) == []
        with pytest.raises(UsageError, match="not three"):
            list(engine.map_batches(Each(refusing), range(5), size=2))
        self.squares(engine)

    def test_errors_of_the_items(self, engine: Engine) -> None:
        """What the iterator of the items raises is raised to who reads the answers."""

        def items() -> Iterator[int]:
            yield 1
            raise OSError("the disk is gone")

        with pytest.raises(OSError, match="the disk is gone"):
            list(engine.map_batches(Each(square), items()))
        self.squares(engine)

    def test_runs_side_by_side(self, engine: Engine) -> None:
        """Two runs read in turn, and runs of several threads, each get their own answers."""
        one, other = (engine.map_batches(Each(square), range(n, n + 9), size=2) for n in (0, 50))
        pairs = list(zip(one, other, strict=True))
        assert pairs == [(n * n, (n + 50) ** 2) for n in range(9)]
        with ThreadPoolExecutor(3) as callers:
            list(callers.map(self.squares, [engine] * 6))

    def test_opencv_computes_with_one_thread(self, engine: Engine) -> None:
        """Workers are as many as there are cores, so OpenCV's own threads would only be in the way."""
        assert set(engine.map_batches(Each(opencv_threads), range(6))) == {1}

    @pytest.mark.parametrize("how", ["leaving", "closing", "an error", "Ctrl-C"])
    def test_what_waits_is_dropped(self, wide: Engine, tmp_path: Path, how: str) -> None:
        """However a run is left, few of the batches that were taken ahead are begun any more."""
        work = Counted(tmp_path)
        answers = wide.map_batches(Each(work), itertools.count())
        assert next(answers) == 0
        if how == "leaving":
            answers.close()  # type: ignore[attr-defined]
        elif how == "an error":
            with pytest.raises(ZeroDivisionError):
                for number in answers:
                    one_over(number - 1)
        elif how == "Ctrl-C":
            with pytest.raises(KeyboardInterrupt):
                for _ in answers:
                    signal.raise_signal(signal.SIGINT)
        wide.close()
        begun = work.begun()
        assert begun < self.wait
        self.squares(wide)
        assert work.begun() == begun

    def test_close(self, engine: Engine) -> None:
        """After `close` an open run is a named error, never an end without answers; a new one works."""
        answers = engine.map_batches(Each(square), range(1000))
        assert next(answers) == 0
        engine.close()
        with pytest.raises(UsageError):
            list(answers)
        self.squares(engine)
        engine.close()
        engine.close()

    def test_nothing_is_left_after_close(self, engine: Engine) -> None:
        """Neither threads nor processes outlive `close`, also of a run that was never read."""
        threads, processes = set(threading.enumerate()), children()
        self.squares(engine)
        engine.map_batches(Each(square), range(5))
        engine.close()
        assert set(threading.enumerate()) <= threads and children() <= processes

    @needs_signals
    def test_ctrl_c_while_waiting(self, engine: Engine, tmp_path: Path) -> None:
        """Ctrl-C ends the wait for an answer: what waits is dropped, what is under way is finished."""
        gate = Gated(tmp_path)

        def press() -> None:
            until(gate.begun)
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            gate.open()

        pressing = threading.Thread(target=press)
        pressing.start()
        answers = engine.map_batches(Each(gate), itertools.count())
        with pytest.raises(KeyboardInterrupt):
            deaf(answers)
        pressing.join()
        answers.close()  # type: ignore[attr-defined]
        engine.close()
        assert gate.begun() <= self.ahead + 1
        self.squares(engine)

    @pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
    def test_a_killed_worker(self, engine: Engine) -> None:
        """A worker that the system kills is a named error, and the next run has workers again."""
        if not self.workers_are_processes:
            pytest.skip("its workers are of this process: whoever kills one kills all")
        with pytest.raises(LineamentError, match="signal 9"):
            list(engine.map_batches(Each(kill_at_three), range(200)))
        self.squares(engine)

    @needs_fork
    def test_a_forked_child(self, engine: Engine) -> None:
        """A child forked in the middle of a run is told that the run is its parent's, and begins anew; the
        parent goes on."""
        answers = engine.map_batches(Each(square), range(30))
        assert next(answers) == 0
        for _ in range(3):

            def child() -> None:
                with pytest.raises(UsageError, match="in the child"):
                    list(answers)
                self.squares(engine)
                engine.close()

            assert in_child(child) == 0
        assert list(answers) == [n * n for n in range(1, 30)]
        self.squares(engine)

    @needs_fork
    def test_forked_while_others_work(self, engine: Engine) -> None:
        """Children forked while threads of the parent are in the middle of runs begin anew as well."""
        stop = threading.Event()

        def keep_busy() -> None:
            while not stop.is_set():
                self.squares(engine)

        busy = threading.Thread(target=keep_busy)
        busy.start()
        try:
            for _ in range(5):
                assert in_child(lambda: self.squares(engine)) == 0
        finally:
            stop.set()
            busy.join()


def deaf(answers: Iterator[int]) -> None:
    """Read to the end, however long that takes."""
    for _ in answers:
        pass


def in_child(work: object) -> int:
    """Exit status of a forked child that does this and no more; one that hangs is ended."""
    assert callable(work)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            os._exit(status)
    end = time.monotonic() + _SECONDS
    while time.monotonic() < end:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    raise AssertionError("the child hangs")


def children() -> set[int]:
    """Processes that this one started and that have not ended, where the system tells."""
    found = set()
    for task in Path("/proc/self/task").glob("*/children"):
        found |= {int(pid) for pid in task.read_text().split()}
    return {pid for pid in found if alive(pid)}


def alive(pid: int) -> bool:
    """Whether a child still runs."""
    try:
        file = os.pidfd_open(pid)
    except (ProcessLookupError, AttributeError):
        return False
    with os.fdopen(file):
        return not select.select([file], [], [], 0)[0]
