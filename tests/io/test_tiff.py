"""TIFF as cameras, scanners and archives write it: the picture and not its preview, white as white."""

from __future__ import annotations

import io
import struct
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image as pillow

from hostile.pictures import CAMERA_TURNS, chart, encoded
from hostile.tiffs import LONG, SHORT, Page, page, shrunk, tiff
from lineament.errors import CorruptPicture, PictureError, UnsupportedFormat
from lineament.io import images, raster

GREY = chart()[:, :, 0]
PREVIEW = page(shrunk(chart(), 4), photometric=2, t254=1)
FULL = page(chart(), photometric=2, t254=0)


def shown(data: bytes) -> int:
    """By how much the picture read differs from the chart, at most."""
    pixels = images.load(data).pixels
    assert pixels.shape == chart().shape
    return int(np.abs(pixels.astype(int) - chart()).max())


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("deflate", [False, True], ids=["raw", "deflate"])
@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_white_is_zero_in_every_depth(bits: int, deflate: bool, order: str) -> None:
    """The same picture whichever end of the scale is white, coded or not, in either byte order."""
    top = 2**bits - 1
    samples = (GREY.astype(int) * top // 255).astype(np.uint32)
    black, white = (
        tiff(
            page(values, photometric=photometric, bits=bits, deflate=deflate, order=order),
            order=order,
        )
        for photometric, values in ((1, samples), (0, top - samples))
    )
    expected = (samples >> 8 if bits == 16 else samples * 255 // top).astype(np.uint8)
    assert np.array_equal(images.load(black).pixels[:, :, 0], expected)
    assert np.array_equal(images.load(white).pixels, images.load(black).pixels)


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "tiff_adobe_deflate", "jpeg"])
def test_white_is_zero_under_every_compression(compression: str) -> None:
    """The meaning of the numbers is one thing, their packing another."""
    negative = encoded("TIFF", 255 - chart(), mode="L", compression=compression)
    at = negative.index(b"\x06\x01\x03\0\x01\0\0\0\x01\0")
    assert negative.count(b"\x06\x01\x03\0\x01\0\0\0\x01\0") == 1
    white = negative[: at + 8] + b"\0\0" + negative[at + 10 :]
    assert np.array_equal(images.load(white).pixels, 255 - images.load(negative).pixels)


def test_white_is_zero_in_a_picture_that_pillow_opened() -> None:
    """Pillow turns round 8 bits and fewer, and leaves 16 as they are: the same picture either way."""
    for bits, factor in ((8, 1), (16, 257)):
        data = tiff(page((255 - GREY).astype(np.uint32) * factor, photometric=0, bits=bits))
        opened = pillow.open(io.BytesIO(data))
        assert np.array_equal(raster.rgb(opened)[:, :, 0], GREY)
        assert raster.orientation_of(opened) == 1


def test_white_is_zero_beside_alpha() -> None:
    """Only the grey turns round: clear stays clear and is laid over white."""
    alpha = np.where(np.arange(96) < 48, 255, 0).astype(np.uint8)[None].repeat(64, 0)
    for kind in (1, 2):  # premultiplied, or not
        data = tiff(page(np.dstack([255 - GREY, alpha]), photometric=0, t338=kind))
        pixels = images.load(data).pixels
        assert np.array_equal(pixels[:, :48, 1], GREY[:, :48])
        assert (pixels[:, 48:] == 255).all()


FIRST_IS_A_PREVIEW = {
    "DNG or NEF: the picture below the preview": tiff(replace(PREVIEW, below=[FULL])),
    "two previews": tiff(replace(PREVIEW, below=[PREVIEW, FULL])),
    "a second page": tiff(PREVIEW, FULL),
    "old subfile type": tiff(page(shrunk(chart(), 4), photometric=2, t255=2), FULL),
    "not marked": tiff(page(shrunk(chart(), 4), photometric=2), page(chart(), photometric=2)),
    "not marked, below": tiff(
        page(shrunk(chart(), 4), photometric=2, below=[page(chart(), photometric=2)])
    ),
    "grey preview of a colour scan": tiff(page(shrunk(chart(), 8)[:, :, 0], photometric=1), FULL),
    "a mask before it": tiff(page(GREY > 99, photometric=4, bits=1, t254=4), FULL),
    "big-endian": tiff(
        replace(page(shrunk(chart(), 4), photometric=2, t254=1, order=">"), below=[FULL]), order=">"
    ),
    "coded": tiff(replace(PREVIEW, below=[page(chart(), photometric=2, deflate=True)])),
}


