"""Worker processes: the contract of an engine, what travels, and that no worker outlives its caller."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lineament.engines.batching import Each
from lineament.engines.processes import Processes, Workers
from lineament.errors import ConfigError, OutputError, UsageError
from lineament.testing.engine_contract import EngineContract, needs_fork, square


class TestProcesses(EngineContract):
    workers_are_processes = True

    @pytest.fixture
    def engine(self) -> Iterator[Processes]:
        with Processes(2) as engine:
            yield engine

    @pytest.fixture
    def wide(self) -> Iterator[Processes]:
        with Processes(2, ahead=self.wait) as engine:
            yield engine


class Divided:
    """What the workers of these tests do; they import it by name, and are given the number alone."""

    def __init__(self, by: int) -> None:
        self.by = by

    def __reduce__(self) -> tuple[Callable[[int], Divided], tuple[int]]:
        return divided, (self.by,)

    def __call__(self, batch: list[int]) -> list[tuple[float, int]]:
        print("a library's remark")
        return [(self.by / number, os.getpid()) for number in batch]


def divided(by: int) -> Divided:
    """What makes the stage in a worker."""
    if by < 0:
        raise ConfigError("by: negative")
    return Divided(by)


class Unpicklable(Exception):
    """An error that takes more than its message."""

    def __init__(self, one: int, other: int) -> None:
        super().__init__(f"{one} and {other}")


def failing(number: int) -> Any:
    """Answers and errors that cannot travel back."""
    if number == 0:
        raise Unpicklable(1, 2)
    return lambda: number


def end_yourself(number: int) -> None:
    """Work that the system ends."""
    os.kill(os.getpid(), number)


def test_answers_come_in_order_from_all_workers() -> None:
    """Every item is answered once, in the order given, by processes other than this one."""
    with Processes(2) as engine:
        answers = list(engine.map_batches(Divided(6), range(1, 40)))
    assert [answer[0] for answer in answers] == [6 / n for n in range(1, 40)]
    processes = {answer[1] for answer in answers}
    assert len(processes) == 2 and os.getpid() not in processes


def test_errors_of_the_work_are_raised_and_the_worker_goes_on() -> None:
    """An error arrives as itself; the next item is answered all the same."""
    with Workers(1, Divided(6)) as workers:
        with pytest.raises(ZeroDivisionError):
            workers.ask([0])
        assert workers.ask([3])[0][0] == 2
        with pytest.raises(UsageError, match="cannot be handed"):
            workers.ask([lambda: 3])
        assert workers.ask([2])[0][0] == 3


def test_errors_of_making_the_stage_are_raised_at_once() -> None:
    """What a worker raises when it unpacks the stage is raised by the call, before an answer is read."""
    with Processes(2) as engine, pytest.raises(ConfigError, match="negative"):
        engine.map_batches(Divided(-1), range(3))


@pytest.mark.parametrize("stage", ["a function inside a function", "of a script", "holds a lock"])
def test_work_that_cannot_travel(stage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stage that another process cannot import or unpack is a named error that says what to give."""
    import threading

    given: Any = Each(threading.Lock().acquire) if stage == "holds a lock" else Each(lambda n: n)
    if stage == "of a script":

        def own(number: int) -> int:
            return number

        own.__module__, own.__qualname__ = "__main__", "own"
        monkeypatch.setattr(sys.modules["__main__"], "own", own, raising=False)
        given = Each(own)
    with Processes(1) as engine, pytest.raises(UsageError, match="importable module, or use threads"):
        engine.map_batches(given, range(3))


@pytest.mark.parametrize(("number", "said"), [(0, "Unpicklable: 1 and 2"), (1, "pickle")])
def test_answers_that_cannot_travel(number: int, said: str) -> None:
    """An answer or an error that cannot be pickled is told of, never an end without a word."""
    with Processes(1) as engine, pytest.raises(RuntimeError, match=said):
        list(engine.map_batches(Each(failing), [number]))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_an_ended_worker_is_a_named_error() -> None:
    """A worker that the system kills, for want of memory say, ends in an error that says so."""
    with Workers(1, Each(end_yourself)) as workers, pytest.raises(OutputError, match="signal 9"):
        workers.ask([signal.SIGKILL])


@needs_fork
def test_a_child_keeps_no_workers_of_its_parent_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers end by themselves at `close`, though a child lives on that was forked in the middle."""
    killed: list[int] = []
    monkeypatch.setattr(subprocess.Popen, "kill", lambda self: killed.append(self.pid))
    monkeypatch.setattr("lineament.engines.processes._SECONDS_TO_END", 20.0)
    reading, writing = os.pipe()
    with Processes(2) as engine:
        answers = engine.map_batches(Each(square), range(1000))
        assert next(answers) == 0
        child = os.fork()
        if child == 0:
            os.close(writing)
            os.read(reading, 1)  # until the parent closes its end
            os._exit(0)
        answers.close()  # type: ignore[attr-defined]
    os.close(writing)
    os.waitpid(child, 0)
    os.close(reading)
    assert killed == []


PARENT = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from lineament.engines.processes import Workers
from test_process_engine import Divided

workers = Workers(2, Divided(6))
print(*(worker.pid for worker in workers._all), flush=True)
if sys.argv[2] == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="waits for processes as Linux can")
@pytest.mark.parametrize("how", ["killed", "ends without closing"])
def test_no_worker_outlives_its_caller(how: str) -> None:
    """Killed or just gone, the caller takes its workers with it."""
    command = [sys.executable, "-c", PARENT, str(Path(__file__).parent), how]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == (-9 if how == "killed" else 0), ended.stderr
    workers = ended.stdout.split()
    assert len(workers) == 2
    for pid in map(int, workers):
        assert ends(pid)


def ends(pid: int) -> bool:
    """Whether that process is gone, or is within a minute."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    with os.fdopen(process):
        return bool(select.select([process], [], [], 60)[0])


def test_a_plain_script_may_ask_for_workers(tmp_path: Path) -> None:
    """A caller's module without ``if __name__ == "__main__"`` is not run again by the workers."""
    script = tmp_path / "plain.py"
    script.write_text(
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from lineament.engines.processes import Processes\n"
        "from test_process_engine import Divided\n"
        "print('once')\n"
        "with Processes(2) as engine:\n"
        "    print(next(engine.map_batches(Divided(6), [2]))[0])\n"
    )
    ended = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == ["once", "3.0"]
