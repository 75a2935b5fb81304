"""Every format but JPEG and PNM, by Pillow: opened for one format, turned into RGB strip by strip.

Alpha is laid over white, 16 bits keep their upper 8, colour profiles are ignored, and of several frames
the first is read, of several pages the first that is no preview (`lineament.io.tiff`).
"""

from __future__ import annotations

import importlib
import io
import logging
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL.Image import DecompressionBombError

from lineament.errors import CorruptPicture, PictureError, PictureTooLarge, UnsupportedFormat
from lineament.io import heif
from lineament.io.formats import Format
from lineament.io.gif import first_frame
from lineament.io.orientation import from_exif
from lineament.io.png import essentials
from lineament.io.tiff import photo
from lineament.pixels import over_white
from lineament.types import UInt8

# The class is opened directly and not through Image.open, which would warn about sizes that our own
# limits allow, and refuse sizes that the caller's limits allow.
_PLUGIN = {
    Format.PNG: ("PIL.PngImagePlugin", "PngImageFile"),
    Format.WEBP: ("PIL.WebPImagePlugin", "WebPImageFile"),
    Format.GIF: ("PIL.GifImagePlugin", "GifImageFile"),
    Format.BMP: ("PIL.BmpImagePlugin", "BmpImageFile"),
    Format.TIFF: ("PIL.TiffImagePlugin", "TiffImageFile"),
    Format.AVIF: ("PIL.AvifImagePlugin", "AvifImageFile"),
    Format.HEIF: ("pi_heif.as_plugin", "HeifImageFile"),
}
# Of BMP's ways of packing, the two that Pillow decodes in Python; the oldest header has none.
_RUN_LENGTHS = {b"\1\0\0\0", b"\2\0\0\0"}
_OLD_HEADER = b"\x0c\0\0\0"
_STRIP_ROWS = 256
_BACKGROUND = 255
_BITS_TAG = 258
_PHOTOMETRIC_TAG = 262
# Formats whose fourth channel is often only there to fill up 32 bits. PNG, WebP, GIF, AVIF and HEIF define
# it as alpha: a picture of theirs that is clear everywhere is a blank one.
_PADDING_FOR_ALPHA = {"BMP", "DIB", "TIFF"}
# AVIF and HEIF tell their orientation in properties of their own; the decoders refuse the whole picture
# when the EXIF or XMP beside them is damaged, so the entries that announce it are renamed (ISO 14496-12,
# 8.11.6).
_METADATA = re.compile(rb"(infe(?:\x02...|\x03.....)....)(?:Exif|mime)", re.DOTALL)
logging.getLogger("PIL").addHandler(logging.NullHandler())  # else its errors go to stderr


@dataclass(frozen=True, slots=True)
class Opened:
    """A Pillow picture whose header was read and whose pixels were not.

    ``orientation`` is still to be applied; ``inverted`` tells that 0 is white, ``bounded`` that decoding
    takes no longer than a picture of its size may take.
    """

    picture: Any
    orientation: int
    several: bool
    inverted: bool = False
    bounded: bool = True


def import_plugins() -> None:
    """Import the decoders of every format that can be read here, as the first of its pictures would."""
    for format, (module, _) in _PLUGIN.items():
        if format is not Format.HEIF or heif.available():
            importlib.import_module(module)


def open_header(data: bytes, format: Format, max_pixels: int) -> Opened:
    """Read the header only; raises a `PictureError` when it is damaged, or too large to be read safely."""
    if format is Format.TIFF:
        page = photo(data)
        picture = _open(page.data, format)
        # A strip of JPEG may have any number of scans.
        return Opened(picture, page.orientation, page.several, page.inverted, bounded=not page.jpeg)
    if format is Format.PNG:
        gate = essentials(data)
        return Opened(_open(gate.data, format), from_exif(gate.exif), gate.animated)
    if format is Format.GIF:
        frame = first_frame(data)
        return Opened(_open(frame.data, format), 1, frame.several)
    if format is Format.BMP and data[30:34] in _RUN_LENGTHS and data[14:18] != _OLD_HEADER:
        raise UnsupportedFormat("a run-length coded BMP; save it uncompressed, or as PNG")
    if format is Format.HEIF:
        heif.require()
        heif.check(data)
    if format is Format.WEBP:
        _check_webp(data, max_pixels)
    elif format in (Format.AVIF, Format.HEIF):
        data = _METADATA.sub(rb"\1free", data)
    picture = _open(data, format)
    return Opened(picture, orientation_of(picture), _has_several(picture))


