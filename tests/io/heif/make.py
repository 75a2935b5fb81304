"""Remake the HEIC files beside this script: `python make.py`, with pillow-heif, which can write.

All show `hostile.pictures.chart()`. The grid is put together here, as an iPhone writes it: tiles, and an
item that lays them out, cut to the size of the picture.
"""

from __future__ import annotations

import io
import struct
import sys
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import Image as pillow

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))
from hostile.pictures import CAMERA_TURNS, chart  # noqa: E402


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I", 8 + len(body)) + kind + body


def full(kind: bytes, version: int, *parts: bytes) -> bytes:
    return box(kind, bytes([version, 0, 0, 0]), *parts)


def still(picture: pillow.Image) -> tuple[bytes, bytes]:
    """The decoder's configuration box and the coded picture of a HEIC file of one picture."""
    out = io.BytesIO()
    picture.save(out, "HEIF", quality=90, chroma=444)
    data = out.getvalue()
    at = data.index(b"hvcC") - 4
    config = data[at : at + int.from_bytes(data[at : at + 4], "big")]
    return config, data[data.index(b"mdat") + 4 :]


def grid(picture: np.ndarray, tile: int) -> bytes:
    height, width = picture.shape[:2]
    rows, columns = -(-height // tile), -(-width // tile)
    padded = np.pad(picture, ((0, rows * tile - height), (0, columns * tile - width), (0, 0)), "edge")
    cuts = [
        padded[tile * r : tile * (r + 1), tile * c : tile * (c + 1)]
        for r in range(rows)
        for c in range(columns)
    ]
    stills = [still(pillow.fromarray(np.ascontiguousarray(cut))) for cut in cuts]
    count, layout = len(stills), struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, width, height)
    ids = range(2, 2 + count)
    infos = [full(b"infe", 2, struct.pack(">HH", 1, 0), b"grid", b"\0")]
    hidden = bytes([2, 0, 0, 1])  # version 2; a tile is no picture of its own
    infos += [box(b"infe", hidden, struct.pack(">HH", id, 0), b"hvc1", b"\0") for id in ids]
    properties = box(
        b"ipco",
        stills[0][0],
        full(b"ispe", 0, struct.pack(">II", tile, tile)),
        full(b"ispe", 0, struct.pack(">II", width, height)),
    )
    uses = struct.pack(">HBB", 1, 1, 3) + b"".join(struct.pack(">HBBB", id, 2, 0x81, 2) for id in ids)
    pieces = [layout, *(data for _, data in stills)]

    def meta(start: int) -> bytes:
        places, at = b"", start
        for id, piece in enumerate(pieces, 1):
            places += struct.pack(">HHHII", id, 0, 1, at, len(piece))
            at += len(piece)
        return full(
            b"meta",
            0,
            full(b"hdlr", 0, bytes(4), b"pict", bytes(13)),
            full(b"pitm", 0, struct.pack(">H", 1)),
            full(b"iinf", 0, struct.pack(">H", 1 + count), *infos),
            full(b"iref", 0, box(b"dimg", struct.pack(f">HH{count}H", 1, count, *ids))),
            box(b"iprp", properties, full(b"ipma", 0, struct.pack(">I", 1 + count), uses)),
            full(b"iloc", 0, b"\x44\x00", struct.pack(">H", len(pieces)), places),
        )

    head = box(b"ftyp", b"heic", bytes(4), b"mif1heic")
    start = len(head) + len(meta(0)) + 8
    return head + meta(start) + box(b"mdat", *pieces)


def main() -> None:
    pillow_heif.register_heif_opener()
    whole = chart()
    picture = pillow.fromarray(whole)

    def save(name: str, image: pillow.Image, **options: object) -> None:
        image.save(HERE / f"{name}.heic", "HEIF", quality=90, chroma=444, **options)

    save("plain", picture)
    clear = np.where(np.arange(96) < 48, 255, 0).astype(np.uint8)[None].repeat(64, 0)
    save("alpha", pillow.fromarray(np.dstack([whole, clear])))
    for orientation, turn in CAMERA_TURNS.items():
        exif = pillow.Exif()
        exif[274], exif[271] = orientation, "maker"
        save(
            f"turned_{orientation}",
            pillow.fromarray(np.ascontiguousarray(turn(whole))),
            exif=exif.tobytes(),
        )
    two = pillow_heif.HeifFile()
    two.add_from_pillow(pillow.fromarray(255 - whole))
    two.add_from_pillow(picture)
    two.save(HERE / "primary_second.heic", quality=90, primary_index=1, chroma=444)
    deep = (whole.astype(np.uint16) * 257).tobytes()
    ten = pillow_heif.from_bytes(mode="RGB;16", size=(96, 64), data=deep)
    ten.save(HERE / "ten_bits.heic", quality=90, chroma=444)
    (HERE / "grid.heic").write_bytes(grid(whole, 64))


if __name__ == "__main__":
    main()
