"""``lineament``: every command is a library call you could have made.

Exit status: 0 when every input was handled (refusals are counted and printed), 1 for a named failure or,
with ``--strict``, any refusal, 2 for wrong usage, 130 for Ctrl-C.
"""

from __future__ import annotations

import importlib
import sys

import typer

from lineament.cli import (
    analyze,
    calibrate,
    dataset,
    detect,
    evaluate,
    explain,
    gallery,
    models,
    train,
    verify,
)
from lineament.errors import LineamentError, UsageError

app = typer.Typer(
    name="lineament",
    help="Face recognition from raw photos to recognised people, with numbers one can trust.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # Plain help: the boxes of rich cost as much start-up time as everything else together.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("detect")(detect.detect)
app.command("analyze")(analyze.analyze)
app.command("verify")(verify.verify)
app.add_typer(gallery.app, name="gallery")
app.add_typer(models.app, name="models")
app.add_typer(dataset.app, name="dataset")
app.add_typer(train.app, name="train")
app.add_typer(evaluate.app, name="evaluate")
app.add_typer(explain.app, name="explain")
app.command("calibrate")(calibrate.calibrate)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(importlib.import_module("lineament").__version__)
        raise typer.Exit


@app.callback()
def _top(
    _version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
    ),
) -> None:
    pass


def main() -> None:
    """Run the command line; named errors become one line on stderr and an exit status."""
    from lineament.io.names import shown

    # Names of files and people may hold anything; printing them must never fail.
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    try:
        app()
    except LineamentError as error:
        typer.echo(f"{type(error).__name__}: {shown(str(error), limit=None)}", err=True)
        raise SystemExit(2 if isinstance(error, UsageError) else 1) from None
    except SystemExit as ended:
        # Typer turns Ctrl-C into this status, without a word.
        if ended.code == 130:
            typer.echo("interrupted; what was finished is kept", err=True)
        raise


if __name__ == "__main__":
    main()
