"""A CompreFace installation is moved face by face, once, and goes on where it broke off."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from served import ADA, BOB, empty, photo
from typer.testing import CliRunner

from lineament.analyzer import Analyzer
from lineament.cli.main import app
from lineament.errors import BadAnswer, EmptyPicture, ForbiddenUrl, HttpError, NoFaceFound, Unreachable
from lineament.gallery.gallery import Gallery
from lineament.service.compreface.moving import Installation, moved

KEY = "0f4a1c5e-9d35-4b8e-8a76-0123456789ab"


class Old:
    """A server with CompreFace's pages and photos; ``asked`` counts, ``broken`` ends it after some
    photos."""

    def __init__(self, faces: list[tuple[str, str, bytes]]) -> None:
        self.faces, self.photos, self.broken = faces, list[str](), False
        old = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body = old.answer(self.path, self.headers.get("x-api-key", ""))
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, target: str, key: str) -> tuple[int, bytes]:
        parts, query = urlsplit(target), parse_qs(urlsplit(target).query)
        if key != KEY:
            return 404, json.dumps(
                {"message": f"service with API Key {key} not found", "code": 10}
            ).encode()
        if parts.path.endswith("/img"):
            image = parts.path.split("/")[-2]
            self.photos.append(image)
            if self.broken and len(self.photos) > 1:
                return 500, b"out of order"
            return 200, next(data for one, _, data in self.faces if one == image)
        page, size = int(query["page"][0]), min(int(query["size"][0]), 2)
        shown = self.faces[page * size : (page + 1) * size]
        return 200, json.dumps(
            {
                "faces": [{"image_id": one, "subject": name} for one, name, _ in shown],
                "page_number": page,
                "page_size": size,
                "total_pages": -(-len(self.faces) // size),
                "total_elements": len(self.faces),
            }
        ).encode()


@pytest.fixture
def old() -> Iterator[Old]:
    made = Old(
        [
            ("1", "Ann", photo(ADA)),
            ("2", "Bob", photo(BOB)),
            ("3", "Ann", b""),
            ("4", "Nobody", empty()),
            ("5", "Ann", photo(ADA, 330)),
        ]
    )
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture(scope="module")
def analyzer() -> Iterator[Analyzer]:
    with Analyzer(workers=1) as one:
        yield one


def test_every_face_is_moved_once(old: Old, analyzer: Analyzer) -> None:
    """All pages are read; what has no photo or no face is named; a second run fetches only what was
    refused."""
    with Gallery("memory:", analyzer) as gallery:
        installation = Installation(old.address + "/", KEY)
        assert installation.count() == 5
        done = list(moved(gallery, installation))
        errors = [type(one.error) for one in done if one is not None and one.error is not None]
        assert errors == [EmptyPicture, NoFaceFound]
        assert gallery.subjects() == [("Ann", 2), ("Bob", 1)] and len(old.photos) == 5
        again = list(moved(gallery, installation))
        assert [one is None for one in again] == [True, True, False, False, True]
        assert old.photos[5:] == ["3", "4"] and gallery.subjects() == [("Ann", 2), ("Bob", 1)]


def test_a_move_that_broke_off_goes_on(old: Old, tmp_path: Path) -> None:
    """By the command: an error of the server ends it with what was enrolled kept, and the next run adds the
    rest without fetching again what is there."""
    words = [
        "import",
        "compreface",
        old.address,
        "--gallery",
        f"sqlite:{tmp_path / 'people.db'}",
        "--json",
        "-",
    ]
    old.broken = True
    first = CliRunner().invoke(app, words, env={"LINEAMENT_COMPREFACE_KEY": KEY})
    assert isinstance(first.exception, HttpError) and len(first.stdout.splitlines()) == 1
    old.broken, old.photos = False, []
    second = CliRunner().invoke(app, words, env={"LINEAMENT_COMPREFACE_KEY": KEY})
    assert second.exit_code == 0, second.output
    told = [json.loads(line) for line in second.stdout.splitlines()]
    assert [one["outcome"] for one in told] == ["ok", "refused", "no_face", "ok"]
    assert old.photos == ["2", "3", "4", "5"] and KEY not in second.output


def test_what_is_no_installation_is_named(old: Old) -> None:
    """A wrong key, an address that is none, nobody there, and an answer of another program."""
    with pytest.raises(HttpError, match="404, service with API Key"):
        Installation(old.address, "wrong").count()
    for address in ("localhost:8000", "ftp://x", "http://", "http://u:p@x", "http://x:port"):
        with pytest.raises(ForbiddenUrl):
            Installation(address, KEY)
    with pytest.raises(Unreachable):
        Installation("http://127.0.0.1:1", KEY).count()
    old.answer = lambda *_: (200, b'{"faces": 1}')  # type: ignore[method-assign]
    with pytest.raises(BadAnswer):
        Installation(old.address, KEY).count()
