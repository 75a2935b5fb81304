"""Dataclasses from the plain values of a document, each checked against the type its field has.

Nothing is converted but lists to tuples, and no number is so large that another program could not hold it.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeVar

C = TypeVar("C")
Check = Callable[[Any], Any]
_LARGEST = 1 << 63


class WrongType(ValueError):
    """A value is not of its field's type; the message names the key and the value."""


def build(cls: type[C], values: Any) -> C:
    """The dataclass with these values by name; raises `WrongType` naming the key that is wrong."""
    made: C = _of_class(typing.cast(Any, cls))(values)
    return made


def number(value: Any) -> float:
    """A finite number as float; raises `WrongType`."""
    return float(_float(value))


def whole(value: Any) -> int:
    """A whole number; raises `WrongType`."""
    return int(_int(value))


def text(value: Any) -> str:
    """Text; raises `WrongType`."""
    return str(_str(value))


def table(value: Any) -> dict[str, Any]:
    """An object of JSON; raises `WrongType`."""
    if not isinstance(value, dict):
        raise _wrong(value, "an object")
    return value


def _wrong(value: Any, wanted: str) -> WrongType:
    shown = (
        "an object"
        if isinstance(value, dict)
        else "a list"
        if isinstance(value, list)
        else f"{value!r:.60}"
    )
    return WrongType(f"expected {wanted}, got {shown}")


@cache
def _of_class(cls: type[Any]) -> Check:
    hints = typing.get_type_hints(cls)
    checks = {field.name: _check(hints[field.name]) for field in dataclasses.fields(cls) if field.init}
    needed = {
        field.name
        for field in dataclasses.fields(cls)
        if field.init and field.default is field.default_factory is dataclasses.MISSING
    }

    def made(values: Any) -> Any:
        if not isinstance(values, dict):
            raise _wrong(values, "an object")
        ready = {}
        for key, value in values.items():
            check = checks.get(key)
            if check is None:
                raise WrongType(f"unknown key {key!r:.60}")
            try:
                ready[key] = check(value)
            except WrongType as error:
                raise WrongType(f"{key}: {error}") from None
        if missing := needed - ready.keys():
            raise WrongType(f"lacks {', '.join(sorted(missing))}")
        return cls(**ready)

    return made


def _check(hint: Any) -> Check:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint in _SCALARS:
        return _SCALARS[hint]
    if origin in (types.UnionType, typing.Union):
        return _one_of([_check(option) for option in args], hint)
    if origin is typing.Literal:
        return _literal(args)
    if origin is tuple:
        return _tuple(args)
    if origin is not None and issubclass(origin, Mapping):
        return _mapping(_check(args[1]))
    if dataclasses.is_dataclass(hint):
        return _of_class(typing.cast(type, hint))
    assert hint is Any, f"no rule for {hint}"
    return lambda value: value


def _str(value: Any) -> Any:
    if not isinstance(value, str):
        raise _wrong(value, "text")
    return value


def _int(value: Any) -> Any:
    if not isinstance(value, int) or isinstance(value, bool) or not -_LARGEST <= value < _LARGEST:
        raise _wrong(value, "a whole number")
    return value


def _float(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _wrong(value, "a number")
    return value


def _bool(value: Any) -> Any:
    if not isinstance(value, bool):
        raise _wrong(value, "true or false")
    return value


def _none(value: Any) -> Any:
    if value is not None:
        raise _wrong(value, "null")
    return None


_SCALARS: dict[Any, Check] = {str: _str, int: _int, float: _float, bool: _bool, type(None): _none}


def _one_of(checks: list[Check], hint: Any) -> Check:
    def check(value: Any) -> Any:
        first: WrongType | None = None
        for option in checks:
            try:
                return option(value)
            except WrongType as error:
                first = first or error
        assert first is not None
        raise first if len(checks) == 2 and _none in checks else _wrong(value, str(hint))

    return check


def _literal(allowed: tuple[Any, ...]) -> Check:
    def check(value: Any) -> Any:
        if not any(type(value) is type(one) and value == one for one in allowed):
            raise _wrong(value, " or ".join(map(repr, allowed)))
        return value

    return check


def _tuple(args: tuple[Any, ...]) -> Check:
    if len(args) == 2 and args[1] is Ellipsis:
        inner = _check(args[0])

        def check_all(value: Any) -> Any:
            if not isinstance(value, list | tuple):
                raise _wrong(value, "a list")
            return tuple([inner(one) for one in value])

        return check_all
    checks = [_check(one) for one in args]

    def check(value: Any) -> Any:
        if not isinstance(value, list | tuple) or len(value) != len(checks):
            raise _wrong(value, f"a list of {len(checks)}")
        return tuple([inner(one) for inner, one in zip(checks, value, strict=True)])

    return check


def _mapping(inner: Check) -> Check:
    def check(value: Any) -> Any:
        if not isinstance(value, dict):
            raise _wrong(value, "an object")
        return {key: inner(one) for key, one in value.items()}

    return check
