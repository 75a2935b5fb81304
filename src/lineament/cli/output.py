"""Where a command's answer goes: tables for people on stdout, or JSON, one object a line.

With ``--json -`` nothing but JSON reaches stdout. Progress and warnings always go to stderr.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any

from lineament.errors import ConfigError, LineamentError
from lineament.io.names import shown

if TYPE_CHECKING:
    from rich.console import Console

    from lineament.types import Face, Match, Outcome

Advance = Callable[[int], None]


class Report(AbstractContextManager["Report"]):
    """Writes one command's answer."""

    def __init__(self, json_path: str | None = None) -> None:
        self._json_path = json_path
        self._file: IO[str] | None = None
        self.json_on_stdout = json_path == "-"

    def __enter__(self) -> Report:
        if self._json_path and not self.json_on_stdout:
            try:
                self._file = Path(self._json_path).open("w", encoding="utf-8")
            except OSError as error:
                raise ConfigError(f"--json: cannot write {self._json_path}: {error.strerror}") from error
        elif self.json_on_stdout:
            self._file = sys.stdout
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None and not self.json_on_stdout:
            self._file.close()

    def line(self, record: Mapping[str, Any]) -> None:
        """One JSON object as one line; does nothing without ``--json``."""
        if self._file is not None:
            self._file.write(json.dumps(plain(record), allow_nan=False) + "\n")
            self._file.flush()

    def say(self, text: str) -> None:
        """One line for people; on stderr when stdout carries JSON."""
        self._console().print(shown(text, limit=None), markup=False, highlight=False, soft_wrap=True)

    def table(self, title: str | None, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """A table for people; left out when stdout carries JSON. Cells are shown literally."""
        if self.json_on_stdout:
            return
        from rich.table import Table
        from rich.text import Text

        table = Table(title=Text(shown(title)) if title else None, title_justify="left")
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*(Text(_cell(value)) for value in row))
        self._console().print(table)

    def _console(self) -> Console:
        from rich.console import Console

        # A pipe has no width of its own: a fixed one keeps tables whole in logs and files.
        stream = sys.stderr if self.json_on_stdout else sys.stdout
        return Console(file=stream, width=None if stream.isatty() else 140)


@contextmanager
def progress(total: int | None, label: str) -> Iterator[Advance]:
    """A progress bar on stderr, for terminals only; yields a function that advances it."""
    if not sys.stderr.isatty():
        yield lambda _count: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=total)
        yield lambda count: bar.advance(task, count)


def plain(value: Any) -> Any:
    """A value as JSON can hold it: arrays as lists, enums as text, NaN and infinity as null."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, bool) or value is None or isinstance(value, int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value)


def error_json(error: LineamentError | None) -> dict[str, str] | None:
    """``{"type", "message"}`` of a named error."""
    return None if error is None else {"type": type(error).__name__, "message": str(error)}


def face_json(face: Face, match: Match | None = None) -> dict[str, Any]:
    """One face; ``candidates`` is empty and ``decision`` null when no gallery was searched."""
    record: dict[str, Any] = {
        "box": _rounded(face.box),
        "score": round(face.score, 6),
        "landmarks": None if face.landmarks is None else _rounded(face.landmarks),
        "quality": None if face.quality is None else asdict(face.quality),
        "attempt": None if face.attempt is None else asdict(face.attempt),
        "candidates": [],
        "decision": None,
    }
    if face.attributes:
        record["attributes"] = dict(face.attributes)
        record["probabilities"] = {name: round(p, 6) for name, p in face.probabilities.items()}
    if match is not None:
        record["candidates"] = [asdict(candidate) for candidate in match.candidates]
        record["decision"] = match.decision
        record["threshold"] = match.threshold.to_json()
    return record


def picture_json(outcome: Outcome, matches: Sequence[Match] | None = None) -> dict[str, Any]:
    """One picture with all its faces, and one match a face where a gallery was searched."""
    width, height = outcome.size_wh or (None, None)
    return {
        "source": outcome.source,
        "width": width,
        "height": height,
        "outcome": outcome.status,
        "error": error_json(outcome.error),
        "faces": [
            face_json(face, matches[i] if matches is not None else None)
            for i, face in enumerate(outcome.faces)
        ],
    }


def _rounded(array: Any) -> Any:
    return [_rounded(item) for item in array] if getattr(array, "ndim", 0) else round(float(array), 3)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    return "" if value is None else shown(str(value))
