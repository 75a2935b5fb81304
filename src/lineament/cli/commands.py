"""The tree of commands: every command is a library call you could have made."""

from __future__ import annotations

import importlib
import os

import typer

from lineament.cli import (
    album,
    analyze,
    anonymize,
    calibrate,
    cluster,
    dataset,
    detect,
    evaluate,
    explain,
    gallery,
    import_,
    keys,
    models,
    models_added,
    serve,
    train,
    verify,
    watch,
)
from lineament.cli.targets import guard

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
app.command("watch")(watch.watch)
app.command("anonymize")(anonymize.anonymize)
app.add_typer(gallery.app, name="gallery")
app.add_typer(import_.app, name="import")
app.command("serve")(serve.serve)
app.add_typer(keys.app, name="keys")
app.command("cluster")(cluster.cluster)
app.add_typer(album.app, name="album")
models.app.command("add")(models_added.add)
models.app.command("remove")(models_added.remove)
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


def _take_models_from(folder: str | None) -> None:
    if folder is not None:
        from lineament.io import model_folders

        os.environ[model_folders.VARIABLE] = folder
        model_folders.folders()


@app.callback()
def _top(
    _models: str | None = typer.Option(
        None,
        "--models-dir",
        metavar="DIR",
        callback=_take_models_from,
        help="Take model files from there, by SHA-256, before fetching any; as LINEAMENT_MODELS.",
    ),
    _version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
    ),
) -> None:
    pass


guard(app)
