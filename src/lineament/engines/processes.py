"""Batches in processes of their own, each of which ends with the process that started it.

Threads that compute for milliseconds between short stretches of Python hold each other up at the
interpreter lock (benchmarks/extract.py measures extraction with one worker and two).

A worker reads pickled batches from its standard input and answers on its standard output. When the program
that started it ends, however that happens, its input ends, and so does the worker. The caller's main module
is not imported again, as `multiprocessing` would do, so a plain script may ask for workers.
"""

from __future__ import annotations

import io
import os
import pickle
import queue
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, BinaryIO, Self, TypeVar, cast

from lineament.config import require_whole
from lineament.engines.batching import answered
from lineament.engines.threads import Threads
from lineament.errors import LineamentError, OutputError, UsageError
from lineament.io import forks
from lineament.io.onnx import cores
from lineament.io.opencv import one_thread_each
from lineament.protocols import Stage

T = TypeVar("T")
R = TypeVar("R")

_ENTRY = "from lineament.engines.processes import serve; serve()"
_SECONDS_TO_END = 10.0


class Processes:
    """``workers`` processes a run, one a core by default; ``ahead`` as for `Threads`.

    Stage, items, answers and errors are pickled. Several threads may share one; a forked child begins runs
    of its own.
    """

    def __init__(self, workers: int | None = None, *, ahead: int | None = None) -> None:
        if workers is not None:
            require_whole("workers", workers)
        self.workers = workers or cores()
        self._ahead = ahead
        self._running: set[Workers] = set()
        self._lock = forks.Lock()
        forks.renew_in_children(self)

    def map_batches(self, stage: Stage[T, R], items: Iterable[T], *, size: int = 1) -> Iterator[R]:
        """One answer an item, in order; the stage is made ready in every worker before this returns.

        Raises what unpickling the stage raises in a worker, `UsageError` for a stage that cannot travel,
        and `OutputError` when a worker was ended from outside; otherwise as `Threads.map_batches`.
        """
        require_whole("size", size)
        workers = Workers(self.workers, stage)
        with self._lock:
            self._running.add(workers)
        return self._answers(workers, items, size)

    def _answers(self, workers: Workers, items: Iterable[T], size: int) -> Iterator[R]:
        try:
            with workers, Threads(self.workers, ahead=self._ahead) as asking:
                yield from asking.map_batches(workers.ask, items, size=size)
        finally:
            with self._lock:
                self._running.discard(workers)

    def close(self) -> None:
        """End the processes of all runs, also of one that was never read; a later call begins new ones."""
        with self._lock:
            running, self._running = self._running, set()
        for workers in running:
            workers.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def renew_after_fork(self) -> None:
        """In a forked child: the runs are the parent's."""
        self._running = set()


class Workers:
    """``count`` processes, each with the stage, which `ask` hands one batch after the other.

    Raises what unpickling the stage raises in a worker, and `UsageError` for one that cannot travel. `ask`
    may be called from as many threads as there are workers.
    """

    def __init__(self, count: int, stage: Stage[Any, Any]) -> None:
        packed = _packed(stage)
        paths = os.pathsep.join(path for path in sys.path if path)
        self._all: list[_Worker] = []
        self._idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        self._closed = False
        forks.renew_in_children(self)
        try:
            for _ in range(count):
                self._all.append(_Worker(paths))
                self._all[-1].send(packed)
            for worker in self._all:
                _receive(worker)
                self._idle.put(worker)
        except BaseException:
            self.close()
            raise

    def ask(self, batch: Sequence[Any]) -> Any:
        """The answers of the next free worker, or its error raised here.

        Raises `OutputError` when the worker was ended from outside.
        """
        packed = _packed(batch)
        self._require_open()
        worker = self._idle.get()
        try:
            worker.send(packed)
            return _receive(worker)
        except OutputError:
            self._require_open()
            raise
        finally:
            self._idle.put(worker)

    def _require_open(self) -> None:
        if self._closed:
            raise UsageError("these worker processes were ended, or are those of the process that forked")

    def close(self) -> None:
        """End the workers; one that is busy finishes its batch."""
        self._closed = True
        for worker in self._all:
            worker.end_input()
        for worker in self._all:
            worker.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def renew_after_fork(self) -> None:
        """In a forked child: let go of the parent's workers, which would wait for the child to end."""
        for worker in self._all:
            worker.let_go()
        self._all, self._closed = [], True


