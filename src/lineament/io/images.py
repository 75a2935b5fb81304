"""The one way in and out for pictures: bytes of any of nine formats to upright RGB, and back.

JPEG is decoded by simplejpeg (libjpeg-turbo), PNM by NumPy, everything else by Pillow, each opened for
the one format its first bytes announce. Size limits are checked on the header, before any pixel is decoded;
what may still take seconds is decoded where it can be ended. Whatever is wrong with a picture ends in a
`PictureError`. Decoding is safe from several threads at once. The reasons stand in docs/decisions, 0002 and
0012, the limits in docs/reference/pictures.md.
"""

from __future__ import annotations

import io
import math
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg

from lineament.errors import (
    EmptyPicture,
    InvalidArray,
    NotAPicture,
    PictureTooLarge,
    PictureTooSmall,
    UnsupportedFormat,
    UsageError,
)
from lineament.io import decoding_process, heif, inputs, jpeg, own_files, pnm, reading
from lineament.io.formats import Format, looks_like, sniff
from lineament.io.inputs import Source
from lineament.io.jpeg_markers import first_picture
from lineament.io.orientation import from_exif, upright
from lineament.io.own_files import Kind
from lineament.io.writing import replacing
from lineament.types import Image, UInt8


@dataclass(frozen=True, slots=True)
class Limits:
    """What is refused before decoding.

    ``max_pixels`` bounds width x height (a 108-megapixel phone photo passes; its RGB takes 324 MB); WebP is
    held to half of it, because its decoder keeps several copies of the picture.
    ``max_side_px`` bounds either side (65,535 is also JPEG's own limit), ``max_bytes`` the file. A side
    shorter than ``min_side_px`` cannot hold a face that a detector finds. ``max_seconds`` of processor time
    is what one picture may take; None is the setting ``LINEAMENT_PICTURE_SECONDS``, or ten.
    """

    max_pixels: int = 120_000_000
    max_side_px: int = 65_535
    max_bytes: int = 128 * 2**20
    min_side_px: int = 8
    max_seconds: float | None = None


DEFAULT_LIMITS = Limits()

