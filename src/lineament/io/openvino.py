"""Import OpenVINO without its telemetry.

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
