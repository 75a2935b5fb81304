"""Ids that files give as numbers or as text: 1, 1.0 and "1" are one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

T = TypeVar("T")


def plain(value: Any) -> str | None:
    """An id as text, None for what is none: lists, truth values, NaN."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return str(int(value)) if value == int(value) else repr(value)
    return str(value).strip() if isinstance(value, str) else str(value)


class ById(Generic[T]):
    """Entries by id. Two ids that only look alike ("01" and 1) are one where nothing else has either."""

    def __init__(self) -> None:
        self._entries: dict[str, T] = {}
        self._alike: dict[str, list[str]] = {}

    def add(self, identity: str, entry: T) -> T:
        """The entry that has this id already, or else the one given."""
        if identity not in self._entries:
            self._alike.setdefault(_number(identity), []).append(identity)
        return self._entries.setdefault(identity, entry)

    def key(self, value: Any) -> str | None:
        """The id under which an entry stands that ``value`` means; None when there is none."""
        text = plain(value)
        if text is None or text in self._entries:
            return text
        alike = self._alike.get(_number(text), [])
        return alike[0] if len(alike) == 1 else None

    def get(self, value: Any) -> T | None:
        """The entry that ``value`` means."""
        key = self.key(value)
        return None if key is None else self._entries[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def items(self) -> Iterator[tuple[str, T]]:
        """Ids and entries in the order they came."""
        return iter(self._entries.items())

    def __len__(self) -> int:
        return len(self._entries)


def _number(text: str) -> str:
    """The same text for "1", "1.0" and "001"."""
    try:
        value = float(text)
    except ValueError:
        return text
    if not math.isfinite(value) or value != int(value) or len(text) > 15:
        return text
    return str(int(value))
