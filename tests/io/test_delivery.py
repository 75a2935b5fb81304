"""HTTPS sources: resumed, limited, and never anything but https."""

from __future__ import annotations

import socket
import time
import zipfile
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from local_sources import CONTENT, MEMBER, build_wheel, client_context, sha256, tls_server

from lineament.errors import DigestMismatch
from lineament.io import delivery
from lineament.io.catalog import Source
from lineament.io.delivery import SourceFailed, deliver, download, extract_member

HALF = len(CONTENT) // 2


def _cut_short(handler: BaseHTTPRequestHandler, number: int) -> bool:
    """The first answer promises all and breaks off in the middle."""
    if number > 1:
        return False
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(CONTENT)))
    handler.end_headers()
    handler.wfile.write(CONTENT[:HALF])
    handler.close_connection = True
    return True


def test_a_broken_transfer_is_resumed_where_it_stopped(tmp_path: Path) -> None:
    """After a connection broke, only what is missing is asked for, and the whole file arrives."""
    with tls_server() as server:
        server.behave = _cut_short
        download(server.url, tmp_path / "m", len(CONTENT), sha256(CONTENT), ssl_context=client_context())
        assert [wanted for _, wanted in server.requests] == [None, f"bytes={HALF}-"]
    assert (tmp_path / "m").read_bytes() == CONTENT
    assert not (tmp_path / "m.part").exists()


def test_a_partial_file_of_another_version_is_thrown_away(tmp_path: Path) -> None:
    """What was kept is of other bytes: the result fails its digest, and one fresh transfer mends it."""
    (tmp_path / "m.part").write_bytes(b"x" * HALF)
    with tls_server() as server:
        download(server.url, tmp_path / "m", len(CONTENT), sha256(CONTENT), ssl_context=client_context())
        assert [wanted for _, wanted in server.requests] == [f"bytes={HALF}-", None]
    assert (tmp_path / "m").read_bytes() == CONTENT


def test_a_server_that_cannot_resume_is_read_from_the_start(tmp_path: Path) -> None:
    """A 200 answer to a Range request replaces the partial file instead of being appended to it."""

    def whole(handler: BaseHTTPRequestHandler, number: int) -> bool:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(CONTENT)
        return True

    (tmp_path / "m.part").write_bytes(CONTENT[:HALF])
    with tls_server() as server:
        server.behave = whole
        download(server.url, tmp_path / "m", len(CONTENT), sha256(CONTENT), ssl_context=client_context())
        assert len(server.requests) == 1
    assert (tmp_path / "m").read_bytes() == CONTENT


def test_a_partial_file_longer_than_the_servers_starts_again(tmp_path: Path) -> None:
    """Status 416 says the partial file cannot be of this file: it is dropped."""
    (tmp_path / "m.part").write_bytes(CONTENT + b"more")
    with tls_server() as server:
        download(server.url, tmp_path / "m", 0, sha256(CONTENT), ssl_context=client_context())
        assert [wanted is None for _, wanted in server.requests] == [False, True]
    assert (tmp_path / "m").read_bytes() == CONTENT


@pytest.mark.parametrize("announced", [True, False])
def test_more_bytes_than_the_card_says_are_not_taken(tmp_path: Path, announced: bool) -> None:
    """A longer body is refused, by its header or, without one, at the limit: an endless body ends."""

    def endless(handler: BaseHTTPRequestHandler, number: int) -> bool:
        handler.send_response(200)
        if announced:
            handler.send_header("Content-Length", str(10**12))
        handler.end_headers()
        try:
            while True:
                handler.wfile.write(CONTENT)
        except OSError:
            return True

    with tls_server() as server:
        server.behave = endless
        with pytest.raises(SourceFailed, match=r"1,000,000,000,000|more than 512,000"):
            download(server.url, tmp_path / "m", len(CONTENT), ssl_context=client_context())
    assert not (tmp_path / "m").exists()
    assert not (tmp_path / "m.part").exists() or (tmp_path / "m.part").stat().st_size <= len(CONTENT)


def test_wrong_bytes_show_both_hashes_and_are_not_kept(tmp_path: Path) -> None:
    """A URL that serves something else is refused with the expected and the actual digest."""
    other = b"\0" * len(CONTENT)
    with tls_server(other) as server, pytest.raises(DigestMismatch) as caught:
        download(server.url, tmp_path / "m", len(CONTENT), sha256(CONTENT), ssl_context=client_context())
    assert sha256(CONTENT) in str(caught.value) and sha256(other) in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("location", ["http://127.0.0.1:9/x", "file:///etc/passwd", "ftp://127.0.0.1/x"])
def test_redirects_leave_https_never(tmp_path: Path, location: str) -> None:
    """A redirect to plain http, a local file or ftp is refused, not followed."""

    def redirect(handler: BaseHTTPRequestHandler, number: int) -> bool:
        handler.send_response(302)
        handler.send_header("Location", location)
        handler.end_headers()
        return True

    with tls_server() as server:
        server.behave = redirect
        with pytest.raises(SourceFailed, match=r"not an https URL|not allowed"):
            download(server.url, tmp_path / "m", ssl_context=client_context())


@pytest.mark.parametrize("url", ["http://example.invalid/m", "file:///etc/passwd", "https:///m"])
def test_only_https_urls_are_opened(tmp_path: Path, url: str) -> None:
    """A card cannot make the machine read files or speak plain http."""
    with pytest.raises(SourceFailed, match="not an https URL"):
        download(url, tmp_path / "m")


