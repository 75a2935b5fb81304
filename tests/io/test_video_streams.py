"""Streams from the network, served on this machine: cut off and restored, finite, hostile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from lineament.errors import BadAnswer, LineamentError, Unreachable, UsageError
from lineament.io.streams import Stream, is_stream, shown_url

av = pytest.importorskip("av", reason="not installed: av (pip install 'lineament[video]')")

Answer = Callable[[int], bytes | int]
"""What the server sends to the n-th request of a path: a body, or a status."""


@contextmanager
def served(answer: Answer) -> Iterator[tuple[str, list[str]]]:
    """A server on this machine: its address, and the paths asked of it."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            body = answer(len(asked))
            self.send_response(body if isinstance(body, int) else 200)
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            if isinstance(body, bytes):
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://ada:secret@127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


def film(path: Path, count: int = 50) -> bytes:
    """Frames of rising grey, 25 a second."""
    with av.open(str(path), "w", container_options={"movflags": "faststart"}) as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for i in range(count):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 4 * i, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path.read_bytes()


def read(stream: Stream) -> tuple[list[float], LineamentError | None]:
    """The times of all frames, and the error that ended them."""
    times: list[float] = []
    try:
        times.extend(frame.seconds for frame in stream.frames())
    except LineamentError as error:
        return times, error
    return times, None


def test_a_stream_that_breaks_off_is_connected_again(tmp_path: Path) -> None:
    """Cut in the middle, gone for a while, restored: the frames of both parts come, their times go on by
    the clock, waits grow, and when it stays away the named error tells no password."""
    data = film(tmp_path / "live.ts")
    waits: list[float] = []

    def answer(number: int) -> bytes | int:
        return data[: len(data) // 2] if number == 1 else data if number == 4 else 503

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        time.sleep(0.2)

    with served(answer) as (address, asked):
        stream = Stream(f"{address}/live.ts?key=secret", patience_s=3, sleep=sleep)
        times, error = read(stream)
    assert 60 < len(times) < 100 and stream.reconnects == len(asked) - 1 >= 4
    assert [(a, b) for a, b in pairwise(times) if not a < b] == []
    assert waits[:4] == [0.5, 1.0, 2.0, 0.5]
    assert isinstance(error, Unreachable) and "did not come back in 3 s" in str(error)
    assert "secret" not in f"{error}{stream!r}" and "127.0.0.1" in str(error)


def test_a_film_on_a_server_has_an_end(tmp_path: Path) -> None:
    """A file that says how long it is is read once."""
    data = film(tmp_path / "film.mp4")
    with served(lambda _: data) as (address, _):
        stream = Stream(f"{address}/film.mp4")
        times, error = read(stream)
    assert (len(times), error, stream.reconnects) == (50, None, 0)


def test_what_a_server_names_elsewhere_is_not_opened(tmp_path: Path) -> None:
    """Playlists that name a file or another address, and a redirection to a file: nothing of it is read."""
    film(tmp_path / "bait.ts")
    for text in (
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{bait}\n#EXT-X-ENDLIST\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{url}/a.ts\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile {url}/a.ts\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 47114 RTP/AVP 96\n",
    ):
        bodies: list[bytes] = []
        with served(lambda _, bodies=bodies: bodies[0]) as (address, asked):
            bodies.append(text.format(bait=tmp_path / "bait.ts", url=address).encode())
            times, error = read(Stream(f"{address}/list.m3u8", patience_s=0, sleep=lambda _: None))
        assert times == [] and isinstance(error, Unreachable | BadAnswer)
        assert set(asked) == {"/list.m3u8"}


def test_nobody_there() -> None:
    """A port where nobody listens is Unreachable."""
    with served(lambda _: 404) as (address, _):
        pass
    times, error = read(Stream(f"{address}/x", patience_s=0, sleep=lambda _: None))
    assert times == [] and isinstance(error, Unreachable)


def test_a_stream_without_pictures(tmp_path: Path) -> None:
    """Sound alone is a BadAnswer: connecting again would not help."""
    path = tmp_path / "sound.ts"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16_000)
        for at in range(0, 16_000, 1024):
            tone = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            tone.sample_rate, tone.pts = 16_000, at
            container.mux(stream.encode(tone))
        container.mux(stream.encode(None))
    with served(lambda _: path.read_bytes()) as (address, _):
        times, error = read(Stream(f"{address}/x.ts", patience_s=5))
    assert times == [] and isinstance(error, BadAnswer) and "holds no video" in str(error)


def test_which_addresses_are_streams() -> None:
    """By their scheme; every other address is refused, and what has none is a path."""
    assert is_stream("rtsp://a/b") and is_stream("HTTPS://a/b")
    assert not is_stream("film.mp4") and not is_stream("a:b") and not is_stream("camera:0")
    for text in ("file:///etc/passwd", "concat://a|b", "udp://127.0.0.1:1", "data://x"):
        with pytest.raises(UsageError):
            is_stream(text)
    assert shown_url("rtsp://u:p@h:1/a?b=c#d") == "rtsp://h:1/a"
