"""Limits that hold: bytes, parts, documents and time are bounded before they cost anything."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="not installed: fastapi (pip install 'lineament[serve]')")

from served import ADA, Served, empty, photo, served
from starlette.datastructures import Headers

from lineament.datasets.collect.fetching import Fetcher
from lineament.errors import ConfigError
from lineament.service import parts
from lineament.service.errors import Refused
from lineament.service.receiving import Gone, Receiving
from lineament.service.settings import MIB, Limits, ServiceSettings
from lineament.settings import GallerySettings

JPEG = {"Content-Type": "image/jpeg"}
SMALL = Limits(body_bytes=4 * MIB, parts=3, document_bytes=200)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("limits"), limits=SMALL) as one:
        yield one


class Sending:
    """The messages of a client, and how many of them were asked for."""

    def __init__(self, *blocks: bytes, forever: bool = False) -> None:
        self.blocks, self.forever, self.asked = list(blocks), forever, 0

    async def __call__(self) -> dict[str, Any]:
        self.asked += 1
        if not self.blocks and self.forever:
            await asyncio.Event().wait()
        block = self.blocks.pop(0)
        return {"type": "http.request", "body": block, "more_body": bool(self.blocks) or self.forever}


def refused_by(receiving: Receiving, sending: Any, **headers: str) -> Refused:
    with pytest.raises(Refused) as refusal:
        asyncio.run(receiving.body(Headers({k.replace("_", "-"): v for k, v in headers.items()}), sending))
    assert receiving.held == 0
    return refusal.value


def test_a_size_that_is_announced_is_refused_before_a_byte_is_read() -> None:
    """Too large, said twice, beside another framing, or no number: refused, and nothing is asked for."""
    sending = Sending(b"x")
    receiving = Receiving(SMALL)
    assert refused_by(receiving, sending, content_length=str(5 * MIB)).status == 413
    assert refused_by(receiving, sending, content_length="9" * 30).status == 400
    for wrong in ("-1", "+1", "1.0", "0x1", "", "\xb2"):
        assert refused_by(receiving, sending, content_length=wrong).status == 400
    assert refused_by(receiving, sending, content_length="1", transfer_encoding="chunked").status == 400
    assert sending.asked == 0


def test_a_body_is_counted_while_it_comes() -> None:
    """Without a size, or with a wrong one, it ends where the limit is passed or the size is not kept."""
    receiving = Receiving(SMALL)
    sending = Sending(*[b"x" * MIB] * 100)
    assert refused_by(receiving, sending).status == 413
    assert sending.asked == 5
    assert refused_by(receiving, Sending(b"xx"), content_length="3").status == 400


def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    """After the time for a request it is 408; a client that hangs up is not answered."""
    slow = Receiving(Limits(receive_seconds=0.01))
    assert refused_by(slow, Sending(b"x", forever=True)).status == 408

    async def hung_up() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    with pytest.raises(Gone):
        asyncio.run(slow.body(Headers({}), hung_up))


def test_all_bodies_together_are_bounded_by_what_has_come() -> None:
    """Two hundred that announce much and send little keep nobody out; much that has come is refused
    (503)."""
    receiving = Receiving(Limits(body_bytes=MIB, held_bytes=2 * MIB))

    async def main() -> None:
        headers = Headers({"content-length": str(MIB)})
        slow = [
            asyncio.ensure_future(receiving.body(headers, Sending(b"x", forever=True))) for _ in range(200)
        ]
        await asyncio.sleep(0)
        assert receiving.held == 200
        body = await receiving.body(Headers({}), Sending(b"y" * MIB))
        with pytest.raises(Refused) as full:
            await receiving.body(Headers({}), Sending(b"y" * MIB))
        assert full.value.status == 503 and "Retry-After" in full.value.headers
        receiving.release(body)
        assert await receiving.body(Headers({}), Sending(b"y" * MIB))
        for one in slow:
            one.cancel()
        await asyncio.gather(*slow, return_exceptions=True)

    asyncio.run(main())


def test_parts_and_documents_are_bounded(service: Served) -> None:
    """More pictures than allowed, in a form or in JSON, and a JSON document that is large, deep or no
    object."""
    many = [("picture", ("a.jpg", empty()))] * 4
    assert service.client.post("/v1/detect", files=many).status_code == 413
    listed = {"pictures": [{"base64": "AA=="}] * 4}
    assert service.client.post("/v1/detect", json=listed).status_code == 413
    large = service.client.patch("/v1/subjects/x", json={"subject": "y" * 300})
    assert large.status_code == 413 and large.headers["Connection"] == "close"
    assert service.client.request("DELETE", "/v1/subjects/x", content=b"y" * 300).status_code == 413
    for text in (
        "[" * 190,
        "[]",
        '{"subject": 1}',
        '{"subject": "a", "subject": "b"}',
        '{"x": NaN}',
        "",
        "{",
    ):
        answer = service.client.patch(
            "/v1/subjects/x", content=text, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 400, text[:20]


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=x", b""),
        ("multipart/form-data; boundary=x", b"--x\r\n"),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nhalf'),
        ("multipart/form-data; boundary=x", b"--y\r\n\r\n\r\n--y--"),
        ("multipart/form-data; boundary=x", b"--x\r\n" + b"A: b\r\n" * 1000 + b"\r\n\r\n--x--"),
        ("multipart/form-data; boundary=x", b"--x\r\nA: " + b"b" * 10_000 + b"\r\n\r\n\r\n--x--"),
        ("application/json", b'{"pictures": [{"base64": "no base64!"}]}'),
        ("application/json", b'{"pictures": [{"base64": 1}]}'),
        ("application/json", b'{"pictures": [{"base64": "", "url": ""}]}'),
        ("application/json", b'{"pictures": "x"}'),
        ("application/json", b'{"pictures": []}'),
        ("application/json", b'{"pictures": [{"base64": "AA=="}], "more": 1}'),
    ],
)
def test_a_broken_body_is_refused(service: Served, content_type: str, body: bytes) -> None:
    """A form or a document that is cut short, endless in its headers or not what is needed: 400, no 500."""
    answer = service.client.post("/v1/detect", content=body, headers={"Content-Type": content_type})
    assert answer.status_code == 400, answer.text
    with pytest.raises(Refused):
        parts.pictures(body, content_type, SMALL)


def test_a_form_comes_apart_as_it_was_put_together() -> None:
    """Parts keep their names, their files' names and every byte, boundaries inside of them included."""
    content = bytes(range(256)) * 20 + b"\r\n--xy\r\n--"
    body = (
        b'--x\r\nContent-Disposition: form-data; name="a"; filename="\xc3\xa4.jpg"\r\n'
        b"Content-Type: image/jpeg\r\n\r\n"
        + content
        + b'\r\n--x\r\ncontent-disposition: form-data; name="b"\r\n\r\ntext\r\n--x--\r\n'
    )
    one, other = parts.form(body, 'multipart/form-data; boundary="x"', SMALL)
    assert (one.name, one.file_name, bytes(one.content)) == ("a", "\u00e4.jpg", content)
    assert (other.name, other.file_name, bytes(other.content)) == ("b", None, b"text")
    assert "text" not in repr(other)


