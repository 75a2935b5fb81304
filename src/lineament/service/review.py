"""The page on which a person decides proposals, one subject at a time.

Pictures and subjects have numbers here; a name or a path that a client sends never leads to a file. Names
reach the page as escaped text and are shown as text.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from importlib.resources import files
from pathlib import PurePosixPath
from typing import Any

from fastapi import FastAPI, Request, Response
from jinja2 import Environment, PackageLoader, select_autoescape
from starlette.concurrency import run_in_threadpool

from lineament.datasets.decisions import Decision
from lineament.datasets.proposals import Proposal
from lineament.datasets.review import DUPLICATES, Review
from lineament.documents import Malformed, json_of
from lineament.errors import LineamentError, ManifestError, OutputError, PictureError, UsageError
from lineament.gallery.subjects import require_valid
from lineament.io.names import shown
from lineament.service.guarding import Guard, Keys
from lineament.service.thumbnails import LARGE_PX, SMALL_PX, Thumbnails

HOST = "127.0.0.1"
_STATIC = {"review.js": "text/javascript", "review.css": "text/css", "review.svg": "image/svg+xml"}
_EXAMPLES = 4


class ReviewDesk:
    """A review as the page sees it; safe from several threads, and from several pages at once."""

    def __init__(self, review: Review) -> None:
        self._review = review
        self._lock = threading.Lock()
        self._rows = sorted(review.manifest, key=lambda row: (row.subject or "", row.path, row.id))
        self._number = {row.id: n for n, row in enumerate(self._rows)}
        self._names: list[str | None] = sorted(
            {row.subject for row in self._rows}, key=lambda name: (name is not None, name or "")
        )
        self._subject = {name: n for n, name in enumerate(self._names)}
        self._members: list[list[int]] = [[] for _ in self._names]
        for n, row in enumerate(self._rows):
            self._members[self._subject[row.subject]].append(n)
        for members in self._members:
            members.sort(key=self._urgency)
        for several in review.proposals.values():
            for proposal in several:
                if proposal.to is not None:
                    self._known(proposal.to)
        for row in self._rows:
            standing = review.decided(row.id)
            if standing is not None and standing.to is not None:
                self._known(standing.to)
        self.thumbnails = Thumbnails(review.manifest)

    def _urgency(self, n: int) -> tuple[float, int]:
        proposals = self._review.proposals.get(self._rows[n].id)
        return (-proposals[0].score if proposals else 1.0, n)

    def _known(self, name: str) -> int:
        """The number of a subject, new ones at the end."""
        if name not in self._subject:
            self._subject[name] = len(self._names)
            self._names.append(name)
            self._members.append([])
        return self._subject[name]

    def overview(self) -> dict[str, Any]:
        """Every subject by number, and what is left to decide."""
        with self._lock:
            self._review.refresh()
            return {
                "left": self._review.left(),
                "proposed": len(self._review.proposals),
                "subjects": [
                    {"name": _label(name), "pictures": len(members), "left": self._left(members)}
                    for name, members in zip(self._names, self._members, strict=True)
                ],
            }

    def subject(self, number: int) -> dict[str, Any]:
        """The pictures of one subject, those with proposals first, the surest of them before the others."""
        with self._lock:
            self._review.refresh()
            if not 0 <= number < len(self._names):
                raise UsageError("there is no subject with this number")
            return {
                "subject": number,
                "name": _label(self._names[number]),
                "pictures": [self._picture(n) for n in self._members[number]],
            }

    def _picture(self, n: int) -> dict[str, Any]:
        row = self._rows[n]
        return {
            "picture": n,
            "name": shown(row.path, limit=None),
            "file": shown(PurePosixPath(row.path).name, limit=None),
            "decision": self._standing(self._review.decided(row.id)),
            "proposals": [self._proposal(p) for p in self._review.proposals.get(row.id, ())],
        }

    def _proposal(self, p: Proposal) -> dict[str, Any]:
        to = None if p.to is None else self._subject[p.to]
        of = [self._number[i] for i in self._review.paths.get(p.of or "", [])[:1]]
        return {
            "action": p.action,
            "reason": p.reason,
            "score": p.score,
            "detail": shown(p.detail, limit=None),
            "to": to,
            "to_name": None if p.to is None else _label(p.to),
            "of": of[0] if of else None,
            "like": [] if to is None else self._examples(to),
        }

    def _examples(self, subject: int) -> list[int]:
        """Pictures of a subject that nothing worse is said of than that there are several like them."""
        found: list[int] = []
        for n in reversed(self._members[subject]):
            proposals = self._review.proposals.get(self._rows[n].id, ())
            if all(p.reason in DUPLICATES for p in proposals):
                found.append(n)
            if len(found) == _EXAMPLES:
                break
        return found

    def _standing(self, decision: Decision | None) -> dict[str, Any] | None:
        if decision is None:
            return None
        return {
            "choice": decision.choice,
            "to": None if decision.to is None else _label(decision.to),
            "by": decision.by,
        }

    def _left(self, members: list[int]) -> int:
        return self._review.left(self._rows[n].id for n in members)

    def _answer(self, n: int) -> dict[str, Any]:
        row = self._rows[n]
        subject = self._subject[row.subject]
        return {
            "picture": n,
            "subject": subject,
            "decision": self._standing(self._review.decided(row.id)),
            "left": self._review.left(),
            "subject_left": self._left(self._members[subject]),
        }

    def decide(self, values: dict[str, Any]) -> dict[str, Any]:
        """``{"picture", "choice"}`` and for a move a subject's number ``"to"`` or a name ``"to_new"``."""
        with self._lock:
            row = self._rows[_number(values.get("picture"), len(self._rows), "picture")]
            to: str | None = None
            if values.get("choice") == "move":
                if values.get("to_new") is not None:
                    to = _new_name(values["to_new"])
                    self._known(to)
                else:
                    to = self._names[_number(values.get("to"), len(self._names), "subject")]
                if to is None:
                    raise UsageError("a picture cannot be moved to nobody; remove it")
            self._review.decide(row.id, str(values.get("choice")), to)
            return self._answer(self._number[row.id])

    def undo(self, values: dict[str, Any]) -> dict[str, Any]:
        """Take back the last decision about ``{"picture"}``, or without it the last one at all."""
        with self._lock:
            row_id = None
            if values.get("picture") is not None:
                row_id = self._rows[_number(values["picture"], len(self._rows), "picture")].id
            undone = self._review.undo(row_id)
            return {"picture": None} if undone is None else self._answer(self._number[undone])

    def jpeg(self, number: int, longest_px: int) -> bytes:
        """One picture by its number, small."""
        return self.thumbnails.get(
            self._rows[_number(number, len(self._rows), "picture")], longest_px=longest_px
        )


