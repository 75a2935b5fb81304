"""The one place through which results are written: nothing of the user's is destroyed.

A target is refused when it is read by the same command, is a gallery, or is any existing file that this
tool did not write as the same kind of output (`lineament.io.own_files`). Files appear whole or not at all:
written beside their target, synced, and moved over it, with the permissions of what was there; new ones are
the user's alone (`lineament.io.permissions`). A link is followed, a missing folder made. The rule stands in
docs/reference/output.md.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from lineament.errors import LineamentError, OutputError, WouldOverwrite
from lineament.io.own_files import OWN, Kind
from lineament.io.permissions import make_folders, opener

_SQLITE = b"SQLite format 3\0"
_BESIDE_GALLERY = ("-wal", "-shm", "-journal")
_DESCRIPTOR = re.compile(r"/dev/(std(?:in|out|err))|(?:/dev|/proc/self)/fd/(\d+)")
LEFTOVER = re.compile(r"\.[0-9a-f]{16}(\.\w{1,7})?|\.([\w-]+\.){1,2}([0-9a-f]{8}|part)")
"""Names of half-written files, which only a kill leaves; the second form is of earlier versions."""
_inputs: list[set[tuple[int, int]]] = []
"""Device and number of every file that the running command reads; one set for each command under way."""
_unfinished: dict[Path, Lines | None] = {}
"""Files half-written at this moment, with the lines to keep of those that may end early."""


@contextmanager
def command(reads: Iterable[str | os.PathLike[str]]) -> Iterator[None]:
    """While the block runs, what ``reads`` names is an input that nothing may write over."""
    _inputs.append(set())
    try:
        for path in reads:
            reading(path)
        yield
    finally:
        _inputs.pop()


def reading(path: str | os.PathLike[str]) -> None:
    """Say that the running command reads this file; what is not there, and folders, do not matter."""
    if not _inputs:
        return
    with suppress(OSError, ValueError):
        found = os.stat(path)  # noqa: PTH116  Path("") would be the working folder
        if stat.S_ISREG(found.st_mode):
            _inputs[-1].add((found.st_dev, found.st_ino))


def unwritable(place: object, why: object, then: str = "") -> str:
    """That a place cannot be written: ``why`` in words or the system's error, and what to do."""
    reason = getattr(why, "strerror", None) or why
    return f"{place}: cannot be written: {reason}{f'; {then}' if then else ''}"


@contextmanager
def naming(place: object, then: str = "", *, kind: type[LineamentError] = OutputError) -> Iterator[None]:
    """Turn what the system says of writing in the block into an error that says `unwritable`."""
    try:
        yield
    except OSError as error:
        raise kind(unwritable(place, error, then)) from error


