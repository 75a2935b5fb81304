"""Head pose: exact on the mean face, right in sign, steady under what must not matter."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineament.geometry.landmarks import flip_horizontally, roll
from lineament.quality.pose import head_pose, mean_face
from lineament.types import Float32, Float64


def turned(yaw: float, pitch: float, roll_: float) -> Float64:
    """The mean face in 3D, turned as a head turns: first nod, then shake, then the picture's tilt.

    x right, y down, z away from the viewer; the nose points at the viewer, along -z.
    """
    y, p, r = np.radians([yaw, pitch, roll_])
    nod = np.array([[1, 0, 0], [0, np.cos(p), np.sin(p)], [0, -np.sin(p), np.cos(p)]])
    shake = np.array([[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]])
    tilt = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return mean_face() @ (tilt @ shake @ nod).T


def seen(points: Float64, distance: float | None = None) -> Float32:
    """Landmarks ``(1, 5, 2)`` by scaled orthography, or by a pinhole ``distance`` eye distances away."""
    flat = points[:, :2] if distance is None else points[:, :2] / (1 + points[:, 2:] / distance)
    return (80 * flat + 200)[None].astype(np.float32)


@given(yaw=st.floats(-80, 80), pitch=st.floats(-60, 60), roll_=st.floats(-170, 170))
def test_recovers_the_pose_of_the_mean_face(yaw: float, pitch: float, roll_: float) -> None:
    """Turning the 3D mean face by known angles gives those angles back."""
    np.testing.assert_allclose(
        head_pose(seen(turned(yaw, pitch, roll_)))[0], [yaw, pitch, roll_], atol=0.05
    )


def test_signs() -> None:
    """Yaw is positive with the nose to the picture's right, pitch with the nose up."""
    front, right, up = (seen(turned(*angles))[0] for angles in ((0, 0, 0), (30, 0, 0), (0, 20, 0)))
    assert right[2, 0] - right[:2, 0].mean() > front[2, 0] - front[:2, 0].mean()
    assert up[2, 1] - up[:2, 1].mean() < front[2, 1] - front[:2, 1].mean()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_monotone_through_a_pinhole(axis: int) -> None:
    """Seen through a real camera close by, more turning still means a larger angle, within 8 degrees."""
    angles = np.arange(-60, 61, 5.0)
    poses = np.concatenate([head_pose(seen(turned(*(a * np.eye(3)[axis])), distance=10)) for a in angles])
    assert (np.diff(poses[:, axis]) > 0).all()
    assert np.abs(poses[:, axis] - angles).max() < 8


@given(yaw=st.floats(-70, 70), pitch=st.floats(-50, 50), roll_=st.floats(-80, 80))
def test_mirroring_flips_yaw_and_roll(yaw: float, pitch: float, roll_: float) -> None:
    """The mirrored picture has opposite yaw and roll and the same pitch, whatever the face."""
    rng = np.random.default_rng(int(abs(yaw) * 1000))
    points = seen(turned(yaw, pitch, roll_)) + rng.normal(0, 2, (1, 5, 2)).astype(np.float32)
    mirrored = head_pose(flip_horizontally(points, 400))[0]
    np.testing.assert_allclose(mirrored, head_pose(points)[0] * [-1, 1, -1], atol=0.05)


@given(angle=st.floats(-90, 90), scale=st.floats(0.05, 30))
def test_turning_the_picture_changes_only_roll(angle: float, scale: float) -> None:
    """Rotation, size and place of the picture leave yaw and pitch alone."""
    points = seen(turned(25, -10, 0)) + np.random.default_rng(1).normal(0, 3, (1, 5, 2)).astype(np.float32)
    a = np.radians(angle)
    spun = points @ np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]]).T.T * scale + 17
    before, after = head_pose(points)[0], head_pose(spun.astype(np.float32))[0]
    np.testing.assert_allclose(after[:2], before[:2], atol=0.05)
    np.testing.assert_allclose(after[2] - before[2], angle, atol=0.05)


def test_roll_agrees_with_the_eye_line() -> None:
    """For a frontal face, roll is the angle of the eye line."""
    points = seen(turned(0, 0, 33))
    np.testing.assert_allclose(head_pose(points)[0, 2], np.degrees(roll(points))[0], atol=0.01)


def test_no_faces() -> None:
    """No landmarks give no poses."""
    assert head_pose(np.zeros((0, 5, 2), np.float32)).shape == (0, 3)
