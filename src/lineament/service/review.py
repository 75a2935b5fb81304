"""The page on which a person decides proposals, one subject at a time, and the server it comes from."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from importlib.resources import files
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.concurrency import run_in_threadpool

from lineament.datasets.reviewing.review import Review
from lineament.documents import Malformed, json_of
from lineament.errors import LineamentError, ManifestError, OutputError, PictureError, UsageError
from lineament.io import pages
from lineament.io.names import shown
from lineament.plots.thumbnails import LARGE_PX, SMALL_PX
from lineament.service.desk import Commands, ReviewDesk, nothing
from lineament.service.ending import Ending
from lineament.service.guarding import Guard, Keys

HOST = "127.0.0.1"
ENDS_AFTER_S = 20.0
"""How long a page without anything left waits before the command ends: time to take the last one back."""

_STATIC = {"review.js": "text/javascript", "review.css": "text/css", "review.svg": "image/svg+xml"}


def create_app(
    review: Review,
    *,
    port: int,
    keys: Keys,
    title: str = "",
    ending: Ending | None = None,
    commands: Commands = nothing,
) -> FastAPI:
    """The page and its interface as an ASGI application for ``127.0.0.1:port``.

    ``ending`` ends the server when nothing is left; ``commands`` are shown then, as what to give next: see
    `ReviewDesk`.
    """
    app = FastAPI(title="lineament review", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(Guard, port=port, keys=keys)
    desk = ReviewDesk(review, ending, commands)

    @app.get("/")
    def page() -> Response:
        html = pages.page("lineament.service", "pages/review.html", {"title": title, "csrf": keys.csrf})
        return Response(html, media_type="text/html; charset=utf-8")

    @app.get("/static/{name}")
    def static(name: str) -> Response:
        if name not in _STATIC:
            return Response(status_code=404)
        text = (files("lineament.service") / "pages" / name).read_bytes()
        return Response(text, media_type=f"{_STATIC[name]}; charset=utf-8")

    @app.get("/api/overview")
    def overview() -> Response:
        return _answered(desk.overview)

    @app.get("/api/subjects/{number}")
    def subject(number: int) -> Response:
        return _answered(lambda: desk.subject(number))

    @app.get("/pictures/{number}/{size}")
    def picture(number: int, size: str) -> Response:
        try:
            data = desk.jpeg(number, LARGE_PX if size == "large" else SMALL_PX)
        except (PictureError, UsageError) as error:
            return _json({"error": type(error).__name__, "message": str(error)}, 404)
        return Response(data, media_type="image/jpeg")

    @app.post("/api/decisions")
    async def decide(request: Request) -> Response:
        return await _change(request, desk.decide)

    @app.get("/api/acceptable/{percent}")
    def acceptable(percent: float) -> Response:
        return _answered(lambda: desk.acceptable(percent / 100))

    changes = {"undo": desk.undo, "accept": desk.accept, "finish": desk.finish, "stay": desk.stay}

    @app.post("/api/{name}")
    async def change(name: str, request: Request) -> Response:
        if name not in changes:
            return Response(status_code=404)
        return await _change(request, changes[name])

    return app


async def _change(request: Request, act: Callable[[dict[str, Any]], dict[str, Any]]) -> Response:
    try:
        values = json_of(await request.body())
    except Malformed:
        values = None
    if not isinstance(values, dict):
        return _json({"error": "UsageError", "message": "an object is needed"}, 400)
    return await run_in_threadpool(_answered, lambda: act(values))


def _answered(act: Callable[[], dict[str, Any]]) -> Response:
    try:
        return _json(act())
    except LineamentError as error:
        status = 500 if isinstance(error, (OutputError, ManifestError)) else 400
        return _json({"error": type(error).__name__, "message": shown(str(error), limit=None)}, status)


def _json(values: dict[str, Any], status: int = 200) -> Response:
    """Written as ASCII: names may hold what UTF-8 cannot."""
    return Response(json.dumps(values), status_code=status, media_type="application/json")


def serve(
    review: Review,
    *,
    port: int = 0,
    title: str = "",
    commands: Commands = nothing,
    ends_after_s: float | None = ENDS_AFTER_S,
    opened: Callable[[str], None] | None = None,
) -> None:
    """Serve the page until interrupted, finished on the page, or nothing has been left for so long.

    None for ``ends_after_s`` waits for the others. ``opened`` is called with the address; port 0 takes any
    free one.
    """
    import uvicorn

    keys = Keys()
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((HOST, port))
        except (OSError, OverflowError) as error:
            raise UsageError(f"port {port} cannot be used: {error}; choose another with --port") from error
        listening.listen()
        port = listening.getsockname()[1]

        def stop() -> None:
            server.should_exit = True

        ending = Ending(stop, after_s=ends_after_s)
        app = create_app(review, port=port, keys=keys, title=title, ending=ending, commands=commands)
        # The access log would hold the token.
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ws="none",
            timeout_graceful_shutdown=2,
        )
        server = uvicorn.Server(config)
        if opened is not None:
            opened(f"http://{HOST}:{port}/?token={keys.token}")
        try:
            server.run(sockets=[listening])
        except KeyboardInterrupt:
            return
        finally:
            ending.stay()
