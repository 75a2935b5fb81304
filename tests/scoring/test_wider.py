"""The WIDER FACE protocol against a slow account of its rules, and each rule that surprises."""

from __future__ import annotations

import numpy as np
import pytest
from detection_cases import random_pictures

from lineament.errors import InsufficientData
from lineament.scoring import detection, matching, wider
from lineament.scoring.matching import PictureBoxes


def _slow(pictures: list[PictureBoxes]) -> float:
    """The published procedure, one detection and one cut at a time."""
    everything = [s for p in pictures for s in p.scores]
    low, high = min(everything), max(everything)
    kept_at = np.zeros(1000)
    found_at = np.zeros(1000)
    faces = sum(int(p.counted.sum()) for p in pictures)
    for p in pictures:
        if len(p.truths) == 0 or len(p.boxes) == 0:
            continue
        state = [0] * len(p.truths)
        rows = []
        for d in sorted(range(len(p.boxes)), key=lambda d: -p.scores[d]):
            overlaps = []
            for t in p.truths:
                w = min(p.boxes[d][2], t[2]) - max(p.boxes[d][0], t[0]) + 1
                h = min(p.boxes[d][3], t[3]) - max(p.boxes[d][1], t[1]) + 1
                common = max(w, 0) * max(h, 0)
                sizes = [(b[2] - b[0] + 1) * (b[3] - b[1] + 1) for b in (p.boxes[d], t)]
                overlaps.append(common / (sum(sizes) - common))
            best = overlaps.index(max(overlaps))
            proposal = True
            if overlaps[best] >= 0.5:
                if not p.counted[best]:
                    state[best] = -1
                    proposal = False
                elif state[best] == 0:
                    state[best] = 1
            score = (p.scores[d] - low) / (high - low) if high > low else 1.0
            rows.append((score, proposal, state.count(1)))
        for step in range(1000):
            above = [row for row in rows if row[0] >= 1 - (step + 1) / 1000]
            if above:
                kept_at[step] += sum(row[1] for row in above)
                found_at[step] += above[-1][2]
    points = [(0.0, 0.0)]
    points += [(f / faces, f / k if k else 0.0) for f, k in zip(found_at, kept_at, strict=True)]
    points.append((1.0, 0.0))
    area = 0.0
    for i in range(1, len(points)):
        area += (points[i][0] - points[i - 1][0]) * max(p for _, p in points[i:])
    return area


def test_60_random_cases_equal_the_slow_account() -> None:
    """Ties, ignored truths, empty pictures: the same average precision within 1e-12."""
    tried = 0
    for seed in range(60):
        pictures = random_pictures(seed)
        if not any(p.counted.any() for p in pictures) or not any(len(p.boxes) for p in pictures):
            continue
        found = wider.evaluate(pictures, resamples=2).average_precision.value
        assert found == pytest.approx(_slow(pictures), abs=1e-12)
        tried += 1
    assert tried > 40


def test_an_eight_pixel_pair_that_iou_refuses_matches_here() -> None:
    """Whole pixels lift an overlap of .488 to .528: a hit in this protocol and a miss in COCO's."""
    truth, guess = [0.0, 0.0, 8.0, 8.0], [2.0, 1.0, 10.0, 9.0]
    picture = PictureBoxes([truth], [guess], [0.9])
    assert detection.counts_at(matching.match([picture]), 0.5).right == 0
    assert wider.evaluate([picture], resamples=5).average_precision.value == 1.0


def test_scores_are_scaled_over_the_whole_set() -> None:
    """Scores between .50 and .51 rank as if they spanned 0 to 1: no cut is wasted on empty range."""
    rng = np.random.default_rng(0)
    boxes = np.array([[20.0 * i, 0, 20.0 * i + 15, 15] for i in range(20)])
    scores = rng.permutation(20) / 20
    wide = PictureBoxes(boxes[::2], boxes, scores)
    narrow = PictureBoxes(boxes[::2], boxes, 0.5 + scores / 100)
    one, two = (wider.evaluate([p], resamples=5).average_precision.value for p in (wide, narrow))
    assert one == pytest.approx(two, abs=1e-12)


def test_faces_outside_the_level_cost_nothing() -> None:
    """Finding one is not wrong, missing it is no miss."""
    tall, short = [0.0, 0.0, 50.0, 60.0], [100.0, 0.0, 115.0, 20.0]
    for boxes in ([tall], [tall, short]):
        one = PictureBoxes([tall, short], boxes, [0.9, 0.95][: len(boxes)], ignored=[False, True])
        assert wider.evaluate([one], resamples=5).average_precision.value == 1.0


def test_a_level_without_faces_has_no_figure() -> None:
    """A named error."""
    with pytest.raises(InsufficientData):
        wider.evaluate([PictureBoxes([[0, 0, 5, 5]], [], [], ignored=[True])])
