"""Bodies and sizes as a program on the same machine may send them: the page really served, raw sockets."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="not installed: fastapi (pip install 'lineament[serve]')")

import uvicorn
from test_review_page import picture

from lineament.datasets.reviewing.review import Review, open_review
from lineament.io.manifest import Manifest
from lineament.service import guarding
from lineament.service.guarding import MAX_BODY, Keys
from lineament.service.review import create_app


@pytest.fixture
def review(tmp_path: Path) -> Review:
    (tmp_path / "proposals.jsonl").touch()
    return open_review(Manifest((picture(tmp_path, "a/0.jpg", "Ada", 20),), folder=tmp_path))


@pytest.fixture
def served(review: Review, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, Keys]]:
    """The port and the keys of a page that is served."""
    monkeypatch.setattr(guarding, "_BODY_SECONDS", 1.0)
    keys = Keys()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        server = uvicorn.Server(
            uvicorn.Config(create_app(review, port=port, keys=keys), log_level="error", ws="none")
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        yield port, keys
        server.should_exit = True
        thread.join()


def asked(served: tuple[int, Keys], headers: str, body: bytes, *, end: bool = False) -> tuple[int, int]:
    """The status of a request with the page's own keys, and how many bytes of ``body`` were taken."""
    port, keys = served
    head = (
        f"POST /{keys.page}/api/decisions HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"X-CSRF-Token: {keys.csrf}\r\nContent-Type: application/json\r\n{headers}\r\n"
    )
    sent = 0
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(head.encode())
        try:
            while sent < len(body):
                sent += connection.send(body[sent : sent + (1 << 16)])
            if end:
                connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the server has closed its end
        answer = b""
        try:
            while b"\r\n" not in answer and (block := connection.recv(1 << 16)):
                answer += block
        except OSError:
            pass
    return (int(answer.split()[1]) if answer else 0), sent


def chunked(data: bytes, size: int = 1 << 16) -> bytes:
    """The body in chunks, as Transfer-Encoding has them."""
    pieces = (data[at : at + size] for at in range(0, len(data), size))
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


GOOD = b'{"picture": 0, "choice": "keep"}'
HUGE = bytes(64 << 20)


def test_an_honest_request_is_taken(served: tuple[int, Keys], review: Review) -> None:
    """The same request without anything wrong decides, so that the refusals below mean something."""
    assert asked(served, f"Content-Length: {len(GOOD)}\r\n", GOOD) == (200, len(GOOD))
    review.refresh()
    assert len(review.log.entries) == 1


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ("Content-Length: 20\r\nTransfer-Encoding: chunked\r\n", chunked(HUGE), {400}),
        ("Transfer-Encoding: chunked\r\nContent-Length: 32\r\n", chunked(GOOD), {400}),
        ("Transfer-Encoding: chunked\r\n", chunked(HUGE), {413}),
        ("Transfer-Encoding: gzip, chunked\r\nContent-Length: 32\r\n", chunked(GOOD), {400, 501}),
        ("Transfer-Encoding: identity\r\nContent-Length: 32\r\n", GOOD, {400, 501}),
        ("Content-Length: 32\r\nContent-Length: 33\r\n", GOOD, {400}),
        (f"Content-Length: {len(HUGE)}\r\n", HUGE, {413}),
        (f"Content-Length: {MAX_BODY + 1}\r\n", b" " * (MAX_BODY + 1), {413}),
        ("Content-Length: -1\r\n", GOOD, {400, 413}),
        ("Content-Length: 99999999999999999999\r\n", HUGE, {400, 413}),
        ("Content-Length: ٣\r\n", GOOD, {400, 413}),
        ("", HUGE, {413}),
        ("Content-Length: 9000\r\n", b"[" * 9_000, {400}),
        ("Content-Length: 9000\r\n", b'{"picture":' * 818 + b"{" * 2, {400}),
    ],
)
def test_bodies_are_counted_while_they_come(
    served: tuple[int, Keys], review: Review, headers: str, body: bytes, status: set[int]
) -> None:
    """A size said twice, not at all, wrongly, or beyond the bound ends the request and its connection, long
    before all of it came; nested deeper than any decision it is no JSON. Nothing is decided."""
    found, taken = asked(served, headers, body)
    # Who is cut off in the middle of sending may not see the answer any more.
    assert found in status | ({0} if len(body) > MAX_BODY else set())
    assert taken <= max(len(body) if len(body) <= MAX_BODY + 1 else 0, 16 << 20)
    assert asked(served, f"Content-Length: {len(GOOD)}\r\n", GOOD)[0] == 200
    review.refresh()
    assert len(review.log.entries) == 1


def test_a_body_that_does_not_come_is_not_waited_for(served: tuple[int, Keys], review: Review) -> None:
    """Half of a body and then nothing: 408; the end of the connection in its middle: nothing is decided."""
    assert asked(served, "Content-Length: 32\r\n", GOOD[:10])[0] == 408
    assert asked(served, "Content-Length: 32\r\n", GOOD[:10], end=True)[0] in (0, 400)
    assert not review.log.path.exists()
