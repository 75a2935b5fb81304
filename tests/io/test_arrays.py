"""Arrays become pictures only when nothing about them has to be guessed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image as pillow

from lineament.errors import InvalidArray
from lineament.types import Image, UInt8

RGB = np.random.default_rng(1).integers(0, 256, (9, 11, 3), np.uint8)
GREY = RGB[:, :, 0]


class Tensor:
    """What torch, JAX and others offer: ``__array__``, or the reason why not."""

    def __init__(self, values: Any, reason: str | None = None) -> None:
        self.values, self.reason = values, reason

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        if self.reason:
            raise RuntimeError(self.reason)
        return np.asarray(self.values, dtype=dtype)


def bgra(alpha: int) -> UInt8:
    return np.dstack([RGB[:, :, ::-1], np.full(RGB.shape[:2], alpha, np.uint8)])


TAKEN: dict[str, tuple[Any, str, float | None, Any]] = {
    "rgb": (RGB, "rgb", None, RGB),
    "bgr, a view with negative strides": (RGB[:, :, ::-1], "bgr", None, RGB),
    "every second column of a larger one": (np.repeat(RGB, 2, axis=1)[:, ::2], "rgb", None, RGB),
    "columns first in memory": (np.asfortranarray(RGB), "rgb", None, RGB),
    "read-only": (np.broadcast_to(RGB, RGB.shape), "rgb", None, RGB),
    "grey": (GREY, "grey", None, np.dstack([GREY] * 3)),
    "grey with a channel axis": (GREY[:, :, None], "grey", None, np.dstack([GREY] * 3)),
    "opaque alpha": (bgra(255), "bgr", None, RGB),
    "clear alpha lies over white": (np.dstack([RGB, GREY]), "rgb", None, None),
    "an alpha of zeros is an unused channel": (bgra(0), "bgr", None, RGB),
    "floats to 1": (RGB / 255, "rgb", 1.0, RGB),
    "float32 to 255": (RGB.astype(np.float32), "rgb", 255, RGB),
    "16 bits": (RGB.astype(np.uint16) * 257, "rgb", 65535, RGB),
    "12 bits": ((GREY * 16.0625).astype(np.uint16), "grey", 4095, None),
    "int64, as arithmetic gives": (RGB.astype(np.int64), "rgb", 255, RGB),
    "a list of lists": (GREY.tolist(), "grey", 255, np.dstack([GREY] * 3)),
    "a mask": (GREY > 128, "grey", None, np.dstack([(GREY > 128) * 255] * 3)),
    "a tensor": (Tensor(RGB), "rgb", None, RGB),
    "overshoot of rounding": (np.clip(RGB / 255, 0, 1) * 1.0000002, "rgb", 1, RGB),
}


@pytest.mark.parametrize("name", TAKEN)
def test_what_is_said_of_an_array_is_what_the_picture_shows(name: str) -> None:
    """Order and white are said by the caller; memory order, views and channel axes change no pixel."""
    array, order, white, wanted = TAKEN[name]
    image = Image.from_array(array, order, white=white, source="camera", timestamp=1.5)  # type: ignore[arg-type]
    assert image.pixels.dtype == np.uint8 and image.pixels.flags.c_contiguous
    assert (image.source, image.timestamp, image.hw) == ("camera", 1.5, (9, 11))
    if wanted is not None:
        assert (image.pixels == wanted).all()


def test_alpha_lies_over_white() -> None:
    """Half transparent black is grey, as in a file."""
    array = np.zeros((4, 4, 4), np.uint8)
    array[:, :2, 3] = 128
    pixels = Image.from_array(array, "rgb").pixels
    assert (pixels[:, :2] == 127).all() and (pixels[:, 2:] == 255).all()


@pytest.mark.parametrize("order", ["rgb", "bgr"])
def test_a_picture_keeps_its_pixels_when_the_array_changes(order: Any) -> None:
    """A camera writes its next frame into the same array: the picture of the last one stays."""
    frame = RGB.copy()
    image = Image.from_array(frame, order)
    before = image.pixels.copy()
    frame[:] = 0
    assert (image.pixels == before).all()


REFUSED: dict[str, tuple[Any, str, float | None, str]] = {
    "nothing, as cv2.imread gives": (None, "bgr", None, "cannot read"),
    "float without white": (RGB / 255, "rgb", None, "white="),
    "uint16 without white": (RGB.astype(np.uint16), "rgb", None, "white="),
    "normalised for a network": ((RGB / 255 - 0.5) / 0.2, "rgb", 1.0, "normalisation"),
    "0 to 255 said to be 0 to 1": (RGB.astype(float), "rgb", 1.0, "white"),
    "NaN": (np.full((9, 9), np.nan), "grey", 1.0, "nan"),
    "infinity": (np.full((9, 9), np.inf), "grey", 1.0, "inf"),
    "white of zero": (RGB, "rgb", 0, "positive"),
    "channels first": (RGB.transpose(2, 0, 1), "rgb", None, r"transpose\(1, 2, 0\)"),
    "a batch": (RGB[None], "rgb", None, "an Image of each"),
    "empty": (RGB[:0], "rgb", None, "empty"),
    "grey said to be colour": (GREY, "bgr", None, 'order="grey"'),
    "one channel said to be colour": (GREY[:, :, None], "rgb", None, 'order="grey"'),
    "colour said to be grey": (RGB, "grey", None, "colours"),
    "two channels": (RGB[:, :, :2], "rgb", None, r"\(H, W, 3\)"),
    "a row": (GREY[0], "grey", None, r"\(H, W\)"),
    "the bytes of a file": (np.frombuffer(b"\xff\xd8" * 9, np.uint8), "rgb", None, "no picture"),
    "a number": (np.uint8(7), "grey", None, "no picture"),
    "text": ("a.jpg", "rgb", None, "no pixels"),
    "objects": (np.array([[None]]), "grey", None, "no pixels"),
    "complex": (RGB * 1j, "rgb", 255, "no pixels"),
    "ragged rows": ([[1, 2], [3]], "grey", 255, "cannot be read"),
    "a tensor on a GPU": (Tensor(RGB, "copy it to the host first"), "rgb", None, "to the host"),
    "a PIL picture": (pillow.new("P", (9, 9)), "rgb", None, "from_pil"),
    "an Image": (Image(RGB), "rgb", None, "no pixels"),
    "capitals": (RGB, "RGB", None, "one of rgb, bgr, grey"),
    "American": (GREY, "gray", None, "one of rgb, bgr, grey"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_known_is_refused_with_the_call_that_helps(name: str) -> None:
    """An array that is no picture, or could be two, ends in `InvalidArray` that says what to do."""
    array, order, white, words = REFUSED[name]
    with pytest.raises(InvalidArray, match=words):
        Image.from_array(array, order, white=white)  # type: ignore[arg-type]


def test_the_order_must_be_said() -> None:
    """There is no default order: whoever forgets it hears so at once."""
    with pytest.raises(TypeError, match="order"):
        Image.from_array(RGB)  # type: ignore[call-arg]
