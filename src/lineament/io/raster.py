"""Every format but JPEG, by Pillow: opened for one announced format, turned into RGB strip by strip.

Alpha is laid over white, 16 bits keep their upper 8, colour profiles are ignored, and of several frames
or pages the first is read.
"""

from __future__ import annotations

import importlib
import io
import logging
import re
import threading
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL.Image import DecompressionBombError

from lineament.errors import CorruptPicture, PictureError, PictureTooLarge, UnsupportedFormat
from lineament.io.formats import Format
from lineament.io.orientation import from_exif
from lineament.io.png import essentials
from lineament.pixels import over_white
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
_BITS_TAG = 258
_COMPRESSION_TAG = 259
_TIFF_COMPRESSIONS = {1, 5, 7, 8, 32946, 32773}  # none, LZW, JPEG, deflate (two numbers), PackBits
# AVIF tells its orientation in properties of its own; the decoder refuses the whole picture when the EXIF
# beside them is damaged, so the entry that announces EXIF is renamed (ISO 14496-12, 8.11.6: item info).
_AVIF_EXIF = re.compile(rb"(infe(?:\x02...|\x03.....)....)Exif", re.DOTALL)
# Pillow warns about damaged metadata, which changes no pixel; catching warnings is not safe in threads, so
# headers are read one at a time. Pixels (but for TIFF) are decoded outside of this lock.
_quiet = threading.Lock()
logging.getLogger("PIL").addHandler(logging.NullHandler())  # else its errors go to stderr


@dataclass(frozen=True, slots=True)
class Opened:
    """A Pillow picture whose header was read and whose pixels were not."""

    picture: Any
    orientation: int
    several: bool


def open_header(data: bytes, format: Format, max_pixels: int) -> Opened:
    """Read the header only; raises a `PictureError` when it is damaged, or too large to be read safely."""
    if format is Format.WEBP:
        _check_webp(data, max_pixels)
    elif format is Format.AVIF:
        data = _AVIF_EXIF.sub(rb"\1free", data)
    gate = essentials(data) if format is Format.PNG else None
    module, name = _PLUGIN[format]
    plugin = getattr(importlib.import_module(f"PIL.{module}"), name)
    try:
        with _quiet, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            picture = plugin(io.BytesIO(gate.data if gate else data))
            several = _has_several(picture)
    except (MemoryError, DecompressionBombError):
        raise PictureTooLarge(f"the {format.name} header asks for more memory than allowed") from None
    except Exception as error:
        raise CorruptPicture(f"damaged {format.name} header: {_words(error)}") from None
    if gate:
        return Opened(picture, from_exif(gate.exif), gate.animated)
    if format is Format.TIFF and picture.tag_v2.get(_COMPRESSION_TAG, 1) not in _TIFF_COMPRESSIONS:
        raise UnsupportedFormat("a TIFF with a compression that photos do not use (fax, old JPEG ...)")
    return Opened(picture, _orientation(picture), several)


def _has_several(picture: Any) -> bool:
    try:
        return bool(getattr(picture, "is_animated", False))
    except Exception:  # damage further on does not cost the first frame
        return False


def _orientation(picture: Any) -> int:
    # Pillow turns TIFF itself while it decodes, and already tells the turned size.
    block = picture.info.get("exif")
    return from_exif(block) if isinstance(block, bytes) and picture.format != "TIFF" else 1


def _check_webp(data: bytes, max_pixels: int) -> None:
    """Refuse a huge canvas here: the decoder would allocate it while it reads the header.

    WebP container specification: sizes are 24 bits less one (VP8X), 14 less one (VP8L), 14 (VP8).
    """
    chunk, body = data[12:16], data[20:30]
    if chunk == b"VP8X":
        width, height = (1 + int.from_bytes(body[i : i + 3], "little") for i in (4, 7))
    elif chunk == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    else:
        width, height = (int.from_bytes(body[i : i + 2], "little") & 0x3FFF for i in (6, 8))
    if width * height > max_pixels:
        raise PictureTooLarge(f"{width}x{height} pixels are more than the limit of {max_pixels:,}")


def decode(picture: Any) -> UInt8:
    """Pixels as stored (no orientation): uint8 ``(H, W, 3)`` RGB."""
    try:
        return _rgb(picture)
    except PictureError:
        raise
    except (MemoryError, DecompressionBombError):
        width, height = picture.size
        raise PictureTooLarge(f"{width}x{height} pixels do not fit into memory") from None
    except Exception as error:
        raise CorruptPicture(f"damaged {picture.format}: {_words(error)}") from None


def _rgb(picture: Any) -> UInt8:
    shift = _grey_shift(picture)
    transparent = picture.info.get("transparency")
    _load(picture)
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
            over_white(np.asarray(strip.convert("RGBA")), out)
        else:
            out[:] = np.asarray(strip.convert("RGB"))
    return pixels


def _load(picture: Any) -> None:
    if picture.format != "TIFF":
        picture.load()
        return
    with _quiet, warnings.catch_warnings():  # it reads all of its metadata while it decodes
        warnings.simplefilter("ignore")
        picture.load()


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


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
