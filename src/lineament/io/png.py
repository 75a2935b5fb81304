"""The gate in front of the PNG decoder: every checksum is verified, and only what makes pixels passes.

Text and colour-profile chunks hold compressed data of their own (bombs, and honest profiles over the
decoder's limit); none of them changes a pixel here, so they never reach the decoder. Without the
animation chunks, an animated PNG is its default picture. PNG specification (third edition), chapter 5.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from lineament.errors import CorruptPicture

_SIGNATURE = 8
_PASSED = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
# Encoders cut pixels into chunks of 8 KiB and more: 128 MiB of them are 16,384.
_MAX_CHUNKS = 100_000


@dataclass(frozen=True, slots=True)
class Essentials:
    """A PNG file of only the chunks that make pixels, its EXIF block, and whether it is animated."""

    data: bytes
    exif: bytes
    animated: bool


def essentials(data: bytes) -> Essentials:
    """Keep the pixels, EXIF and nothing else; raises `CorruptPicture` for damage or a missing end."""
    kept = [data[:_SIGNATURE]]
    exif, animated, at = b"", False, _SIGNATURE
    view = memoryview(data)
    for _ in range(_MAX_CHUNKS):
        length = int.from_bytes(view[at : at + 4], "big")
        kind = data[at + 4 : at + 8]
        end = at + 12 + length
        if end > len(data) or len(kind) < 4:
            raise CorruptPicture("the PNG file ends early")
        if kind in _PASSED or kind == b"eXIf":
            if zlib.crc32(view[at + 4 : end - 4]) != int.from_bytes(view[end - 4 : end], "big"):
                if kind == b"eXIf":
                    kind = b""  # damaged metadata never costs the picture
                else:
                    raise CorruptPicture(f"the PNG file is damaged: checksum of its {kind.decode()} chunk")
            if kind == b"eXIf":
                exif = data[at + 8 : end - 4]
            elif kind:
                kept.append(data[at:end])
        elif kind == b"acTL":
            animated = True
        elif kind[:1].isupper():  # critical: the picture cannot be shown without it
            raise CorruptPicture("the PNG file is damaged: it needs a chunk that no standard names")
        if kind == b"IEND":
            return Essentials(b"".join(kept), exif, animated)
        at = end
    raise CorruptPicture(f"the PNG file has more than {_MAX_CHUNKS:,} chunks")