def _label(name: str | None) -> str:
    return "(no subject)" if name is None else shown(name, limit=None)


def _number(value: Any, below: int, what: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < below:
        raise UsageError(f"there is no {what} with this number")
    return value


def _new_name(value: Any) -> str:
    if not isinstance(value, str):
        raise UsageError("a subject's name is text")
    require_valid(value)
    return value


def create_app(review: Review, *, port: int, keys: Keys, title: str = "") -> FastAPI:
    """The page and its interface as an ASGI application for ``127.0.0.1:port``."""
    app = FastAPI(title="lineament review", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(Guard, port=port, keys=keys)
    desk = ReviewDesk(review)
    pages = Environment(
        loader=PackageLoader("lineament.service", "pages"),
        autoescape=select_autoescape(default=True, default_for_string=True),
    )

    @app.get("/")
    def page() -> Response:
        html = pages.get_template("review.html").render(title=shown(title, limit=None), csrf=keys.csrf)
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

    @app.post("/api/undo")
    async def undo(request: Request) -> Response:
        return await _change(request, desk.undo)

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
    review: Review, *, port: int = 0, title: str = "", opened: Callable[[str], None] | None = None
) -> None:
    """Serve the page until interrupted, calling ``opened`` with its address; port 0 takes any free one."""
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
        app = create_app(review, port=port, keys=keys, title=title)
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
        if opened is not None:
            opened(f"http://{HOST}:{port}/?token={keys.token}")
        try:
            uvicorn.Server(config).run(sockets=[listening])
        except KeyboardInterrupt:
            return
