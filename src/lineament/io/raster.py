"""Every format but JPEG, by Pillow: opened for one announced format, turned into RGB strip by strip.

Alpha is laid over white, 16 bits keep their upper 8, colour profiles are ignored, and of several frames
or pages the first is read.
"""

from __future__ import annotations

import importlib
import io
from typing import Any

import numpy as np

from lineament.errors import CorruptPicture, PictureError, PictureTooLarge, UnsupportedFormat
from lineament.io.formats import Format
from lineament.io.orientation import from_exif
from lineament.types import UInt8

# The class is opened directly and not through Image.open, which would warn about sizes that our own
# limits allow, and refuse sizes that the caller's limits allow.
_PLUGIN = {
    Format.PNG: ("PngImagePlugin", "PngImageFile"),
    Format.WEBP: ("WebPImagePlugin", "WebPImageFile"),
    Format.GIF: ("GifImagePlugin", "GifImageFile"),
    Format.BMP: ("BmpImagePlugin", "BmpImageFile"),
    Format.TIFF: ("TiffImagePlugin", "TiffImageFile"),
    Format.AVIF: ("AvifImagePlugin", "AvifImageFile"),
    Format.PNM: ("PpmImagePlugin", "PpmImageFile"),
}
_STRIP_ROWS = 256
_BACKGROUND = 255
_ORIENTATION_TAG = 274
_BITS_TAG = 258


def open_header(data: bytes, format: Format) -> Any:
    """A Pillow picture whose header was read and whose pixels were not; raises `CorruptPicture`."""
    module, name = _PLUGIN[format]
    plugin = getattr(importlib.import_module(f"PIL.{module}"), name)
    try:
        return plugin(io.BytesIO(data))
    except MemoryError:
        raise PictureTooLarge(f"the {format.name} header asks for more memory than there is") from None
    except Exception as error:
        raise CorruptPicture(f"damaged {format.name} header: {_words(error)}") from None


def has_several(picture: Any) -> bool:
    """Whether further frames or pages follow the first."""
    try:
        return bool(getattr(picture, "is_animated", False))
    except Exception:
        return False


def orientation(picture: Any) -> int:
    """The EXIF orientation 1-8; 1 when there is none."""
    try:
        if picture.format == "TIFF":
            value = picture.tag_v2.get(_ORIENTATION_TAG, 1)
            return value if isinstance(value, int) and 1 <= value <= 8 else 1
        block = picture.info.get("exif", b"")
        return from_exif(block) if isinstance(block, bytes) else 1
    except Exception:
        return 1


def decode(picture: Any) -> UInt8:
    """Pixels as stored (no orientation): uint8 ``(H, W, 3)`` RGB."""
    try:
        return _rgb(picture)
    except PictureError:
        raise
    except MemoryError:
        width, height = picture.size
        raise PictureTooLarge(f"{width}x{height} pixels do not fit into memory") from None
    except Exception as error:
        raise CorruptPicture(f"damaged {picture.format}: {_words(error)}") from None


def _rgb(picture: Any) -> UInt8:
    shift = _grey_shift(picture)
    transparent = picture.info.get("transparency")
    picture.load()
    width, height = picture.size
    pixels = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, _STRIP_ROWS):
        bottom = min(top + _STRIP_ROWS, height)
        strip = picture.crop((0, top, width, bottom))
        out = pixels[top:bottom]
        if shift is not None:
            deep = np.asarray(strip)
            out[:] = (deep >> shift).clip(0, 255).astype(np.uint8)[:, :, None]
            if isinstance(transparent, int):
                out[deep == transparent] = _BACKGROUND
        elif picture.has_transparency_data:
            _over_white(np.asarray(strip.convert("RGBA")), out)
        else:
            out[:] = np.asarray(strip.convert("RGB"))
    return pixels


def _grey_shift(picture: Any) -> int | None:
    """How many bits a deep grey sample has above 8; None for pictures of 8 bits or of colour."""
    mode = picture.mode
    if mode in ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB"):
        return None
    if not mode.startswith("I;16") and not (mode == "I" and picture.format == "PPM"):
        raise UnsupportedFormat(
            f"{picture.format} with 32-bit samples (mode {mode}): which value is white is not known"
        )
    if picture.format == "TIFF":
        bits = picture.tag_v2.get(_BITS_TAG, (16,))
        return max(int(bits[0] if isinstance(bits, tuple) else bits) - 8, 0)
    return 8


def _over_white(rgba: UInt8, out: UInt8) -> None:
    alpha = rgba[:, :, 3:].astype(np.uint16)
    mixed = rgba[:, :, :3] * alpha + _BACKGROUND * (255 - alpha) + 127
    out[:] = mixed // 255


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
