"""The only way out for a browser: a proxy on this machine that applies the rules for addresses.

A page decides what its browser asks for, and the browser asks its maker for things on its own, so it is
given this proxy and nothing else. Only hosts that the page's description permits pass; each is resolved
here once, refused unless public, and connected to by the address that was checked.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import socketserver
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from lineament.datasets.collect.addresses import (
    Resolve,
    Site,
    Target,
    parse,
    pinned,
    system_resolve,
)
from lineament.errors import AnswerTooLarge, BadAnswer, CollectError

_MAX_HEAD = 64 * 2**10
_BLOCK = 1 << 16
_IDLE_SECONDS = 30.0
_HOP_BY_HOP = {b"proxy-connection", b"proxy-authorization", b"connection", b"keep-alive", b"upgrade"}


class Gate:
    """What did not go through stands in ``refused``, counted by reason and host."""

    def __init__(
        self,
        permits: Callable[[str], bool],
        resolve: Resolve,
        allow_private: Collection[str],
        max_bytes: int,
        sites: Collection[str] = (),
        own_sites: Collection[Site] = (),
    ) -> None:
        self.port = 0
        self.refused: Counter[tuple[str, str]] = Counter()
        self._permits = permits
        self._resolve = resolve
        self._allow = allow_private
        self._sites = sites
        self._own = own_sites
        self._left = max_bytes
        self._lock = threading.Lock()

    def connect(self, target: Target) -> socket.socket:
        """A connection to the checked address of a host; raises `CollectError` or `OSError`."""
        if not self._permits(target.host):
            raise _NotListed(f"{target.host} is not among the hosts of the description")
        address = pinned(target, self._resolve, self._allow, self._sites, self._own)
        return socket.create_connection((address, target.port), timeout=10)

    def note(self, host: str, error: CollectError) -> None:
        """Count a refusal."""
        with self._lock:
            if len(self.refused) >= _MAX_NAMES:
                host = "further hosts"
            self.refused[_REASON.get(type(error), type(error).__name__), host] += 1

    def spend(self, count: int) -> None:
        """Count bytes that came back; raises `AnswerTooLarge` when a page has had its share."""
        with self._lock:
            self._left -= count
            if self._left < 0:
                raise AnswerTooLarge("the pages of this search exceed the limit of bytes")


class _NotListed(CollectError):
    """The description of the page does not permit this host."""


_REASON: dict[type[CollectError], str] = {_NotListed: "host not listed"}
_MAX_NAMES = 200


@contextmanager
def open_gate(
    permits: Callable[[str], bool],
    *,
    resolve: Resolve = system_resolve,
    allow_private: Collection[str] = (),
    max_bytes: int = 512 * 2**20,
    sites: Collection[str] = (),
    own_sites: Collection[Site] = (),
) -> Iterator[Gate]:
    """Run a gate on a free port of 127.0.0.1 for as long as the block lasts."""
    gate = Gate(permits, resolve, allow_private, max_bytes, sites, own_sites)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            _serve(self.request, gate)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False
        request_queue_size = 128

        def handle_error(self, request: object, client_address: object) -> None:
            pass  # a browser that closed its end; nothing is lost by it

    with Server(("127.0.0.1", 0), Handler) as server:
        gate.port = server.server_address[1]
        thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="gate", daemon=True
        )
        thread.start()
        try:
            yield gate
        finally:
            server.shutdown()
            thread.join()


def _serve(browser: socket.socket, gate: Gate) -> None:
    browser.settimeout(_IDLE_SECONDS)
    host = "?"
    try:
        head, rest = _head(browser)
        if not head:  # a connection opened ahead of need
            return
        line, *fields = head.split(b"\r\n")
        method, where, _ = line.decode("ascii").split(" ")
        tunnel = method == "CONNECT"
        target = parse(f"https://{where}/" if tunnel else where)
        host = target.host
        site = gate.connect(target)
    except CollectError as error:
        gate.note(host, error)
        _answer(browser, b"403 Forbidden")
        return
    except (ValueError, UnicodeDecodeError):
        _answer(browser, b"400 Bad Request")
        return
    except OSError:
        _answer(browser, b"502 Bad Gateway")
        return
    with site, contextlib.suppress(OSError):
        if tunnel:
            browser.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            if rest:
                site.sendall(rest)
        else:
            kept = [f for f in fields if f.split(b":")[0].strip().lower() not in _HOP_BY_HOP]
            request = b"\r\n".join(
                [f"{method} {target.path} HTTP/1.1".encode("ascii"), *kept, b"Connection: close", b"", b""]
            )
            site.sendall(request + rest)
        try:
            _relay(browser, site, gate)
        except AnswerTooLarge as error:
            gate.note(host, error)


def _head(browser: socket.socket) -> tuple[bytes, bytes]:
    """The head of a request without its empty line, and what followed it already."""
    data = b""
    while b"\r\n\r\n" not in data:
        block = browser.recv(_BLOCK)
        if not block and not data:
            break
        if not block or len(data) > _MAX_HEAD:
            raise BadAnswer("a request without an end")
        data += block
    head, _, rest = data.partition(b"\r\n\r\n")
    return head, rest


def _relay(browser: socket.socket, site: socket.socket, gate: Gate) -> None:
    """Carry bytes both ways until the site ends, the browser goes, or nothing moves for a while."""
    with selectors.DefaultSelector() as ready:
        ready.register(browser, selectors.EVENT_READ, site)
        ready.register(site, selectors.EVENT_READ, browser)
        while True:
            events = ready.select(_IDLE_SECONDS)
            if not events:
                return
            for key, _ in events:
                source, other = key.fileobj, key.data
                assert isinstance(source, socket.socket)
                block = source.recv(_BLOCK)
                if not block:
                    return
                if source is site:
                    gate.spend(len(block))
                other.sendall(block)


def _answer(browser: socket.socket, status: bytes) -> None:
    with contextlib.suppress(OSError):
        browser.sendall(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
