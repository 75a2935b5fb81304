"""Where masks lie in time."""

from __future__ import annotations

import numpy as np

from lineament.anonymizing.planning import Plan
from lineament.anonymizing.reviewing import least_sure
from lineament.types import Track


def track(times: list[float], lefts: list[float], number: int = 1) -> Track:
    """A face of 10 pixels that moves along a line."""
    boxes = np.array([[x, 0, x + 10, 10] for x in lefts], np.float32)
    return Track(number, np.array(times), boxes)


def test_masks_are_held_before_and_after() -> None:
    """Half a second on both sides, at the place where the face was found; beyond it nothing."""
    plan = Plan([track([1.0, 2.0], [5, 5])], 0.5)
    for seconds, there in ((0.49, 0), (0.51, 1), (1.5, 1), (2.49, 1), (2.51, 0)):
        assert len(plan.boxes_at(seconds)) == there, seconds
    assert plan.boxes_at(0.6).tolist() == [[5, 0, 15, 10]]
    assert plan.held_at(0.6) and not plan.held_at(1.5)


def test_gaps_are_bridged_on_a_straight_line() -> None:
    """Where a face was lost, its mask goes from where it was to where it came back, and is told of."""
    plan = Plan([track([1.0, 2.0], [0, 20])], 0.5)
    assert plan.boxes_at(1.5).tolist() == [[10, 0, 20, 10]]
    assert plan.gap_at(1.5) == 1.0 and plan.gap_at(1.0) == plan.gap_at(0.9) == 0


def test_a_held_mask_covers_where_a_moving_face_goes() -> None:
    """Who leaves at some speed is covered on the way out, at most by one size of the face."""
    plan = Plan([track([0.0, 0.1, 0.2], [0, 4, 8])], 0.5)
    assert np.allclose(plan.boxes_at(0.3), [[8, 0, 22, 10]], atol=1e-4)
    assert np.allclose(plan.boxes_at(0.7), [[8, 0, 28, 10]], atol=1e-4)
    assert np.allclose(plan.boxes_at(-0.1), [[-4, 0, 10, 10]], atol=1e-4)


def test_several_tracks_and_none() -> None:
    """Each has a mask of its own; without any there is none."""
    plan = Plan([track([0.0, 1.0], [0, 0]), track([0.5, 1.0], [50, 50], 2)], 0.1)
    assert len(plan.boxes_at(0.2)) == 1 and len(plan.boxes_at(0.7)) == 2
    assert Plan([], 0.5).boxes_at(1.0).shape == (0, 4)


def test_frames_to_look_at_lie_apart() -> None:
    """The least sure first, none that nothing is unsure of, no two of one moment."""
    assert least_sure([0.1, 0.9, 0.8, 0.0, 0.5], [0, 1, 1.2, 2, 3], 10, 0.5) == [1, 4, 0]
    assert least_sure([0.1, 0.9], [0, 1], 1, 0.5) == [1]
