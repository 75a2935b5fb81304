"""What takes the place of a face: one colour, or a few large squares. Pixels and boxes in, pixels out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from lineament.config import require_whole
from lineament.errors import ConfigError
from lineament.geometry.boxes import clip, expand
from lineament.types import Float32, UInt8

COLOUR = (0, 0, 0)
"""Of solid masks. Not grey: SFace takes a grey patch for a face, and finds it like some people's
(benchmarks/anonymize.py), so that a mask would match somebody at random."""

_LEAST_PX = 2
"""A square of pixelation is never smaller: a face of a few pixels would show through."""


class Method(StrEnum):
    """How a face is masked. There is no blur: what is blurred can still be recognised."""

    SOLID = "solid"
    PIXELATE = "pixelate"


@dataclass(frozen=True, slots=True)
class MaskSettings:
    """How masks are made.

    A mask is the box of a face with both sides ``dilate`` longer. ``cells`` is the number of squares along
    the longer side of a pixelated one. In videos it stays for ``hold_s`` seconds before and after a track.
    """

    method: Method = Method.SOLID
    dilate: float = 0.3
    cells: int = 4
    hold_s: float = 0.5

    def __post_init__(self) -> None:
        object.__setattr__(self, "method", Method(self.method))
        require_whole("cells", self.cells)
        if not 0 <= self.dilate <= 3:
            raise ConfigError(f"dilate: expected a number from 0 to 3, got {self.dilate!r:.80}")
        if not 0 <= self.hold_s <= 60:
            raise ConfigError(f"hold_s: expected seconds from 0 to 60, got {self.hold_s!r:.80}")


def mask_boxes(boxes: Float32, size_wh: tuple[int, int], settings: MaskSettings) -> Float32:
    """The masks ``(N, 4)`` of faces: dilated, on whole pixels outwards, cut to the picture."""
    grown = expand(boxes, 1 + settings.dilate)
    whole = np.concatenate([np.floor(grown[:, :2]), np.ceil(grown[:, 2:])], axis=1).astype(np.float32)
    return clip(whole, size_wh)


def masked(pixels: UInt8, boxes: Float32, settings: MaskSettings | None = None) -> UInt8:
    """A copy of a picture, uint8 ``(H, W, 3)``, with the faces at ``boxes`` ``(N, 4)`` masked."""
    chosen = settings or MaskSettings()
    out = pixels.copy()
    if not len(boxes):
        return out
    height, width = pixels.shape[:2]
    for left, top, right, bottom in mask_boxes(boxes, (width, height), chosen).astype(int):
        if left >= right or top >= bottom:
            continue
        if chosen.method is Method.SOLID:
            out[top:bottom, left:right] = COLOUR
        else:
            out[top:bottom, left:right] = _pixelated(pixels[top:bottom, left:right], chosen.cells)
    return out


def _pixelated(part: UInt8, cells: int) -> UInt8:
    """Squares of the mean colour, ``cells`` along the longer side."""
    import cv2

    height, width = part.shape[:2]
    side = max(_LEAST_PX, max(height, width) / cells)
    few = max(1, int(width / side)), max(1, int(height / side))
    means = cv2.resize(part, few, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(means, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)
