"""The gate in front of the TIFF decoder: which page is the picture, and what its numbers mean.

A TIFF may begin with a preview of the picture that follows it: cameras, scanners and raw converters write
it so. The decoder gets the page with the picture only (`lineament.io.tiff_page`). The orientation and
white-is-zero are taken from the page and told, because the decoder applies neither in every case. TIFF 6.0,
sections 2 and 8; Adobe's TIFF tech note 1 (SubIFDs) and DNG 1.7 for the pages below a page.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from lineament.counting import quantity
from lineament.errors import CorruptPicture, UnsupportedFormat
from lineament.io.orientation import directory, orientation_in
from lineament.io.tiff_page import alone

_SUBFILE, _OLD_SUBFILE, _WIDTH, _HEIGHT, _COMPRESSION, _PHOTOMETRIC = 254, 255, 256, 257, 259, 262
_BITS, _ORIENTATION, _PLANAR, _PREDICTOR, _SUB_PAGES = 258, 274, 284, 317, 330
_INK_SET, _EXTRA_SAMPLES, _SAMPLE_FORMAT, _SUBSAMPLING, _DNG = 332, 338, 339, 530, 50706
_REDUCED, _MASK = 1, 4
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _CMYK, _YCBCR, _LAB = 0, 1, 5, 6, (8, 9, 10)
_RAW = {32803, 34892}  # a mosaic of colour filters; linear raw
_UNCOMPRESSED, _JPEG = 1, 7
_PREDICTED = {5, 8, 32946}  # libtiff reads the others as if nothing had been predicted
_COMPRESSIONS = {1, 5, 7, 8, 32946, 32773}  # none, LZW, JPEG, deflate (two numbers), PackBits
# Pages behind these play no part; the loops that a damaged or hostile file leads into end here too.
_MAX_PAGES = 200
# Cameras write some dozens, with their maker's own.
_MAX_ENTRIES = 4_096
_DEVELOP = "a raw camera picture: develop it, or export its JPEG, and use that"


@dataclass(slots=True)
class _Page:
    at: int
    tags: dict[int, list[int]]
    below: list[_Page] = field(default_factory=list)

    def first(self, tag: int, default: int = 0) -> int:
        return (self.tags.get(tag) or [default])[0]

    @property
    def size_wh(self) -> tuple[int, int]:
        return self.first(_WIDTH), self.first(_HEIGHT)

    @property
    def pixels(self) -> int:
        width, height = self.size_wh
        return width * height

    @property
    def is_whole(self) -> bool:
        """Neither a reduced copy of another page nor a mask."""
        return not self.first(_SUBFILE) & (_REDUCED | _MASK) and self.first(_OLD_SUBFILE) != 2


@dataclass(frozen=True, slots=True)
class Photo:
    """A TIFF file whose only page is the picture, stored upright and with 0 for black.

    ``orientation`` and ``inverted`` tell what was there instead, and must be applied to the pixels;
    ``several`` whether there are further pictures; ``jpeg`` whether the pixels are coded as such.
    """

    data: bytes
    orientation: int
    inverted: bool
    several: bool
    jpeg: bool


def photo(data: bytes) -> Photo:
    """The page with the picture, alone.

    Raises `CorruptPicture` where there is no page, or one of too many entries or strips,
    `UnsupportedFormat` for a raw picture and for a page whose values have a meaning that is not known.
    """
    order = "<" if data[:2] == b"II" else ">"
    if data[8:10] == b"CR":
        raise UnsupportedFormat(_DEVELOP)
    pages = _pages(data, order)
    every = [page for top in pages for page in (top, *top.below)]
    if any(page.first(_PHOTOMETRIC) in _RAW for page in every):
        raise UnsupportedFormat(_DEVELOP)
    page = _the_picture(every)
    if not page.is_whole and any(_DNG in top.tags for top in pages):
        raise UnsupportedFormat(_DEVELOP)
    _check(page)
    parent = next((top for top in pages if page in top.below), page)
    holder = page if _ORIENTATION in page.tags else parent  # a raw file tells it once, for all its pages
    turned = orientation_in(data, order, holder.at)
    whole = [top for top in pages if top.is_whole]
    inverted = page.tags[_PHOTOMETRIC][0] == _WHITE_IS_ZERO
    photometric = _BLACK_IS_ZERO if inverted else page.tags[_PHOTOMETRIC][0]
    jpeg = page.first(_COMPRESSION) == _JPEG
    return Photo(alone(data, order, page.at, photometric), turned, inverted, len(whole) > 1, jpeg)


def _pages(data: bytes, order: str) -> list[_Page]:
    seen: set[int] = set()

    def read(at: int) -> _Page | None:
        if at in seen or not 8 <= at <= len(data) - 2 or len(seen) >= _MAX_PAGES:
            return None
        seen.add(at)
        (count,) = struct.unpack_from(order + "H", data, at)
        if count > _MAX_ENTRIES and len(seen) > 1:
            return None  # a link that leads to no page
        if count > _MAX_ENTRIES:
            raise CorruptPicture(
                f"damaged TIFF: a page of {quantity(count, 'entry')}; the limit is {_MAX_ENTRIES:,}"
            )
        return _Page(at, directory(data, order, at, _NEEDED))

    found: list[_Page] = []
    (at,) = struct.unpack_from(order + "I", data, 4) if len(data) >= 8 else (0,)
    while (page := read(at)) is not None:
        found.append(page)
        page.below = [below for sub in page.tags.get(_SUB_PAGES, []) if (below := read(sub)) is not None]
        end = at + 2 + 12 * struct.unpack_from(order + "H", data, at)[0]
        (at,) = struct.unpack_from(order + "I", data, end) if end + 4 <= len(data) else (0,)
    if not found:
        raise CorruptPicture("damaged TIFF: it has no page")
    return found


def _the_picture(every: list[_Page]) -> _Page:
    whole = [page for page in every if page.is_whole]
    if not whole:
        return max(every, key=lambda page: page.pixels)
    first = whole[0]
    larger = [page for page in whole if page.pixels > 4 * first.pixels and _same_shape(first, page)]
    return max(larger, key=lambda page: page.pixels, default=first)


def _same_shape(small: _Page, large: _Page) -> bool:
    """Whether the small page may be a preview of the large one, its sides rounded."""
    (w, h), (large_w, large_h) = small.size_wh, large.size_wh
    return abs(w * large_h - h * large_w) <= max(large_w, large_h)


def _check(page: _Page) -> None:
    """Refuse what the decoder would misread, or refuse without a name."""
    if not page.pixels:
        raise CorruptPicture("damaged TIFF: its page has no size")
    packed, colours = page.first(_COMPRESSION, _UNCOMPRESSED), page.first(_PHOTOMETRIC)
    if packed not in _COMPRESSIONS:
        raise UnsupportedFormat("a TIFF with a compression that photos do not use (fax, old JPEG ...)")
    if not page.tags.get(_PHOTOMETRIC):
        raise UnsupportedFormat("a TIFF that does not tell whether 0 is black or white")
    if colours in _LAB:
        raise UnsupportedFormat("a TIFF in CIE Lab colours; save it as RGB")
    if colours == _CMYK and page.first(_INK_SET, 1) != 1:
        raise UnsupportedFormat("a TIFF of other inks than cyan, magenta, yellow and black; save it as RGB")
    if page.first(_SAMPLE_FORMAT, 1) not in (1, 4):
        raise UnsupportedFormat(
            "a TIFF of signed or fractional numbers: which is white is not known; save it as 8 or 16 bits"
        )
    if page.first(_PREDICTOR, 1) != 1 and packed not in _PREDICTED:
        raise UnsupportedFormat("a TIFF whose predictor and compression do not go together; save it anew")
    if packed != _UNCOMPRESSED:
        return
    # The decoder takes every sample of YCbCr for stored; subsampled by 2 is what the absent tag means.
    if colours == _YCBCR and page.tags.get(_SUBSAMPLING) != [1, 1]:
        raise UnsupportedFormat("a TIFF of uncompressed, subsampled YCbCr; save it as RGB")
    plain = set(page.tags.get(_BITS, [1])) <= {8} and page.tags.get(_EXTRA_SAMPLES, []) in ([], [2])
    if page.first(_PLANAR, 1) == 2 and not plain:
        raise UnsupportedFormat(
            "a TIFF of uncompressed, separate planes of 16 bits; save it with 8, or compressed"
        )


_NEEDED = {
    *(_SUBFILE, _OLD_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _ORIENTATION),
    *(_PLANAR, _PREDICTOR, _SUB_PAGES, _INK_SET, _EXTRA_SAMPLES, _SAMPLE_FORMAT, _SUBSAMPLING, _DNG),
}
