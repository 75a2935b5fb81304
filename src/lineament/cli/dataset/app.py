"""The group that the dataset commands register with, and what several of them read."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="From raw photos to a clean, split, documented data set.")

DataArgument = Annotated[
    Path, typer.Argument(metavar="DATA", help="A folder a person, a manifest, or labels.")
]
