"""Which rows show nearly the same picture, so that a split keeps them together and an audit finds them.

The search of `lineament.datasets.cleaning.duplicates` with the coarse look of a picture in place of an
embedding: no model is needed, and a few cropped copies stay unseen that `lineament dataset clean` would
find.
"""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache

import numpy as np

from lineament.datasets.cleaning.duplicates import (
    KEPT_LAYOUTS,
    Print,
    find_duplicates,
    groups,
    lay_outs,
    small_looks,
)
from lineament.datasets.cleaning.same_picture import Canvas, perceptual_hashes
from lineament.errors import PictureError
from lineament.io import images
from lineament.io.manifest import Manifest, ManifestRow
from lineament.io.opencv import one_thread_each
from lineament.protocols import Advance
from lineament.types import Float32, UInt8

_MIN_SIDE = 256
"""Large JPEGs are decoded small: the comparison is made at half of this."""

_LOOK_SIDE = 12
"""Of copies cut by 5 % at two edges it finds 37 of 40, and 40 with 8, which takes twice the time."""


def linked(
    manifest: Manifest, *, workers: int | None = None, advance: Advance = lambda _count: None
) -> list[set[str]]:
    """Sets of ids of rows whose pictures are near-duplicates, or of equal pixels.

    Rows of one file are in one set. Pictures that cannot be read are linked to nothing; the audit counts
    them among its files. Augmented copies whose original is there are left out: they belong to it anyway.
    ``workers`` threads compare, one a core by default; ``advance`` is told of `steps` in all.
    """
    by_path = _files(manifest)

    @lru_cache(maxsize=1)
    def pixels(path: str) -> UInt8:
        return images.load(manifest.folder / path, min_side=_MIN_SIDE).pixels

    @lru_cache(maxsize=KEPT_LAYOUTS)
    def layouts(path: str) -> tuple[Canvas, ...]:
        return lay_outs(pixels(path), _landmarks(pixels(path), by_path[path][0]))

    prints: list[Print] = []
    with one_thread_each():
        for path, rows in sorted(by_path.items()):
            try:
                prints.append(_print(pixels(path), rows[0], layouts(path)))
            except PictureError:
                pass
            finally:
                advance(1)
    advance(2 * (len(by_path) - len(prints)))  # these will not be compared
    pairs = find_duplicates(
        prints,
        lambda i: layouts(prints[i].path),
        workers=workers or os.cpu_count() or 1,
        advance=advance,
    )
    return [
        {row.id for i in group for row in by_path[prints[i].path]} for group in groups(len(prints), pairs)
    ]


def steps(manifest: Manifest) -> int:
    """How far `linked` counts: every file when it was read, glanced at and compared."""
    return 3 * len(_files(manifest))


def _files(manifest: Manifest) -> dict[str, list[ManifestRow]]:
    known = {row.id for row in manifest}
    by_path: dict[str, list[ManifestRow]] = {}
    for row in manifest:
        if row.outcome != "refused" and not (row.step == "augment" and row.parent in known):
            by_path.setdefault(row.path, []).append(row)
    return by_path


def _landmarks(pixels: UInt8, row: ManifestRow) -> Float32 | None:
    """In the pixels of the small decoding, where they are compared."""
    if row.landmarks is None:
        return None
    scale = row.size_wh[0] / pixels.shape[1] if row.size_wh is not None else 1.0
    return np.asarray(np.array(row.landmarks, np.float32) / np.float32(scale), np.float32)


def _print(pixels: UInt8, row: ManifestRow, canvases: tuple[Canvas, ...]) -> Print:
    h, w = pixels.shape[:2]
    look, mirrored = _looks(pixels)
    return Print(
        row.path,
        row.subject,
        row.sha256,
        hashlib.sha256(f"{w}x{h}".encode() + pixels.tobytes()).hexdigest(),
        perceptual_hashes(pixels),
        (w, h),
        embedding=look,
        id=row.id,
        mirrored=mirrored,
        looks=small_looks(canvases),
    )


def _looks(pixels: UInt8) -> tuple[Float32, Float32]:
    """Unit vectors of the coarsest detail, plain and mirrored: near, where a cut changes the hash."""
    import cv2

    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    tiny = cv2.resize(grey, (_LOOK_SIDE, _LOOK_SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    detail = tiny - tiny.mean()
    detail /= max(float(np.linalg.norm(detail)), 1e-6)
    return np.asarray(detail.ravel(), np.float32), np.asarray(detail[:, ::-1].ravel(), np.float32)
