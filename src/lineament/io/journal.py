"""Files that are only ever appended to: a kill leaves whole lines, and half of one behind them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from lineament.documents import json_of, lines_of
from lineament.errors import WouldOverwrite
from lineament.io.permissions import opener
from lineament.io.writing import make_folder, naming, sync

_ENTRY = b'{"key": '


class Appended:
    """The whole lines of a file, in order; a half-written last one is cut off by whoever appends next."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.end = 0
        """Bytes of whole lines that were taken in."""

    def opened(self) -> IO[bytes]:
        """The file to read and append to, made where it is missing, and its name durable then."""
        created = not self.path.exists()
        file = open(self.path, "xb+" if created else "rb+", opener=opener)  # noqa: SIM115
        if created:
            sync(self.path.parent)
        return file

    def news(self, file: IO[bytes]) -> Iterator[bytes]:
        """Lines that were not taken in yet, the half-written last one, without an end, among them.

        Each is taken in when the next is asked for: one that cannot be read is met again.
        """
        file.seek(self.end)
        for line in lines_of(file):
            yield line
            if line.endswith(b"\n"):
                self.end += len(line)

    def add(self, file: IO[bytes], text: bytes) -> None:
        """Write lines behind those taken in, and sync: all of them are there then, or none."""
        try:
            file.seek(self.end)
            file.truncate()
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            os.truncate(self.path, self.end)
            raise


class Journal:
    """Finished work of a step that may be killed: JSON records by key, appended and synced in groups.

    Opening it again gives what is there. `finish` removes it once the manifest is saved. Raises
    `OutputError` where the disk refuses, and `WouldOverwrite` for a file that is no journal.
    """

    def __init__(self, path: Path, *, sync_every: int = 64) -> None:
        self.path = path
        self.done: dict[str, Any] = {}
        self._sync_every = sync_every
        self._pending: list[bytes] = []
        self._lines = Appended(path)
        with naming(path):
            make_folder(path.parent)
            self._file = self._lines.opened()
            try:
                self._take_in()
            except BaseException:
                self._file.close()
                raise

    def _take_in(self) -> None:
        for line in self._lines.news(self._file):
            if not line.endswith(b"\n") and line[: len(_ENTRY)] == _ENTRY[: len(line)]:
                break
            try:
                entry = json_of(line)
                self.done[entry["key"]] = entry["value"]
            except (ValueError, TypeError, KeyError):
                raise WouldOverwrite(
                    f"{self.path}: is no journal of an unfinished step; move it away or write elsewhere"
                ) from None

    def record(self, key: str, value: Any) -> None:
        """Keep one finished item."""
        line = json.dumps({"key": key, "value": value}, sort_keys=True, allow_nan=False)
        self._pending.append(line.encode() + b"\n")
        self.done[key] = value
        if len(self._pending) >= self._sync_every:
            self.sync()

    def sync(self) -> None:
        """Make everything recorded so far durable."""
        text = b"".join(self._pending)
        with naming(self.path):
            self._lines.add(self._file, text)
        self._lines.end += len(text)
        self._pending.clear()

    def finish(self) -> None:
        """The step is complete and its result saved: the journal goes."""
        self._file.close()
        self.path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._file.closed:
            try:
                self.sync()
            finally:
                with suppress(OSError):  # of what could not be written `sync` has told
                    self._file.close()
