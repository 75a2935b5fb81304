"""Boxes follow the pixels through every EXIF orientation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineament.datasets.formats._frames import (
    box_to_stored,
    box_to_upright,
    points_to_stored,
    points_to_upright,
    upright_size,
)
from lineament.io.orientation import upright

sides = st.integers(4, 30)


@given(st.integers(1, 8), sides, sides, st.data())
def test_a_box_covers_the_same_pixels(
    orientation: int, width: int, height: int, data: st.DataObject
) -> None:
    """Mark a rectangle in the stored pixels and turn the picture: the turned box is where the marks are."""
    x1 = data.draw(st.integers(0, width - 1))
    y1 = data.draw(st.integers(0, height - 1))
    x2 = data.draw(st.integers(x1 + 1, width))
    y2 = data.draw(st.integers(y1 + 1, height))
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[y1:y2, x1:x2] = 255
    turned = upright(pixels, orientation)
    assert turned.shape[1::-1] == upright_size((width, height), orientation)
    ys, xs = np.nonzero(turned[:, :, 0])
    box = box_to_upright((x1, y1, x2, y2), (width, height), orientation)
    assert box == (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)
    assert box_to_stored(box, turned.shape[1::-1], orientation) == (x1, y1, x2, y2)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_points_come_back(orientation: int) -> None:
    """To the upright picture and back is where the point was."""
    points = ((1.5, 2.25), (30.0, 0.0))
    there = points_to_upright(points, (40, 24), orientation)
    assert points_to_stored(there, upright_size((40, 24), orientation), orientation) == points
