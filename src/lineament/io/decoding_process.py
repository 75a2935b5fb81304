"""Decoding in a process of its own, which is ended when a picture takes longer than it may.

A decoder that runs cannot be stopped from within its process. So what no look at the headers bounds (AVIF
and HEIF, JPEG inside of TIFF) and what is large enough to take seconds goes to another one, which waits for
the next picture afterwards. It reads a picture from its standard input and answers on its standard output,
and ends when the input does, which is when the program that started it ends. Its answers are sizes, names
and pixels: nothing that it says is executed. The caller's main module is not imported again.
"""

from __future__ import annotations

import atexit
import json
import math
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

from lineament import errors
from lineament.documents import json_of
from lineament.errors import (
    ConfigError,
    CorruptPicture,
    PictureError,
    PictureTooLarge,
    PictureTooSlow,
    PictureUnreadable,
)
from lineament.io import forks
from lineament.types import UInt8

SECONDS = "LINEAMENT_PICTURE_SECONDS"
"""The environment variable for how long one picture may take."""

_DEFAULT_SECONDS = 10.0
# A busy machine gives a process a part of its time. On Windows only the waiting can be bounded.
_WAITING = 6.0 if hasattr(signal, "setitimer") else 1.0
_ENTRY = "from lineament.io import decoding_process, images; decoding_process.serve(images.answer)"
_IDLE = 4
_LENGTH = 8
_PART = 1 << 20


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other process says of a picture; ``pixels`` None where only the header was asked for."""

    facts: dict[str, Any]
    pixels: UInt8 | None


def seconds_allowed(asked: float | None) -> float:
    """How long one picture may take: what is asked for, the environment's setting, or ten seconds.

    Raises `ConfigError` for what is no positive number; ``inf`` is one.
    """
    told: float | str = os.environ.get(SECONDS, "").strip() or _DEFAULT_SECONDS if asked is None else asked
    try:
        seconds = float(told)
    except ValueError:
        seconds = math.nan
    if not seconds > 0:
        where = SECONDS if asked is None else "max_seconds"
        raise ConfigError(f"{where}={told}: expected how many seconds one picture may take, such as 10")
    return seconds


def ask(data: bytes, task: dict[str, Any], seconds: float) -> Answer:
    """The answer of a process that may take so many seconds of processor time for this picture.

    ``task`` is handed to `lineament.io.images.answer` over there. Raises the `PictureError` found there,
    `PictureTooSlow`, `CorruptPicture` where the decoder crashed, `PictureTooLarge` where memory ran out.
    """
    worker = _workers.take()
    try:
        answer = worker.ask(data, task, seconds)
    except PictureError:
        _workers.give_back(worker)
        raise
    except BaseException:  # Ctrl-C, say: what it still answers would be taken for the next one's
        worker.end()
        raise
    _workers.give_back(worker)
    return answer


class _Worker:
    def __init__(self) -> None:
        paths = os.pathsep.join(path for path in sys.path if path)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _ENTRY],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # the libraries' own words about damage
            bufsize=0,
            env={**os.environ, "PYTHONPATH": paths},
            # Ctrl-C is for the process that started this one, which decides what it means.
            process_group=0 if os.name == "posix" else None,
        )
        self.alive = True

    def ask(self, data: bytes, task: dict[str, Any], seconds: float) -> Answer:
        assert self._process.stdin is not None and self._process.stdout is not None
        late = threading.Event()
        timer = None
        if math.isfinite(seconds):
            timer = threading.Timer(_WAITING * seconds, self._kill, [late])
            timer.daemon = True
            timer.start()
        try:
            _send(self._process.stdin, {**task, "seconds": seconds, "bytes": len(data)}, data)
            facts = _receive(self._process.stdout)
            pixels = _pixels(self._process.stdout, facts) if "shape" in facts else None
        except (OSError, EOFError, ValueError):
            raise self._ended(seconds, late.is_set()) from None
        finally:
            if timer is not None:
                timer.cancel()
        if "error" in facts:
            kind = getattr(errors, str(facts["error"]), None)
            if not (isinstance(kind, type) and issubclass(kind, PictureError)):
                kind = CorruptPicture
            raise kind(str(facts["message"]))
        return Answer(facts, pixels)

    def _kill(self, late: threading.Event) -> None:
        late.set()
        self._process.kill()

    def _ended(self, seconds: float, late: bool) -> PictureError:
        self.end()
        status = self._process.returncode
        if late or status == -getattr(signal, "SIGPROF", 0):
            return PictureTooSlow(
                f"decoding took longer than {seconds:g} s and was ended: no photo takes that long; where "
                f"yours does, set {SECONDS}"
            )
        if status in (-9, 137):
            return PictureTooLarge("the process that decoded it was ended, for want of memory perhaps")
        return CorruptPicture(f"damaged: its decoder crashed (status {status})")

    def waits(self) -> bool:
        """Whether it can take a picture; whoever is short of memory may have ended it meanwhile."""
        if self._process.poll() is not None:
            self.end()
        return self.alive

    def end(self) -> None:
        self.alive = False
        self._process.kill()
        self._process.wait()
        self.let_go()

    def let_go(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()


class _Workers:
    """Those that wait for a picture; as many more as there are threads that decode are at work."""

    def __init__(self) -> None:
        self._lock = forks.Lock()
        self._idle: list[_Worker] = []
        self._all: set[_Worker] = set()
        forks.renew_in_children(self)

    def take(self) -> _Worker:
        with self._lock:
            while self._idle:
                worker = self._idle.pop()
                if worker.waits():
                    return worker
                self._all.discard(worker)
        try:
            worker = _Worker()
        except OSError as error:
            raise PictureUnreadable(f"the process that decodes it cannot be started: {error}") from None
        with self._lock:
            self._all.add(worker)
        return worker

    def give_back(self, worker: _Worker) -> None:
        with self._lock:
            if worker.alive and len(self._idle) < _IDLE:
                self._idle.append(worker)
                return
            self._all.discard(worker)
        if worker.alive:
            worker.end()

    def renew_after_fork(self) -> None:
        """The parent's workers answer the parent; a pipe left open here would keep them from ending."""
        for worker in self._all:
            worker.let_go()
        self._idle, self._all = [], set()

    def close(self) -> None:
        """End all, at the end of the program."""
        for worker in self._all:
            worker.end()


