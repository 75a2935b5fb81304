"""Arrays as the domain data holds them: checked once at the edge, rows chosen in one way."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineament.errors import InvalidArray

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
UInt8 = NDArray[np.uint8]


def require_float32(name: str, values: Any, shape: tuple[int | None, ...]) -> Float32:
    """Validate once at the edge: finite float32 of the given shape (None = any length)."""
    array = np.ascontiguousarray(values, dtype=np.float32)
    if array.ndim != len(shape) or any(
        want is not None and got != want for got, want in zip(array.shape, shape, strict=True)
    ):
        wanted = ", ".join("any" if n is None else str(n) for n in shape)
        raise InvalidArray(f"{name}: expected shape ({wanted}), got {array.shape}")
    if not np.isfinite(array).all():
        raise InvalidArray(f"{name}: holds NaN or infinity")
    return array


def chosen_rows(rows: Any, count: int) -> int | NDArray[np.intp]:
    """One row as a plain index from 0, several as an array of them; raises `IndexError`."""
    if not isinstance(rows, slice | list | tuple | bool | np.bool_) and getattr(rows, "ndim", 0) == 0:
        try:
            index = operator.index(rows)
        except TypeError:
            raise IndexError(
                f"{rows!r} is no index: give a whole number, a slice, a mask or a list of numbers"
            ) from None
        if not -count <= index < count:
            raise IndexError(f"index {index} is out of range: there are {count}")
        return index % count
    picked: NDArray[np.intp] = np.arange(count)[rows]
    if picked.ndim != 1:
        raise IndexError("a mask or list of numbers has one dimension")
    return picked
