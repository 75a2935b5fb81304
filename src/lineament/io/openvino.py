"""Import OpenVINO without its telemetry, hold its one core, and compile so that a process may fork.

``import openvino`` sends an "import" event to its vendor unless the user opted out, because its wheel
depends on ``openvino-telemetry``. Where that package is missing OpenVINO uses its own do-nothing
stand-in, so we let it appear to be missing while OpenVINO is first imported.

OpenVINO keeps the executors of models that are gone, threads and all, for the next model that is compiled.
In a forked child those threads do not exist: compiling there waits for one of them for ever, and so does
ending the process, where the executors are destroyed (both seen with 2026.4). So before a fork every
executor that lies idle is given a tiny model to hold, and the child never lets go of anything it inherited:
what it compiles gets executors of its own.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import sys
import weakref
from typing import Any

import numpy as np

from lineament.io import forks

_PACKAGE = "openvino_telemetry"
_lock = forks.Lock()
_core: list[Any] = []
_core_lock = forks.Lock()


def import_openvino() -> Any:
    """The ``openvino`` module; nothing is sent anywhere. All of lineament imports it through here."""
    with _lock:
        if (loaded := sys.modules.get("openvino")) is not None:
            return loaded
        # None in sys.modules makes an import fail as if the package were not installed.
        before = sys.modules.get(_PACKAGE)
        sys.modules[_PACKAGE] = None  # type: ignore[assignment]
        try:
            return importlib.import_module("openvino")
        finally:
            if before is None:
                del sys.modules[_PACKAGE]
            else:
                sys.modules[_PACKAGE] = before


def core() -> Any:
    """OpenVINO's core: one in the process, which is never let go.

    A core gives its thread a stack for signal handlers and frees it at its end. When an older core ends
    before a younger one, the younger one gives the thread back the stack that is freed (seen with 2026.4),
    and the next signal that Python handles, be it Ctrl-C or the end of a child, kills the process.
    """
    with _core_lock:
        if not _core:
            _core.append(import_openvino().Core())
        return _core[0]


first_call = forks.Lock()
"""Held while a model is compiled and for its first call.

OpenVINO's bindings fill their table of types in the first call of the process, and let go of the
interpreter lock while they do: two threads that make first calls at once wait for each other for ever (seen
with 2026.4, about one start in ten).
"""

ONE_THREAD = {
    "NUM_STREAMS": 1,
    "INFERENCE_NUM_THREADS": 1,
    # Pinned, two processes were put on one core.
    "ENABLE_CPU_PINNING": False,
}
"""The settings of every model: executors are shared out again by these."""

_compiled: weakref.WeakSet[Any] = weakref.WeakSet()
_most = 0
"""How many were alive at once: so many executors there are."""
_held: list[Any] = []


def compile_model(model: Any, **settings: Any) -> Any:
    """Compile a model for the CPU with `ONE_THREAD`; hold `first_call` around it."""
    global _most  # noqa: PLW0603
    made = core().compile_model(model, "CPU", {**ONE_THREAD, **settings})
    _compiled.add(made)
    _most = max(_most, len(_compiled))
    return made


def never_let_go(*inherited: object) -> None:
    """Keep objects beyond the end of a forked child: the threads of theirs to wait for are not there."""
    for thing in inherited:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))


def _tiny() -> Any:
    ov = import_openvino()
    opset = importlib.import_module("openvino.opset8")
    number = opset.parameter([1], np.float32)
    return ov.Model([opset.add(number, opset.constant(np.ones(1, np.float32)))], [number], "held")


def _before_fork() -> None:
    first_call.acquire()
    if _core:
        _held.extend(compile_model(_tiny()) for _ in range(_most - len(_compiled)))


def _after_in_parent() -> None:
    _held.clear()
    first_call.release()


def _after_in_child() -> None:
    global _most  # noqa: PLW0603
    never_let_go(*_core, *_compiled, *_held)
    _held.clear()
    _compiled.clear()
    _most = 0


if hasattr(os, "register_at_fork"):  # there is no fork on Windows
    os.register_at_fork(
        before=_before_fork, after_in_parent=_after_in_parent, after_in_child=_after_in_child
    )