@pytest.mark.parametrize("data", FIRST_IS_A_PREVIEW.values(), ids=FIRST_IS_A_PREVIEW.keys())
def test_the_picture_is_read_and_not_its_preview(data: bytes) -> None:
    """Wherever it stands in the file, and whether or not the preview is marked as one."""
    assert shown(data) == 0
    assert images.probe(data).size_wh == (96, 64)


FIRST_IS_THE_PICTURE = {
    "pyramid": tiff(FULL, page(shrunk(chart(), 2), photometric=2, t254=1), PREVIEW),
    "pyramid below": tiff(replace(FULL, below=[PREVIEW, PREVIEW])),
    "pages of one size": tiff(page(chart(), photometric=2), page(255 - chart(), photometric=2)),
    "pages of other shapes": tiff(FULL, page(chart(512, 512), photometric=2)),
    "a page scanned at twice the resolution": tiff(FULL, page(255 - chart(192, 128), photometric=2)),
    "a preview marked, and alone": tiff(page(chart(), photometric=2, t254=1)),
    "previews only: the largest": tiff(PREVIEW, page(chart(), photometric=2, t254=1)),
    "a link that leads back": tiff(FULL)[:-4] + b"\x08\0\0\0",
}


@pytest.mark.parametrize("data", FIRST_IS_THE_PICTURE.values(), ids=FIRST_IS_THE_PICTURE.keys())
def test_of_several_pages_the_first_is_read(data: bytes) -> None:
    """Reduced copies behind it, other pages and loops change nothing."""
    assert shown(data) == 0


def test_further_pages_are_told_and_previews_are_none() -> None:
    """`several` counts pictures, not the levels of a pyramid."""
    assert images.probe(FIRST_IS_THE_PICTURE["pages of one size"]).several
    assert not images.probe(FIRST_IS_THE_PICTURE["pyramid"]).several
    assert not images.probe(FIRST_IS_A_PREVIEW["a second page"]).several


def dng(*below: Page) -> bytes:
    head = replace(PREVIEW, tags=PREVIEW.tags | {50706: (1, [1, 4, 0, 0])}, below=list(below))
    return tiff(head)


MOSAIC = page(chart(384, 256)[:, :, 0].astype(np.uint16) * 9, photometric=32803, bits=16, t254=0)
RAW = {
    "DNG with a mosaic": dng(MOSAIC),
    "DNG with a mosaic and a full preview": dng(MOSAIC, page(chart(), photometric=2, t254=1)),
    "linear DNG": dng(page(chart().astype(np.uint16), photometric=34892, bits=16)),
    "DNG whose picture cannot be found": dng(),
    "PEF: the mosaic first": tiff(MOSAIC, PREVIEW),
    "NEF and ARW": tiff(replace(PREVIEW, below=[page(chart(), photometric=2, t254=1), MOSAIC])),
    "CR2": b"II*\0\x10\0\0\0CR\x02\0\0\0\0\0" + tiff(PREVIEW)[8:],
    "ORF": b"IIRO" + tiff(PREVIEW)[4:],
    "RW2": b"IIU\0" + tiff(PREVIEW)[4:],
    "RAF": b"FUJIFILMCCD-RAW 0201" + bytes(100),
    "CR3": b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom",
}


