"""Every picture of the hostile set, made in code: what is drawn, and how `images.load` must end.

All of them show `chart()`: coloured patches, smooth enough that every codec keeps them, with no symmetry,
so that a wrong orientation, channel order or scaling shows.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as pillow

from lineament.io import heif
from lineament.types import UInt8

OK = "ok"
PATCH = 16


def chart(width: int = 96, height: int = 64) -> UInt8:
    """uint8 ``(height, width, 3)`` RGB: 16-pixel patches of flat colour, red at the top left."""
    colours = np.random.default_rng(7).integers(20, 236, (height // PATCH, width // PATCH, 3), np.uint8)
    colours[0, 0] = (220, 30, 40)
    return colours.repeat(PATCH, axis=0).repeat(PATCH, axis=1)


def encoded(format: str, picture: UInt8 | None = None, mode: str = "RGB", **options: Any) -> bytes:
    """The chart as a file of that format, by Pillow."""
    out = io.BytesIO()
    pixels = chart() if picture is None else picture
    pillow.fromarray(pixels).convert(mode).save(out, format, **options)
    return out.getvalue()


def frames(format: str, **options: Any) -> bytes:
    """Two frames or pages: the chart, then its negative."""
    return encoded(format, save_all=True, append_images=[pillow.fromarray(255 - chart())], **options)


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(
    size_wh: tuple[int, int], bits: int, colour: int, pixels: bytes, extra: tuple[bytes, ...] = ()
) -> bytes:
    """A PNG file from its raw deflated rows, with any header."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", *size_wh, bits, colour, 0, 0, 0))
    end = png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(extra) + png_chunk(b"IDAT", pixels) + end


def deep_png(samples: np.ndarray[Any, Any], colour: int, extra: tuple[bytes, ...] = ()) -> bytes:
    """A 16-bit PNG of uint16 ``(H, W, C)``; ``colour`` 0 grey, 2 RGB, 4 grey and alpha, 6 RGBA."""
    rows = (b"\0" + row.astype(">u2").tobytes() for row in samples)
    height, width = samples.shape[:2]
    return png((width, height), 16, colour, zlib.compress(b"".join(rows)), extra)


