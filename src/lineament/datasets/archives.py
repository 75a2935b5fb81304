"""Unpacking archives that may be hostile: nothing lands outside, nothing is replaced, nothing explodes.

A path that leads out, two entries that would become one file, a damaged or encrypted archive, too many
entries or bytes, folders too deep, or bytes that expand beyond belief, refuse the whole archive, and
nothing of it stays. A folder that only a path implies is an entry, and every folder costs a block.
Links, devices and what macOS adds are left out and counted. Sizes are counted while writing, because
headers lie. Archives inside the archive are not opened.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import posixpath
import re
import secrets
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from lineament.counting import quantity
from lineament.datasets.formats._files import new_folder
from lineament.datasets.formats._naming import folded
from lineament.datasets.formats._problems import Problems
from lineament.errors import ArchiveRefused, UsageError
from lineament.io.left_out import is_system
from lineament.io.permissions import make_folders, opener

_CHUNK = 1 << 20
_MAX_NAME = 1024
_MAX_HEADER = 1 << 20
_MAX_SHARED_HEADERS = 1_000
_FOLDER_BYTES = 4_096
"""What an empty folder takes on the disk."""


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """``ratio`` bounds unpacked bytes by the archive's size, beyond ``free_bytes`` that any may have.

    ``max_entries`` counts the folders that paths imply, too; ``max_depth`` is of folders in folders.
    """

    max_entries: int = 300_000
    max_depth: int = 32
    max_bytes: int = 200 * 2**30
    ratio: int = 100
    free_bytes: int = 2**28

    def budget(self, size: int) -> int:
        """How many bytes an archive of ``size`` bytes may become."""
        return min(self.max_bytes, self.free_bytes + self.ratio * size)


DEFAULT_LIMITS = ArchiveLimits()


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What was written below ``folder``, and what was left out or remarkable."""

    folder: Path
    files: int
    size_bytes: int
    problems: Problems


def is_archive(path: Path) -> bool:
    """Whether the file is a zip or tar by its content; a picture or text never is."""
    return _kind(path) is not None


def unpack(archive: Path, folder: Path, limits: ArchiveLimits = DEFAULT_LIMITS) -> Unpacked:
    """Unpack into a new or empty folder, which appears whole or not at all.

    Raises `ArchiveRefused`, or `UsageError` when the folder is in use or the file is no archive.
    """
    kind = _kind(archive)
    if kind is None:
        raise UsageError(f"{archive}: neither a zip nor a tar archive")
    try:
        with new_folder(folder) as temporary:
            target = _Target(temporary, limits, limits.budget(archive.stat().st_size))
            _KINDS[kind](archive, target, limits)
    except ArchiveRefused as error:
        raise ArchiveRefused(f"{archive.name}: {error}; nothing was unpacked") from None
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError) as error:
        raise ArchiveRefused(f"{archive.name}: damaged: {error}; nothing was unpacked") from None
    except (RuntimeError, NotImplementedError, ValueError, struct.error, MemoryError) as error:
        raise ArchiveRefused(f"{archive.name}: cannot be read: {error}; nothing was unpacked") from None
    except OSError as error:
        reason = error.strerror or error
        raise ArchiveRefused(f"{archive.name}: cannot be unpacked: {reason}; nothing was") from None
    return Unpacked(folder, target.files, target.written, target.problems)


