"""What a picture may cost: time by its bytes and pixels, and no longer than the limit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import ImageFile

from growth import require_linear
from hostile.pictures import chart, encoded, files, frames, png, png_chunk, zeros_deflated
from hostile.tiffs import page, tiff
from lineament.errors import ConfigError, CorruptPicture, LineamentError, PictureTooSlow, UnsupportedFormat
from lineament.io import decoding_process, images
from lineament.io.images import Limits


def put_in(data: bytes, at: int, more: bytes) -> bytes:
    return data[:at] + more + data[at:]


def gif_with(more: bytes) -> bytes:
    data = encoded("GIF")
    return put_in(data, 13 + (3 << (data[10] & 7) + 1), more)


def jpeg_with(more: bytes) -> bytes:
    return put_in(encoded("JPEG"), 2, more)


def scan_with(more: bytes) -> bytes:
    data = encoded("JPEG")
    return put_in(data, len(data) - 2, more)


def png_with(more: bytes) -> bytes:
    data = encoded("PNG")
    return put_in(data, data.index(b"IDAT") - 4, more)


def bmp_of(kind: int, bits: int, body: bytes, size: tuple[int, int]) -> bytes:
    """A run-length coded BMP."""
    palette = bytes(v for i in range(1 << bits) for v in (i, 255 - i, i, 0))
    sizes = [54 + len(palette) + len(body), 0, 54 + len(palette), 40, *size, 1 | bits << 16, kind]
    return (
        b"BM" + b"".join(n.to_bytes(4, "little") for n in (*sizes, len(body), 0, 0, 0, 0)) + palette + body
    )


def strips(count: int, *, height: int = 64, deflate: bool = False) -> bytes:
    """A TIFF that names so many strips, of a row each."""
    one = page(chart(96, height), photometric=2, deflate=deflate)
    data = tiff(one)
    at = int.from_bytes(data[4:8], "little")
    entries = bytearray(data[at:])
    offsets = len(data) + len(data) % 2
    for i in range(2, len(entries) - 4, 12):
        tag = int.from_bytes(entries[i : i + 2], "little")
        if tag in (273, 279):
            place = offsets + (4 * count if tag == 279 else 0)
            entries[i + 4 : i + 12] = count.to_bytes(4, "little") + place.to_bytes(4, "little")
        if tag == 278:
            entries[i + 8 : i + 12] = (1).to_bytes(4, "little")
    starts = 8 + 288 * (np.arange(count) % height)
    return (
        data[:at] + bytes(entries) + bytes(len(data) % 2)
        + starts.astype("<u4").tobytes() + np.full(count, 288, "<u4").tobytes()
    )  # fmt: skip


def heads(count: int) -> bytes:
    """A TIFF with directories at every fourth byte, each with most of the file for its entries."""
    return b"II*\0\x08\0\0\0" + b"\xff\x0f\0\0" * count


SHAPES: dict[str, Callable[[int], bytes]] = {
    "GIF, comment in blocks of a byte": lambda n: gif_with(b"!\xfe" + b"\1a" * n + b"\0"),
    "GIF, application data": lambda n: gif_with(b"!\xff\1a\0" * n),
    "GIF, bytes between blocks": lambda n: gif_with(bytes(n)),
    "GIF, frames": lambda n: frames("GIF")[:-1] + b",\0\0\0\0\1\0\1\0\0\2\2D\1\0" * n + b";",
    "GIF, controls": lambda n: gif_with(b"!\xf9\4\0\0\0\0\0" * n),
    "PPM, a comment": lambda n: b"P6 #" + b"a" * n + b"\n8 8 255\n" + bytes(192),
    "PPM, comments": lambda n: b"P6 " + b"#\n" * n + b"8 8 255\n" + bytes(192),
    "PPM, blanks": lambda n: b"P6" + b" " * n + b"8 8 255\n" + bytes(192),
    "PPM, a long number": lambda n: b"P6 " + b"1" * n + b" 8 255\n" + bytes(192),
    "PPM, white is 254": lambda n: b"P6 100 %d 254\n" % (8 + n // 300) + bytes(2400 + n),
    "PGM, white is 1000": lambda n: b"P5 100 %d 1000\n" % (8 + n // 200) + bytes(1600 + n),
    "TIFF, strips": lambda n: strips(64 + n),
    "TIFF, a row a strip": lambda n: strips(n // 64 * 64, height=n // 64 * 16),
    "TIFF, deflated strips": lambda n: strips(64 + n, deflate=True),
    "TIFF, directories that overlap": heads,
    "JPEG, segments": lambda n: jpeg_with(b"\xff\xfe\0\2" * n),
    "JPEG, fill bytes": lambda n: jpeg_with(b"\xff" * n),
    "JPEG, stray bytes": lambda n: jpeg_with(b"\xff\0" * n),
    "JPEG, zeros in the scan": lambda n: scan_with(bytes(n)),
    "JPEG, restarts in the scan": lambda n: scan_with(b"\xff\xd0" * n),
    "JPEG, zeros before restarts": lambda n: scan_with(b"\0\xff\xd0" * n),
    "JPEG, stuffed zeros": lambda n: scan_with(b"\xff\0\0" * n),
    "PNG, empty chunks of pixels": lambda n: png_with(png_chunk(b"IDAT", b"") * n),
    "PNG, chunks of text": lambda n: png_with(png_chunk(b"tEXt", b"a\0b") * n),
    "PNG, deflated text": lambda n: png_with(png_chunk(b"zTXt", b"k\0\0" + zeros_deflated(n)) * 9),
    "PNG, more pixels than it has": lambda n: png((96, 64), 8, 2, zeros_deflated(n)),
    "BMP, runs of one": lambda n: bmp_of(1, 8, b"\1\1" * n + b"\0\1", (100, n // 100 + 9)),
    "BMP, jumps": lambda n: bmp_of(1, 8, b"\0\2\0\0" * n + b"\0\1", (1000, 1000)),
    "BMP, ends of rows": lambda n: bmp_of(2, 4, b"\0\0" * n + b"\0\1", (1000, 1000)),
    "WebP, chunks nobody knows": lambda n: _riff(b"abcd\0\0\0\0" * n),
}  # fmt: skip


def _riff(more: bytes) -> bytes:
    data = frames("WEBP") + more
    return data[:4] + (len(data) - 8).to_bytes(4, "little") + data[8:]


@pytest.mark.parametrize("shape", SHAPES)
def test_pictures_cost_by_their_size(shape: str) -> None:
    """Twice the file, at most two and a half times the processor time, whatever it is filled with."""

    def make(n: int) -> Callable[[], object]:
        data = SHAPES[shape](n)
        return lambda: images.load(data)

    require_linear(make, 1 << 12, 1 << 18)


BOUNDS = {
    "comment of a PPM": (SHAPES["PPM, a comment"](1 << 20), "longer than 65,536 bytes"),
    "blocks of a GIF": (SHAPES["GIF, comment in blocks of a byte"](1 << 20), "1,000,000 blocks"),
    "segments of a JPEG": (SHAPES["JPEG, segments"](1 << 15), "20,000 segments"),
    "chunks of a PNG": (SHAPES["PNG, chunks of text"](1 << 17), "100,000 chunks"),
    "entries of a TIFF": (b"II*\0\x08\0\0\0\xff\xff" + bytes(1 << 20), "limit is 4,096"),
    "strips of a TIFF": (
        tiff(page(np.zeros((65_535, 8, 4), np.uint8), photometric=5, t284=2, t278=1)),
        "262,140 strips; the limit is 200,000",
    ),
    "strips that overlap": (strips(2000, height=2000, deflate=True), "overlap|early|damaged"),
}


@pytest.mark.parametrize(("data", "words"), BOUNDS.values(), ids=BOUNDS.keys())
def test_the_bound_that_was_hit_is_named(data: bytes, words: str) -> None:
    """So that whoever has an honest file beyond it knows what to change."""
    with pytest.raises(CorruptPicture, match=words):
        images.load(data)


def test_no_format_is_decoded_by_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow's decoders in Python never begin, whichever kind of whichever format comes."""
    begun: list[object] = []
    monkeypatch.setattr(ImageFile.PyDecoder, "__init__", lambda self, *args: begun.append(self))
    kinds = [data for data, _ in files().values()]
    kinds += [make(2000) for make in SHAPES.values()]
    kinds += [
        b"P%d 96 64 %d\n" % (kind, white) + bytes(40_000) for kind in (5, 6) for white in (1, 254, 999)
    ]
    for data in kinds:
        with suppress(LineamentError):
            images.load(data)
    assert not begun


