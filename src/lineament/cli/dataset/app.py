"""The group that the dataset commands register with."""

import typer

app = typer.Typer(no_args_is_help=True, help="From raw photos to a clean, split, documented data set.")
