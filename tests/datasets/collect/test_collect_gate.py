from __future__ import annotations

import socket
from collections.abc import Callable

import pytest
from collect_site import Site

from lineament.datasets.collect.gate import open_gate


def speak(port: int, request: bytes) -> bytes:
    """What the gate answers until it closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR) if not request.endswith(b"\r\n\r\n") else None
        answer = b""
        while block := connection.recv(65_536):
            answer += block
        return answer


def everything(_host: str) -> bool:
    return True


def test_a_page_passes_with_the_headers_of_the_browser(site: Site) -> None:
    """In origin form, without what was meant for the proxy."""
    site.pages["/a"] = b"here"
    with open_gate(everything, allow_private=("127.0.0.1",)) as gate:
        answer = speak(
            gate.port,
            f"GET {site.url}/a?b HTTP/1.1\r\nHost: 127.0.0.1:{site.port}\r\nX-Mine: 1\r\n"
            "Proxy-Connection: keep-alive\r\n\r\n".encode(),
        )
    assert answer.endswith(b"here") and site.asked == {"/a?b": 1}
    assert site.headers[0]["X-Mine"] == "1" and "Proxy-Connection" not in site.headers[0]


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "169.254.169.254", "0x7f.1", "10.0.0.1"]
)
def test_a_tunnel_inwards_is_refused(site: Site, host: str) -> None:
    """CONNECT to a private address gets 403, nothing is connected, and the refusal is counted."""
    with open_gate(everything) as gate:
        answer = speak(gate.port, f"CONNECT {host}:{site.port} HTTP/1.1\r\n\r\n".encode())
        assert answer.startswith((b"HTTP/1.1 403", b"HTTP/1.1 502"))
        assert gate.refused.total() == 1
    assert not site.asked


def test_a_host_that_is_not_permitted_is_not_even_resolved(site: Site) -> None:
    """The list of the page's description comes first."""

    def never(_host: str, _port: int) -> list[str]:
        raise AssertionError

    with open_gate(lambda host: host == "a.test", resolve=never) as gate:
        assert b" 403 " in speak(gate.port, b"CONNECT b.test:443 HTTP/1.1\r\n\r\n")
        assert gate.refused == {("host not listed", "b.test"): 1}


@pytest.mark.parametrize(
    "request_",
    [b"", b"GET", b"\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"\xff\xfe \xff \xff\r\n\r\n", b"A" * 100_000],
)
def test_what_is_no_request_gets_no_connection(site: Site, request_: bytes) -> None:
    """Refused or closed; the gate goes on."""
    with open_gate(everything, allow_private=("127.0.0.1",)) as gate:
        assert speak(gate.port, request_)[:12] in (b"", b"HTTP/1.1 400", b"HTTP/1.1 403")
        site.pages["/a"] = b"here"
        assert speak(gate.port, f"GET {site.url}/a HTTP/1.1\r\n\r\n".encode()).endswith(b"here")


def test_a_search_has_a_share_of_bytes(site: Site) -> None:
    """When it is used up, connections end and the reason is counted."""
    site.pages["/big"] = b"x" * 1_000_000
    ask: Callable[[int], bytes] = lambda port: speak(  # noqa: E731
        port, f"GET {site.url}/big HTTP/1.1\r\n\r\n".encode()
    )
    with open_gate(everything, allow_private=("127.0.0.1",), max_bytes=300_000) as gate:
        assert len(ask(gate.port)) <= 300_000
        assert gate.refused == {("AnswerTooLarge", "127.0.0.1"): 1}
