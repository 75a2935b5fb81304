"""Turning pictures about their centre, and mapping what was found there back."""

from __future__ import annotations

import math

import numpy as np

from lineament.geometry.alignment import apply
from lineament.geometry.boxes import center
from lineament.types import Float32, Float64


def rotate_about_center(size_wh: tuple[int, int], angle_deg: float) -> tuple[Float64, tuple[int, int]]:
    """The affine map ``(2, 3)`` that turns a picture counter-clockwise, and the size that holds all of it.

    Angles as seen on the screen (y points down). Quarter turns are exact.
    """
    w, h = size_wh
    quarter = angle_deg / 90
    if quarter == int(quarter):
        c, s = ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))[int(quarter) % 4]
    else:
        c, s = math.cos(math.radians(angle_deg)), math.sin(math.radians(angle_deg))
    new_w = math.ceil(abs(w * c) + abs(h * s) - 1e-9)
    new_h = math.ceil(abs(w * s) + abs(h * c) - 1e-9)
    linear = np.array([[c, s], [-s, c]], np.float64)
    shift = np.array([new_w / 2, new_h / 2]) - linear @ np.array([w / 2, h / 2])
    return np.concatenate([linear, shift[:, None]], axis=1), (new_w, new_h)


def enclosing_boxes(boxes: Float32, transform: Float64) -> Float32:
    """The upright boxes ``(N, 4)`` around ``boxes`` after an affine map: they grow under odd angles."""
    corners = boxes[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2)
    moved = apply(transform, corners)
    return np.concatenate([moved.min(axis=1), moved.max(axis=1)], axis=1).astype(np.float32)


def centered_boxes(boxes: Float32, transform: Float64) -> Float32:
    """Boxes ``(N, 4)`` of unchanged size (times the map's scale) about their moved centres.

    The better answer for a face found in a turned picture: an enclosing box would be up to 41 % too wide.
    """
    scale = math.sqrt(abs(np.linalg.det(transform[:, :2])))
    c = apply(transform, center(boxes))
    half = (boxes[:, 2:] - boxes[:, :2]) / 2 * scale
    return np.concatenate([c - half, c + half], axis=1).astype(np.float32)
