"""Faces found are placed in labelled boxes one to one, by all that tells two neighbours apart."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineament.geometry.boxes import iou
from lineament.geometry.placing import place
from lineament.types import Float32


def boxes(*rows: tuple[float, ...]) -> Float32:
    return np.array(rows, np.float32).reshape(-1, 4)


@pytest.mark.parametrize(
    ("labelled", "found", "faces", "tied"),
    [
        ([(0, 0, 10, 10)], [(1, 1, 11, 11)], [0], [False]),
        ([(0, 0, 10, 10)], [(20, 0, 30, 10)], [-1], [False]),
        ([(0, 0, 10, 10)], [], [-1], [False]),
        # A generous box about one of two neighbours, both of which it overlaps as much: the middle tells.
        ([(0, 0, 20, 20)], [(10, 5, 24, 19), (3, 3, 17, 17)], [1], [False]),
        # As near the middle, and of another size.
        ([(0, 0, 10, 10)], [(-3, -3, 13, 13), (0, 0, 10, 9)], [1], [False]),
        # A box about two faces: nothing tells which.
        ([(0, 0, 20, 10)], [(0, 0, 10, 10), (10, 0, 20, 10)], [0], [True]),
        # Two boxes about two faces, each of which fits both: together it is clear ...
        ([(0, 0, 14, 10), (6, 0, 20, 10)], [(10, 0, 20, 10), (0, 0, 10, 10)], [1, 0], [False, False]),
        # ... and where both boxes are nearly one, it is not.
        ([(0, 0, 20, 10), (0, 0, 20, 11)], [(0, 0, 10, 10), (10, 0, 20, 10)], None, [True, True]),
        # One face cannot be in two boxes: the worse one is empty.
        ([(0, 0, 10, 10), (1, 0, 11, 10)], [(0, 0, 10, 10)], [0, -1], [False, False]),
        # The better overlap of one must not leave the other with nothing.
        ([(0, 0, 10, 10), (4, 0, 14, 10)], [(3, 0, 13, 10), (-4, 0, 6, 10)], [1, 0], [False, False]),
    ],
)
def test_neighbours_are_told_apart(
    labelled: list[tuple[float, ...]],
    found: list[tuple[float, ...]],
    faces: list[int] | None,
    tied: list[bool],
) -> None:
    """The face is the one that overlaps, lies nearest the middle and is of the size; doubt is said."""
    answer = place(boxes(*labelled), boxes(*found))
    assert faces is None or answer.face.tolist() == faces
    assert answer.tied.tolist() == tied


@settings(max_examples=80)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 4), m=st.integers(1, 4))
def test_as_many_as_can_be_are_placed(seed: int, n: int, m: int) -> None:
    """No face is in two boxes, none is in a box it does not overlap, and as many boxes as possible have one
    (against a try of all orders); the order of what was found does not matter."""
    rng = np.random.default_rng(seed)

    def some(count: int) -> Float32:
        corner = rng.uniform(0, 15, (count, 2))
        return np.concatenate([corner, corner + rng.uniform(6, 14, (count, 2))], axis=1).astype(np.float32)

    labelled, found = some(n), some(m)
    near = iou(labelled, found) >= 0.3
    answer = place(labelled, found)
    used = answer.face[answer.face >= 0].tolist()
    assert len(used) == len(set(used))
    assert all(near[i, j] for i, j in enumerate(answer.face) if j >= 0)
    padded = np.concatenate([near, np.zeros((n, n), bool)], axis=1)
    best = max(sum(padded[i, j] for i, j in enumerate(order)) for order in permutations(range(m + n), n))
    assert len(used) == best
    turned = place(labelled, found[::-1].copy())
    assert [m - 1 - j if j >= 0 else -1 for j in turned.face.tolist()] == answer.face.tolist()


def test_equal_boxes_may_be_one_face() -> None:
    """Two things said of one face have one box, and where that is meant both get the face."""
    twice = boxes((0, 0, 10, 10), (0, 0, 10, 10))
    assert place(twice, boxes((0, 0, 10, 10)), shared=True).face.tolist() == [0, 0]
    assert sorted(place(twice, boxes((0, 0, 10, 10))).face.tolist()) == [-1, 0]