# Containers of pictures in frames and tiles, which may be any number for any size that the header tells.
_UNBOUNDED = {Format.AVIF, Format.HEIF}
# From here on another process costs little beside the decoding (docs/decisions/0013-time-a-picture.md).
_SECONDS_HERE = 2.0
_SECONDS_A_PIXEL, _SECONDS_A_BYTE = 8e-9, 1e-8
# A JPEG is gone over once for the pixels and, in a third of that, for each scan; nothing else takes longer
# than this many times, of 16 bits and with alpha.
_PASSES = 8.0


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of itself before decoding.

    ``size_wh`` is as stored; ``orientation`` the EXIF value 1-8 still to be applied (always 1 for HEIF,
    whose size is told upright). ``several`` tells of further frames or pages, which are not read.
    """

    format: Format
    size_wh: tuple[int, int]
    orientation: int = 1
    several: bool = False


def load(
    source: Source | inputs.Held,
    *,
    limits: Limits = DEFAULT_LIMITS,
    min_side: int | None = None,
    name: str | None = None,
) -> Image:
    """Read one picture: uint8 ``(H, W, 3)`` RGB, upright, from a path, the bytes of a file, or a stream.

    The path ``-`` is stdin, and a named pipe is read like a file. A PIL picture is taken as it is
    (`Image.from_pil`), and an `Image` given back.
    With ``min_side`` a JPEG is decoded at the smallest of 1/8, 1/4, 3/8, 1/2 and 1 that leaves both sides
    at least that many pixels, and `Image.scale` says by how much it shrank; other formats ignore it.
    ``name`` replaces the path as the picture's source. Raises only `PictureError` for whatever is wrong
    with the picture.
    """
    held = inputs.hold(source, limits.max_bytes)
    if isinstance(held.content, Image):
        return held.content if name in (None, held.name) else replace(held.content, source=str(name))
    label, data = name or held.name or "<memory>", reading.read(held.content, limits.max_bytes)
    found = _recognised(data)
    if found in _UNBOUNDED:
        answer = _elsewhere(data, limits, {"min_side": min_side})
    else:
        opened = _open(data, found, limits)
        if opened.seconds > _SECONDS_HERE:
            answer = _elsewhere(data, limits, {"min_side": min_side})
        else:
            answer = _decoded(opened, min_side)
    assert answer.pixels is not None
    return Image(answer.pixels, source=label, scale=float(answer.facts["scale"]))


def probe(source: Source, *, limits: Limits = DEFAULT_LIMITS) -> Header:
    """Format and size from the header alone; raises the `PictureError` that `load` would for it."""
    held = inputs.hold(source, limits.max_bytes)
    if isinstance(held.content, Image):
        raise NotAPicture("a picture that was decoded has no header: give its file")
    data = reading.read(held.content, limits.max_bytes)
    found = _recognised(data)
    if found not in _UNBOUNDED:
        return _open(data, found, limits).header
    facts = _elsewhere(data, limits, {"probe": True}).facts
    width, height = facts["size_wh"]
    return Header(Format(facts["format"]), (width, height), facts["orientation"], facts["several"])


def answer(data: bytes, task: dict[str, Any]) -> decoding_process.Answer:
    """What the decoding process does with a picture; ``task`` is what `_elsewhere` sends."""
    opened = _open(data, _recognised(data), Limits(**task["limits"]))
    if "probe" in task:
        return decoding_process.Answer(asdict(opened.header), None)
    return _decoded(opened, task["min_side"])


def _elsewhere(data: bytes, limits: Limits, task: dict[str, Any]) -> decoding_process.Answer:
    if sniff(data) is Format.HEIF:
        heif.require()
    seconds = decoding_process.seconds_allowed(limits.max_seconds)
    return decoding_process.ask(data, {**task, "limits": asdict(limits)}, seconds)


@dataclass(frozen=True, slots=True)
class _Opened:
    """A picture whose header was read, and how long decoding it may take on a slow machine."""

    picture: Any
    header: Header
    seconds: float


def _recognised(data: bytes) -> Format:
    if not data:
        raise EmptyPicture("the file is empty (zero bytes)")
    found = sniff(data)
    if found is None:
        raise UnsupportedFormat(f"not a picture in an accepted format: it looks like {looks_like(data)}")
    return found


def _open(data: bytes, found: Format, limits: Limits) -> _Opened:
    """Read the header, check the limits; no pixel is decoded here."""
    max_pixels = limits.max_pixels // 2 if found is Format.WEBP else limits.max_pixels
    picture: Any = None
    several, orientation, passes = False, 1, _PASSES
    if found is Format.JPEG:
        picture = first_picture(data)
        size_wh, orientation = jpeg.size(picture), from_exif(picture.exif)
        passes = 1 + len(picture.scans) / 3
    elif found is Format.PNM:
        picture = pnm.opened(data)
        size_wh = picture.size_wh
    else:
        from lineament.io import raster

        picture = raster.open_header(data, found, max_pixels)
        size_wh, orientation, several = picture.picture.size, picture.orientation, picture.several
        passes = passes if picture.bounded else math.inf
    _check_size(size_wh, max_pixels, limits)
    seconds = _SECONDS_A_PIXEL * size_wh[0] * size_wh[1] * passes + _SECONDS_A_BYTE * len(data)
    return _Opened(picture, Header(found, size_wh, orientation, several), seconds)


def _decoded(opened: _Opened, min_side: int | None) -> decoding_process.Answer:
    picture, header, scale = opened.picture, opened.header, 1.0
    if header.format is Format.JPEG:
        pixels, scale = jpeg.decode(picture, header.size_wh, min_side)
    elif header.format is Format.PNM:
        pixels = pnm.decode(picture)
    else:
        from lineament.io import raster

        pixels = raster.decode(picture)
    return decoding_process.Answer({"scale": scale}, upright(pixels, header.orientation))


def _check_size(size_wh: tuple[int, int], max_pixels: int, limits: Limits) -> None:
    width, height = size_wh
    if width * height > max_pixels:
        raise PictureTooLarge(f"{width}x{height} pixels are more than the limit of {max_pixels:,}")
    if max(size_wh) > limits.max_side_px:
        raise PictureTooLarge(f"{width}x{height}: a side is longer than {limits.max_side_px:,} pixels")
    if min(size_wh) < limits.min_side_px:
        raise PictureTooSmall(f"{width}x{height}: a side is shorter than {limits.min_side_px} pixels")


def encode_png(pixels: UInt8) -> bytes:
    """uint8 ``(H, W, 3)`` RGB as PNG bytes, without loss."""
    from PIL import Image as pillow

    out = io.BytesIO()
    pillow.fromarray(_rgb(pixels)).save(out, "PNG", compress_level=4)
    return out.getvalue()


def encode_jpeg(pixels: UInt8, *, quality: int = 92) -> bytes:
    """uint8 ``(H, W, 3)`` RGB as JPEG bytes, chroma at full resolution; ``quality`` 1-100."""
    return bytes(
        simplejpeg.encode_jpeg(_rgb(pixels), quality=quality, colorspace="RGB", colorsubsampling="444")
    )


def save(
    path: str | os.PathLike[str], pixels: UInt8, *, quality: int = 92, kind: Kind = own_files.PICTURE
) -> None:
    """Write a PNG or JPEG, by the suffix; the file appears complete or not at all, and says its ``kind``.

    Raises `UsageError` for another suffix, `WouldOverwrite` where a file of another kind lies, and
    `OutputError` where the disk refuses.
    """
    target = Path(path)
    suffix = target.suffix.lower()
    if suffix == ".png":
        data = own_files.stamp_png(encode_png(pixels), kind)
    elif suffix in (".jpg", ".jpeg"):
        data = own_files.stamp_jpeg(encode_jpeg(pixels, quality=quality), kind)
    else:
        raise UsageError(f"pictures are written as .png or .jpg, not {suffix or 'without a suffix'!r}")
    with replacing(target, kind, binary=True) as file:
        file.write(data)


def _rgb(pixels: UInt8) -> UInt8:
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        raise InvalidArray(f"picture: expected uint8 (H, W, 3) RGB, got {pixels.dtype} {pixels.shape}")
    return np.ascontiguousarray(pixels)