def _open(data: bytes, format: Format) -> Any:
    module, name = _PLUGIN[format]
    plugin = getattr(importlib.import_module(module), name)
    try:
        return plugin(io.BytesIO(data))
    except (MemoryError, DecompressionBombError):
        raise PictureTooLarge(f"the {format.name} header asks for more memory than allowed") from None
    except Exception as error:
        words = _words(error)
        if words.startswith(_UNKNOWN):
            raise UnsupportedFormat(f"a {format.name} of a kind that is not read: {words}") from None
        raise CorruptPicture(f"damaged {format.name} header: {words}") from None


def _has_several(picture: Any) -> bool:
    try:
        return bool(getattr(picture, "is_animated", False))
    except Exception:  # damage further on does not cost the first frame
        return False


def orientation_of(picture: Any) -> int:
    """The orientation 1-8 that an opened Pillow picture still needs.

    Pillow turns TIFF itself, and libheif HEIF, while they decode.
    """
    block = picture.info.get("exif")
    turned = picture.format in ("TIFF", "HEIF")
    return from_exif(block) if isinstance(block, bytes) and not turned else 1


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


def decode(opened: Opened) -> UInt8:
    """Pixels as stored (no orientation): uint8 ``(H, W, 3)`` RGB."""
    picture = opened.picture
    try:
        return rgb(picture, inverted=opened.inverted)
    except PictureError:
        raise
    except (MemoryError, DecompressionBombError):
        width, height = picture.size
        raise PictureTooLarge(f"{width}x{height} pixels do not fit into memory") from None
    except Exception as error:
        raise CorruptPicture(f"damaged {picture.format}: {_words(error)}") from None


def rgb(picture: Any, *, inverted: bool = False) -> UInt8:
    """An opened Pillow picture of any mode as uint8 ``(H, W, 3)`` RGB, not turned.

    ``inverted`` where 0 is white. Raises `UnsupportedFormat` for a mode whose white is not known, and what
    Pillow raises for damage.
    """
    shift = _grey_shift(picture)
    # A page that came through the gate says 1 here; one that somebody else opened, what is in the file.
    inverted |= shift is not None and picture.format == "TIFF" and picture.tag_v2.get(_PHOTOMETRIC_TAG) == 0
    transparent = picture.info.get("transparency")
    picture.load()
    width, height = picture.size
    clear = picture.has_transparency_data and not _is_padding(picture)
    pixels = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, _STRIP_ROWS):
        bottom = min(top + _STRIP_ROWS, height)
        strip = picture.crop((0, top, width, bottom))
        if picture.mode == "La":  # Pillow turns it into nothing else
            strip = strip.convert("LA")
        out = pixels[top:bottom]
        if shift is not None:
            deep = np.asarray(strip)
            out[:] = _inverted((deep >> shift).clip(0, 255).astype(np.uint8), inverted)[:, :, None]
            if isinstance(transparent, int):
                out[deep == transparent] = _BACKGROUND
        elif clear:
            rgba = np.array(strip.convert("RGBA"))
            rgba[:, :, :3] = _inverted(rgba[:, :, :3], inverted)
            over_white(rgba, out)
        else:
            out[:] = _inverted(np.asarray(strip.convert("RGB")), inverted)
    return pixels


def _inverted(samples: UInt8, inverted: bool) -> UInt8:
    return 255 - samples if inverted else samples


def _is_padding(picture: Any) -> bool:
    if picture.format not in _PADDING_FOR_ALPHA or picture.mode not in ("RGBA", "LA"):
        return False
    return not any(picture.getextrema()[-1])


def _grey_shift(picture: Any) -> int | None:
    """How many bits a deep grey sample has above 8; None for pictures of 8 bits or of colour."""
    mode = picture.mode
    if mode in ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV"):
        return None
    what = picture.format or "a picture"
    if mode == "LAB":
        raise UnsupportedFormat(f"{what} in CIE Lab colours; save it as RGB")
    if not mode.startswith("I;16") and not (mode == "I" and picture.format == "PPM"):
        raise UnsupportedFormat(
            f"{what} with 32-bit samples (mode {mode}): which value is white is not known"
        )
    if picture.format == "TIFF":
        bits = picture.tag_v2.get(_BITS_TAG, (16,))
        return max(int(bits[0] if isinstance(bits, tuple) else bits) - 8, 0)
    return 8


# What Pillow says of a header that is whole but of a kind it does not read.
_UNKNOWN = ("unknown pixel mode", "unknown data organization", "Unsupported BMP")


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
