"""Settings: mappings and TOML files into frozen dataclasses. Unknown keys are refused by name."""

from __future__ import annotations

import dataclasses
import difflib
import math
import operator
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from lineament.counting import quantity
from lineament.documents import read_toml
from lineament.errors import ConfigError

C = TypeVar("C")


def from_mapping(cls: type[C], values: Mapping[str, Any], *, where: str = "settings") -> C:
    """Build dataclass ``cls``; text is converted to the field's type (``"0.8"`` to 0.8).

    Raises `ConfigError` for unknown keys, naming the nearest known one, and for ill-typed values.
    """
    hints = typing.get_type_hints(cls)
    names = [f.name for f in dataclasses.fields(cls) if f.init]  # type: ignore[arg-type]
    ready: dict[str, Any] = {}
    for key, value in values.items():
        name = key.replace("-", "_")
        if name not in names:
            raise ConfigError(f"{where}: unknown setting {key!r}{did_you_mean(name, names)}")
        ready[name] = _convert(value, hints[name], f"{where}: {key}")
    try:
        return cls(**ready)
    except ConfigError as error:
        raise error if where == "settings" else ConfigError(f"{where}: {error}") from error
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{where}: {error}") from error


def from_toml(cls: type[C], path: Path) -> C:
    """Build dataclass ``cls`` from a TOML file."""
    return from_mapping(cls, read_toml(path), where=str(path))


def several(names: str | typing.Iterable[str]) -> list[str]:
    """The names given; one text alone is one name, never its letters."""
    return [names] if isinstance(names, str) else list(names)


def did_you_mean(word: str, known: typing.Iterable[str]) -> str:
    """A hint for an error message: the nearest known word, or all of them."""
    known = sorted(known)
    near = difflib.get_close_matches(word, known, n=1)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; known: {', '.join(known)}" if known else ""


def require_whole(name: str, value: object) -> None:
    """Raise `ConfigError` unless ``value`` is a whole number of at least 1."""
    try:
        number = 0 if isinstance(value, bool) else operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = 0
    if number < 1:
        raise ConfigError(f"{name}: expected a whole number of at least 1, got {value!r:.80}")


_TRUE, _FALSE = {"true", "yes", "on", "1"}, {"false", "no", "off", "0"}


def _convert(value: Any, hint: Any, where: str) -> Any:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        if value is None or (isinstance(value, str) and value.lower() == "none"):
            if type(None) in args:
                return None
            raise ConfigError(f"{where}: may not be none")
        failures = []
        for option in args:
            if option is type(None):
                continue
            try:
                return _convert(value, option, where)
            except ConfigError as error:
                failures.append(error)
        raise failures[0]
    if origin is typing.Literal:
        if value not in args:
            raise ConfigError(f"{where}: {value!r:.80} is not one of {', '.join(map(repr, args))}")
        return value
    if origin is tuple:
        if not isinstance(value, (str, list, tuple)):
            raise ConfigError(f"{where}: expected a list, got {value!r:.80}")
        items = value.split(",") if isinstance(value, str) else list(value)
        inner = args[0] if len(args) == 2 and args[1] is Ellipsis else None
        kinds = [inner] * len(items) if inner is not None else list(args)
        if len(kinds) != len(items):
            raise ConfigError(f"{where}: expected {quantity(len(kinds), 'value')}, got {len(items)}")
        return tuple(_convert(item, kind, where) for item, kind in zip(items, kinds, strict=True))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise ConfigError(f"{where}: expected a table, got {value!r:.80}")
        if args[1] is Any:
            return value
        words = str in typing.get_args(args[1])  # text that may be text stays it, also where it is a number
        return {
            key: inner if words and isinstance(inner, str) else _convert(inner, args[1], f"{where}: {key}")
            for key, inner in value.items()
        }
    if dataclasses.is_dataclass(hint) and not isinstance(value, typing.cast(type, hint)):
        if not isinstance(value, Mapping):
            raise ConfigError(f"{where}: expected a table, got {value!r:.80}")
        if hasattr(hint, "from_json"):
            try:
                return hint.from_json(value)
            except ConfigError as error:
                raise ConfigError(f"{where}: {error}") from error
        return from_mapping(typing.cast(type, hint), value, where=where)
    try:
        return _scalar(value, hint)
    except (TypeError, ValueError):
        name = getattr(hint, "__name__", str(hint))
        raise ConfigError(f"{where}: expected {name}, got {value!r:.80}") from None


def _scalar(value: Any, hint: Any) -> Any:
    if hint is bool:
        if isinstance(value, bool):
            return value
        word = str(value).lower()
        if word in _TRUE | _FALSE:
            return word in _TRUE  # "false" is a word, not a true value
        raise ValueError
    if hint is int:
        if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
            raise ValueError
        return int(value)
    if hint is float:
        if isinstance(value, bool):
            raise ValueError
        number = float(value)
        if not math.isfinite(number):
            raise ValueError
        return number
    if hint is str:
        if not isinstance(value, str):
            raise ValueError
        return value
    if hint is Path:
        return Path(value)
    kind = typing.get_origin(hint) or hint
    if isinstance(kind, type) and kind is not Any and not isinstance(value, kind):
        raise ValueError
    return value
