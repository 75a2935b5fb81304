"""What a training says, on stderr: a line an epoch, with a terminal or without; the bar only with one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lineament.cli import streams


@contextmanager
def followed(total: int | None, label: str) -> Iterator[Callable[[int], None]]:
    """As `lineament.cli.output.progress`, with what the training says above the bar."""
    from lineament.cli.output import progress
    from lineament.training.telling import log

    before, lines = log.level, _Lines()
    with progress(total, label) as advance:
        log.addHandler(lines)
        log.setLevel(logging.INFO)
        try:
            yield advance
        finally:
            log.setLevel(before)
            log.removeHandler(lines)


class _Lines(logging.Handler):
    """Prints to whatever stderr is by then: the bar puts itself in its place."""

    def emit(self, record: logging.LogRecord) -> None:
        streams.complain(self.format(record))
