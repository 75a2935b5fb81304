"""The program ``lineament``: signals, streams and exit statuses around the commands.

Exit status: 0 when every input was handled (refusals are counted and printed), 1 for a named failure or,
with ``--strict``, any refusal, 2 for wrong usage, 130 for Ctrl-C (143 for `kill`), 141 when nobody reads
the output any more.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typer import Typer


def __getattr__(name: str) -> Typer:
    # Loaded only when it is asked for: `main` is to be in charge of Ctrl-C before that begins.
    if name == "app":
        from lineament.cli.commands import app

        return app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def main() -> None:
    """Run the command line; named errors become one line on stderr and an exit status."""
    from lineament.cli import stopping

    with stopping.Installed():
        from lineament.cli import streams

        streams.prepare()
        status = _run()
        asked = stopping.status()
        if asked is not None:
            streams.complain(stopping.told())
            stopping.leave(asked)
        if status == 130:  # a training hears Ctrl-C itself, to end a step whole
            streams.complain(stopping.told())
    raise SystemExit(status)


def _run() -> int | str | None:
    import sys

    from lineament.cli import stopping, streams
    from lineament.errors import LineamentError, OutputError, UsageError

    try:
        try:
            from lineament.cli.commands import app

            app()
        except SystemExit as ended:
            with streams.printing():
                sys.stdout.flush()
            return ended.code
    except SystemExit as ended:  # of the flush
        return ended.code
    except KeyboardInterrupt:
        return 130
    except LineamentError as error:
        if isinstance(error, OutputError) or stopping.status() is None:
            streams.complain(f"{type(error).__name__}: {error}")
        return 2 if isinstance(error, UsageError) else 1
    except Exception as error:
        if stopping.status() is not None:
            return 130  # interrupted in the middle, libraries raise many kinds
        if isinstance(error, OSError) and _is_of_the_disk(error):
            from lineament.io.writing import unwritable

            streams.complain(f"OutputError: {unwritable(error.filename or 'a file', error)}")
            return 1
        raise
    return 0


def _is_of_the_disk(error: OSError) -> bool:
    import errno

    return error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EROFS)


if __name__ == "__main__":
    main()