@pytest.mark.parametrize("data", RAW.values(), ids=RAW.keys())
def test_raw_camera_files_are_refused_by_name(data: bytes) -> None:
    """A mosaic is no picture yet, and its preview is not the photo: the owner is told to develop it."""
    with pytest.raises(UnsupportedFormat, match="raw camera picture"):
        images.load(data)


INTEGERS = {"BYTE": 1, "SHORT": 3, "LONG": 4, "SBYTE": 6, "SSHORT": 8, "SLONG": 9}


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", INTEGERS.values(), ids=INTEGERS.keys())
@pytest.mark.parametrize("orientation", [3, 6, 7])
def test_orientation_of_any_integer_type_is_applied(orientation: int, kind: int, order: str) -> None:
    """Also where a program wrote one of the types that the standard does not ask for."""
    stored = np.ascontiguousarray(CAMERA_TURNS[orientation](chart()))
    one = page(stored, photometric=2)
    one.tags[274] = (kind, [orientation])
    assert shown(tiff(one, order=order)) == 0
    assert images.probe(tiff(one, order=order)).orientation == orientation


def test_a_raw_file_tells_the_orientation_once_for_all_its_pages() -> None:
    """The page below inherits it, unless it tells its own."""
    turned = page(np.ascontiguousarray(CAMERA_TURNS[6](chart())), photometric=2)
    head = page(shrunk(chart(), 4), photometric=2, t254=1, t274=6)
    assert shown(tiff(replace(head, below=[turned]))) == 0
    own = replace(FULL, tags=FULL.tags | {274: (SHORT, [1])})
    assert shown(tiff(replace(head, below=[own]))) == 0
    assert shown(tiff(head, FULL)) == 0  # a page of its own


def test_an_alpha_channel_that_is_zero_everywhere_is_no_transparency() -> None:
    """Many programs write a fourth channel that they never filled."""
    empty = np.dstack([chart(), np.zeros_like(GREY)])
    assert shown(tiff(page(empty, photometric=2, t338=2))) == 0
    assert shown(tiff(page(empty, photometric=2, t338=0))) == 0
    assert shown(tiff(page(empty, photometric=2))) == 0  # nothing said of the fourth


FLOATS = page(GREY.astype(np.uint32), photometric=1, bits=32)
REFUSED: dict[str, tuple[bytes, str]] = {
    "fractions": (tiff(replace(FLOATS, tags=FLOATS.tags | {339: (SHORT, [3])})), "fractional"),
    "whole numbers of 32 bits": (tiff(FLOATS), "32-bit"),
    "signed 8 bits": (tiff(page(GREY, photometric=1, t339=2)), "signed"),
    "signed 16 bits": (tiff(page(GREY, photometric=1, bits=16, t339=2)), "signed"),
    "CIE Lab": (tiff(page(chart(), photometric=8)), "Lab"),
    "fax": (encoded("TIFF", mode="1", compression="group4"), "fax"),
    "old JPEG": (tiff(page(chart(), photometric=6, t259=6)), "old JPEG"),
    "subsampled YCbCr": (tiff(page(chart(), photometric=6)), "YCbCr"),
    "other inks": (tiff(page(np.dstack([chart(), GREY]), photometric=5, t332=2)), "inks"),
    "deep planes": (tiff(page(chart(), photometric=2, bits=16, t284=2)), "planes"),
    "no word of black and white": (
        tiff(Page({t: v for t, v in FULL.tags.items() if t != 262}, FULL.pixels)),
        "black or white",
    ),
    "a predictor that does not apply": (tiff(page(chart(), photometric=2, t317=2)), "predictor"),
    "eleven bits": (tiff(replace(FULL, tags=FULL.tags | {258: (SHORT, [11] * 3)})), "not read"),
}