def sync(path: Path) -> None:
    """Make a file durable, or the names in a folder; not every system can open a folder for that."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def is_stream(path: str | os.PathLike[str]) -> bool:
    """Whether writing there replaces nothing: a pipe, a terminal, /dev/null, /dev/stdout."""
    if _descriptor(path) is not None:
        return True
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode) or stat.S_ISSOCK(mode)


def _descriptor(path: str | os.PathLike[str]) -> int | None:
    """The number of the open stream that a name such as /dev/stdout means."""
    named = _DESCRIPTOR.fullmatch(os.fspath(path))
    if named is None:
        return None
    return int(named[2]) if named[2] else ("stdin", "stdout", "stderr").index(named[1])


def require(path: str | os.PathLike[str], kind: Kind) -> Path:
    """The file to write for ``path``, links followed; nothing is made or changed.

    Raises `WouldOverwrite` for what must not be written over, and `OutputError` for a place where no file
    can be.
    """
    shown = os.fspath(path)
    try:
        if is_stream(path):
            return Path(path)
        target = Path(os.path.realpath(path))
        found = target.stat()
    except FileNotFoundError:
        _require_place(target, shown)
        return target
    except (OSError, ValueError) as error:
        raise _refused(shown, error) from error
    if stat.S_ISDIR(found.st_mode):
        raise OutputError(unwritable(shown, "a folder has that name", "name a file"))
    why = _protected(target, found, kind)
    if why is not None:
        raise WouldOverwrite(
            f"{shown}: {why}; it was not touched: name another file, or move this one away"
        )
    if not found.st_mode & 0o222:
        raise OutputError(unwritable(shown, "the file is write-protected", "name another file"))
    _require_place(target, shown)
    return target


def require_folder(path: str | os.PathLike[str]) -> None:
    """Raise `OutputError` when there is no folder at ``path`` and none can be made; makes nothing."""
    shown, folder = os.fspath(path), Path(path)
    try:
        if folder.exists() and not folder.is_dir():
            raise OutputError(unwritable(shown, "a file has that name", "name a folder"))
        _require_place(folder / "file", shown)
    except (OSError, ValueError) as error:
        raise _refused(shown, error) from error


def make_folder(path: str | os.PathLike[str]) -> Path:
    """The folder, with all above it, made where it is missing; raises `OutputError`."""
    folder = Path(path)
    try:
        make_folders(folder)
    except (OSError, ValueError) as error:
        raise _refused(os.fspath(path), error) from error
    return folder


@contextmanager
def replacing(path: str | os.PathLike[str], kind: Kind, *, binary: bool = False) -> Iterator[IO[Any]]:
    """A file written beside ``path`` and moved there when the block ends well; text unless ``binary``.

    Raises `WouldOverwrite` as `require` does, and `OutputError` where the disk refuses; what was there is
    left as it was then.
    """
    with target_of(path, kind) as partial, _opened(partial, binary=binary) as file:
        yield file
        file.flush()


@contextmanager
def target_of(path: str | os.PathLike[str], kind: Kind) -> Iterator[Path]:
    """As `replacing`, for writers that open files by themselves: the path beside ``path`` to write to.

    An empty file is there already, so that its permissions are right from its first byte on.
    """
    target = require(path, kind)
    if is_stream(target):
        with _named(path, target):
            yield target
        return
    make_folder(target.parent)
    # Short, because the longest of names leaves no room; with the suffix, which some writers go by.
    partial = target.with_name(f".{secrets.token_hex(8)}{target.suffix[:8]}")
    _unfinished[partial] = None
    try:
        with _named(path, target, partial):
            _create(partial)
            yield partial
            _move(partial, target, kind)
    finally:
        _unfinished.pop(partial, None)
        partial.unlink(missing_ok=True)


class Lines:
    """A file of whole lines that may end early: what is finished is kept.

    Lines gather beside the target and take its name at `close`. Ended by an error or Ctrl-C, the whole
    lines so far are kept under that name; without a single one, what was there before stays.
    """

    def __init__(self, path: str | os.PathLike[str], kind: Kind) -> None:
        self._path, self._kind = path, kind
        self._target = require(path, kind)
        self._stream = is_stream(self._target)
        self._count = 0
        self._partial = self._target
        if not self._stream:
            make_folder(self._target.parent)
            self._partial = self._target.with_name(f".{secrets.token_hex(8)}.part")
            _unfinished[self._partial] = self
        try:
            with _named(path, self._target, self._partial):
                if not self._stream:
                    _create(self._partial)
                self._file = _opened(self._partial, binary=True)
        except BaseException:
            _unfinished.pop(self._partial, None)
            raise

    def write(self, line: str) -> None:
        """Add one line, its end included; raises `OutputError`, and `BrokenPipeError` from a pipe."""
        with _named(self._path, self._target, self._partial):
            self._file.write(line.encode())
            self._file.flush()
        self._count += 1

    def close(self, *, whole: bool = True) -> None:
        """Give the file its name; ``whole`` is false when the work broke off."""
        with suppress(OSError):  # of what could not be written, `write` has told
            self._file.close()
        if self._stream:
            return
        with _named(self._path, self._target, self._partial):
            try:
                if whole or self._count:
                    self.keep()
            finally:
                _unfinished.pop(self._partial, None)
                self._partial.unlink(missing_ok=True)

    def keep(self) -> None:
        """Move the whole lines to the target, touching nothing but the file system."""
        _cut_to_whole_lines(self._partial)
        _move(self._partial, self._target, self._kind)


def abandon() -> None:
    """Before the process ends at once: keep finished lines, leave no half-written file behind."""
    for partial, lines in [*_unfinished.items()]:
        with suppress(OSError, WouldOverwrite):
            if lines is not None and lines._count:
                lines.keep()
        with suppress(OSError):
            partial.unlink(missing_ok=True)
    _unfinished.clear()


def _protected(target: Path, found: os.stat_result, kind: Kind) -> str | None:
    """Why a file that is there must not be written over; None when it may be."""
    if stat.S_ISBLK(found.st_mode):
        return "is a disk"
    if any((found.st_dev, found.st_ino) in known for known in _inputs):
        return "is read by this very command"
    try:
        with target.open("rb") as file:
            head = file.read(64)
        if head.startswith(_SQLITE) or _beside_gallery(target):
            return "is a gallery, or the database of another program"
        if kind is OWN:
            return None
        if not head:
            from lineament.io.left_out import is_picture_name

            return "has the name of a picture" if is_picture_name(target.name) else None
        if kind.known(target):
            return None
    except OSError as error:
        return f"is there and cannot be looked into ({error.strerror or error})"
    return f"is {_looks_like(head)}, not {kind.name}"


def _beside_gallery(target: Path) -> bool:
    for end in _BESIDE_GALLERY:
        if target.name.endswith(end):
            with suppress(OSError), target.with_name(target.name[: -len(end)]).open("rb") as file:
                return file.read(16) == _SQLITE
    return False


def _looks_like(head: bytes) -> str:
    from lineament.io.formats import sniff

    if sniff(head) is not None:
        return "a picture"
    if (
        head[4:8] == b"ftyp"
        or head.startswith((b"\x1aE\xdf\xa3", b"FLV", b"OggS"))
        or head[8:12] == b"AVI "
    ):
        return "a video"
    if head.startswith((b"\x08", b"PK\x03\x04", b"\x80\x02")) or head[8:9] == b"{":
        return "a model, weights or an archive"
    return "a file that lineament did not write"


def _require_place(target: Path, shown: str) -> None:
    """Raise `OutputError` unless the nearest folder that is there can take a new entry of that name."""
    try:
        folder = next(parent for parent in target.parents if os.path.lexists(parent))
        if not folder.is_dir():
            raise OutputError(unwritable(shown, f"{folder} is a file where a folder is needed"))
        for name in target.relative_to(folder).parts:
            (folder / name).exists()  # too long a name is told here
        if not os.access(folder, os.W_OK | os.X_OK):
            raise OutputError(unwritable(shown, f"no permission to write in {folder}"))
    except (OSError, ValueError, StopIteration) as error:
        raise _refused(shown, error) from error


def _create(path: Path) -> None:
    os.close(opener(os.fspath(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL))


def _opened(path: Path, binary: bool) -> IO[Any]:
    if is_stream(path):
        # An open stream is written as it was opened: reached by its name, what it reads would be cut.
        number = _descriptor(path)
        handle = os.open(path, os.O_WRONLY) if number is None else os.dup(number)
        return os.fdopen(handle, "wb") if binary else os.fdopen(handle, "w", encoding="utf-8", newline="\n")
    return path.open("wb") if binary else path.open("w", encoding="utf-8", newline="\n")


def _move(partial: Path, target: Path, kind: Kind) -> None:
    """Sync and move into place, keeping the permissions of what was there."""
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    with suppress(FileNotFoundError):
        # Somebody may have put a file there since the work began.
        found = target.stat()
        if (why := _protected(target, found, kind)) is not None:
            raise WouldOverwrite(f"{target}: {why} since a moment ago; it was not touched")
        partial.chmod(stat.S_IMODE(found.st_mode))
    partial.replace(target)


def _cut_to_whole_lines(path: Path) -> None:
    with path.open("rb+") as file:
        end = file.seek(0, os.SEEK_END)
        while end:
            start = max(0, end - (1 << 16))
            file.seek(start)
            at = file.read(end - start).rfind(b"\n")
            if at >= 0:
                file.truncate(start + at + 1)
                return
            end = start
        file.truncate(0)


@contextmanager
def _named(path: str | os.PathLike[str], *own: Path) -> Iterator[None]:
    """Turn what the system says of writing into `OutputError`; errors of other files pass."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        ours = {None, os.fspath(path), *map(os.fspath, own)}
        if error.filename not in ours:
            raise
        raise _refused(os.fspath(path), error) from error


_NEXT = {
    errno.ENOSPC: "make room on the disk",
    errno.EDQUOT: "make room on the disk",
    errno.EFBIG: "raise the limit on the size of files (ulimit -f)",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ENOTDIR: "one of its folders is a file; choose another place",
    errno.ELOOP: "its links lead in a circle",
}


def _refused(shown: str, error: BaseException) -> OutputError:
    if not isinstance(error, OSError):
        return OutputError(unwritable(repr(shown), "no name that a file can have"))
    advice = _NEXT.get(error.errno or 0, "choose another place")
    return OutputError(unwritable(shown, error, advice))
