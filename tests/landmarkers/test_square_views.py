"""Views of faces: what is cut is what is asked for, and points find their way back."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from lineament.landmarkers._views import View, around
from lineament.types import Float32, Float64, UInt8


def dotted(points: Float32, hw: tuple[int, int]) -> UInt8:
    """A dark picture with a round, soft, bright dot at each of ``(K, 2)`` continuous coordinates."""
    y, x = np.mgrid[: hw[0], : hw[1]] + 0.5
    light = sum(np.exp(-((x - px) ** 2 + (y - py) ** 2) / 18) for px, py in points)
    return np.repeat((255 * np.clip(light, 0, 1)).astype(np.uint8)[..., None], 3, axis=2)


def center_of_light(view: UInt8) -> Float64:
    """The middle of what is bright, in shares of the view."""
    light = view[..., 0].astype(np.float64)
    y, x = np.mgrid[: light.shape[0], : light.shape[1]] + 0.5
    return np.array([(x * light).sum(), (y * light).sum()]) / light.sum() / len(light)


@pytest.mark.parametrize("side", [40.0, 100.0, 240.0])
@pytest.mark.parametrize("degrees", [0, 30, -75, 180])
def test_a_dot_of_the_view_is_the_dot_of_the_picture(side: float, degrees: float) -> None:
    """Cut, turned, enlarged or shrunk: a point seen in the view lies where it is in the picture."""
    spot = np.array([[153.0, 131.5]], np.float32)
    pixels = dotted(spot, (260, 300))
    view = View(pixels, np.array([150.0, 128.0]), side, math.radians(degrees))
    seen = center_of_light(view.cut(96))
    np.testing.assert_allclose(view.to_picture(seen[None].astype(np.float32)), spot, atol=0.1)


def test_a_tilted_face_is_shown_upright() -> None:
    """Eyes on a line that is turned clockwise lie level in a view of that roll, in their order."""
    eyes = np.array([[40, 40], [60, 60]], np.float32)
    view = View(np.zeros((100, 100, 3), np.uint8), np.array([50.0, 50.0]), 80, math.radians(45))
    shown = eyes @ view.to_view(80)[:, :2].T + view.to_view(80)[:, 2]
    assert abs(shown[0, 1] - shown[1, 1]) < 1e-6 and shown[0, 0] < shown[1, 0]


def test_beyond_the_picture_its_border_goes_on() -> None:
    """A face at the edge is not cut off by black, which the networks take for part of it."""
    pixels = np.full((50, 50, 3), 200, np.uint8)
    assert around(pixels, np.array([-20, -20, 20, 20], np.float32), 1.5).cut(64).min() == 200


def test_a_large_face_is_shrunk_by_area() -> None:
    """Fine texture turns grey, as it does from afar, and not into noise."""
    checks = (np.indices((800, 800)).sum(axis=0) % 2 * 255).astype(np.uint8)
    view = around(np.repeat(checks[..., None], 3, axis=2), np.array([0, 0, 800, 800], np.float32), 1.0)
    assert np.ptp(view.cut(96)[4:-4, 4:-4].astype(int)) <= 2


def test_only_the_surroundings_are_read() -> None:
    """A face of a picture of a hundred megapixels costs what one of a small picture does."""
    pixels = np.lib.stride_tricks.as_strided(np.zeros(3, np.uint8), (40_000, 40_000, 3), (0, 0, 1))
    assert around(pixels, np.array([30_000, 39_000, 30_100, 39_100], np.float32), 1.25).cut(192).max() == 0


def test_views_agree_with_opencv_at_scale_one() -> None:
    """Neither turned nor resized, a view is the pixels themselves."""
    pixels = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (60, 60, 3), np.uint8), (5, 5), 0)
    view = around(pixels, np.array([10, 14, 42, 46], np.float32), 1.0)
    np.testing.assert_array_equal(view.cut(32), pixels[14:46, 10:42])
