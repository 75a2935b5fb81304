"""How much of a shape lies in a picture."""

from __future__ import annotations

import numpy as np

from lineament.types import Float32, Float64


def shares_inside(shapes: Float64, size_wh: tuple[int, int]) -> Float32:
    """Shares ``(N,)`` of the areas of convex shapes ``(N, K, 2)`` in the picture; NaN stays NaN."""
    limits = np.array(size_wh, np.float64)
    shares = np.ones(len(shapes), np.float32)
    for i, shape in enumerate(shapes):
        if np.isnan(shape).any():
            shares[i] = np.nan
        elif (shape < 0).any() or (shape > limits).any():
            whole = _area(shape)
            shares[i] = _area(_cut(shape, size_wh)) / whole if whole > 0 else 0
    return shares


def _cut(shape: Float64, size_wh: tuple[int, int]) -> Float64:
    """Cut by the four sides one after the other (Sutherland and Hodgman 1974)."""
    for axis, limit, sign in ((0, 0, 1), (1, 0, 1), (0, size_wh[0], -1), (1, size_wh[1], -1)):
        if not len(shape):
            break
        depth = sign * (shape[:, axis] - limit)
        kept = []
        for k in range(len(shape)):
            a, b, da, db = shape[k - 1], shape[k], depth[k - 1], depth[k]
            if (da < 0) != (db < 0):
                kept.append(a + (b - a) * (da / (da - db)))
            if db >= 0:
                kept.append(b)
        shape = np.array(kept, np.float64).reshape(-1, 2)
    return shape


def _area(shape: Float64) -> float:
    x, y = shape[:, 0], shape[:, 1]
    return abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2
