"""The server under the service: one socket, a deadline for headers, and an end that keeps promises."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from lineament.errors import UsageError

HEADER_SECONDS = 10.0
MOST_CONNECTIONS = 900
"""Open at one time: the system gives a process 1,024 files, if nobody asks for more."""
_MOST_HEADER_BYTES = 16 * 1024
_ENDS_WITHIN_S = 2


class Deadlines(H11Protocol):
    """Hangs up on whoever takes too long to say what they want, and on whoever is one too many."""

    _due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The time runs from the first moment."""
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            self.transport.close()
        self._wait()

    def data_received(self, data: bytes) -> None:
        """The time ends with the whole header, however many pieces it comes in."""
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:
            self._wait()
        elif self._due is not None:
            self._due.cancel()
            self._due = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody waits any more."""
        if self._due is not None:
            self._due.cancel()
        super().connection_lost(exc)

    def _wait(self) -> None:
        if self._due is None:
            self._due = self.loop.call_later(HEADER_SECONDS, self.transport.close)


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes any free one. Raises `UsageError`."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        made = socket.socket(family, socket.SOCK_STREAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        made.listen(1024)
    except (OSError, OverflowError) as error:
        raise UsageError(
            f"{host}, port {port}: cannot be used: {error}; choose another with --port"
        ) from error
    return made


def serve(app: ASGIApp, sock: socket.socket, *, started: Callable[[], Any] | None = None) -> None:
    """Serve until interrupted or terminated: nothing new is taken then, what is under way is finished."""
    config = uvicorn.Config(
        app,
        http=Deadlines,
        ws="none",
        loop="asyncio",
        log_level="critical",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        h11_max_incomplete_event_size=_MOST_HEADER_BYTES,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=_ENDS_WITHIN_S,
    )
    # It warns of each broken form; that is the client's fault, and told to the client.
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)
    server = uvicorn.Server(config)
    if started is not None:
        started()
    try:
        server.run(sockets=[sock])
    except KeyboardInterrupt:
        return
