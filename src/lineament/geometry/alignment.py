"""Similarity fits between landmark sets, and the templates that models were trained on."""

from __future__ import annotations

import numpy as np

from lineament.types import Float32, Float64

ARCFACE_112 = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]],
    np.float32,
)
"""Where the five landmarks lie in a 112 x 112 crop (InsightFace's ``arcface_src``).

Order as everywhere here: subject's right eye (left in the picture), left eye, nose, right and left mouth
corner."""


def similarity_transform(source: Float32, target: Float32) -> Float64:
    """Least-squares similarity (rotation, one scale, shift; no mirror) taking ``source`` to ``target``.

    Both ``(..., K, 2)``, K >= 2; returns float64 ``(..., 2, 3)``. In the plane the optimum of Umeyama
    (1991, IEEE TPAMI 13:4) without reflection has this closed form. Raises ValueError when all source
    points coincide.
    """
    src = np.asarray(source, np.float64)
    dst = np.asarray(target, np.float64)
    src_mean = src.mean(axis=-2, keepdims=True)
    dst_mean = dst.mean(axis=-2, keepdims=True)
    s, d = src - src_mean, dst - dst_mean
    spread = (s**2).sum(axis=(-2, -1))
    if np.any(spread <= 1e-12):
        raise ValueError("similarity_transform: all source points coincide")
    a = (s * d).sum(axis=(-2, -1)) / spread
    b = (s[..., 0] * d[..., 1] - s[..., 1] * d[..., 0]).sum(axis=-1) / spread
    linear = np.stack([np.stack([a, -b], -1), np.stack([b, a], -1)], -2)
    shift = dst_mean[..., 0, :] - np.einsum("...ij,...j->...i", linear, src_mean[..., 0, :])
    return np.concatenate([linear, shift[..., None]], axis=-1)


def apply(transform: Float64, points: Float32) -> Float32:
    """Points ``(..., 2)`` under an affine map ``(2, 3)``."""
    return np.asarray(points @ transform[:, :2].T + transform[:, 2], np.float32)


def invert(transform: Float64) -> Float64:
    """The inverse ``(2, 3)`` of an affine map."""
    linear = np.linalg.inv(transform[:, :2])
    return np.concatenate([linear, -linear @ transform[:, 2:]], axis=1)
