"""The bytes of one picture, from wherever its name leads: a file, a pipe, stdin.

Never more than the limit is read, and nothing waits without an end: a named pipe that nobody writes into is
given up, and devices are not opened.
"""

from __future__ import annotations

import errno
import os
import select
import stat
import sys
import time
from typing import Any

from lineament.errors import EmptyPicture, NotAPicture, PictureNotFound, PictureTooLarge, PictureUnreadable

STDIN = "-"
_NO_WRITER_S = 10.0  # how long a pipe may have nobody at its other end
_SILENT_S = 120.0  # how long a writer may take to write on: a download, a camera that wakes up
_CHUNK = 1 << 20
_stdin_read: Any = None  # the very stream that was read


def read(source: str | os.PathLike[str] | bytes, max_bytes: int) -> bytes:
    """The bytes of a path or, checked for their number, those given; ``-`` is stdin (a file: ``./-``).

    Raises a `PictureError`: `PictureTooLarge` above ``max_bytes``, `NotAPicture` for a folder, a socket, a
    device or a terminal, `PictureUnreadable` where the system refuses, a pipe stays silent or stdin was
    read before.
    """
    if isinstance(source, bytes):
        data = source
    elif (path := os.fspath(source)) == STDIN:
        data = _from_stdin(max_bytes)
    else:
        data = _from_file(path, max_bytes)
    if len(data) > max_bytes:
        raise _too_many_bytes(max_bytes)
    return data


def _from_stdin(max_bytes: int) -> bytes:
    global _stdin_read  # noqa: PLW0603  a process has one stdin
    stream = getattr(sys.stdin, "buffer", None)
    if stream is None or stream.closed:
        raise PictureUnreadable("stdin is closed: `-` reads a picture from it (lineament detect - < a.jpg)")
    if stream is _stdin_read:
        raise PictureUnreadable("stdin was read already: `-` can stand for one picture of a command only")
    if stream.isatty():
        raise NotAPicture("stdin is a terminal: `-` reads a picture from it (lineament detect - < a.jpg)")
    _stdin_read = stream
    try:
        data = bytes(stream.read(max_bytes + 1) or b"")
    except OSError as error:  # a folder, say
        raise PictureUnreadable(f"stdin cannot be read: {error.strerror}") from None
    if not data:
        raise EmptyPicture("stdin is empty: nothing was written to it")
    return data


def _from_file(path: str, max_bytes: int) -> bytes:
    try:
        # Looked at before it is opened: opening a device can act on it.
        _require_readable(os.stat(path))  # noqa: PTH116  Path("") would be the working folder
        flags = (
            os.O_RDONLY
            | getattr(os, "O_NONBLOCK", 0)
            | getattr(os, "O_BINARY", 0)
            | getattr(os, "O_CLOEXEC", 0)
        )
        with os.fdopen(os.open(path, flags), "rb", buffering=0) as file:
            status = os.fstat(file.fileno())
            _require_readable(status)  # it may have been swapped in between
            if stat.S_ISFIFO(status.st_mode):
                return _from_pipe(file.fileno(), max_bytes)
            if status.st_size > max_bytes:
                raise _too_many_bytes(max_bytes)
            with os.fdopen(file.fileno(), "rb", closefd=False) as buffered:
                return buffered.read(max_bytes + 1)
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a NUL in the path
        raise PictureNotFound("there is no such file") from None
    except OSError as error:
        if error.errno in (errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL):
            raise PictureNotFound(f"there is no such file: {error.strerror}") from None
        raise PictureUnreadable(f"the file cannot be read: {error.strerror}") from None


def _from_pipe(descriptor: int, max_bytes: int) -> bytes:
    """Up to the end that its writer makes; the descriptor must not block."""
    found, connected = bytearray(), False
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    since = time.monotonic()
    while len(found) <= max_bytes:
        try:
            part = os.read(descriptor, _CHUNK)
        except BlockingIOError:  # somebody is there and has not written yet
            part, connected = None, True
        if part:
            found += part
            connected, since = True, time.monotonic()
            continue
        # Nothing to read and nobody there: the end, or the writer has not come yet.
        if part == b"" and connected:
            break
        waited = time.monotonic() - since
        if waited >= (_SILENT_S if connected else _NO_WRITER_S):
            told = "its writer fell silent" if connected else "nobody writes into it"
            raise PictureUnreadable(f"a named pipe, but {told} ({waited:.0f} s)")
        if any(event & select.POLLHUP for _, event in waiting.poll(100)) and part == b"":
            if sys.platform == "linux":  # there it means that a writer came and went
                break
            time.sleep(0.02)
    return bytes(found)


def _require_readable(status: os.stat_result) -> None:
    kinds = {
        stat.S_IFDIR: "a folder",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISFIFO(status.st_mode)):
        raise NotAPicture(f"not a file but {kinds.get(stat.S_IFMT(status.st_mode), 'something else')}")


def _too_many_bytes(limit: int) -> PictureTooLarge:
    return PictureTooLarge(f"the file has more bytes than the limit of {limit:,}")