class _Worker:
    """One process and the pipes to it; messages are a length and so many bytes."""

    def __init__(self, paths: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _ENTRY],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            env={**os.environ, "PYTHONPATH": paths},
            # Ctrl-C is for the process that started this one, which decides what it means.
            process_group=0,
        )
        self._input = cast(io.FileIO, self._process.stdin)
        self._output = cast(io.FileIO, self._process.stdout)
        self._answers = io.BufferedReader(self._output)

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def send(self, packed: bytes) -> None:
        """Write one message; raises `OutputError` when the process has ended."""
        left = memoryview(len(packed).to_bytes(8, "big") + packed)
        try:
            while left:
                left = left[self._input.write(left) :]
        except (OSError, ValueError):
            raise self._ended() from None

    def receive(self) -> bytes:
        """Read one message; raises `OutputError` when the process has ended."""
        try:
            return _read(self._answers)
        except (EOFError, ValueError, OSError):
            raise self._ended() from None

    def end_input(self) -> None:
        """Let the process end after what it is at."""
        with suppress(OSError):
            self._input.close()

    def wait(self) -> None:
        """Wait for its end, and not for ever."""
        try:
            self._process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._output.close()

    def let_go(self) -> None:
        """Close the pipes in a process that has only inherited them."""
        with suppress(OSError):
            self._input.close()
            self._output.close()

    def _ended(self) -> OutputError:
        status = self._process.wait()
        why = f"signal {-status}" if status < 0 else f"exit status {status}"
        return OutputError(
            f"a worker process ended ({why}), for want of memory perhaps; what is finished is kept: run "
            "again, with fewer workers if need be"
        )


def serve() -> None:
    """What a worker process runs: answer until the input ends."""
    # Where there are no process groups, Ctrl-C comes here too.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    items = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not get between the answers
    stage: Stage[Any, Any] | None = None
    while True:
        try:
            packed = _read(items)
        except EOFError:
            return
        answer: Any = None
        failure: BaseException | None = None
        try:
            if stage is None:
                stage = _unpacked(packed)
            else:
                with one_thread_each():
                    answer = answered(stage, pickle.loads(packed))
        except Exception as error:
            failure = error
        try:
            _answer(answers, answer, failure)
        except BrokenPipeError:
            os._exit(1)  # nobody listens any more; closing the pipe would only fail again


def _packed(thing: Any) -> bytes:
    try:
        return pickle.dumps(thing)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise _cannot_travel(error) from error


def _unpacked(packed: bytes) -> Stage[Any, Any]:
    try:
        stage: Stage[Any, Any] = pickle.loads(packed)
    except LineamentError:
        raise
    except (pickle.UnpicklingError, AttributeError, ImportError) as error:
        raise _cannot_travel(error) from error
    return stage


def _cannot_travel(error: Exception) -> UsageError:
    return UsageError(
        f"this work cannot be handed to worker processes: {error}; give a function or an object of an "
        "importable module, or use threads"
    )


def _answer(answers: BinaryIO, answer: Any, failure: BaseException | None) -> None:
    try:
        data = pickle.dumps((answer, failure))
        pickle.loads(data)
    except Exception as error:
        failure = failure or error
        data = pickle.dumps((None, RuntimeError(f"{type(failure).__name__}: {failure}")))
    answers.write(len(data).to_bytes(8, "big") + data)
    answers.flush()


def _read(file: BinaryIO) -> bytes:
    """One message; raises `EOFError` where there is no whole one any more."""
    head = file.read(8)
    size = int.from_bytes(head, "big")
    data = file.read(size) if len(head) == 8 else b""
    if len(head) < 8 or len(data) < size:
        raise EOFError
    return data


def _receive(worker: _Worker) -> Any:
    answer, failure = pickle.loads(worker.receive())
    if failure is not None:
        raise failure
    return answer