def test_an_unknown_certificate_is_refused(tmp_path: Path) -> None:
    """Certificates are verified: the test server's own is unknown to the default context."""
    with tls_server() as server, pytest.raises(SourceFailed, match=r"(?i)certificate"):
        download(server.url, tmp_path / "m")


def test_a_member_of_an_archive_behind_a_url(tmp_path: Path) -> None:
    """A URL with a member downloads the archive, checks its digest, and keeps the member only."""
    made = build_wheel(tmp_path / "made")
    archive = next((tmp_path / "made").iterdir()).read_bytes()
    target = tmp_path / "out" / "m"
    target.parent.mkdir()
    with tls_server(archive) as server:
        source = Source("url", url=server.url, member=MEMBER, sha256=made.sha256, bytes=made.bytes)
        deliver(source, len(CONTENT), sha256(CONTENT), target, ssl_context=client_context())
    assert target.read_bytes() == CONTENT
    assert [p.name for p in target.parent.iterdir()] == ["m"]


def _zip_with(path: Path, *members: tuple[str, bytes, int]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content, mode in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, content, zipfile.ZIP_DEFLATED)
    return path


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("members", "says"),
    [
        ([("other", b"1234", 0)], "0 times"),
        ([("m", b"1234", 0), ("m", b"5678", 0)], "2 times"),
        ([("m", b"12345", 0)], "not 4"),
        ([("m", b"123", 0)], "not 4"),
        ([("m", b"/etc", 0o120777)], "not a plain file"),
    ],
)
def test_members_that_are_not_one_plain_file_of_the_size(
    tmp_path: Path, members: list[tuple[str, bytes, int]], says: str
) -> None:
    """A missing, repeated, longer, shorter or linked member is refused."""
    archive = _zip_with(tmp_path / "a.zip", *members)
    with pytest.raises(SourceFailed, match=says):
        extract_member(archive, "m", 4, tmp_path / "out")


def test_a_member_that_unpacks_to_more_than_its_header_says(tmp_path: Path) -> None:
    """A bomb whose header lies about its size never writes more than the card's size."""
    archive = _zip_with(tmp_path / "a.zip", ("m", b"0" * 10_000_000, 0))
    lying = archive.read_bytes().replace((10_000_000).to_bytes(4, "little"), (1000).to_bytes(4, "little"))
    archive.write_bytes(lying)
    with pytest.raises(SourceFailed):
        extract_member(archive, "m", 1000, tmp_path / "out")
    assert not (tmp_path / "out").exists() or (tmp_path / "out").stat().st_size <= 1000


@pytest.mark.parametrize("share", [0, 1, 50, 99])
def test_truncated_archives_are_named_errors(tmp_path: Path, share: int) -> None:
    """A zip cut anywhere, or nothing at all, is a failed source, not a crash."""
    whole = _zip_with(tmp_path / "a.zip", ("m", CONTENT, 0)).read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[: len(whole) * share // 100])
    with pytest.raises(SourceFailed, match="not a readable zip"):
        extract_member(tmp_path / "cut.zip", "m", len(CONTENT), tmp_path / "out")


def _trickle(place: str) -> Callable[[BaseHTTPRequestHandler, int], bool]:
    """A server that never stops sending a little, before or in the middle of what is asked for."""

    def behave(handler: BaseHTTPRequestHandler, number: int) -> bool:
        wire, said = handler.wfile, b"HTTP/1.1 200 OK\r\n"
        try:
            if place == "break":
                time.sleep(0.2)
                wire.write(said + b"Content-Length: 512000\r\n\r\n" + bytes(1000))
                handler.close_connection = True
                return True
            start = {"status": b"HTTP/1.1 2", "header": said + b"X-A: ", "body": said + b"\r\n",
                     "headers": said, "continue": b"HTTP/1.1 100 Continue\r\n\r\n"}[place]  # fmt: skip
            wire.write(start)
            drop = {"headers": b"X-B: b\r\n", "continue": start}.get(place, b"0")
            while True:
                wire.write(drop)
                time.sleep(0.1)
        except OSError:
            return True

    return behave


@pytest.mark.parametrize("place", ["status", "header", "headers", "continue", "body", "break"])
def test_a_download_ends_however_slowly_it_comes(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each byte may come in time and all of them never: a bound on the whole, over every attempt."""
    monkeypatch.setattr(delivery, "_GRACE_SECONDS", 0.6)
    monkeypatch.setattr(delivery, "_SLOWEST", 1 << 30)
    monkeypatch.setattr(delivery, "_ATTEMPTS", 1000)
    with tls_server() as server:
        server.behave = _trickle(place)
        with pytest.raises(SourceFailed, match="not complete after"):
            download(
                server.url, tmp_path / "m", len(CONTENT), sha256(CONTENT), ssl_context=client_context()
            )
    assert not (tmp_path / "m").exists()


def test_a_server_that_says_nothing_at_all_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same in the middle of the TLS handshake."""
    monkeypatch.setattr(delivery, "_GRACE_SECONDS", 0.6)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(SourceFailed, match="not complete after"):
            download(url, tmp_path / "m", 1, ssl_context=client_context())


def test_a_slow_line_has_time_by_the_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five minutes, and a second for every 32 kB: a file of 100 MB may take almost an hour."""
    assert delivery._allowed_seconds(1) == pytest.approx(300, abs=1)
    assert delivery._allowed_seconds(100 << 20) == 300 + 3200
    assert delivery._allowed_seconds(0) == delivery._allowed_seconds(delivery.UNKNOWN_SIZE_LIMIT)
