"""The service as a process of its own: slow clients, its end, and what it promised before it was killed."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="not installed: fastapi (pip install 'lineament[serve]')")

import httpx
import numpy as np
import uvicorn
from served import ADA, photo
from serving_process import Process

from lineament.gallery.gallery import Gallery
from lineament.io import images
from lineament.service import serving

JPEG = {"Content-Type": "image/jpeg"}


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Process]:
    process = Process(tmp_path, "--key-file", str(tmp_path / "admin.key"))
    try:
        yield process
    finally:
        if process.process.poll() is None:
            process.end()


def key_of(process: Process) -> str:
    return process.key_file.read_text().strip()


def test_the_first_key_goes_to_its_file_and_slow_clients_keep_nobody_waiting(running: Process) -> None:
    """The key stands in the file alone, for its owner; two hundred connections that say half of what they
    want do not keep others from their answers; a kill by SIGTERM ends within its time, the answer that was
    under way given."""
    assert running.key_file.stat().st_mode & 0o777 == 0o600 and "admin_key" not in running.told
    running.wait_until_ready()
    with ExitStack() as stack, running.client(key_of(running)) as client:
        halves = (b"GET /v1/sub", b"POST /v1/detect HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n"
                  + f"Authorization: Bearer {key_of(running)}\r\n\r\nhalf".encode())  # fmt: skip
        for number in range(200):
            slow = stack.enter_context(socket.create_connection(("127.0.0.1", running.port)))
            slow.sendall(halves[number % 2])
        assert client.get("/v1/subjects").json() == {"subjects": [], "next": None}
        assert client.post("/v1/detect", content=photo(ADA), headers=JPEG).status_code == 200

    answered: list[int] = []

    def enrol() -> None:
        with running.client(key_of(running)) as client:
            url = "/v1/subjects/Ada/samples"
            answered.append(client.post(url, content=photo(ADA, 1100), headers=JPEG).status_code)

    asking = threading.Thread(target=enrol)
    asking.start()
    with running.client(key_of(running)) as client:
        while "lineament_bodies_bytes 0\n" in client.get("/metrics").text and not answered:
            pass  # until the picture is on its way
    began = time.monotonic()
    assert running.end(signal.SIGTERM) in (0, 143)
    took = time.monotonic() - began
    asking.join()
    with Gallery(running.gallery) as gallery:
        enrolled = gallery.subjects()
    assert answered == [201] and enrolled == [("Ada", 1)]
    assert took < 10, f"ended after {took:.1f} s"  # 2 s of grace, on a machine that may be busy
    assert not any("Traceback" in line for line in running.errors), "".join(running.errors)


@pytest.mark.slow
def test_a_kill_loses_no_enrolment_that_was_acknowledged(tmp_path: Path) -> None:
    """Four clients enrol distinct pictures while the process is killed by SIGKILL: every 201 that was read
    is in the gallery afterwards, which opens as it is; enrolling again adds only what was missing."""
    process = Process(tmp_path, "--key-file", str(tmp_path / "admin.key"))
    process.wait_until_ready()
    acknowledged: list[str] = []
    pixels = images.load(photo(ADA)).pixels

    def enrol(worker: int) -> None:
        with process.client(key_of(process)) as client:
            for number in range(100):
                shaded = np.clip(pixels.astype(np.int16) + worker + 4 * number % 9 - 8, 0, 255).astype(
                    np.uint8
                )
                shaded[0, 0] = (worker, number, 7)
                name = f"person {worker}-{number}"
                try:
                    answer = client.post(
                        f"/v1/subjects/{name}/samples",
                        params={"allow": "other-subject"},
                        content=images.encode_png(shaded),
                        headers={"Content-Type": "image/png", "Idempotency-Key": name},
                    )
                except httpx.HTTPError:
                    return
                if answer.status_code == 201:
                    acknowledged.append(name)

    clients = [threading.Thread(target=enrol, args=(n,)) for n in range(4)]
    for one in clients:
        one.start()
    while len(acknowledged) < 12:
        time.sleep(0.01)
    process.end()
    for one in clients:
        one.join()
    with Gallery(process.gallery) as gallery:
        kept = {name for name, samples in gallery.subjects() if samples == 1}
    assert set(acknowledged) <= kept and len(kept) <= len(acknowledged) + 4


@pytest.mark.parametrize("words", [("--host", "0.0.0.0", "--insecure-local"), ("--port", "99999")])
def test_a_service_that_others_could_use_without_a_key_does_not_begin(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    """`--insecure-local` is for loopback addresses, and a port is one that exists: exit status 2."""
    from typer.testing import CliRunner

    from lineament.cli.main import app
    from lineament.errors import UsageError

    result = CliRunner().invoke(app, ["serve", "--keys", str(tmp_path / "k.db"), *words])
    assert result.exit_code == 2 or isinstance(result.exception, UsageError)
    assert not (tmp_path / "k.db").exists()


def test_a_key_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    """Whatever lies there stays, and no key is made."""
    from typer.testing import CliRunner

    from lineament.cli.main import app
    from lineament.errors import WouldOverwrite
    from lineament.service.keys import KeyFile

    file = tmp_path / "notes.txt"
    file.write_text("mine")
    words = ["serve", "--port", "0", "--keys", str(tmp_path / "k.db"), "--key-file", str(file)]
    result = CliRunner().invoke(app, words)
    assert isinstance(result.exception, WouldOverwrite) and file.read_text() == "mine"
    assert KeyFile(tmp_path / "k.db").list() == []


async def _empty(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})


def heard(*sent: bytes) -> list[bytes]:
    """All that each of several connections, open together, gets before it is hung up on."""

    async def one(port: int, said: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(said)
        try:
            return await asyncio.wait_for(reader.read(), 20)
        except ConnectionResetError:
            return b""
        finally:
            writer.close()

    async def main() -> list[bytes]:
        with serving.listening("127.0.0.1", 0) as sock:
            config = uvicorn.Config(
                _empty, http=serving.Deadlines, ws="none", lifespan="off", timeout_keep_alive=0
            )
            server = uvicorn.Server(config)
            task = asyncio.ensure_future(server.serve(sockets=[sock]))
            while not server.started:
                await asyncio.sleep(0)
            port = sock.getsockname()[1]
            got = await asyncio.gather(*(one(port, said) for said in sent))
            server.should_exit = True
            await task
        return got

    return asyncio.run(main())


def test_who_says_nothing_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection without a whole header is closed after its time, on the first request and the next."""
    monkeypatch.setattr(serving, "HEADER_SECONDS", 0.05)
    nothing, half, one = heard(b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HT")
    assert nothing == half == b""
    assert one.startswith(b"HTTP/1.1 204") and one.count(b"HTTP/1.1") == 1


def test_who_is_one_too_many_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of six that hold their connection open, as many as allowed are kept until their time is over."""
    monkeypatch.setattr(serving, "MOST_CONNECTIONS", 4)
    monkeypatch.setattr(serving, "HEADER_SECONDS", 0.3)
    request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answered = heard(*[b"G"] * 4, request, request)
    assert answered[:4] == [b""] * 4
    assert 0 < sum(one == b"" for one in answered[4:]) <= 2
