"""Options that several of these commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DataArgument = Annotated[
    Path, typer.Argument(metavar="DATA", help="A folder a person, a manifest, or labels.")
]
DifferingOption = Annotated[
    str,
    typer.Option(
        "--differing",
        metavar="refuse|first",
        help="A picture that two sources label differently: refused with both words, or the source named "
        "first counts.",
    ),
]
