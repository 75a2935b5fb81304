"""Work on items in processes of their own, each of which ends with the process that started it.

Threads that compute for milliseconds between short stretches of Python hold each other up at the
interpreter lock (benchmarks/extract.py measures extraction with one worker and two).

A worker reads pickled items from its standard input and answers on its standard output. When the program
that started it ends, however that happens, its input ends, and so does the worker. The caller's main module
is not imported again, as `multiprocessing` would do, so a plain script may ask for workers.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, BinaryIO, Self

from lineament.errors import OutputError

_ENTRY = "from lineament.engines.processes import serve; serve()"
_SECONDS_TO_END = 10.0


class Workers:
    """``count`` processes, each of which calls ``build(*arguments)`` once and the result for every item.

    ``build`` is a function of an importable module. Items, answers and errors are pickled. Raises what
    ``build`` raises in a worker. `ask` may be called from as many threads as there are workers.
    """

    def __init__(self, count: int, build: Callable[..., Callable[[Any], Any]], arguments: Any) -> None:
        paths = os.pathsep.join(path for path in sys.path if path)
        self._all: list[subprocess.Popen[bytes]] = []
        self._idle: queue.SimpleQueue[subprocess.Popen[bytes]] = queue.SimpleQueue()
        try:
            for _ in range(count):
                self._all.append(
                    subprocess.Popen(
                        [sys.executable, "-P", "-c", _ENTRY],
                        stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE,
                        env={**os.environ, "PYTHONPATH": paths},
                        # Ctrl-C is for the process that started this one, which decides what it means.
                        process_group=0,
                    )
                )
                _send(self._all[-1], (build, arguments))
            for worker in self._all:
                _receive(worker)
                self._idle.put(worker)
        except BaseException:
            self.close()
            raise

    def ask(self, item: Any) -> Any:
        """The answer of the next free worker, or its error raised here.

        Raises `OutputError` when the worker was ended from outside.
        """
        worker = self._idle.get()
        try:
            _send(worker, item)
            return _receive(worker)
        finally:
            self._idle.put(worker)

    def close(self) -> None:
        """End the workers; one that is busy finishes its item."""
        for worker in self._all:
            assert worker.stdin is not None
            with suppress(OSError):
                worker.stdin.close()
        for worker in self._all:
            try:
                worker.wait(_SECONDS_TO_END)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()
            assert worker.stdout is not None
            worker.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def serve() -> None:
    """What a worker process runs: answer until the input ends."""
    # Where there are no process groups, Ctrl-C comes here too.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    items = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not get between the answers
    work: Callable[[Any], Any] | None = None
    while True:
        try:
            item = pickle.load(items)
        except EOFError:
            return
        answer: Any = None
        failure: BaseException | None = None
        try:
            if work is None:
                build, arguments = item
                work = build(*arguments)
            else:
                answer = work(item)
        except Exception as error:
            failure = error
        try:
            _answer(answers, answer, failure)
        except BrokenPipeError:
            os._exit(1)  # nobody listens any more; closing the pipe would only fail again


def _answer(answers: BinaryIO, answer: Any, failure: BaseException | None) -> None:
    try:
        data = pickle.dumps((answer, failure))
        pickle.loads(data)
    except Exception:
        data = pickle.dumps((None, RuntimeError(f"{type(failure).__name__}: {failure}")))
    answers.write(data)
    answers.flush()


def _send(worker: subprocess.Popen[bytes], item: Any) -> None:
    assert worker.stdin is not None
    try:
        worker.stdin.write(pickle.dumps(item))
        worker.stdin.flush()
    except BrokenPipeError:
        raise _ended(worker) from None


def _receive(worker: subprocess.Popen[bytes]) -> Any:
    assert worker.stdout is not None
    try:
        answer, failure = pickle.load(worker.stdout)
    except (EOFError, pickle.UnpicklingError):
        raise _ended(worker) from None
    if failure is not None:
        raise failure
    return answer


def _ended(worker: subprocess.Popen[bytes]) -> OutputError:
    status = worker.wait()
    why = f"signal {-status}" if status < 0 else f"exit status {status}"
    return OutputError(
        f"a worker process ended ({why}), for want of memory perhaps; what is finished is kept: run again, "
        "with fewer workers if need be"
    )
