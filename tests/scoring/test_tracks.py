"""IDF1 and identity switches."""

from __future__ import annotations

import numpy as np
import pytest

from lineament.geometry.boxes import iou
from lineament.scoring.tracks import IdentityScores
from lineament.types import Float32

A, B, FAR = (np.array([x, 0, x + 10, 10], np.float32) for x in (0, 100, 300))


def boxes(*rows: Float32) -> Float32:
    return np.array(rows, np.float32).reshape(-1, 4)


def test_perfect_tracks() -> None:
    """Whatever the tracks are called, IDF1 is 1 and nothing switches."""
    scores = IdentityScores()
    for _ in range(5):
        scores.add("ab", [7, 3], iou(boxes(A, B), boxes(A, B)))
    assert (scores.idf1, scores.switches, scores.covered) == (1.0, 0, 10)


def test_swapped_halfway() -> None:
    """Two tracks that swap after four of ten frames: each truth keeps its longer part, two switches."""
    scores = IdentityScores()
    for i in range(10):
        scores.add("ab", [1, 2] if i < 4 else [2, 1], iou(boxes(A, B), boxes(A, B)))
    assert scores.idf1 == pytest.approx(12 / 20) and scores.switches == 2


def test_missed_and_made_up() -> None:
    """A face not found, and one found where none is, count against IDF1; a gap alone is no switch."""
    scores = IdentityScores()
    for i in range(10):
        seen = i not in (3, 4)
        found = boxes(A, FAR) if seen else boxes(FAR)
        scores.add("a", [1, 2] if seen else [2], iou(boxes(A), found))
    assert scores.idf1 == pytest.approx(2 * 8 / (10 + 18)) and scores.switches == 0


def test_a_new_track_for_the_same_face() -> None:
    """Is a switch, and IDF1 counts the longer track only."""
    scores = IdentityScores()
    for i in range(10):
        scores.add("a", [1 if i < 6 else 2], iou(boxes(A), boxes(A)))
    assert scores.idf1 == pytest.approx(6 / 10) and scores.switches == 1


def test_nothing_anywhere() -> None:
    """No faces, none found: nothing is wrong."""
    scores = IdentityScores()
    scores.add((), (), iou(boxes(), boxes()))
    assert scores.idf1 == 1.0
