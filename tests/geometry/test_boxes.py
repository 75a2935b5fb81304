"""Boxes: overlap, suppression and clipping against slow, obvious versions."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lineament.geometry import boxes as b
from lineament.types import Float32

whole = st.integers(0, 40)


@st.composite
def box_lists(draw: st.DrawFn, least: int = 0) -> Float32:
    n = draw(st.integers(least, 12))
    corners = draw(hnp.arrays(np.int64, (n, 2), elements=whole))
    sizes = draw(hnp.arrays(np.int64, (n, 2), elements=whole))
    return np.concatenate([corners, corners + sizes], axis=1).astype(np.float32)


def pixels_of(box: Float32) -> set[tuple[int, int]]:
    x1, y1, x2, y2 = (int(v) for v in box)
    return {(x, y) for x in range(x1, x2) for y in range(y1, y2)}


@given(box_lists(), box_lists())
def test_iou_counts_pixels(first: Float32, second: Float32) -> None:
    """IoU of whole-pixel boxes is shared pixels over all pixels, with no ``+1`` anywhere."""
    got = b.iou(first, second)
    for i, p in enumerate(map(pixels_of, first)):
        for j, q in enumerate(map(pixels_of, second)):
            assert np.isclose(got[i, j], len(p & q) / len(p | q) if p | q else 0)


@given(box_lists(), st.floats(0.05, 0.95), st.data())
def test_nms_equals_greedy(boxes: Float32, threshold: float, data: st.DataObject) -> None:
    """Suppression keeps what a plain greedy loop keeps, ties in input order."""
    scores = np.array(data.draw(st.lists(st.sampled_from([0.2, 0.5, 0.9]), min_size=len(boxes),
                                         max_size=len(boxes))), np.float32)  # fmt: skip
    left = sorted(range(len(boxes)), key=lambda i: (-scores[i], i))
    wanted = []
    while left:
        best = left.pop(0)
        wanted.append(best)
        p = pixels_of(boxes[best])
        left = [
            i for i in left if not len(p & pixels_of(boxes[i])) > threshold * len(p | pixels_of(boxes[i]))
        ]
    assert b.nms(boxes, scores, threshold).tolist() == wanted


def test_nms_keeps_a_box_at_the_threshold() -> None:
    """Only an overlap *above* the threshold suppresses."""
    boxes = np.array([[0, 0, 2, 1], [1, 0, 3, 1]], np.float32)
    assert b.nms(boxes, np.array([0.9, 0.8], np.float32), 1 / 3 + 1e-6).tolist() == [0, 1]
    assert b.nms(boxes, np.array([0.9, 0.8], np.float32), 0.33).tolist() == [0]


@given(box_lists(1), st.floats(0.1, 4))
def test_expand_keeps_the_centre(boxes: Float32, factor: float) -> None:
    """Growing multiplies both sides and leaves the centre; growing back restores the box."""
    grown = b.expand(boxes, factor)
    np.testing.assert_allclose(b.center(grown), b.center(boxes), atol=1e-3)
    np.testing.assert_allclose(b.area(grown), b.area(boxes) * factor**2, rtol=1e-3, atol=1e-2)
    np.testing.assert_allclose(b.expand(grown, 1 / factor), boxes, atol=1e-3)


@given(box_lists(1))
def test_clip_keeps_boxes_on_the_picture(boxes: Float32) -> None:
    """No clipped box leaves the picture, and one inside it is unchanged."""
    clipped = b.clip(boxes, (30, 20))
    assert (clipped >= 0).all() and (clipped <= [30, 20, 30, 20]).all()
    np.testing.assert_array_equal(b.clip(boxes, (1000, 1000)), boxes)


def test_nearest_takes_the_first_of_equals() -> None:
    """Two centres equally far away: the better face, which comes first."""
    boxes = np.array([[0, 0, 2, 2], [4, 0, 6, 2]], np.float32)
    assert b.nearest_to(boxes, (3, 1)) == 0
    assert b.nearest_to(boxes, (3.1, 1)) == 1