def zeros_deflated(count: int) -> bytes:
    """``count`` zero bytes as a zlib stream, built from one repeated block in no time."""
    block = 1 << 20
    packer = zlib.compressobj(9, wbits=-15)
    packed = packer.compress(bytes(block)) + packer.flush(zlib.Z_FULL_FLUSH)
    rest = zlib.compressobj(9, wbits=-15)
    tail = rest.compress(bytes(count % block)) + rest.flush()
    return b"\x78\xda" + packed * (count // block) + tail + struct.pack(">HH", count % 65521, 1)


def bomb_png(side: int = 30_000) -> bytes:
    """About 110 KB that unfold to a valid picture of ``side`` x ``side`` (5 GB in some decoders)."""
    return png((side, side), 1, 0, zeros_deflated((1 + side // 8) * side))


def exif_block(orientation: int, *, order: str = "<", next_directory: int = 0) -> bytes:
    """A minimal EXIF block with nothing but the orientation; the next directory may point anywhere."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    entry = struct.pack(order + "HHIHH", 274, 3, 1, orientation, 0)
    return mark + struct.pack(order + "IH", 8, 1) + entry + struct.pack(order + "I", next_directory)


def looping_exif() -> bytes:
    """Says "orientation 6", then sends every offset back to its own start."""
    order, entries = "<", [(274, 3, 1, 6), (0x8769, 4, 1, 8), (0x8825, 4, 1, 8), (0x014A, 4, 1, 8)]
    body = b"".join(struct.pack(order + "HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + body + struct.pack("<I", 8)


def with_exif(data: bytes, block: bytes) -> bytes:
    """A JPEG with an EXIF segment put first."""
    body = b"Exif\0\0" + block
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:]


CAMERA_TURNS: dict[int, Callable[[UInt8], UInt8]] = {
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.transpose(1, 0, 2),
    6: lambda p: np.rot90(p, 1),
    7: lambda p: p[::-1, ::-1].transpose(1, 0, 2),
    8: lambda p: np.rot90(p, -1),
}
"""How a camera held that way stores a picture: what each EXIF orientation undoes."""


def turned_jpeg(orientation: int) -> bytes:
    """A JPEG stored so that, once its EXIF orientation is applied, the chart stands upright."""
    stored = np.ascontiguousarray(CAMERA_TURNS[orientation](chart()))
    return with_exif(encoded("JPEG", stored, quality=95, subsampling=0), exif_block(orientation))


def resized_jpeg(width: int, height: int) -> bytes:
    """A JPEG whose header claims another size than its pixels have."""
    data = bytearray(encoded("JPEG"))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def scans_bomb(scans: int = 3_000, side: int = 8_000) -> bytes:
    """A small progressive JPEG that repeats one scan so often that decoding it would take minutes."""
    data = bytearray(encoded("JPEG", progressive=True))
    frame = data.index(b"\xff\xc2")
    data[frame + 5 : frame + 9] = struct.pack(">HH", side, side)
    scan = data.index(b"\xff\xda")
    following = data.index(b"\xff\xda", scan + 2)
    return bytes(data[:scan]) + bytes(data[scan:following]) * scans + b"\xff\xd9"


def files() -> dict[str, tuple[bytes, str]]:
    """File name -> content and how loading it must end: ``ok`` or the name of an error class."""
    jpeg, plain_png, webp = encoded("JPEG", quality=95), encoded("PNG"), encoded("WEBP")
    alpha = np.dstack([chart(), np.full(chart().shape[:2], 128, np.uint8)])
    grey16 = chart()[:, :, :1].astype(np.uint16) * 257
    bad, corrupt = "UnsupportedFormat", "CorruptPicture"
    found: dict[str, tuple[bytes, str]] = {
        "plain.jpg": (jpeg, OK),
        "plain.png": (plain_png, OK),
        "plain.webp": (webp, OK),
        "plain.gif": (encoded("GIF"), OK),
        "plain.bmp": (encoded("BMP"), OK),
        "plain.tif": (encoded("TIFF"), OK),
        "plain.avif": (encoded("AVIF"), OK),
        "plain.ppm": (encoded("PPM"), OK),
        "grey.pgm": (encoded("PPM", mode="L"), OK),
        "grey.jpg": (encoded("JPEG", mode="L"), OK),
        "progressive.jpg": (encoded("JPEG", progressive=True), OK),
        "cmyk.jpg": (encoded("JPEG", mode="CMYK", quality=95), OK),
        "cmyk.tif": (encoded("TIFF", mode="CMYK"), OK),
        "lzw.tif": (encoded("TIFF", compression="tiff_lzw"), OK),
        "bilevel.png": (encoded("PNG", mode="1"), OK),
        "palette.png": (encoded("PNG", mode="P"), OK),
        "palette_transparent.png": (encoded("PNG", mode="P", transparency=0), OK),
        "grey_alpha.png": (encoded("PNG", mode="LA"), OK),
        "alpha.png": (encoded("PNG", alpha, mode="RGBA"), OK),
        "alpha.webp": (encoded("WEBP", alpha, mode="RGBA"), OK),
        "grey16.png": (deep_png(grey16, 0), OK),
        "rgb16.png": (deep_png(chart().astype(np.uint16) * 257, 2), OK),
        "grey16.tif": (_grey16_tiff(), OK),
        "animated.gif": (frames("GIF"), OK),
        "animated.webp": (frames("WEBP"), OK),
        "animated.png": (frames("PNG"), OK),
        "pages.tif": (frames("TIFF"), OK),
        "png_named.jpg": (plain_png, OK),
        "jpeg_named.txt": (jpeg, OK),
        "no_suffix": (webp, OK),
        "trailing_bytes.jpg": (jpeg + b"<?php ?>" * 100, OK),
        "looping_exif.jpg": (with_exif(jpeg, looping_exif()), OK),
        "garbage_exif.jpg": (with_exif(jpeg, bytes(range(256)) * 8), OK),
        "cut_exif.jpg": (with_exif(jpeg, exif_block(6)[:15]), OK),
        "profile_bomb.png": (_with_chunk(b"iCCP", b"p\0\0" + zeros_deflated(1 << 28)), OK),
        "text_bomb.png": (_with_chunk(b"zTXt", b"k\0\0" + zeros_deflated(1 << 28)), OK),
        "empty.jpg": (b"", "EmptyPicture"),
        "text.jpg": (b"not a picture, although its name says so\n" * 20, bad),
        "eps.jpg": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n", bad),
        "svg.jpg": (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', bad),
        "html.jpg": (b"<!DOCTYPE html><html><body>404</body></html>", bad),
        "pdf.jpg": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", bad),
        "zip.jpg": (b"PK\x03\x04" + bytes(60), bad),
        "heic.jpg": (
            b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(60),
            corrupt if heif.available() else bad,
        ),
        "jpeg2000.jpg": (encoded("JPEG2000"), bad),
        "icon.png": (encoded("ICO"), bad),
        "float.tif": (_float_tiff(), bad),
        "fax.tif": (encoded("TIFF", mode="1", compression="group4"), bad),
        "zeros.jpg": (bytes(1000), bad),
        "noise.jpg": (np.random.default_rng(3).integers(1, 255, 5000, np.uint8).tobytes(), bad),
        "one_pixel.png": (encoded("PNG", chart()[:1, :1]), "PictureTooSmall"),
        "one_row.png": (encoded("PNG", chart()[:1]), "PictureTooSmall"),
        "one_row.jpg": (encoded("JPEG", chart()[:1]), "PictureTooSmall"),
        "one_column.webp": (encoded("WEBP", np.ascontiguousarray(chart()[:, :1])), "PictureTooSmall"),
        "bomb.png": (bomb_png(), "PictureTooLarge"),
        "long.png": (png((2**31 - 1, 8), 1, 0, zeros_deflated(1000)), "PictureTooLarge"),
        "inflated.jpg": (resized_jpeg(65_500, 65_500), "PictureTooLarge"),
        "inflated.gif": (b"GIF89a\xff\xff\xff\xff" + encoded("GIF")[10:], "PictureTooLarge"),
        "inflated.bmp": (
            _patched(encoded("BMP"), 18, struct.pack("<ii", 50_000, 50_000)),
            "PictureTooLarge",
        ),
        "inflated.webp": (_huge_webp(), "PictureTooLarge"),
        "inflated_a_little.jpg": (resized_jpeg(900, 900), corrupt),
        "inflated_a_little.png": (png((2000, 2000), 8, 2, zeros_deflated(1000)), corrupt),
        "scans_bomb.jpg": (scans_bomb(), corrupt),
        "flipped_bit.png": (_patched(plain_png, 60, bytes([plain_png[60] ^ 1])), corrupt),
        "soi_only.jpg": (b"\xff\xd8\xff", corrupt),
        "signature_only.png": (b"\x89PNG\r\n\x1a\n", corrupt),
    }
    found |= {f"orientation_{n}.jpg": (turned_jpeg(n), OK) for n in range(1, 9)}
    for name in ("jpg", "png", "webp", "gif", "bmp", "tif", "avif", "ppm"):
        whole = found[f"plain.{name}"][0]
        found[f"cut_in_half.{name}"] = (whole[: len(whole) // 2], corrupt)
    strange = ("=cmd|x.png", "a\tb\rc\nd.png", "\u202egnp.png", "Zo\u00eb.png", "Zoe\u0308.png", "-rf.png")
    return found | dict.fromkeys(strange, (plain_png, OK))


def make_hostile_folder(folder: Path) -> dict[str, str]:
    """Fill ``folder``; returns entry name -> ``ok`` or the name of the error that loading must end in.

    Among the entries are things that are no files: a folder, links to nothing and to themselves,
    and one name that does not exist at all.
    """
    expected = {}
    for name, (data, ending) in files().items():
        (folder / name).write_bytes(data)
        expected[name] = ending
    (folder / "folder.jpg").mkdir()
    (folder / "dangling.jpg").symlink_to("nowhere.jpg")
    (folder / "loop.jpg").symlink_to("loop.jpg")
    (folder / "device.jpg").symlink_to("/dev/zero")
    return expected | {
        "folder.jpg": "NotAPicture",
        "dangling.jpg": "PictureNotFound",
        "loop.jpg": "PictureNotFound",
        "device.jpg": "NotAPicture",
        "missing.jpg": "PictureNotFound",
    }


def _patched(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def _with_chunk(kind: bytes, body: bytes) -> bytes:
    plain = encoded("PNG")
    return plain[:33] + png_chunk(kind, body) + plain[33:]


def _huge_webp() -> bytes:
    body = bytearray(encoded("WEBP", lossless=True))
    at = body.index(b"VP8L") + 9
    body[at : at + 4] = b"\xff\xff\xff\x0f"  # 16384 x 16384
    return bytes(body)


def _grey16_tiff() -> bytes:
    out = io.BytesIO()
    pillow.fromarray(chart()[:, :, 0].astype(np.uint16) * 257).save(out, "TIFF")
    return out.getvalue()


def _float_tiff() -> bytes:
    out = io.BytesIO()
    pillow.fromarray(chart()[:, :, 0].astype(np.float32)).save(out, "TIFF")
    return out.getvalue()
