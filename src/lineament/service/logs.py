"""One line of JSON a request on stderr: what was asked, how it ended, how long it took; no names."""

from __future__ import annotations

import json
import sys
import threading
from datetime import UTC, datetime
from typing import Any, TextIO


class Log:
    """Writes lines to a stream; without one, says nothing. Safe from several threads."""

    def __init__(self, stream: TextIO | None = sys.stderr) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def answered(
        self,
        request_id: str,
        method: str,
        route: str,
        status: int,
        seconds: float,
        *,
        key: str | None,
        error: str | None = None,
    ) -> None:
        """A request that was answered, by the template of its route."""
        told: dict[str, Any] = {
            "request_id": request_id,
            "method": method,
            "route": route,
            "status": status,
            "seconds": round(seconds, 4),
            "key": key,
        }
        self.event("answered", **told, **({} if error is None else {"error": error}))

    def event(self, name: str, **values: Any) -> None:
        """Anything else that is worth a line."""
        if self._stream is None:
            return
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"at": at, "event": name, **values})
        with self._lock:
            self._stream.write(line + "\n")  # of ASCII, whatever a value holds
            self._stream.flush()


def place_of(error: BaseException) -> str:
    """Where an error was raised: the innermost module of ours and its line, without a file's path."""
    found, trace = "unknown", error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_globals.get("__name__", "")
        if name.startswith("lineament."):
            found = f"{name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return found