def test_no_upload_touches_the_disk(service: Served) -> None:
    """A form of 3 MB, which libraries put into a temporary file from 1 MB on: no file is opened to
    write."""
    service.client.post("/v1/detect", content=empty(), headers=JPEG)  # a model may be unpacked once
    opened: list[str] = []
    watching = True

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        if watching and event == "open" and isinstance(arguments[2], int) and arguments[2] & 0x43:
            opened.append(str(arguments[0]))  # for writing, or made
        if watching and event.startswith("tempfile."):
            opened.append(event)

    sys.addaudithook(audit)
    padded = photo(ADA) + b"\0" * (3 * MIB)
    answer = service.client.post(
        "/v1/detect", files=[("picture", ("a.jpg", padded)), ("picture", ("b", empty()))]
    )
    watching = False
    assert [one["outcome"] for one in answer.json()["pictures"]] == ["ok", "no_face"], answer.text
    assert [name for name in opened if not name.endswith((".db", ".db-wal", ".db-shm", "/dev/null"))] == []


def test_a_refused_body_is_not_read_to_its_end(service: Served) -> None:
    """The connection is closed after a refusal that left something unread: its rest may be of any size."""
    answer = service.client.post("/v1/nothing", content=b"x" * MIB, headers=JPEG)
    assert answer.status_code == 404 and answer.headers["Connection"] == "close"
    assert "Connection" not in service.client.get("/v1/gallery").headers


