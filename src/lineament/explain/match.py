"""What a match rests on: regions whose hiding changes the similarity of two faces (occlusion).

Zeiler and Fergus 2014 (ECCV, 4.2), on similarities. Any embedder will do; it is only asked, never opened.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lineament.errors import ConfigError
from lineament.protocols import Embedder
from lineament.scoring.similarity import normalise
from lineament.shown import shown
from lineament.types import Float32, UInt8


@dataclass(frozen=True, slots=True, eq=False)
class Occlusion:
    """How much of the ``similarity`` each place of both crops carries.

    ``first`` and ``second`` float32 ``(S, S)``: the mean fall of the similarity over the patches that hid
    the place; below 0 where hiding it made the faces more alike.
    """

    similarity: float
    first: Float32
    second: Float32
    patch: int
    stride: int

    __repr__ = shown


def occlude(
    embedder: Embedder, first: UInt8, second: UInt8, *, patch: int | None = None, stride: int | None = None
) -> Occlusion:
    """Hide one patch after another, in one face at a time, behind the crop's mean colour.

    Crops are uint8 ``(S, S, 3)`` of the embedder's size, aligned. ``patch`` is the side of a patch in
    pixels (a fifth of S), ``stride`` from one to the next (a third of that). Raises `ConfigError`.
    """
    size = embedder.crop_size
    patch = patch if patch is not None else max(2, round(size / 5))
    stride = stride if stride is not None else max(1, patch // 3)
    if not 1 <= stride <= patch <= size:
        raise ConfigError(f"occlusion: 1 <= stride <= patch <= {size}, got {stride} and {patch}")
    a, b = normalise(embedder.embed(np.stack([first, second])))
    similarity = float(a @ b)
    return Occlusion(
        similarity,
        _falls(embedder, first, b, similarity, patch, stride),
        _falls(embedder, second, a, similarity, patch, stride),
        patch,
        stride,
    )


def _falls(
    embedder: Embedder, crop: UInt8, other: Float32, similarity: float, patch: int, stride: int
) -> Float32:
    size = len(crop)
    # Patches reach over the border, so that places there are hidden as often as those in the middle.
    corners = [
        (y, x) for y in range(stride - patch, size, stride) for x in range(stride - patch, size, stride)
    ]
    mean = crop.reshape(-1, 3).mean(axis=0).round().astype(np.uint8)
    total, count = np.zeros((size, size)), np.zeros((size, size))
    for start in range(0, len(corners), 64):
        part = corners[start : start + 64]
        hidden = np.repeat(crop[None], len(part), axis=0)
        places = [
            (slice(max(y, 0), min(y + patch, size)), slice(max(x, 0), min(x + patch, size)))
            for y, x in part
        ]
        for row, place in zip(hidden, places, strict=True):
            row[place] = mean
        scores = normalise(embedder.embed(hidden)) @ other
        for place, score in zip(places, scores, strict=True):
            total[place] += similarity - float(score)
            count[place] += 1
    return np.asarray(total / count, np.float32)
