"""How transfers of model files are shown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from lineament.cli import streams

if TYPE_CHECKING:
    from lineament.io.delivery import Progress


@contextmanager
def transfers() -> Iterator[Progress]:
    """Progress of transfers on stderr: a bar on a terminal, else a line when each begins."""
    import sys

    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    console = Console(stderr=True)
    if not sys.stderr.isatty():
        begun: set[str] = set()

        def note(description: str, done: int, total: int | None) -> None:
            if description not in begun:
                begun.add(description)
                size = f" ({total / 1e6:.1f} MB)" if total else ""
                streams.complain(f"{description}{size}")

        yield note
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        tasks: dict[str, Any] = {}

        def draw(description: str, done: int, total: int | None) -> None:
            if description not in tasks:
                tasks[description] = bars.add_task(description, total=total)
            bars.update(tasks[description], completed=done, total=total)

        yield draw