def test_a_url_is_fetched_from_a_host_on_the_list_only(service: Served, tmp_path: Path) -> None:
    """By default from none; of a host that is named only what is public, and nothing inside the network."""
    inside = (
        "http://169.254.169.254/latest", "http://127.0.0.1/x", "http://[::1]/", "http://[::ffff:10.0.0.1]/",
        "http://2130706433/", "http://0x7f.1/", "file:///etc/passwd", "gopher://x/", "http://a@b/",
        "//x", "", "x",
    )  # fmt: skip
    for url in ("https://example.test/a.jpg", *inside):
        answer = service.client.post("/v1/detect", json={"pictures": [{"url": url}]})
        assert answer.status_code == 403 and answer.json()["error"]["type"] == "ForbiddenUrl", url
    named = ("169.254.169.254", "127.0.0.1", "[::1]", "[::ffff:10.0.0.1]", "localhost")
    with served(tmp_path, fetch_from=named) as open_:
        for host in named:
            answer = open_.client.post("/v1/detect", json={"pictures": [{"url": f"http://{host}/a.jpg"}]})
            assert answer.status_code in (403, 502), answer.text
            assert answer.json()["error"]["type"] in ("ForbiddenUrl", "Unreachable")


def test_a_picture_is_fetched_and_redirects_are_held_to_the_list(tmp_path: Path) -> None:
    """From a host that is named, the picture is that of the URL; one that redirects elsewhere, answers with
    an error or sends no picture ends in a named error."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(302 if self.path == "/away" else 404 if self.path == "/none" else 200)
            if self.path == "/away":
                self.send_header("Location", f"http://localhost:{port}/a.jpg")
            self.end_headers()
            self.wfile.write(b"text" if self.path == "/text" else photo(ADA))

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        port = server.server_port
        threading.Thread(target=server.serve_forever, daemon=True).start()
        named = f"127.0.0.1:{port}"
        with served(tmp_path, fetch_from=(named,)) as service:
            state = service.app._app.state  # type: ignore[attr-defined]
            # This machine's own address is no public one: let it stand for one here.
            policy = replace(state.service.fetcher.policy, allow_private=("127.0.0.1",))
            state.service = replace(state.service, fetcher=Fetcher(policy))

            def asked(path: str) -> Any:
                listed = {"pictures": [{"url": f"http://{named}{path}"}]}
                return service.client.post("/v1/detect", json=listed)

            assert asked("/a.jpg").json()["pictures"][0]["outcome"] == "ok"
            assert asked("/text").json()["pictures"][0]["error"]["type"] == "UnsupportedFormat"
            for path, status, kind in (("/away", 403, "ForbiddenUrl"), ("/none", 502, "BadAnswer")):
                answer = asked(path)
                assert (answer.status_code, answer.json()["error"]["type"]) == (status, kind)
        server.shutdown()


@pytest.mark.parametrize("name", ["body_bytes", "parts", "receive_seconds", "waiting"])
@pytest.mark.parametrize("value", [0, -1, "1", True, None])
def test_a_limit_is_a_number_above_0(name: str, value: object) -> None:
    """Anything else is refused before a service is made."""
    with pytest.raises(ConfigError, match=name):
        Limits(**{name: value})  # type: ignore[arg-type]


def test_a_service_makes_its_own_parts() -> None:
    """Objects cannot be handed on to a process that serves: names and URLs are wanted."""
    with pytest.raises(ConfigError, match="its URL"):
        ServiceSettings(GallerySettings(object()))
    with pytest.raises(ConfigError, match="a list"):
        ServiceSettings(attributes="age")  # type: ignore[arg-type]
    assert json.dumps(ServiceSettings().fetch_from) == "[]"
