"""Scene cuts: where a video shows another picture from one frame to the next."""

from __future__ import annotations

import numpy as np

from lineament.types import Float32, UInt8

SIZE_WH = (32, 18)
"""Size of the grey thumbnails that are compared."""

_ALIKE = 0.6
"""Correlation of two thumbnails below which they may be of two scenes; a pan stays above it."""

_DIFFERENT = 15.0
"""Mean difference of grey levels, brightness apart, from which they may be: pictures without contrast
correlate by chance."""


class Cuts:
    """Tells of each thumbnail, grey uint8 ``(18, 32)``, whether a new scene begins with it."""

    def __init__(self) -> None:
        self._before: Float32 | None = None

    def begins(self, thumbnail: UInt8) -> bool:
        """Whether the frame is another scene than the last; never for the first. A flash is none."""
        levels = thumbnail.astype(np.float32)
        # The mean is taken away, so that light switched on or a flash changes little.
        levels -= levels.mean()
        before, self._before = self._before, levels
        if before is None:
            return False
        lengths = float(np.linalg.norm(before) * np.linalg.norm(levels))
        correlation = float((before * levels).sum()) / lengths if lengths > 0 else 0.0
        return correlation < _ALIKE and float(np.abs(levels - before).mean()) >= _DIFFERENT
