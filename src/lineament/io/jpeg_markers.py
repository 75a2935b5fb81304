"""The gate in front of the JPEG decoder: the first picture of the file, and only what makes its pixels.

The decoder is strict: a warning of libjpeg is a refusal, because most of them mean lost pixels. What it
warns about without losing any (bytes between two segments, the version of JFIF, an unknown colour
transform, a missing end behind the last scan) never reaches it. Nor does what follows the end of the
picture: the video of a motion photo, a gain map, a second view, an archive, padding. ITU-T T.81, annex B.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lineament.errors import CorruptPicture, UnsupportedFormat

_START, _END = b"\xff\xd8", b"\xff\xd9"
# A byte FF, then what is neither fill (FF) nor a stuffed zero; within a scan restarts go on as pixels.
_MARKER = re.compile(rb"\xff[^\x00\xff]")
_SCAN_END = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
# Each run of zeros is looked at once, from its first on, and never backwards.
_FILL = re.compile(rb"(?:(?<![\x00\xff])|(?<=\xff\x00))\x00++(?=\xff[\xd0-\xd7]|\Z)")
_SOI, _EOI, _SOS, _DHT, _DAC = 0xD8, 0xD9, 0xDA, 0xC4, 0xCC
_ALONE = {0x01, *range(0xD0, 0xD9)}
_FRAMES = {*range(0xC0, 0xD0)} - {_DHT, _DAC, 0xC8}
_READ_FRAMES = {0xC0, 0xC1, 0xC2}  # sequential (two), progressive: all with Huffman codes
_METADATA = {0xFE, *range(0xE0, 0xF0)}
# The canonical forms of the two segments that decide which colours the components are.
_JFIF = b"\xff\xe0\x00\x10JFIF\0\x01\x01\x00\x00\x01\x00\x01\x00\x00"
_ADOBE = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00"
_ALL_COEFFICIENTS = (1 << 64) - 1
# Real progressive files have 10 to 20 scans. An empty scan costs few bytes and 0.12 s at 120 megapixels,
# so that a megabyte of them would run for minutes.
_MAX_SCANS = 50
# A restart a row of blocks makes 8,192 at most; beyond these the zeros stay, and the scan is refused.
_MAX_FILLS = 100_000
# The longest metadata (a depth map in extended XMP) takes a segment per 64 KiB: 2,048 of them are 128 MiB.
_MAX_SEGMENTS = 20_000


@dataclass(frozen=True, slots=True)
class Picture:
    """A JPEG without what makes no pixels, piece by piece, and its EXIF block.

    ``pieces`` joined are the file to decode; ``scans`` tells which of them are the coded pixels, and
    ``complete`` whether, by their headers, they hold every coefficient of every component.
    """

    pieces: list[bytes]
    scans: list[int]
    complete: bool
    exif: bytes


def first_picture(data: bytes) -> Picture:
    """Walk from marker to marker up to the end of the first picture; no pixel is decoded.

    Raises `CorruptPicture` where the file ends before the last scan, `UnsupportedFormat` for a kind of
    JPEG that is not read (lossless, arithmetic, 12 bits, hierarchical).
    """
    return _Walk(data).result()


def without_fill(scan: bytes) -> bytes:
    """A scan without the zeros at its end and before its restarts; one behind an FF belongs to it."""
    return _FILL.sub(b"", scan, _MAX_FILLS)


class _Walk:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._pieces: list[bytes] = []
        self._scans: list[int] = []
        self._exif = b""
        self._jfif = False
        self._transform: int | None = None
        self._stray, self._ended, self._progressive = False, False, False
        self._coded: dict[int, int] = {}  # of each component the coefficients that are there in full

    def result(self) -> Picture:
        self._walk()
        if self._scans and not self._ended:  # a download that broke off lies in a file filled with zeros
            self._pieces[self._scans[-1]] = without_fill(self._pieces[self._scans[-1]])
        colours = [_JFIF] if self._jfif else []
        if self._transform is not None:
            known = {3: (0, 1), 4: (0, 2)}.get(len(self._coded), (0,))
            # What every decoder takes an unknown transform for: the one that is not "none".
            colours.append(_ADOBE + bytes([self._transform if self._transform in known else known[-1]]))
        pieces = [_START, *colours, *self._pieces, _END]
        scans = [1 + len(colours) + at for at in self._scans]
        return Picture(pieces, scans, self._complete(), self._exif)

    def _walk(self) -> None:
        data, at = self._data, len(_START)
        for _ in range(_MAX_SEGMENTS):
            found = _MARKER.search(data, at)
            if found is None:
                return self._require_complete()
            self._stray |= found.start() > at
            at, marker = found.start(), data[found.start() + 1]
            self._ended = marker == _EOI
            if self._ended and not self._stray:
                return None
            if self._ended or (marker == _SOI and self._complete()):
                return self._require_complete()
            if marker in _ALONE:
                self._pieces.append(data[at : at + 2])
                at += 2
                continue
            end = at + 2 + max(int.from_bytes(data[at + 2 : at + 4], "big"), 2)
            if end > len(data):
                return self._require_complete()
            at = self._segment(marker, at, end)
        raise CorruptPicture(f"more than {_MAX_SEGMENTS:,} segments: no camera or program writes that")

    def _segment(self, marker: int, at: int, end: int) -> int:
        """Take one segment; returns where the next is looked for."""
        data = self._data
        body = data[at + 4 : end]
        if marker in _METADATA:
            self._metadata(marker, body)
            return end
        if marker in _FRAMES:
            self._frame(marker, body)
        self._pieces.append(data[at:end])
        if marker != _SOS:
            return end
        if len(self._scans) == _MAX_SCANS:
            raise CorruptPicture(f"more than {_MAX_SCANS} scans: no encoder writes that")
        self._scan(body)
        found = _SCAN_END.search(data, end)
        scan_end = found.start() if found else len(data)
        self._scans.append(len(self._pieces))
        self._pieces.append(data[end:scan_end])
        return scan_end

    def _metadata(self, marker: int, body: bytes) -> None:
        if self._scans:  # colours are settled by then, as in every decoder
            return
        if marker == 0xE0 and body.startswith(b"JFIF\0") and len(body) >= 14:
            self._jfif = True
        elif marker == 0xEE and body.startswith(b"Adobe") and len(body) >= 12:
            self._transform = body[11]
        elif marker == 0xE1 and body.startswith(b"Exif\0") and not self._exif:
            self._exif = body[6:]

    def _frame(self, marker: int, body: bytes) -> None:
        kind = {0xC3: "lossless", 0xC9: "arithmetic", 0xCA: "arithmetic", 0xCB: "lossless"}
        if marker not in _READ_FRAMES:
            raise UnsupportedFormat(
                f"a {kind.get(marker, 'hierarchical')} JPEG; save it as an ordinary one"
            )
        if body[:1] != b"\x08":
            raise UnsupportedFormat(f"a JPEG of {int.from_bytes(body[:1])} bits; save it with 8")
        self._progressive = marker == 0xC2
        self._coded = dict.fromkeys(body[6::3], 0)

    def _scan(self, body: bytes) -> None:
        count = int.from_bytes(body[:1])
        first, last, bits = (body[1 + 2 * count : 4 + 2 * count] + bytes(3))[:3]
        coded = _ALL_COEFFICIENTS
        if self._progressive:
            # The low half byte counts the bits still to come in a later scan.
            coded = 0 if bits & 15 else (2 << min(last, 63)) - (1 << min(first, 63))
        for component in body[1 : 1 + 2 * count : 2]:
            if component in self._coded:
                self._coded[component] |= coded

    def _complete(self) -> bool:
        return bool(self._coded) and all(done == _ALL_COEFFICIENTS for done in self._coded.values())

    def _require_complete(self) -> None:
        # A file that only lacks its end mark has lost nothing (whether the last scan is whole is seen when
        # it is decoded); neither has one with stray bytes, unless they are what is left of a scan's header.
        if not self._complete():
            raise CorruptPicture(
                "the JPEG file ends early, or a part of it is damaged: not all pixels are there"
            )
