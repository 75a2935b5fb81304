"""What every request goes through before anything else, and every answer on its way out.

Strict headers, a request id, the key, the rate of the key, and the size of the body; then the route, whose
path is the one that was sent, still quoted: so a name with a slash in it is one segment. Whatever goes
wrong behind it ends in one envelope and one line of the log, neither with a traceback, a name or a path.
"""

from __future__ import annotations

import secrets
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lineament.errors import LineamentError
from lineament.service.access import Access, CompreFaceKey
from lineament.service.compreface import refusals
from lineament.service.errors import Refused, busy, enveloped, internal_error, refusal
from lineament.service.guarding import HEADERS
from lineament.service.logs import Log, place_of
from lineament.service.metrics import Metrics
from lineament.service.rates import Rates
from lineament.service.receiving import Gone, Receiving

OPEN = frozenset({"/healthz", "/readyz", "/openapi.json"})
STRICT = {**HEADERS, "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'"}
_CORS_HEADERS = "Authorization, Content-Type, Idempotency-Key, X-Api-Key"
_METHODS = "GET, POST, PUT, PATCH, DELETE"
_KNOWN_METHODS = frozenset(f"{_METHODS}, HEAD, OPTIONS".split(", "))


class Gate:
    """Answers what is not allowed in the application's place."""

    def __init__(
        self,
        app: ASGIApp,
        access: Access,
        *,
        rates: Rates,
        receiving: Receiving,
        metrics: Metrics,
        log: Log,
        origins: tuple[str, ...] = (),
        connections: int = 1000,
    ) -> None:
        self._app, self._access, self._rates, self._receiving = app, access, rates, receiving
        self._metrics, self._log = metrics, log
        self._origins, self._most = frozenset(origins), connections
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let through what is allowed."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        if scope["type"] != "http":
            return
        began, request_id = time.perf_counter(), secrets.token_hex(8)
        scope["state"] = {**scope.get("state", {}), "request_id": request_id}
        headers = Headers(scope=scope)
        path = scope.get("raw_path", scope["path"].encode()).decode("ascii", "replace").partition("?")[0]
        read = _Read(receive, headers)
        status = 499
        started = False

        async def guarded(message: Message) -> None:
            nonlocal status, started
            if message["type"] == "http.response.start":
                status, started = message["status"], True
                own = MutableHeaders(scope=message)
                own.update({**STRICT, **self._cors(headers), "X-Request-Id": request_id})
                if not read.whole:  # the rest of a body that was not asked for may be of any size
                    own["Connection"] = "close"
            await send(message)

        self._under_way += 1
        error: BaseException | None = None
        try:
            try:
                answer = self._answered(scope, headers, path)
                if answer is None:
                    # Some clients of CompreFace end a path with a slash; redirected, they lose the body.
                    route = path.rstrip("/") if path.startswith(refusals.PATH) else path
                    inner = {**scope, "path": route, "root_path": ""}
                    await self._app(inner, read, guarded)
            except Gone:
                return
            except (Refused, LineamentError, CompreFaceKey) as no:
                answer = refused(no, path, request_id)
            except Exception as bug:
                error = bug
                if started:
                    return
                answer = refused(internal_error(), path, request_id)
            if answer is not None:
                await answer(scope, read, guarded)
        finally:
            self._under_way -= 1
            seconds = time.perf_counter() - began
            route = scope["state"].get("route") or _family(path)
            method = scope["method"] if scope["method"] in _KNOWN_METHODS else "OTHER"
            self._metrics.answered(method, route, status, seconds)
            actor = scope["state"].get("actor")
            self._log.answered(
                request_id,
                method,
                route,
                status,
                seconds,
                key=None if actor is None else actor.id,
                error=None if error is None else f"{type(error).__name__} at {place_of(error)}",
            )

    def _answered(self, scope: Scope, headers: Headers, path: str) -> Response | None:
        """An answer that needs no route; else None, with the actor in the scope."""
        if scope["method"] == "OPTIONS" and self._cors(headers):
            return Response(status_code=204)
        if path in OPEN:
            return None
        if self._under_way > self._most:
            raise busy("too many requests at one time")
        old = path.startswith(refusals.PATH)
        actor = self._access.admit_compreface(headers) if old else self._access.admit(headers)
        scope["state"]["actor"] = actor
        self._rates.take(actor.id)
        self._receiving.require_size(headers)
        return None

    def _cors(self, headers: Headers) -> dict[str, str]:
        origin = headers.get("origin")
        if origin is None or origin not in self._origins:
            return {}
        return {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Methods": _METHODS,
            "Access-Control-Allow-Headers": _CORS_HEADERS,
            "Access-Control-Expose-Headers": "X-Request-Id, Retry-After",
            "Cross-Origin-Resource-Policy": "cross-origin",
            "Vary": "Origin",
        }


class _Read:
    """The client's messages, and whether its body has come to an end."""

    def __init__(self, receive: Receive, headers: Headers) -> None:
        self._receive = receive
        self.whole = "transfer-encoding" not in headers and headers.get("content-length", "0") == "0"

    async def __call__(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            self.whole = True
        return message


def refused(error: Exception, path: str, request_id: str) -> Response:
    """The answer to a request that was refused, in the form that its clients know."""
    if path.startswith(refusals.PATH):
        return refusals.refused(error, path)
    assert isinstance(error, Refused | LineamentError)
    return enveloped(refusal(error) if isinstance(error, LineamentError) else error, request_id)


def _family(path: str) -> str:
    """What stands for a path without a route: never the path itself, which may hold a name."""
    return next((f"{known}*" for known in ("/api/v1/", "/v1/") if path.startswith(known)), "*")
