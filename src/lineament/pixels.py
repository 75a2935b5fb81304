"""What the numbers of an array mean as a picture: pure NumPy, no guess.

An array says neither which channel is red nor which value is white, so the caller does; whatever remains
open ends in `InvalidArray` with the call that settles it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineament.counting import quantity
from lineament.errors import InvalidArray

ORDERS = ("rgb", "bgr", "grey")
_BACKGROUND = 255


def from_array(array: Any, order: str, white: float | None = None) -> NDArray[np.uint8]:
    """A new uint8 ``(H, W, 3)`` RGB array; see `lineament.types.Image.from_array`."""
    if order not in ORDERS:
        raise InvalidArray(f"order {order!r}: one of {', '.join(ORDERS)}")
    values = _array_of(array)
    _require_layout(values, order)
    pixels = _bytes_of(values, white)
    if order == "grey":
        return np.repeat(pixels.reshape(*pixels.shape[:2], 1), 3, axis=2)
    color = pixels[:, :, 2::-1] if order == "bgr" else pixels[:, :, :3]
    if pixels.shape[2] == 4 and pixels[:, :, 3].any():  # nothing opaque at all: the channel is unused
        out = np.empty_like(color, order="C")
        over_white(np.concatenate([color, pixels[:, :, 3:]], axis=2), out)
        return out
    return np.array(color, order="C")  # a copy: cameras write the next frame into the same buffer


def over_white(rgba: NDArray[np.uint8], out: NDArray[np.uint8]) -> None:
    """Lay uint8 ``(H, W, 4)`` over white into uint8 ``(H, W, 3)``."""
    alpha = rgba[:, :, 3:].astype(np.uint16)
    mixed = rgba[:, :, :3] * alpha + _BACKGROUND * (255 - alpha) + 127
    out[:] = mixed // 255


def _array_of(array: Any) -> NDArray[Any]:
    if array is None:
        raise InvalidArray("None is no array: OpenCV gives it for a file that it cannot read")
    if hasattr(array, "getexif"):
        raise InvalidArray("a PIL picture is no array (its palette would be lost): use Image.from_pil")
    try:
        values = np.asarray(array)
    except Exception as error:  # a tensor on a GPU or with a gradient, rows of different lengths
        raise InvalidArray(f"{type(array).__name__} cannot be read as an array: {error}") from None
    if values.dtype.kind not in "biuf":
        raise InvalidArray(f"an array of {values.dtype} ({type(array).__name__}) holds no pixels")
    return values


def _require_layout(values: NDArray[Any], order: str) -> None:
    shape = values.shape
    if 0 in shape:
        raise InvalidArray(f"an array of shape {shape} is empty")
    if len(shape) == 4:
        raise InvalidArray(
            f"an array of shape {shape} holds {quantity(shape[0], 'picture')}: make an Image of each"
        )
    if len(shape) == 3 and shape[0] in (1, 3, 4) and shape[2] not in (1, 3, 4):
        raise InvalidArray(
            f"an array of shape {shape} has its channels first: give array.transpose(1, 2, 0) "
            "(of a tensor: tensor.permute(1, 2, 0))"
        )
    wanted = {(2, 0), (3, 1)} if order == "grey" else {(3, 3), (3, 4)}
    if (len(shape), shape[2] if len(shape) == 3 else 0) in wanted:
        return
    if len(shape) == 2 or (len(shape) == 3 and shape[2] == 1):
        raise InvalidArray(f'an array of shape {shape} has one channel: say order="grey"')
    if order == "grey" and len(shape) == 3 and shape[2] in (3, 4):
        raise InvalidArray(f'an array of shape {shape} has colours: say order="rgb" or order="bgr"')
    raise InvalidArray(f"an array of shape {shape} is no picture: expected (H, W, 3), (H, W, 4) or (H, W)")


def _bytes_of(values: NDArray[Any], white: float | None) -> NDArray[np.uint8]:
    """The values as uint8, white as 255."""
    if values.dtype == np.bool_:
        return values.astype(np.uint8) * np.uint8(255)
    if white is None:
        if values.dtype == np.uint8:
            return values
        raise InvalidArray(
            f"an array of {values.dtype} does not say which value is white: say white=1.0, 255, 65535 ..."
        )
    if not white > 0 or not np.isfinite(white):
        raise InvalidArray(f"white={white}: the value of white is a positive number")
    low, high = float(values.min()), float(values.max())
    # Resizing and colour arithmetic overshoot by rounding; more than that is another scale.
    if not (low >= -0.001 * white and high <= 1.001 * white):  # so that NaN is refused too
        raise InvalidArray(
            f"values from {low:g} to {high:g} lie outside of 0 to white={white:g}: give the value that is "
            "white, and undo a normalisation (mean and deviation) first"
        )
    out = np.empty(values.shape, np.uint8)
    for row, line in zip(out, values, strict=True):  # a line at a time: no copy of the whole in float64
        row[...] = np.clip(np.rint(line * (255.0 / white)), 0, 255)
    return out
