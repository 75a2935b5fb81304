"""Import OpenVINO without its telemetry, and hold its one core.

``import openvino`` sends an "import" event to its vendor unless the user opted out, because its wheel
depends on ``openvino-telemetry``. Where that package is missing OpenVINO uses its own do-nothing
stand-in, so we let it appear to be missing while OpenVINO is first imported.
"""

from __future__ import annotations

import importlib
import sys
from threading import Lock
from typing import Any

_PACKAGE = "openvino_telemetry"
_lock = Lock()
_core: list[Any] = []
_core_lock = Lock()


def import_openvino() -> Any:
    """The ``openvino`` module; nothing is sent anywhere. All of lineament imports it through here."""
    with _lock:
        if "openvino" in sys.modules:
            return sys.modules["openvino"]
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
