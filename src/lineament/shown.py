"""What a value with arrays shows of itself: their shapes, never their numbers.

A template identifies a person like a fingerprint, and what is printed ends in logs. A dataclass that may
hold one takes this as its ``__repr__``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from lineament.counting import quantity

_MOST = 6
"""Items of a sequence that are shown one by one."""


def shown(self: Any) -> str:
    """The class and its fields that are set, arrays by type and shape, long sequences by their length."""
    fields = ((f.name, getattr(self, f.name)) for f in dataclasses.fields(self) if f.repr)
    parts = [f"{name}={short(value)}" for name, value in fields if not _is_unset(value)]
    return f"{type(self).__name__}({', '.join(parts)})"


def short(value: Any) -> str:
    """One value in few words."""
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"<{value.dtype} {tuple(value.shape)}>" if value.shape else repr(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(value):,} bytes>"
    if isinstance(value, Mapping):
        items = [f"{key!r}: {short(one)}" for key, one in value.items()]
        return "{" + ", ".join(items) + "}" if len(items) <= _MOST else f"<{quantity(len(items), 'entry')}>"
    if isinstance(value, tuple | list):
        items = [short(one) for one in value[:_MOST]]
        return f"({', '.join(items)})" if len(value) <= _MOST else f"<{quantity(len(value), 'item')}>"
    return repr(value)


def _is_unset(value: Any) -> bool:
    return value is None or (isinstance(value, tuple | list | Mapping) and not value)