@pytest.mark.parametrize(("data", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_read_right_is_refused_by_name(data: bytes, words: str) -> None:
    """No guess at which number is white, and no damage where there is none."""
    with pytest.raises(UnsupportedFormat, match=words):
        images.load(data)


def hostile() -> dict[str, bytes]:
    many = [page(chart(16, 16), photometric=2) for _ in range(300)]
    wide = b"II*\0\x08\0\0\0\xff\xff" + (b"\x4a\x01\x04\0\xff\xff\xff\x7f\0\0\0\0") * 65_535
    loops = FULL.tags | {330: (LONG, [8, 8, 9, 10, 2**31])}
    return {
        "three hundred pages": tiff(FULL, *many),
        "a page of entries only": wide,
        "SubIFDs that lead nowhere": tiff(replace(FULL, tags=loops)),
        "no page": b"II*\0\0\0\0\0",
        "eight bytes": b"II*\0\x08\0\0\0",
        "a page behind the end": b"MM\0*\xff\xff\xff\xff",
        "five bytes": b"MM\0*\0",
    }


@pytest.mark.parametrize("data", hostile().values(), ids=hostile().keys())
def test_directories_are_walked_without_trust(data: bytes) -> None:
    """Loops, offsets beyond the file and endless lists end: in the picture or in `CorruptPicture`."""
    try:
        assert shown(data) == 0
    except PictureError as error:
        assert isinstance(error, CorruptPicture), error


def bmp(bits: int, pixels: bytes, *, masks: tuple[int, ...] = (), **header: Any) -> bytes:
    """A BMP of 96 x 64 with a header of 12, 40, 56, 108 or 124 bytes."""
    size, height = header.get("size", 40), header.get("height", 64)
    if size == 12:
        info = struct.pack("<IHHHH", 12, 96, height, 1, bits)
    else:
        kind = header.get("compression", 3 if masks else 0)
        info = struct.pack("<IiiHHIIiiII", size, 96, height, 1, bits, kind, len(pixels), 0, 0, 0, 0)
        info += b"".join(struct.pack("<I", mask) for mask in masks)
        info = info.ljust(size, b"\0") if size > 40 else info
    return b"BM" + struct.pack("<IHHI", 14 + len(info) + len(pixels), 0, 0, 14 + len(info)) + info + pixels


def test_bmp_channels_mean_what_its_header_says() -> None:
    """Padding is no transparency, alpha is; rows from below or above; 15 to 32 bits, old headers."""
    bgr = chart()[::-1, :, ::-1]
    zero, half = (np.full(GREY.shape, value, np.uint8) for value in (0, 128))
    padded, clear = np.dstack([bgr, zero]).tobytes(), np.dstack([bgr, half]).tobytes()
    rgb, rgba = (0xFF0000, 0xFF00, 0xFF), (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    for data in (
        bmp(24, bgr.tobytes()),
        bmp(24, bgr.tobytes(), size=12),
        bmp(24, bgr[::-1].tobytes(), height=-64),
        bmp(32, padded),
        bmp(32, clear),  # without a mask for it, the fourth byte is padding whatever it holds
        bmp(32, padded, masks=rgb),
        bmp(32, padded, masks=rgba, size=56),
        bmp(32, padded, masks=rgba, size=108),
        bmp(32, padded, masks=rgba, size=124),
    ):
        assert shown(data) == 0
    over_white = (chart().astype(int) * 128 + 255 * 127 + 127) // 255
    for size in (56, 108, 124):
        pixels = images.load(bmp(32, clear, masks=rgba, size=size)).pixels
        assert np.abs(pixels.astype(int) - over_white).max() <= 1
    five = (bgr >> 3).astype(np.uint16)
    for green, masks in (
        (bgr[:, :, 1] >> 2, (0xF800, 0x7E0, 0x1F)),
        (five[:, :, 1], (0x7C00, 0x3E0, 0x1F)),
    ):
        shift = 11 if masks[0] == 0xF800 else 10
        packed = five[:, :, 2] << shift | green.astype(np.uint16) << 5 | five[:, :, 0]
        assert shown(bmp(16, packed.astype("<u2").tobytes(), masks=masks)) <= 8
    assert shown(bmp(16, packed.astype("<u2").tobytes())) <= 8
    with pytest.raises(UnsupportedFormat, match="BMP"):
        images.load(bmp(32, padded, compression=4))
