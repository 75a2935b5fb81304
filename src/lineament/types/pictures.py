"""One decoded picture."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from lineament import pixels
from lineament.errors import InvalidArray
from lineament.types.arrays import UInt8

if TYPE_CHECKING:
    from PIL.Image import Image as PillowPicture


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """One picture, decoded, upright; `from_array` and `from_pil` make one of what other libraries hold.

    ``pixels`` is uint8 ``(H, W, 3)`` RGB with the EXIF orientation applied. ``scale`` is how many
    pixels of the upright file one pixel of this array stands for: 1 unless decoded at reduced size.
    ``timestamp`` is in seconds from the start of a video.
    """

    pixels: UInt8
    source: str = "<memory>"
    timestamp: float | None = None
    scale: float = 1.0

    def __repr__(self) -> str:
        width, height = self.size_wh
        return f"Image({width}x{height}, source={self.source!r})"

    def __post_init__(self) -> None:
        p = self.pixels
        if p.dtype != np.uint8 or p.ndim != 3 or p.shape[2] != 3 or 0 in p.shape:
            raise InvalidArray(f"picture: expected uint8 (H, W, 3) RGB, got {p.dtype} {p.shape}")

    @classmethod
    def from_array(
        cls,
        array: Any,
        order: Literal["rgb", "bgr", "grey"],
        *,
        white: float | None = None,
        source: str = "<memory>",
        timestamp: float | None = None,
    ) -> Self:
        """A picture of an array ``(H, W, 3)``, ``(H, W, 4)`` with alpha, or ``(H, W)`` grey; copies it.

        ``order`` says what its channels are: OpenCV's are ``"bgr"``. ``white`` is the value that is white:
        it is 255 for uint8 and True for bool, and must be said of every other type (1.0 for most floats,
        65535 for most uint16). Alpha is laid over white. Raises `InvalidArray` for what cannot be a
        picture, naming the call that helps.
        """
        return cls(pixels.from_array(array, order, white), source=source, timestamp=timestamp)

    @classmethod
    def from_pil(cls, picture: PillowPicture, *, source: str | None = None) -> Self:
        """A picture of a PIL picture in any mode, upright: the pixels that its file would give.

        Of several frames it is the current one; ``source`` is by default the file it was opened from.
        Raises the `PictureError` that the file would, and `PictureUnreadable` where it was closed.
        """
        from lineament.io.pillow_picture import pixels_of

        name = source or str(getattr(picture, "filename", "")) or "<memory>"
        return cls(pixels_of(picture), source=name)

    @property
    def hw(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.pixels.shape[0], self.pixels.shape[1]

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.pixels.shape[1], self.pixels.shape[0]

    def digest(self) -> str:
        """SHA-256 of the size and the pixels, in hex: the same for a file, its bytes and a stream."""
        pixels = np.ascontiguousarray(self.pixels)
        total = hashlib.sha256(b"%dx%d:" % self.size_wh)
        total.update(pixels.data)
        return total.hexdigest()
