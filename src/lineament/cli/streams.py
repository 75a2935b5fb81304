"""Standard streams that are closed, full or no longer read."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

CLOSED_PIPE = 141
"""The exit status of a program whose reader has gone, as ``head`` does: 128 and the number of SIGPIPE."""


def prepare() -> None:
    """Give closed streams something to be, and let names of any kind be printed.

    A file opened later would take a closed stream's number, and whatever a library prints there would land
    in it. Printing to a closed stdout fails, as with other programs; what goes to a closed stderr is lost.
    """
    for number, flags in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            with suppress(OSError):
                opened = os.open(os.devnull, flags)
                if opened != number:
                    os.dup2(opened, number)
                    os.close(opened)
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False, encoding="utf-8")  # noqa: SIM115
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False, encoding="utf-8")  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False, encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def complain(text: str) -> None:
    """One line on stderr, made safe to show; lost where nobody can read it."""
    from lineament.io.names import shown

    with suppress(OSError, ValueError):
        print(shown(text, limit=None), file=sys.stderr, flush=True)


@contextmanager
def printing() -> Iterator[None]:
    """What is printed in the block, and flushed: a reader that has gone ends the command without a word.

    Raises `OutputError` for a full disk or a closed stream.
    """
    from lineament.errors import OutputError

    try:
        yield
    except BrokenPipeError:
        drop()
        raise SystemExit(CLOSED_PIPE) from None
    except OSError as error:
        drop()
        from lineament.io.writing import unwritable

        raise OutputError(unwritable("standard output", error)) from error


def drop() -> None:
    """Send what stdout still holds nowhere: a second failure at the end would say nothing new."""
    with suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
