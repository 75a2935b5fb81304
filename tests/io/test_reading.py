"""Pictures from stdin and from named pipes: read once, bounded, and never waited for without end."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from hostile.pictures import chart, encoded
from lineament.errors import (
    CorruptPicture,
    EmptyPicture,
    NotAPicture,
    PictureError,
    PictureTooLarge,
    PictureUnreadable,
)
from lineament.io import images, reading, sources

JPEG = encoded("JPEG")


def from_stdin(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_a_dash_reads_one_picture_from_stdin(monkeypatch: pytest.MonkeyPatch, format: str) -> None:
    """The same picture as from its bytes, named for where it came from."""
    from_stdin(monkeypatch, encoded(format))
    image = images.load("-")
    assert np.array_equal(image.pixels, images.load(encoded(format)).pixels)
    assert image.source == "<stdin>"


def test_stdin_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second `-` of a command says so, and is not taken for an empty file."""
    from_stdin(monkeypatch, JPEG)
    images.load("-")
    with pytest.raises(PictureUnreadable, match="stdin was read already"):
        images.load("-")
    from_stdin(monkeypatch, JPEG)
    images.load("-")


def test_stdin_that_gives_no_picture_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty, closed, a terminal, text, half a picture, too much: each by its own error."""
    from_stdin(monkeypatch, b"")
    with pytest.raises(EmptyPicture, match="stdin"):
        images.load("-")
    for closed in (None, io.TextIOWrapper(io.BytesIO(JPEG))):
        if closed is not None:
            closed.close()
        monkeypatch.setattr(sys, "stdin", closed)
        with pytest.raises(PictureUnreadable, match="stdin is closed"):
            images.load("-")
    from_stdin(monkeypatch, JPEG[:-400])
    with pytest.raises(CorruptPicture):
        images.load("-")
    from_stdin(monkeypatch, JPEG + bytes(10_000))
    stream = sys.stdin.buffer
    with pytest.raises(PictureTooLarge):
        images.load("-", limits=images.Limits(max_bytes=5_000))
    assert stream.tell() == 5_001


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="this system has no pseudo-terminals")
def test_a_terminal_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever types `-` without a redirection is told how to use it."""
    parent, child = os.openpty()
    with os.fdopen(parent, "rb", buffering=0), os.fdopen(child, encoding="utf-8") as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        with pytest.raises(NotAPicture, match="terminal"):
            images.load("-")


def test_a_file_called_dash_is_still_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a folder before it the name means the file, as everywhere."""
    monkeypatch.chdir(tmp_path)
    Path("-").write_bytes(JPEG)
    from_stdin(monkeypatch, b"")
    assert images.load("./-").source == "./-"


pipes = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "pipe.jpg"
    os.mkfifo(path)
    yield path


def write_late(path: Path, parts: list[bytes], waits: float = 0.0) -> threading.Thread:
    def work() -> None:
        ready = threading.Event()
        with path.open("wb", buffering=0) as out:
            for part in parts:
                out.write(part)
                ready.wait(waits)

    thread = threading.Thread(target=work)
    thread.start()
    return thread


@pipes
@pytest.mark.parametrize("size", [1, 1_000, 70_000, 1 << 21])
def test_a_named_pipe_is_read_to_its_end(pipe: Path, size: int) -> None:
    """However the writer cuts it, and however much longer than a pipe holds."""
    whole = encoded("BMP", chart(640, 480))
    parts = (
        [whole[i : i + size] for i in range(0, len(whole), size)] if size > 1 else [whole[:1], whole[1:]]
    )
    writer = write_late(pipe, parts, waits=0.01 if size == 1 else 0.0)
    assert np.array_equal(images.load(pipe).pixels, chart(640, 480))
    writer.join()


@pipes
def test_a_pipe_is_read_no_further_than_the_limit(pipe: Path) -> None:
    """An endless writer is cut off."""

    def work() -> None:
        with pytest.raises(BrokenPipeError), pipe.open("wb", buffering=0) as out:
            while True:
                out.write(bytes(4_096))

    writer = threading.Thread(target=work)
    writer.start()
    with pytest.raises(PictureTooLarge):
        images.load(pipe, limits=images.Limits(max_bytes=100_000))
    writer.join(60)
    assert not writer.is_alive()


@pipes
def test_a_pipe_without_a_writer_is_given_up(pipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody at the other end, one who says nothing, one who goes at once: each ends in a named error."""
    monkeypatch.setattr(reading, "_NO_WRITER_S", 0.2)
    monkeypatch.setattr(reading, "_SILENT_S", 0.2)
    with pytest.raises(PictureUnreadable, match="nobody writes"):
        images.load(pipe)
    silent = os.open(pipe, os.O_RDWR)
    with pytest.raises(PictureUnreadable, match="silent"):
        images.load(pipe)
    os.close(silent)
    writer = write_late(pipe, [])
    with pytest.raises(PictureError) as refusal:
        images.load(pipe)
    assert isinstance(refusal.value, EmptyPicture | PictureUnreadable)
    writer.join()


@pipes
def test_a_pipe_in_a_folder_is_left_out(pipe: Path) -> None:
    """Reading it would take what somebody else waits for; named by the user, it is passed on."""
    (pipe.parent / "a.jpg").write_bytes(JPEG)
    walked = sources.expand([pipe.parent])
    assert [Path(path).name for path in walked] == ["a.jpg"]
    assert walked.left_out.total() == 1
    assert list(sources.expand([pipe])) == [str(pipe)]


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="this system has no /dev/fd")
def test_what_a_shell_makes_of_process_substitution_is_read() -> None:
    """`<(cat a.jpg)` is a path below /dev/fd that leads to a pipe without a name."""
    out, into = os.pipe()
    writer = threading.Thread(target=lambda: (os.write(into, JPEG), os.close(into)))
    writer.start()
    try:
        assert images.load(f"/dev/fd/{out}").hw == (64, 96)
    finally:
        writer.join()
        os.close(out)


def test_commands_take_a_dash() -> None:
    """In a process of its own, as from a shell: `detect -` reads it, the second `-` is refused."""
    done = subprocess.run(
        [sys.executable, "-m", "lineament", "detect", "-", "-"],
        input=JPEG,
        capture_output=True,
        check=False,
        env=os.environ | {"COLUMNS": "200", "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    told = done.stdout.decode()
    assert "1 no_face, 1 refused" in told, told + done.stderr.decode()
    assert "stdin was read already" in told
