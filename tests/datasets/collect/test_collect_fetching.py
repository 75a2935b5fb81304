from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from collect_site import ALLOWED, Site, answer, drip, jpeg, redirect

from certificates import certificate
from lineament.datasets.collect.fetching import Fetcher, Policy
from lineament.errors import AnswerTooLarge, BadAnswer, ForbiddenUrl, TooSlow, Unreachable

CERTIFICATE = certificate()
OK = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_a_page_comes_back_whole_with_its_address(site: Site) -> None:
    """The body is byte-equal, the Host header and user agent are told."""
    site.pages["/a.jpg"] = jpeg(1)
    got = Fetcher(ALLOWED, user_agent="lineament-test (me@example.org)").get(f"{site.url}/a.jpg")
    assert (got.status, got.body, got.url) == (200, jpeg(1), f"{site.url}/a.jpg")
    assert site.headers[0]["Host"] == f"127.0.0.1:{site.port}"
    assert site.headers[0]["User-Agent"] == "lineament-test (me@example.org)"


def test_this_machine_is_refused_by_default(site: Site) -> None:
    """Without the named override no request leaves."""
    for url in (site.url, f"http://localhost:{site.port}/", f"http://[::ffff:127.0.0.1]:{site.port}/"):
        with pytest.raises((ForbiddenUrl, Unreachable)):
            Fetcher(Policy()).get(url)
    assert not site.asked


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]/",
        "http://[::ffff:169.254.169.254]/",
        "http://2852039166/",
        "file:///etc/passwd",
        "//10.0.0.1/",
        "http://inside.test/",
    ],
)
def test_a_redirect_inwards_is_refused(site: Site, location: str) -> None:
    """Every hop is checked like the first, so nobody is asked there."""
    site.pages["/go"] = redirect(location)
    resolved: list[str] = []

    def resolve(host: str, _port: int) -> list[str]:
        resolved.append(host)
        return {"inside.test": ["192.168.0.1"]}.get(host, [host])

    with pytest.raises(ForbiddenUrl):
        Fetcher(ALLOWED, resolve=resolve).get(f"{site.url}/go")
    assert site.asked == {"/go": 1}


def test_a_name_that_changes_its_address_gains_nothing(site: Site) -> None:
    """DNS rebinding: the name is resolved once, and the connection goes to the address that was checked."""
    site.pages["/a"] = b"here"
    answers = iter([["127.0.0.1"], ["169.254.169.254"]])
    got = Fetcher(ALLOWED, resolve=lambda _host, _port: next(answers)).get(f"http://a.test:{site.port}/a")
    assert got.body == b"here"
    assert site.headers[0]["Host"] == f"a.test:{site.port}"
    assert next(answers) == ["169.254.169.254"]  # the second answer was never asked for


def test_redirects_are_followed_relatively_and_not_without_end(site: Site) -> None:
    """Three hops at most here; the answer names where it really came from."""
    site.pages.update(
        {"/x/1": redirect("2"), "/x/2": redirect("/end"), "/end": b"end", "/l": redirect("/l")}
    )
    fetcher = Fetcher(ALLOWED)
    assert fetcher.get(f"{site.url}/x/1").url == f"{site.url}/end"
    with pytest.raises(BadAnswer, match="redirects"):
        fetcher.get(f"{site.url}/l")
    assert site.asked["/l"] == 4


def test_bodies_over_the_limit_are_refused_announced_or_endless(site: Site, stop: threading.Event) -> None:
    """An announced length is believed at once, an endless body is cut off."""
    site.pages["/announced"] = answer(200, b"", Content_Length="1000000000")
    site.pages["/endless"] = drip(OK + b"\r\n", b"x" * 100_000, stop)
    site.pages["/chunked"] = drip(
        OK + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b"x" * 65_536 + b"\r\n", stop
    )
    for path in ("/announced", "/endless", "/chunked"):
        with pytest.raises(AnswerTooLarge):
            Fetcher(ALLOWED).get(site.url + path)


@pytest.mark.parametrize(
    "head", [b"", OK, OK + b"X: ", OK + b"Content-Length: 99999\r\n\r\n", OK + b"\r\n"]
)
def test_slow_answers_end_in_time(site: Site, stop: threading.Event, head: bytes) -> None:
    """One byte now and then keeps every single read alive; the total time still ends it, header or body."""
    site.pages["/slow"] = drip(head, b"H", stop)
    with pytest.raises(TooSlow):
        Fetcher(replace(ALLOWED, total_seconds=0.3)).get(f"{site.url}/slow")


def test_headers_have_a_limit(site: Site, stop: threading.Event) -> None:
    """One endless header line and endlessly many lines."""
    site.pages["/long"] = drip(OK + b"X: ", b"x" * 30_000, stop)
    site.pages["/many"] = drip(OK, b"X: y\r\n" * 5_000, stop)
    for path in ("/long", "/many"):
        with pytest.raises((AnswerTooLarge, BadAnswer)):
            Fetcher(ALLOWED).get(site.url + path)


@pytest.mark.parametrize(
    "raw",
    [
        OK + b"Content-Length: 500\r\n\r\nonly this",
        OK + b"Transfer-Encoding: chunked\r\n\r\nFF\r\nonly this",
        OK + b"Transfer-Encoding: chunked\r\n\r\nnonsense\r\n",
        OK + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\nxx",
        b"not http at all\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"",
    ],
)
def test_broken_answers_are_named(site: Site, raw: bytes) -> None:
    """Cut short, wrongly chunked, compressed unasked, no HTTP: a BadAnswer or a broken connection."""
    site.pages["/broken"] = lambda request: request.wfile.write(raw) and None
    with pytest.raises((BadAnswer, Unreachable)):
        Fetcher(ALLOWED).get(f"{site.url}/broken")


def test_nobody_listening_is_unreachable(site: Site) -> None:
    """A closed port is a named outcome."""
    with pytest.raises(Unreachable):
        Fetcher(ALLOWED).get("http://127.0.0.1:1/")


@pytest.fixture
def tls_site(site: Site) -> Iterator[str]:
    """A TLS server for the name localhost."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(200, str(self.headers["Host"]).encode())(self)

        def log_message(self, *_: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            pass

    with Quiet(("127.0.0.1", 0), Handler) as listener:
        listener.socket = context.wrap_socket(listener.socket, server_side=True)
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield str(listener.server_port)
        listener.shutdown()
        thread.join()


def test_tls_verifies_the_name_although_the_address_is_pinned(tls_site: str) -> None:
    """The certificate must be for the URL's host, not for the address; another name is refused."""
    trusted = ssl.create_default_context(cafile=CERTIFICATE)
    fetcher = Fetcher(ALLOWED, resolve=lambda _host, _port: ["127.0.0.1"], ssl_context=trusted)
    assert fetcher.get(f"https://localhost:{tls_site}/").body == f"localhost:{tls_site}".encode()
    with pytest.raises(BadAnswer, match="certificate"):
        fetcher.get(f"https://other.test:{tls_site}/")
    with pytest.raises(BadAnswer, match="certificate"):
        Fetcher(ALLOWED, resolve=lambda _h, _p: ["127.0.0.1"]).get(f"https://localhost:{tls_site}/")