class _Target:
    """The folder being filled, and everything that is checked before a byte enters it."""

    def __init__(self, folder: Path, limits: ArchiveLimits, budget: int) -> None:
        self.folder, self.limits, self.budget = folder, limits, budget
        self.files = self.written = self.entries = self._spent = 0
        self.problems = Problems()
        self._seen: dict[str, str] = {}
        self._one_case = folds_case(folder)

    def count(self) -> None:
        """One more entry of any kind."""
        self.entries += 1
        if self.entries > self.limits.max_entries:
            raise ArchiveRefused(f"more than {quantity(self.limits.max_entries, 'entry')}")

    def place(self, name: str) -> str:
        """The checked relative path of an entry; raises `ArchiveRefused` for one that leads out."""
        inner = name.replace("\\", "/")
        if inner != name:
            self.problems.add("backslash_as_separator", name)
        parts = inner.split("/")
        if inner.startswith("/") or re.match(r"[A-Za-z]:", inner) or ".." in parts or "\0" in inner:
            raise ArchiveRefused(f"the entry {name!r} leads out of the folder")
        if len(inner) > _MAX_NAME:
            raise ArchiveRefused(f"an entry has a name of {quantity(len(inner), 'character')}")
        path = posixpath.normpath(inner)
        parts = path.split("/")
        if len(parts) - 1 > self.limits.max_depth:
            raise ArchiveRefused(
                f"an entry lies {quantity(len(parts) - 1, 'folder')} deep; the limit is "
                f"{self.limits.max_depth}"
            )
        for end in range(1, len(parts) + 1):
            prefix = "/".join(parts[:end])
            key = folded(prefix)
            twin = self._seen.get(key)
            if twin is None:
                self._seen[key] = prefix
                if end < len(parts):
                    self.count()
                    self.spend(_FOLDER_BYTES)
            elif twin != prefix:
                if self._one_case:
                    raise ArchiveRefused(f"{prefix!r} and {twin!r} would become one file here")
                self.problems.add("names_differ_by_case_or_unicode_form", prefix)
        return path

    def spend(self, size: int) -> None:
        """Take bytes from the budget; raises `ArchiveRefused` when it is used up."""
        self._spent += size
        if self._spent > self.budget:
            raise ArchiveRefused(f"it unpacks to more than {self.budget:,} bytes, folders included")

    def leave_out(self, name: str) -> None:
        """Count what a system added; a name that leads out refuses the archive all the same."""
        self.place(name)
        self.problems.add("added_by_a_system", name)

    def file(self, name: str, source: IO[bytes]) -> None:
        """Write one file; it must be new."""
        path = self.folder / self.place(name)
        try:
            make_folders(path.parent)
            out = open(path, "xb", opener=opener)  # noqa: SIM115
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            raise ArchiveRefused(f"two entries would both become {name!r}") from None
        with out:
            while chunk := source.read(_CHUNK):
                self.written += len(chunk)
                self.spend(len(chunk))
                out.write(chunk)
        self.files += 1

    def make_folder(self, name: str) -> None:
        """Make a folder, which may exist."""
        path = self.folder / self.place(name)
        self.spend(_FOLDER_BYTES)
        try:
            make_folders(path)
        except (FileExistsError, NotADirectoryError):
            raise ArchiveRefused(f"{name!r} is both a file and a folder") from None


def added_by_a_system(name: str) -> bool:
    """Whether an entry is none of the user's files: what macOS adds to archives, and its like."""
    return any(map(is_system, name.replace("\\", "/").split("/")))


def folds_case(folder: Path) -> bool:
    """Whether the file system takes names that differ only in case for one."""
    probe = folder / f".case-{secrets.token_hex(4)}a"
    probe.touch(exist_ok=False)
    try:
        return probe.with_name(probe.name.upper()).exists()
    finally:
        probe.unlink()


def _kind(path: Path) -> str | None:
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError:
        return None
    for magic, kind in ((b"PK\x03\x04", "zip"), (b"PK\x05\x06", "zip"), (b"\x1f\x8b", "gz")):
        if head.startswith(magic):
            return kind
    if head.startswith(b"BZh"):
        return "bz2"
    if head.startswith(b"\xfd7zXZ\0"):
        return "xz"
    return "tar" if head[257:262] == b"ustar" else None


def _unpack_zip(archive: Path, target: _Target, limits: ArchiveLimits) -> None:
    with archive.open("rb") as file:
        _check_directory(file, limits)
        with zipfile.ZipFile(file) as packed:
            for info in packed.infolist():
                target.count()
                mode = info.external_attr >> 16
                if info.flag_bits & 1:
                    raise ArchiveRefused(f"{info.filename!r} is encrypted")
                if "\0" in info.orig_filename:
                    raise ArchiveRefused(f"the entry {info.orig_filename!r} has a NUL in its name")
                if mode & 0o170000 not in (0, 0o100000, 0o040000):
                    target.place(info.filename)
                    target.problems.add("link_or_device_left_out", info.filename)
                elif added_by_a_system(info.filename):
                    target.leave_out(info.filename)
                elif info.is_dir():
                    target.make_folder(info.filename)
                else:
                    with packed.open(info) as source:
                        target.file(info.filename, source)


