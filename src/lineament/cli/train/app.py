"""The group that the training commands register with."""

import typer

app = typer.Typer(no_args_is_help=True, help="Train models on a split data set; needs lineament[train].")
