"""What a page on the user's own machine needs, so that no other page and no other machine can use it.

Only requests naming this very host are answered, so that a foreign name that resolves to 127.0.0.1 (DNS
rebinding) gets nothing. The address carries a random token, kept as a cookie from then on; whatever changes
something also needs a second one, which only the page itself knows.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Nothing of a face stays behind in the browser's cache.
    "Cache-Control": "no-store",
}
MAX_BODY = 10_000


@dataclass(frozen=True, slots=True)
class Keys:
    """The secrets of one run: ``token`` opens the page, ``csrf`` lets the page change something."""

    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(24))


class Guard:
    """Answers 403 or 421 in the application's place, and puts the strict headers on every answer."""

    def __init__(self, app: ASGIApp, *, port: int, keys: Keys) -> None:
        self._app = app
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        self._origins = {f"http://{host}" for host in self._hosts}
        self._keys = keys
        self.cookie = cookie_name(port)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let through what is allowed."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        request = Request(scope)
        refusal = self._refusal(request)
        if refusal is None:
            await self._app(scope, receive, send_guarded)
        else:
            status, text = refusal
            await PlainTextResponse(text, status)(scope, receive, send_guarded)

    def _refusal(self, request: Request) -> tuple[int, str] | None:
        if request.headers.getlist("host") not in [[host] for host in self._hosts]:
            return 421, "This page answers only under the address that the command printed."
        given = request.cookies.get(self.cookie, "")
        if request.method == "GET" and request.url.path == "/" and "token" in request.query_params:
            given = request.query_params["token"]
        if not _same(given, self._keys.token):
            return 403, "Open the address that the command printed; each run has its own."
        if request.method in ("GET", "HEAD"):
            return None
        if request.headers.get("origin") not in {None, *self._origins}:
            return 403, "This request comes from another page."
        if not _same(request.headers.get("x-csrf-token", ""), self._keys.csrf):
            return 403, "This request does not come from the page itself; load it again."
        if request.headers.get("content-type", "").split(";")[0] != "application/json":
            return 415, "Send JSON."
        length = request.headers.get("content-length", "")
        if not length.isdecimal() or int(length) > MAX_BODY:
            return 413, "The request is too large or does not say its size."
        return None


def cookie_name(port: int) -> str:
    """Cookies do not know ports: each port gets one of its own."""
    return f"lineament_{port}"


def _same(given: str, wanted: str) -> bool:
    return secrets.compare_digest(given.encode("utf-8", "replace"), wanted.encode())
