"""What a page on the user's own machine needs, so that no other page and no other machine can use it.

Only requests naming this very host are answered, so that a foreign name that resolves to 127.0.0.1 (DNS
rebinding) gets nothing. The address carries a random token, which works once and leads to a path that
cannot be guessed; everything lies below that path. There is no cookie: a browser sends those of one port to
the programs behind all others. Whatever changes something also needs a header with a key that stands in the
page.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse
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
_BODY_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Keys:
    """The secrets of one run: ``token`` leads once to ``page``, the path of the page.

    ``csrf`` lets the page change something.
    """

    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    page: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(24))


class Guard:
    """Answers what is not allowed in the application's place; every answer gets the strict headers."""

    def __init__(self, app: ASGIApp, *, port: int, keys: Keys) -> None:
        self._app = app
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        self._origins = {f"http://{host}" for host in self._hosts}
        self._keys = keys
        self._opened = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let through what is allowed, with the path below the page's own and the body read already."""
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
        try:
            self._require_host(request)
            if self._opens(request):
                await RedirectResponse(f"/{self._keys.page}/", 303)(scope, receive, send_guarded)
                return
            path = self._path(request)
            body = b""
            if request.method not in ("GET", "HEAD"):
                self._require_own(request)
                body = await _body(request, receive)
        except _Refusal as refusal:
            # Closed, because the rest of a body that was not asked for may be of any size.
            answer = PlainTextResponse(refusal.text, refusal.status, {"Connection": "close"})
            await answer(scope, receive, send_guarded)
            return
        inner = {**scope, "path": path, "raw_path": path.encode()}
        await self._app(inner, _giving(body, receive), send_guarded)

    def _require_host(self, request: Request) -> None:
        if request.headers.getlist("host") not in [[host] for host in self._hosts]:
            raise _Refusal(421, "This page answers only under the address that the command printed.")

    def _opens(self, request: Request) -> bool:
        """Whether the request has the token, which nobody has used before."""
        if request.method != "GET" or request.scope["path"] != "/":
            return False
        if not _same(request.query_params.get("token", ""), self._keys.token):
            return False
        if self._opened:
            raise _Refusal(
                403,
                "This address has been opened already, and works once; use the page that it led to. If it "
                "was not you who opened it, somebody else on this machine did: stop the command.",
            )
        self._opened = True
        return True

    def _path(self, request: Request) -> str:
        first, slash, rest = str(request.scope["path"]).removeprefix("/").partition("/")
        if not slash or not _same(first, self._keys.page):
            raise _Refusal(403, "Open the address that the command printed; each run has its own.")
        return "/" + rest

    def _require_own(self, request: Request) -> None:
        if request.headers.get("origin") not in {None, *self._origins}:
            raise _Refusal(403, "This request comes from another page.")
        if not _same(request.headers.get("x-csrf-token", ""), self._keys.csrf):
            raise _Refusal(403, "This request does not come from the page itself; load it again.")
        if request.headers.get("content-type", "").split(";")[0] != "application/json":
            raise _Refusal(415, "Send JSON.")


class _Refusal(Exception):
    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text


async def _body(request: Request, receive: Receive) -> bytes:
    """The body, counted while it comes and waited for so long only."""
    lengths = request.headers.getlist("content-length")
    if "transfer-encoding" in request.headers and lengths:
        raise _Refusal(400, "The request says its size twice: Content-Length and Transfer-Encoding.")
    if len(lengths) != 1 or not lengths[0].isdecimal() or not lengths[0].isascii():
        raise _Refusal(413, "The request does not say its size.")
    if len(lengths[0]) > 9 or int(lengths[0]) > MAX_BODY:
        raise _Refusal(413, f"The request is larger than {MAX_BODY:,} bytes.")
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            while True:
                message = await receive()
                body += message.get("body", b"")
                if len(body) > MAX_BODY:
                    raise _Refusal(413, f"The request is larger than {MAX_BODY:,} bytes.")
                if message["type"] == "http.disconnect" or len(body) > int(lengths[0]):
                    raise _Refusal(400, "The request has another size than it says.")
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError:
        raise _Refusal(408, f"The request did not come within {_BODY_SECONDS:g} s.") from None


def _giving(body: bytes, receive: Receive) -> Receive:
    """The body that was read, then whatever else comes."""
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _same(given: str, wanted: str) -> bool:
    return secrets.compare_digest(given.encode("utf-8", "replace"), wanted.encode())
