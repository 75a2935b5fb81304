"""Which options and arguments write, and the look at all of them before a command begins."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_type_hints

import typer
from typer.core import TyperCommand

from lineament.cli import streams
from lineament.io.own_files import NEW, Kind


@dataclass(frozen=True, slots=True)
class Writes:
    """Marks an option or argument that names what is written: a file of a kind, or, without, a folder.

    A folder of pictures is ``apart``: in a folder that is read, the next run would take them for photos.
    """

    kind: Kind | None = None
    apart: bool = False


@dataclass(frozen=True, slots=True)
class Continued:
    """Marks what is read to be carried on: the earlier version of the very result that is written."""


class Guarded(TyperCommand):
    """A command that refuses, before any work, to write over what is not its own.

    It also minds what its walks through folders leave out: pictures of a kind that is not read are a
    refusal (``--strict``), whichever command it is.
    """

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        from lineament.io import left_out

        with guarded(self.callback, ctx.params), left_out.noticing():
            try:
                result = super().invoke(ctx)
            finally:  # ended before its answer began, or without one
                for sentence in left_out.untold().sentences():
                    streams.complain(sentence)
            if ctx.params.get("strict") and left_out.gathered().pictures:
                raise typer.Exit(1)
            return result


def guard(app: typer.Typer) -> None:
    """Make every command below an `Guarded` one."""
    for command in app.registered_commands:
        command.cls = Guarded
    for group in app.registered_groups:
        assert group.typer_instance is not None
        guard(group.typer_instance)


def written_by(callback: Callable[..., Any] | None) -> dict[str, Writes]:
    """The parameters of a command that write, by name."""
    return {name: mark for name, mark in _marks(callback) if isinstance(mark, Writes)}


@cache
def _marks(callback: Callable[..., Any] | None) -> tuple[tuple[str, object], ...]:
    assert callback is not None
    hints = get_type_hints(inspect.unwrap(callback), include_extras=True)
    return tuple((name, mark) for name, hint in hints.items() for mark in getattr(hint, "__metadata__", ()))


@contextmanager
def guarded(callback: Callable[..., Any] | None, values: Mapping[str, Any]) -> Iterator[None]:
    """Everything else that names a file is an input while the block runs; raises `WouldOverwrite`."""
    from lineament.errors import StoreError, UsageError
    from lineament.io import writing

    targets = written_by(callback)
    free = {*targets, *(name for name, mark in _marks(callback) if isinstance(mark, Continued))}
    inputs = [path for name, value in values.items() if name not in free for path in _paths(value)]
    with writing.command(inputs):
        seen: dict[str, str] = {}
        for name, mark in targets.items():
            value = values.get(name)
            if value is None or value == "-":
                continue
            if value == "":
                raise UsageError(f"the name given for {name} is empty; name a file")
            if mark.kind is None:
                writing.require_folder(value)
                if mark.apart:
                    _require_apart(value, inputs)
                place = os.path.realpath(value)
            elif mark.kind is NEW and os.path.lexists(value):
                raise StoreError(f"{value} exists already and is not overwritten; name another file")
            else:
                place = os.fspath(writing.require(value, mark.kind))
            if place in seen and not writing.is_stream(place):
                raise UsageError(f"{value}: is to be written by two options, {seen[place]} and {name}")
            seen[place] = name
        yield


def _require_apart(folder: str | Path, inputs: Iterable[str | Path]) -> None:
    from lineament.errors import UsageError
    from lineament.io.trained import CARD_NAME

    real = Path(os.path.realpath(folder))
    for read in inputs:
        known = Path(os.path.realpath(read))
        if real.is_relative_to(known) and known.is_dir() and not (known / CARD_NAME).exists():
            raise UsageError(
                f"{folder}: lies inside {read}, which this command reads: the next run would take the "
                "pictures written there for photos; name a folder outside"
            )


def _paths(value: Any) -> Iterator[str | Path]:
    """What a value may name: itself, or the parts of ``sqlite:FILE``, ``DIR:settings``, ``key=FILE``."""
    if isinstance(value, (list, tuple)):
        for one in value:
            yield from _paths(one)
    elif isinstance(value, Path):
        yield value
    elif isinstance(value, str):
        yield value
        for mark in (":", "="):
            before, found, after = value.partition(mark)
            if found:
                yield from (before, after.removeprefix("//") if after.startswith("///") else after)
