"""Small labelled data sets for the tests of label formats: drawn pictures, never photos of people."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image as pillow

from lineament.io.manifest import Manifest, ManifestRow, row_id

STORED_WH = (40, 24)


@cache
def picture_bytes(number: int, orientation: int = 1) -> bytes:
    """A JPEG of 40 x 24 stored pixels whose EXIF says ``orientation``; each number has other bytes."""
    pixels = np.random.default_rng(number).integers(0, 255, (24, 40, 3), np.uint8)
    exif = pillow.Exif()
    exif[274] = orientation
    out = io.BytesIO()
    pillow.fromarray(pixels).save(out, "JPEG", exif=exif)
    return out.getvalue()


def upright_wh(orientation: int) -> tuple[int, int]:
    return STORED_WH[::-1] if orientation >= 5 else STORED_WH


def put(folder: Path, path: str, number: int = 0, orientation: int = 1) -> str:
    """Write a picture; returns its hash."""
    data = picture_bytes(number, orientation)
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def face_row(
    folder: Path, path: str, number: int = 0, orientation: int = 1, face: int = 0, **fields: object
) -> ManifestRow:
    """A row of one face, its picture written."""
    digest = put(folder, path, number, orientation)
    fields.setdefault("box", (3.0, 4.0, 13.0, 20.0))
    return ManifestRow(row_id(digest, path, face), path, digest, upright_wh(orientation), **fields)  # type: ignore[arg-type]


def one(rows: Sequence[ManifestRow] | Manifest) -> ManifestRow:
    (row,) = rows
    return row
