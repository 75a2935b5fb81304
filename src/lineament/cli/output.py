"""Where a command's answer goes: tables for people on stdout, or JSON, one object a line.

With ``--json -`` nothing but JSON reaches stdout. Progress and warnings always go to stderr.
"""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any

from lineament.answers import Answer, Table, plain
from lineament.cli import stopping, streams
from lineament.errors import LineamentError
from lineament.io import left_out, writing
from lineament.io.names import shown
from lineament.io.own_files import ANSWERS, LINE_END
from lineament.protocols import Advance

if TYPE_CHECKING:
    from rich.console import Console


class Report(AbstractContextManager["Report"]):
    """Writes one command's answer.

    The file of ``--json`` gets its name when the command ends. Ended early, by Ctrl-C or an error, it holds
    the whole lines so far; without a single one, the file that was there stays.
    """

    def __init__(self, json_path: str | None = None) -> None:
        self._json_path = json_path
        self._file: writing.Lines | None = None
        self._told = False
        self.json_on_stdout = json_path == "-"

    def __enter__(self) -> Report:
        stopping.begin()
        if self._json_path and not self.json_on_stdout:
            self._file = writing.Lines(self._json_path, ANSWERS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._tell_left_out()
            if isinstance(error, KeyboardInterrupt) and not self._told:
                self.say(f"interrupted{f' after {stopping.how_far()}' if stopping.how_far() else ''}")
        finally:
            if self._file is not None:
                self._file.close(whole=kind is None)

    def line(self, record: Mapping[str, Any]) -> None:
        """One JSON object as one line; does nothing without ``--json``."""
        text = json.dumps(plain(record), allow_nan=False) if self._json_path else ""
        with streams.printing():
            if self._file is not None:
                self._file.write(text + LINE_END)
            elif self.json_on_stdout:
                sys.stdout.write(text + "\n")
                sys.stdout.flush()

    def answer(self, answer: Answer) -> None:
        """An answer's line of JSON, and for people its notes and tables."""
        self.line(answer.to_json())
        self.tell(answer.told())

    def tell(self, parts: Iterable[str | Table]) -> None:
        """Notes and tables, one after the other."""
        for part in parts:
            if isinstance(part, Table):
                self.table(part.title, part.columns, part.rows)
            else:
                self.say(part)

    def _tell_left_out(self) -> None:
        """What walks through folders left out, in the last line of JSON and in words."""
        found = left_out.untold()
        if found.total():
            self.line({"left_out": found.to_json()})
            for sentence in found.sentences():
                self.say(sentence)

    @contextmanager
    def at_the_end(self, tell: Callable[[], None]) -> Iterator[None]:
        """Let ``tell`` say what was finished when the block ends, also when Ctrl-C or an error ends it."""
        try:
            yield
        except (KeyboardInterrupt, LineamentError) as error:
            self._told = True
            after = f" after {stopping.how_far()}" if stopping.how_far() else ""
            self.say(f"{'interrupted' if isinstance(error, KeyboardInterrupt) else 'broken off'}{after}:")
            tell()
            raise
        tell()

    def say(self, text: str) -> None:
        """One line for people; on stderr when stdout carries JSON."""
        with streams.printing():
            self._console().print(shown(text, limit=None), markup=False, highlight=False, soft_wrap=True)

    def listing(self, head: str, names: Sequence[str]) -> None:
        """Many names after a head: on its line where they fit, else in lines below."""
        line = f"{head}: {', '.join(names)}"
        width = self._console().width
        if len(line) <= width:
            self.say(line)
            return
        self.say(f"{head}:")
        wrapped = textwrap.TextWrapper(width - 2, break_long_words=False, break_on_hyphens=False)
        for part in wrapped.wrap(", ".join(names)):
            self.say(f"  {part}")

    def table(self, title: str | None, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """A table for people; left out when stdout carries JSON. Cells are shown literally.

        Without rows there is no frame: of a table with a title one line says that it holds none.
        """
        if self.json_on_stdout:
            return
        rows = list(rows)
        if not rows:
            if title:
                self.say(f"{title}: none")
            return
        from rich.table import Table as Grid
        from rich.text import Text

        table = Grid(title=Text(shown(title)) if title else None, title_justify="left")
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in rows:
            table.add_row(*(Text(_cell(value)) for value in row))
        with streams.printing():
            self._console().print(table)

    def _console(self) -> Console:
        from rich.console import Console

        class Printing(Console):
            def on_broken_pipe(self) -> None:
                raise BrokenPipeError  # for `streams.printing`, as every other error of the stream

        # A pipe has no width of its own: a fixed one keeps tables whole in logs and files.
        stream = sys.stderr if self.json_on_stdout else sys.stdout
        return Printing(file=stream, width=None if stream.isatty() else 140)


NEAR_LABEL = "steps: reading pictures and looking for near-duplicates"

_LEAST_BETWEEN_LINES = 300


@contextmanager
def progress(total: int | None, label: str, *, lines: bool = False) -> Iterator[Advance]:
    """A progress bar on stderr, for terminals only; yields a function that advances it.

    With ``lines`` there is a line on stderr without a terminal too, after every tenth of the total and
    every 300 at most. Each advance is a place where Ctrl-C may end the work.
    """
    stopping.begin()
    done = said = 0
    spoken = lines and total is not None and not sys.stderr.isatty()
    step = max((total or 0) // 10, _LEAST_BETWEEN_LINES)

    def advanced(count: int) -> None:
        nonlocal done, said
        done += count
        if spoken and done // step > said:
            said = done // step
            print(shown(f"{done:,} of {total:,} {label}"), file=sys.stderr, flush=True)
        stopping.note(f"{done:,} of {total:,} {label}" if total else f"{done:,} {label}")
        stopping.check()

    if not sys.stderr.isatty():
        yield advanced
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=total)

        def drawn(count: int) -> None:
            bar.advance(task, count)
            advanced(count)

        yield drawn


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    return "" if value is None else shown(str(value))
