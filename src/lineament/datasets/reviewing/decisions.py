"""The log of decisions: lines that are only ever appended, each on disk before it counts."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Literal, Self, get_args

from filelock import FileLock

from lineament import typed
from lineament.documents import json_of, lines_of
from lineament.errors import ManifestError, OutputError
from lineament.io.manifest import ManifestRow
from lineament.io.permissions import file_mode, opener

Choice = Literal["keep", "remove", "move", "undo"]
By = Literal["person", "auto"]


@dataclass(frozen=True, slots=True)
class ReviewDecision:
    """One line of the log.

    ``sha256`` and ``path`` name the picture, ``id`` the face where it has several. ``undo`` takes back the
    line before it about the same row. ``reason`` and ``score`` are those of an accepted proposal; ``at`` is
    when, in UTC.
    """

    sha256: str
    path: str
    id: str
    choice: Choice
    to: str | None = None
    by: By = "person"
    reason: str | None = None
    score: float | None = None
    at: str = ""

    def __post_init__(self) -> None:
        for value in (self.sha256, self.path, self.id, self.at):
            if not isinstance(value, str):
                raise ManifestError(f"decision with {value!r} where text belongs")
        if self.choice not in get_args(Choice) or self.by not in get_args(By):
            raise ManifestError(f"decision {self.choice!r} by {self.by!r}")
        if self.choice == "move" and (not isinstance(self.to, str) or not self.to):
            raise ManifestError(f"decision for {self.path!r}: moves it to nobody")

    def to_json(self) -> str:
        """The line without its newline; what is not known is left out."""
        values = {key: value for key, value in asdict(self).items() if value is not None}
        return json.dumps(values, sort_keys=True, allow_nan=False)

    @classmethod
    def from_json(cls, values: Any) -> Self:
        """Build one; raises `ManifestError` for unknown or missing keys."""
        try:
            return typed.build(cls, values)
        except ValueError as error:
            raise ManifestError(f"no decision: {error}") from None


def decision(
    row: ManifestRow,
    choice: str,
    *,
    to: str | None = None,
    by: By = "person",
    reason: str | None = None,
    score: float | None = None,
) -> ReviewDecision:
    """A decision about this row, now."""
    at = datetime.now(UTC).isoformat(timespec="seconds")
    target = to if choice == "move" else None
    return ReviewDecision(row.sha256, row.path, row.id, choice, target, by, reason, score, at)  # type: ignore[arg-type]


class DecisionLog:
    """Decisions in the order they were made; several processes may append to one file.

    A half-written last line, which only a kill leaves, is cut off by whoever appends next. Raises
    `ManifestError` for a damaged line and `OutputError` where the disk refuses; the file stays as it was.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries: list[ReviewDecision] = []
        self._read = 0
        self._lock = FileLock(path.with_name(f".{path.name}.lock"), mode=file_mode())
        self.refresh()

    def refresh(self) -> None:
        """Read the whole lines that were appended since."""
        try:
            with self.path.open("rb") as file:
                self._take_in(file)
        except FileNotFoundError:
            if self._read:
                raise ManifestError(f"{self.path}: the log is gone; it was there a moment ago") from None
        except OSError as error:
            raise ManifestError(f"{self.path}: cannot be read: {error.strerror or error}") from error

    def _take_in(self, file: IO[bytes]) -> None:
        size = os.fstat(file.fileno()).st_size
        if size < self._read:
            raise ManifestError(f"{self.path}: the log is shorter than it was; it must only grow")
        file.seek(self._read)
        for line in lines_of(file):
            if not line.endswith(b"\n"):
                break
            try:
                entry = ReviewDecision.from_json(json_of(line))
            except (ValueError, ManifestError) as error:
                raise ManifestError(f"{self.path}, line {len(self.entries) + 1}: {error}") from error
            self.entries.append(entry)
            self._read += len(line)

    def append(self, decisions: Iterable[ReviewDecision]) -> None:
        """Write and sync; all of them are in the file afterwards, or none."""
        text = "".join(entry.to_json() + "\n" for entry in decisions).encode()
        if not text:
            return
        with self._open_to_append() as file:
            self._take_in(file)
            start = self._read
            try:
                file.seek(start)
                file.truncate()
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                os.truncate(self.path, start)
                raise
            file.seek(start)
            self._take_in(file)

    @contextmanager
    def _open_to_append(self) -> Iterator[IO[bytes]]:
        try:
            with self._lock:
                created = not self.path.exists()
                with open(self.path, "xb+" if created else "rb+", opener=opener) as file:
                    yield file
                if created:
                    _sync_folder(self.path.parent)
        except OSError as error:
            raise OutputError(
                f"{self.path}: the decision could not be stored: {error.strerror or error}"
            ) from error

    def digest(self) -> str:
        """SHA-256 over the decisions: which log a manifest was made with."""
        total = hashlib.sha256()
        for entry in self.entries:
            total.update(entry.to_json().encode() + b"\n")
        return total.hexdigest()


def _sync_folder(folder: Path) -> None:
    """A new file's name is durable only once its folder is; not every system can open a folder."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
