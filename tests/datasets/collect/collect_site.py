"""A site on this machine that misbehaves on demand, and pictures to serve from it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

from lineament.datasets.collect.fetching import Fetcher, Policy
from lineament.datasets.collect.politeness import Guest, Manners
from lineament.io import images

ALLOWED = Policy(
    allow_private=("127.0.0.1",), connect_seconds=2, total_seconds=2, max_bytes=200_000, max_redirects=3
)
Handle = Callable[[BaseHTTPRequestHandler], None]


def jpeg(seed: int, size: int = 48) -> bytes:
    """A picture unlike that of any other seed."""
    noise = np.random.default_rng(seed).integers(0, 256, (size // 8, size // 8, 3), np.uint8)
    return images.encode_jpeg(np.kron(noise, np.ones((8, 8, 1), np.uint8)))


class Site:
    """Pages by path (without query), each a body or a function; ``asked`` counts requests by full path."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.headers: list[dict[str, str]] = []
        self.pages: dict[str, bytes | Handle] = {}
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pictures_asked(self) -> Counter[str]:
        return Counter({path: n for path, n in self.asked.items() if path != "/robots.txt"})


def answer(status: int, body: bytes = b"", **headers: str) -> Handle:
    """A page with this status and these headers (``Retry_After`` stands for ``Retry-After``)."""

    def handle(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(body)

    return handle


def redirect(location: str) -> Handle:
    return answer(302, Location=location)


def drip(head: bytes, piece: bytes, stop: threading.Event) -> Handle:
    """Raw bytes, then a piece of body every 20 ms for as long as anybody listens."""

    def handle(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(head)
        while not stop.wait(0.02):
            request.wfile.write(piece)

    return handle


@contextmanager
def serving(site: Site) -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.asked[self.path] += 1
            site.headers.append(dict(self.headers.items()))
            page = site.pages.get(self.path.split("?")[0])
            if page is None:
                answer(404)(self)
            elif isinstance(page, bytes):
                answer(200, page, Content_Type="text/html" if page[:1] == b"<" else "image/jpeg")(self)
            else:
                page(self)

        def log_message(self, *_: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

        def handle_error(self, *_: object) -> None:
            pass  # a client that went away, which is what many of these tests do

    with Quiet(("127.0.0.1", 0), Handler) as listener:
        site.port = listener.server_port
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield site
        finally:
            listener.shutdown()
            thread.join()


class FakeClock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.slept: list[float] = []
        self._lock = threading.Lock()

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.slept.append(seconds)
            self.now += seconds


def guest(
    policy: Policy = ALLOWED, manners: Manners | None = None, **more: object
) -> tuple[Guest, FakeClock]:
    """A polite guest whose waits cost nothing, and its clock."""
    clock = FakeClock()
    fetcher = Fetcher(policy, user_agent="lineament-test", **more)  # type: ignore[arg-type]
    return Guest(fetcher, manners or Manners(), clock=clock, sleep=clock.sleep), clock
