"""Flags made of a trainer's settings, and settings from a file, flags and ``--set``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

import typer

from lineament.errors import ConfigError
from lineament.training.settings import FLAG, Flag

C = TypeVar("C")


class Option(NamedTuple):
    """A flag: the field it is of, with its table (``loop.epochs``), and the parameter of the command."""

    key: str
    flag: Flag
    parameter: inspect.Parameter


def options_of(settings: type, table: str = "") -> Iterator[Option]:
    """An option for each field with a `flag`, in their order, and those of nested settings.

    They are called as the field, ``--min-side``, behind the name of its table, ``--centres-share``, but for
    the loop's. None is what was not given.
    """
    hints = get_type_hints(settings)
    for one in fields(settings):
        kind, key = hints[one.name], f"{table}{one.name}"
        if is_dataclass(kind):
            assert isinstance(kind, type)
            yield from options_of(kind, f"{key}.")
        if (flag := one.metadata.get(FLAG)) is not None:
            option = flag.option or f"--{key.removeprefix('loop.').replace('.', '-').replace('_', '-')}"
            info = typer.Option(option, metavar=flag.metavar, help=flag.help)
            kind = bool if kind is bool else _kind(kind, repeat=flag.repeat) | None
            parameter = inspect.Parameter(
                option.removeprefix("--").replace("-", "_"),
                inspect.Parameter.KEYWORD_ONLY,
                default=False if kind is bool else None,
                annotation=Annotated[kind, info],
            )
            yield Option(key, flag, parameter)


def _kind(hint: Any, *, repeat: bool) -> Any:
    """What typer reads: a number or a path, and the words of everything else."""
    if repeat:
        return list[str]
    (kind, *_) = [one for one in (get_args(hint) or (hint,)) if one is not type(None)]
    return kind if kind in (int, float, Path) and get_origin(hint) not in (Literal, tuple) else str


def take(command: Callable[..., Any], options: Sequence[Option]) -> None:
    """Let a command that has ``config`` and ``**flags`` take the options: after the one, in the other."""
    own = dict(inspect.signature(command, eval_str=True).parameters)
    del own["flags"]
    names = list(own)
    after = names.index("config") + 1
    names[after:after] = [one.parameter.name for one in options]
    for one in options:
        if one.flag.before is not None:
            names.remove(one.parameter.name)
            names.insert(names.index(one.flag.before), one.parameter.name)
    known = own | {one.parameter.name: one.parameter for one in options}
    command.__signature__ = inspect.Signature([known[name] for name in names])  # type: ignore[attr-defined]
    command.__annotations__ = {name: known[name].annotation for name in names}


def given(options: Sequence[Option], flags: Mapping[str, Any]) -> dict[str, Any]:
    """Values by field of the flags that were given."""
    values = {}
    for key, flag, parameter in options:
        value = flags[parameter.name]
        if value is not None and value is not False and value != []:
            values[key] = flag.read(value) if flag.read else value
    return values


def settings_from(
    cls: type[C], config: Path | None, sets: list[str] | None, flags: Mapping[str, Any] | None = None
) -> C:
    """The settings dataclass of a trainer: the file, then flags that were given, then ``--set``.

    A key with dots goes into a table: ``loop.epochs``. Raises `ConfigError`.
    """
    from lineament.config import from_mapping
    from lineament.documents import read_toml

    values: dict[str, Any] = {}
    where = "settings"
    if config is not None:
        where = str(config)
        values = read_toml(config)
    for key, value in (flags or {}).items():
        _put(values, key, value)
    for item in sets or []:
        key, equals, value = item.partition("=")
        if not equals:
            raise ConfigError(f"--set {item!r}: expected KEY=VALUE")
        _put(values, key.strip(), value.strip())
    return from_mapping(cls, values, where=where)


def _put(values: dict[str, Any], key: str, value: Any) -> None:
    *tables, last = key.replace("-", "_").split(".")
    for table in tables:
        values = values.setdefault(table, {})
        if not isinstance(values, dict):
            raise ConfigError(f"{key}: {table} is no table")
    values[last] = value