@pytest.mark.parametrize("bits", [4, 8])
def test_run_length_coded_bmp_is_refused_by_name(bits: int) -> None:
    """It says what to do; the oldest header, which has no such field, is read on."""
    with pytest.raises(UnsupportedFormat, match="run-length coded BMP; save it"):
        images.load(bmp_of(1 if bits == 8 else 2, bits, b"\0\1", (96, 64)))


@pytest.mark.parametrize("white", [1, 7, 100, 254, 255, 256, 999, 4095, 65534, 65535])
@pytest.mark.parametrize("kind", [5, 6])
def test_pnm_of_any_white(kind: int, white: int) -> None:
    """The largest value is white, zero black, and what lies above the largest white, too."""
    values = np.minimum(np.arange(96 * 64) * (white + 1) // (96 * 64), white)
    stored = values.repeat(3 if kind == 6 else 1).astype(">u2" if white > 255 else "u1")
    data = b"P%d # a comment\n96\t64\r%d\n" % (kind, white) + stored.tobytes()
    shown = images.load(data).pixels[:, :, 0].ravel()
    assert np.abs(shown - values * 255 / white).max() <= 1
    assert shown[0] == 0 and shown[-1] == 255 and (np.diff(shown.astype(int)) >= 0).all()


SLOW = png((12_000, 10_000), 16, 6, zeros_deflated(10_000 * (1 + 12_000 * 8)))


def test_a_picture_that_takes_longer_than_the_limit_is_ended() -> None:
    """The error says so and names the setting; the next picture is decoded all the same."""
    with pytest.raises(PictureTooSlow, match=r"longer than 0\.2 s.*LINEAMENT_PICTURE_SECONDS"):
        images.load(SLOW, limits=Limits(max_seconds=0.2))
    assert images.load(encoded("AVIF")).size_wh == (96, 64)
    assert images.probe(encoded("AVIF")).size_wh == (96, 64)


def test_the_limit_is_set_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten seconds unless told; a limit in the call goes first; nonsense is a mistake of the caller's."""
    monkeypatch.delenv(decoding_process.SECONDS, raising=False)
    assert decoding_process.seconds_allowed(None) == 10
    monkeypatch.setenv(decoding_process.SECONDS, "0.2")
    with pytest.raises(PictureTooSlow):
        images.load(SLOW)
    assert decoding_process.seconds_allowed(3.0) == 3
    for wrong in ("soon", "0", "-1", "nan"):
        monkeypatch.setenv(decoding_process.SECONDS, wrong)
        with pytest.raises(ConfigError, match="LINEAMENT_PICTURE_SECONDS"):
            images.load(encoded("AVIF"))


def test_ordinary_pictures_start_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Photos of common sizes and formats are decoded here."""
    monkeypatch.setattr(decoding_process, "ask", lambda *_: pytest.fail("asked another process"))
    for format in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM"):
        images.load(encoded(format, chart(1600, 1200)))
    images.load(encoded("JPEG", chart(4000, 3008)))
    images.load(encoded("JPEG", chart(4000, 3008), progressive=True))


def test_a_process_that_was_ended_meanwhile_is_replaced() -> None:
    """A picture is not blamed for what happened before it came."""
    images.load(encoded("AVIF"))
    for worker in decoding_process._workers._idle:
        os.kill(worker._process.pid, signal.SIGKILL)
        worker._process.wait()
    assert images.load(encoded("AVIF")).size_wh == (96, 64)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_has_processes_of_its_own() -> None:
    """Parent and child decode at once, and neither gets the other's picture."""
    images.load(encoded("AVIF"))
    child = os.fork()
    if not child:
        sizes = {images.load(encoded("AVIF", chart(160, 64))).size_wh for _ in range(5)}
        os._exit(0 if sizes == {(160, 64)} else 1)
    sizes = {images.load(encoded("AVIF")).size_wh for _ in range(5)}
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert sizes == {(96, 64)}


def test_threads_are_served_at_once() -> None:
    """Each gets its own picture."""
    wrong: list[object] = []

    def work(width: int) -> None:
        data = encoded("AVIF", chart(width, 64))
        wrong.extend(i for i in range(5) if images.load(data).size_wh != (width, 64))

    threads = [threading.Thread(target=work, args=(64 + 16 * i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_no_process_outlives_the_program(tmp_path: Path) -> None:
    """It ends with the one that started it, however that ends."""
    (tmp_path / "a.avif").write_bytes(encoded("AVIF"))
    code = (
        "import os; from lineament.io import images, decoding_process as d; images.load('a.avif');"
        "print(d._workers._idle[0]._process.pid, flush=True); os._exit(0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path, timeout=100
    )
    pid = int(done.stdout)
    for _ in range(200):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        if Path(f"/proc/{pid}/stat").is_file() and Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
            return
        threading.Event().wait(0.05)
    os.kill(pid, signal.SIGKILL)
    pytest.fail("it is still there")
