"""How a command is ended early: Ctrl-C, `kill`, a closed terminal.

Before there is anything to keep, the process ends at once. Afterwards the work ends at the next picture (or
photo, row, batch), so that no line, file or call into a library breaks off in the middle; where that takes
more than a second, wherever Python is. Asked a second time, the process ends at once, keeping the lines
that are finished. Nothing heavy is imported here: it is in force while everything else is.
"""

from __future__ import annotations

import os
import signal
import sys
import time

GRACE_SECONDS = 1.0
_ONE_REQUEST_SECONDS = 0.5
"""`timeout` signals the process and its group, a terminal and a supervisor both do: one request."""
_WORDS = {"SIGINT": "interrupted", "SIGTERM": "terminated", "SIGHUP": "terminal closed"}


class _State:
    number: int | None = None
    at = 0.0
    busy = False
    done = ""


class Installed:
    """Within the block the signals that ask a program to end are heard, unless ignored, as under nohup."""

    def __enter__(self) -> None:
        self._hook, self._before = sys.unraisablehook, {}
        for name, handler in [(name, _asked) for name in _WORDS] + [("SIGALRM", _overdue)]:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, handler)
        sys.unraisablehook = _unraisable

    def __exit__(self, *_error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        sys.unraisablehook = self._hook
        _State.number, _State.busy, _State.done = None, False, ""


def begin() -> None:
    """From here on there is something to keep: the work ends in order."""
    _State.busy = True


def check() -> None:
    """A place where the work may end: raises `KeyboardInterrupt` when that was asked for."""
    if _State.number is not None:
        _wait(0)
        raise KeyboardInterrupt


def forget() -> None:
    """What was asked for has been done, as a server does that ends in order by itself."""
    _wait(0)
    _State.number = None


def note(done: str) -> None:
    """How far the work has come, in words."""
    _State.done = done


def how_far() -> str:
    """What `note` was told last."""
    return _State.done


def status() -> int | None:
    """The exit status of a process that was asked to end, as shells count it; None when it was not."""
    return None if _State.number is None else 128 + _State.number


def told() -> str:
    """One line on how it ended."""
    word = _WORDS[signal.Signals(_State.number or signal.SIGINT).name]
    return f"{word}; what was finished is kept{f' ({_State.done})' if _State.done else ''}"


def leave(code: int) -> None:
    """End the process in order of its files, without unloading libraries that compute on other threads.

    Unloaded while they compute, they abort the process.
    """
    import atexit

    if hasattr(signal, "SIGALRM"):
        signal.signal(signal.SIGALRM, lambda *_: os._exit(code))
        _wait(5.0)
    try:
        atexit._run_exitfuncs()
    finally:
        os._exit(code)


def _asked(number: int, _frame: object) -> None:
    now = time.monotonic()
    if _State.number is None:
        _State.number, _State.at = number, now
        if _State.busy:
            if hasattr(signal, "setitimer"):
                _wait(GRACE_SECONDS)
                return
            raise KeyboardInterrupt
    elif now - _State.at < _ONE_REQUEST_SECONDS:
        return
    writing = sys.modules.get("lineament.io.writing")
    if writing is not None:
        writing.abandon()
    try:
        os.write(2, f"{told()}\n".encode())
    finally:
        os._exit(128 + number)


def _overdue(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _wait(seconds: float) -> None:
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _unraisable(problem: sys.UnraisableHookArgs) -> None:
    """Raised where Python can only drop it, in a finaliser say, the interruption comes again."""
    if _State.number is not None and problem.exc_type is KeyboardInterrupt:
        _wait(0.05)
    elif _State.number is None:
        sys.__unraisablehook__(problem)
