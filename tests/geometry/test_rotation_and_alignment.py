"""Maps between pictures: exact quarter turns, round trips, and the similarity fit against slow oracles."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lineament.geometry import landmarks as lm
from lineament.geometry.alignment import ARCFACE_112, apply, invert, similarity_transform
from lineament.geometry.rotation import centered_boxes, enclosing_boxes, rotate_about_center
from lineament.types import Float32, Float64

points5 = hnp.arrays(np.float32, (5, 2), elements=st.floats(-500, 500, width=32))
angles = st.floats(-360, 360)
sizes = st.tuples(st.integers(1, 400), st.integers(1, 400))


def umeyama(source: Float32, target: Float32) -> Float64:
    """The textbook similarity fit by singular value decomposition, without reflection."""
    s, d = source.astype(np.float64), target.astype(np.float64)
    sm, dm = s.mean(0), d.mean(0)
    u, values, vt = np.linalg.svd((d - dm).T @ (s - sm) / len(s))
    sign = np.array([1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt)) or 1.0])
    rotation = u @ np.diag(sign) @ vt
    scale = (values * sign).sum() / ((s - sm) ** 2).sum() * len(s)
    return np.concatenate([scale * rotation, (dm - scale * rotation @ sm)[:, None]], axis=1)


def spread(points: Float32) -> float:
    return float(((points - points.mean(0)) ** 2).sum())


@given(points5, points5)
def test_similarity_equals_svd(source: Float32, target: Float32) -> None:
    """The closed form leaves the same squared error as Umeyama's decomposition, for any ten points."""
    if spread(source) < 1:
        return
    got, wanted = similarity_transform(source, target), umeyama(source, target)

    def error(m: Float64) -> float:
        return float((((source @ m[:, :2].T + m[:, 2]) - target) ** 2).sum())

    assert error(got) <= error(wanted) * (1 + 1e-6) + 1e-3
    assert np.isclose(got[0, 0], got[1, 1]) and np.isclose(got[0, 1], -got[1, 0])


@given(st.floats(0.2, 5), angles, st.floats(-100, 100), st.floats(-100, 100))
def test_similarity_recovers_a_known_map(scale: float, degrees: float, x: float, y: float) -> None:
    """Points moved by a similarity give that similarity back, as OpenCV's own fit does."""
    c, s = scale * math.cos(math.radians(degrees)), scale * math.sin(math.radians(degrees))
    known = np.array([[c, -s, x], [s, c, y]])
    moved = apply(known, ARCFACE_112)
    got = similarity_transform(ARCFACE_112, moved)
    np.testing.assert_allclose(got, known, atol=1e-3)
    other, _ = cv2.estimateAffinePartial2D(ARCFACE_112, moved, method=cv2.LMEDS)
    np.testing.assert_allclose(got, other, atol=1e-2)


def test_similarity_of_a_stack_is_each_ones() -> None:
    """Many faces at once get the maps that they get alone."""
    rng = np.random.default_rng(2)
    source = rng.uniform(0, 200, (7, 5, 2)).astype(np.float32)
    target = np.broadcast_to(ARCFACE_112, source.shape)
    stack = similarity_transform(source, target)
    for one, face in zip(stack, source, strict=True):
        np.testing.assert_allclose(one, similarity_transform(face, ARCFACE_112))


def test_coinciding_points_are_refused() -> None:
    """No similarity fits a single place; the error says so instead of giving infinity."""
    with pytest.raises(ValueError, match="coincide"):
        similarity_transform(np.ones((5, 2), np.float32), ARCFACE_112)


@given(sizes, angles, points5)
def test_rotation_round_trip(size_wh: tuple[int, int], degrees: float, points: Float32) -> None:
    """A point turned and turned back is where it was."""
    transform, _ = rotate_about_center(size_wh, degrees)
    np.testing.assert_allclose(apply(invert(transform), apply(transform, points)), points, atol=1e-2)


@given(sizes, angles)
def test_canvas_holds_the_picture(size_wh: tuple[int, int], degrees: float) -> None:
    """All four corners of the turned picture lie on the canvas, and the centres coincide."""
    transform, canvas = rotate_about_center(size_wh, degrees)
    w, h = size_wh
    corners = apply(transform, np.array([[0, 0], [w, 0], [0, h], [w, h]], np.float32))
    assert (corners >= -1e-2).all() and (corners <= np.array(canvas) + 1e-2).all()
    middle = apply(transform, np.array([[w / 2, h / 2]], np.float32))
    np.testing.assert_allclose(middle[0], np.array(canvas) / 2, atol=1e-3)


@pytest.mark.parametrize("quarter", [0, 1, 2, 3])
def test_quarter_turns_are_exact(quarter: int) -> None:
    """Every pixel lands where ``np.rot90`` puts it: its centre at half coordinates, counter-clockwise."""
    pixels = np.arange(12).reshape(3, 4)
    transform, (w, h) = rotate_about_center((4, 3), 90 * quarter)
    turned = np.rot90(pixels, quarter)
    assert turned.shape == (h, w)
    for y in range(3):
        for x in range(4):
            u, v = apply(transform, np.array([[x + 0.5, y + 0.5]], np.float32))[0]
            assert turned[int(v), int(u)] == pixels[y, x]
            assert u % 1 == 0.5 and v % 1 == 0.5


def test_positive_angles_are_counter_clockwise() -> None:
    """Seen on the screen, a small positive turn lifts the right edge's middle."""
    transform, _ = rotate_about_center((100, 100), 10)
    right = apply(transform, np.array([[100, 50]], np.float32))[0]
    middle = apply(transform, np.array([[50, 50]], np.float32))[0]
    assert right[1] < middle[1]


@given(sizes, angles)
def test_boxes_under_rotation(size_wh: tuple[int, int], degrees: float) -> None:
    """A centred box keeps its size; the enclosing one holds its four moved corners."""
    transform, _ = rotate_about_center(size_wh, degrees)
    box = np.array([[10, 20, 40, 80]], np.float32)
    centred = centered_boxes(box, transform)
    np.testing.assert_allclose(centred[:, 2:] - centred[:, :2], [[30, 60]], rtol=1e-3)
    enclosing = enclosing_boxes(box, transform)[0]
    corners = apply(transform, np.array([[10, 20], [40, 20], [10, 80], [40, 80]], np.float32))
    assert (corners >= enclosing[:2] - 1e-2).all() and (corners <= enclosing[2:] + 1e-2).all()


@given(points5, st.floats(1, 500))
def test_mirroring_twice_is_nothing(points: Float32, width: float) -> None:
    """Mirrored landmarks swap the subject's sides; twice is the identity."""
    twice = lm.flip_horizontally(lm.flip_horizontally(points, width), width)
    np.testing.assert_allclose(twice, points, atol=1e-2)
    np.testing.assert_array_equal(lm.flip_horizontally(points, width)[0, 1], points[1, 1])


@given(st.floats(-170, 170))
def test_roll_is_the_clockwise_angle(degrees: float) -> None:
    """A face turned clockwise by an angle shows that roll, and its eyes stay as far apart."""
    transform, _ = rotate_about_center((112, 112), -degrees)
    turned = apply(transform, ARCFACE_112)
    upright = math.degrees(float(lm.roll(ARCFACE_112)))
    off = math.degrees(float(lm.roll(turned))) - upright - degrees
    assert abs((off + 180) % 360 - 180) < 0.01
    assert np.isclose(lm.interocular_distance(turned), lm.interocular_distance(ARCFACE_112), rtol=1e-4)