def _check_directory(file: IO[bytes], limits: ArchiveLimits) -> None:
    """Refuse a directory of too many entries before it is read into memory.

    APPNOTE 6.3.10, 4.3.12: an entry of the directory has 46 bytes and three variable parts.
    """
    size = file.seek(0, 2)
    tail_at = max(size - 65_557, 0)
    file.seek(tail_at)
    tail = file.read()
    end = tail.rfind(b"PK\x05\x06")
    if end < 0 or len(tail) < end + 22:
        raise ArchiveRefused("damaged: it has no directory")
    (length,) = struct.unpack_from("<I", tail, end + 12)
    stop = tail_at + end
    record = tail[end - 76 : end - 20] if end >= 76 else b""
    if tail[max(end - 20, 0) : end].startswith(b"PK\x06\x07") and record.startswith(b"PK\x06\x06"):
        (length,) = struct.unpack_from("<Q", record, 40)
        stop -= 76
    if length > stop or length > limits.max_entries * (46 + _MAX_NAME):
        raise ArchiveRefused(f"damaged, or more than {quantity(limits.max_entries, 'entry')}")
    # It ends where the end record begins, whatever offset is stated: that is where the reader looks too.
    file.seek(stop - length)
    directory, at, entries = file.read(length), 0, 0
    while directory[at : at + 4] == b"PK\x01\x02" and len(directory) >= at + 46:
        at += 46 + sum(struct.unpack_from("<HHH", directory, at + 28))
        entries += 1
        if entries > limits.max_entries:
            raise ArchiveRefused(f"more than {quantity(limits.max_entries, 'entry')}")
    file.seek(0)


def _unpack_tar(archive: Path, target: _Target, limits: ArchiveLimits) -> None:
    with _decompressed(archive) as source:
        bounded = _Bounded(source, target.budget)
        stream: Any = bounded
        with tarfile.open(fileobj=stream, mode="r:") as packed:
            for info in packed:
                target.count()
                vars(packed)["members"] = []  # else every header stays in memory
                if len(packed.pax_headers) > _MAX_SHARED_HEADERS:  # each entry gets a copy of them
                    raise ArchiveRefused(f"more than {_MAX_SHARED_HEADERS:,} headers for all entries")
                bounded.in_header(False)
                if (info.isdir() or info.isreg()) and added_by_a_system(info.name):
                    target.leave_out(info.name)
                elif info.isdir():
                    target.make_folder(info.name)
                elif info.isreg():
                    file = packed.extractfile(info)
                    assert file is not None
                    target.file(info.name, file)
                else:
                    target.place(info.name)
                    target.problems.add("link_or_device_left_out", info.name)
                bounded.in_header(True)


_KINDS: dict[str, Callable[[Path, _Target, ArchiveLimits], None]] = {
    "zip": _unpack_zip,
    "tar": _unpack_tar,
    "gz": _unpack_tar,
    "bz2": _unpack_tar,
    "xz": _unpack_tar,
}


@contextmanager
def _decompressed(archive: Path) -> Iterator[IO[bytes]]:
    opened: dict[str | None, Callable[..., Any]] = {"gz": gzip.open, "bz2": bz2.open, "xz": lzma.open}
    with opened.get(_kind(archive), open)(archive, "rb") as source:
        yield source


class _Bounded:
    """A stream that never gives more than the budget, nor headers larger than any honest ones.

    One entry may have a chain of headers, each of which is small, so that they are counted together. Only
    forwards: to go back in what is compressed is to begin again.
    """

    def __init__(self, source: IO[bytes], budget: int) -> None:
        self._source, self._budget = source, budget + _MAX_HEADER
        self._header: int | None = 0

    def in_header(self, begins: bool) -> None:
        """Whether what is read from here on is the headers of the next entry."""
        self._header = 0 if begins else None

    def read(self, size: int = -1) -> bytes:
        """Bytes; raises `ArchiveRefused` beyond the bounds."""
        if self._header is not None:
            self._header += size
        if size < 0 or size > _MAX_HEADER or (self._header or 0) > _MAX_HEADER:
            raise ArchiveRefused(f"an entry's headers have more than {_MAX_HEADER:,} bytes")
        self._check(self._source.tell() + size)
        return self._source.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move; forward within the budget only."""
        if whence or offset < self._source.tell():
            raise ArchiveRefused("damaged: an entry lies before the one that stands before it")
        self._check(offset)
        return self._source.seek(offset)

    def tell(self) -> int:
        """Where the stream is."""
        return self._source.tell()

    def _check(self, offset: int) -> None:
        if offset > self._budget:
            raise ArchiveRefused(f"it unpacks to more than {self._budget - _MAX_HEADER:,} bytes")
