"""The group that the training commands register with."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from lineament.cli import streams


class Resumable(TyperGroup):
    """Commands that go on where they were when they are given again, and say so when Ctrl-C ends them."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            streams.complain("the last checkpoint is kept: the same command goes on from it")
            raise


app = typer.Typer(
    cls=Resumable, no_args_is_help=True, help="Train models on a split data set; needs lineament[train]."
)
