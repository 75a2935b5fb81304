"""The frame of every training command: DATA in, flags of the trainer's settings, its answer told."""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeVar

import typer

from lineament.cli.options import JsonOption, StrictOption
from lineament.cli.targets import Writes
from lineament.cli.train.app import app
from lineament.cli.train.options import given, options_of, settings_from, take
from lineament.errors import MissingExtra

if TYPE_CHECKING:
    from lineament.io.manifest import Manifest
    from lineament.protocols import Advance
    from lineament.training.answers import TrainingAnswer

C = TypeVar("C")
DataArgument = Annotated[
    Path, typer.Argument(metavar="DATA", help="A manifest with splits, or the folder of one.")
]
OutOption = Annotated[
    Path,
    typer.Option("--out", metavar="DIR", help="The run folder; an unfinished one is gone on with."),
    Writes(),
]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="Settings as TOML; see configs/.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="One setting, over the file: loop.epochs=5."),
]


class Work(NamedTuple):
    """What is to be done: how much, in ``unit``, and the call that does it, telling of each part."""

    length: int
    run: Callable[[Advance], TrainingAnswer | None]
    unit: str = "batches"


def training(settings: type[C]) -> Callable[[Callable[[Manifest, Path, C], Work]], None]:
    """Make a command of what says the work of data, run folder and settings: its name, its docstring."""
    options = tuple(options_of(settings))

    def register(work_of: Callable[[Manifest, Path, C], Work]) -> None:
        def command(
            data: DataArgument,
            *,
            out: OutOption,
            config: ConfigOption = None,
            sets: SetOption = None,
            json: JsonOption = None,
            strict: StrictOption = False,
            **flags: Any,
        ) -> None:
            _require_torch()
            from lineament.cli.output import Report
            from lineament.cli.train.telling import followed
            from lineament.datasets.opening import open_dataset

            told = settings_from(settings, config, sets, given(options, flags))
            work = work_of(open_dataset(data), out, told)
            with Report(json) as report:
                with followed(work.length, work.unit) as advance:
                    answer = work.run(advance)
                if answer is None:
                    return  # a further process of torchrun: the first one tells
                report.line(answer.to_json())
                report.tell(answer.tables())
                report.tell(answer.notes())
            if strict and answer.failures:
                raise typer.Exit(1)

        take(command, options)
        app.command(work_of.__name__, help=inspect.getdoc(work_of))(command)

    return register


def _require_torch() -> None:
    """Raise `MissingExtra` without the training libraries."""
    if any(importlib.util.find_spec(name) is None for name in ("torch", "torchvision", "safetensors")):
        raise MissingExtra("training", "train")
