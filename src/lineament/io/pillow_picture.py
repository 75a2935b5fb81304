"""A PIL picture, taken as it is: the pixels that its file would give, upright."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lineament.errors import CorruptPicture, EmptyPicture, PictureUnreadable, UnsupportedFormat
from lineament.io import raster
from lineament.io.orientation import from_exif, upright
from lineament.types import UInt8

if TYPE_CHECKING:
    from PIL.Image import Image as PillowPicture

_VIA = {"HSV": "RGB", "La": "LA"}
"""Modes that no file is opened in."""


def pixels_of(picture: PillowPicture) -> UInt8:
    """uint8 ``(H, W, 3)`` RGB of the current frame; raises the `PictureError` that its file would."""
    mode = picture.mode
    if mode == "F" or (mode == "I" and picture.format != "PPM"):
        raise UnsupportedFormat(
            f"a PIL picture of mode {mode} does not say which value is white: "
            'Image.from_array(numpy.asarray(picture), order="grey", white=...)'
        )
    if 0 in picture.size:
        raise EmptyPicture("the PIL picture has no pixels")
    lost = _lost_its_file(picture)
    try:
        plain = picture.convert(_VIA[mode]) if mode in _VIA else picture
        pixels = raster.decode(raster.Opened(plain, orientation=1, several=False))
    except (CorruptPicture, ValueError) as error:
        if lost or "closed image" in str(error):
            raise PictureUnreadable(
                "the PIL picture was closed before its pixels were read: use it inside of its `with`, or "
                "call its load() there"
            ) from None
        raise CorruptPicture(str(error)) from None
    return upright(pixels, _orientation(picture))  # asked only now: Pillow turns TIFF while it decodes


def _lost_its_file(picture: Any) -> bool:
    """Whether pixels are still to be read (``tile``) from a file that is gone."""
    file = getattr(picture, "fp", None)
    return bool(getattr(picture, "tile", None)) and (file is None or getattr(file, "closed", False))


def _orientation(picture: Any) -> int:
    """As Pillow's own ``exif_transpose`` takes it, but for XMP, which no picture's file is turned by."""
    block = picture.info.get("exif")
    if isinstance(block, bytes):
        return from_exif(block)
    if "xmp" in picture.info or "XML:com.adobe.xmp" in picture.info:
        return 1
    try:
        value = picture.getexif().get(274, 1)
    except Exception:  # damaged EXIF never costs the picture
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1