_workers = _Workers()
atexit.register(_workers.close)


def _send(stream: IO[bytes], facts: dict[str, Any], body: bytes | memoryview) -> None:
    head = json.dumps(facts).encode()
    for part in (len(head).to_bytes(_LENGTH, "big") + head, body):
        left = memoryview(part).cast("B")
        while left:
            left = left[stream.write(left[:_PART]) :]


def _receive(stream: IO[bytes]) -> dict[str, Any]:
    length = int.from_bytes(_exactly(stream, bytearray(_LENGTH)), "big")
    if length > _PART:
        raise EOFError
    facts = json_of(bytes(_exactly(stream, bytearray(length))))
    return facts if isinstance(facts, dict) else {}


def _pixels(stream: IO[bytes], facts: dict[str, Any]) -> UInt8:
    height, width = (int(side) for side in facts["shape"])
    pixels = np.empty((height, width, 3), np.uint8)
    _exactly(stream, memoryview(pixels).cast("B"))  # type: ignore[arg-type]
    return pixels


def _exactly(stream: IO[bytes], into: bytearray | memoryview) -> bytearray | memoryview:
    left = memoryview(into)
    while left:
        count = stream.readinto(left)  # type: ignore[attr-defined]
        if not count:
            raise EOFError
        left = left[count:]
    return into


def serve(work: Callable[[bytes, dict[str, Any]], Answer]) -> None:
    """What the other process runs: answer until the input ends."""
    with suppress(ValueError):  # where there are no process groups, Ctrl-C comes here too
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    pictures = os.fdopen(os.dup(0), "rb", buffering=0)
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # whatever a library prints must not get between the answers
    while True:
        try:
            task = _receive(pictures)
        except EOFError:
            return
        data = bytes(_exactly(pictures, bytearray(task.pop("bytes"))))
        _allow(task.pop("seconds"))
        body: bytes | memoryview = b""
        try:
            answer = work(data, task)
            facts = answer.facts
            if answer.pixels is not None:
                body = answer.pixels.data.cast("B")
                facts = {**facts, "shape": answer.pixels.shape[:2]}
        except PictureError as error:
            facts = {"error": type(error).__name__, "message": str(error)[: _PART // 16]}
        except MemoryError:
            facts = {"error": "PictureTooLarge", "message": "the picture does not fit into memory"}
        except Exception as error:
            facts = {"error": "CorruptPicture", "message": f"damaged: {error}"[: _PART // 16]}
        _allow(math.inf)
        try:
            _send(answers, facts, body)
        except BrokenPipeError:
            os._exit(1)  # nobody listens any more; closing the pipe would only fail again
        del data, body


def _allow(seconds: float) -> None:
    """Be ended by the system after so many seconds of processor time, whatever library computes then."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_PROF, seconds if math.isfinite(seconds) else 0)
