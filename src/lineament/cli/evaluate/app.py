"""The group that the evaluation commands register with."""

import typer

app = typer.Typer(no_args_is_help=True, help="Error rates on your own pictures, with what they rest on.")
