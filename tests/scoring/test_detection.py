"""Detection metrics: equal to pycocotools on random cases, and free of its traps."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest
from detection_cases import coco_precisions, crowded_picture, random_pictures

from lineament.errors import InsufficientData, InvalidArray
from lineament.scoring import detection, matching
from lineament.scoring.matching import PictureBoxes

needs_coco = pytest.mark.skipif(
    find_spec("pycocotools") is None, reason="pycocotools, the reference, is not installed"
)


def _agrees(pictures: list[PictureBoxes], area_range: tuple[float, float] | None = None) -> None:
    theirs = coco_precisions(pictures, area_range)
    matches = matching.match(pictures, area_range=area_range)
    if theirs is None:
        with pytest.raises(InsufficientData):
            detection.average_precisions(matches)
        return
    np.testing.assert_allclose(detection.average_precisions(matches), theirs, rtol=0, atol=1e-9)


@needs_coco
@pytest.mark.parametrize("block", range(4))
def test_200_random_cases_equal_pycocotools(block: int) -> None:
    """Average precision at all ten IoUs within 1e-9, with ties, crowds, empty pictures and duplicates."""
    for seed in range(50 * block, 50 * block + 50):
        _agrees(random_pictures(seed))


@needs_coco
@pytest.mark.parametrize("area_range", [(0.0, 64.0), (64.0, 256.0), (256.0, 1e10)])
def test_area_ranges_equal_pycocotools(area_range: tuple[float, float]) -> None:
    """Truths outside a range are ignored, and unmatched detections outside it: 50 cases a range."""
    for seed in range(300, 350):
        _agrees(random_pictures(seed), area_range)


@needs_coco
def test_300_faces_in_one_picture_equal_pycocotools_without_its_limit() -> None:
    """A perfect detector scores 1 on 300 faces; pycocotools' usual limit of 100 would make it 0.34."""
    pictures = [crowded_picture(300), *random_pictures(7)]
    _agrees(pictures)
    perfect = matching.match([crowded_picture(300)])
    assert detection.mean_average_precision(perfect) == 1.0


def test_a_group_of_unlike_pictures_matches_as_each_alone() -> None:
    """Working on many pictures at once changes nothing: same hits as picture by picture."""
    pictures = [p for seed in range(40) for p in random_pictures(seed, most=20)] + [crowded_picture(90)]
    together = matching.match(pictures)
    for number, one in enumerate(pictures):
        alone = matching.match([one])
        mine = together.picture == number
        assert (together.right[:, mine] == alone.right).all()
        assert (together.wrong[:, mine] == alone.wrong).all()
        assert (together.found_at[:, together.truth_picture == number] == alone.found_at).all()


@needs_coco
def test_of_equal_overlaps_the_later_truth_is_taken() -> None:
    """As pycocotools does: so the next detection, near that one only, finds it taken."""
    truths = [[0.0, 0.0, 12.0, 10.0], [2.0, 0.0, 14.0, 10.0]]
    between, near_second = [1.0, 0.0, 13.0, 10.0], [5.0, 0.0, 17.0, 10.0]
    picture = PictureBoxes(truths, [between, near_second], [0.9, 0.8])
    assert detection.counts_at(matching.match([picture]), 0.5).right == 1
    _agrees([picture])


def test_ignored_truths_are_neither_found_nor_wrong_to_find() -> None:
    """A detection on one is no false positive; a second one on it is, as only crowds take several."""
    box = [0.0, 0.0, 10.0, 10.0]
    far = [50.0, 50.0, 60.0, 60.0]
    for kind, wrong in (("ignored", 1), ("crowd", 0)):
        flags = {kind: np.array([True, False])}
        picture = PictureBoxes([box, far], [box, box, far], [0.9, 0.8, 0.7], **flags)
        counts = detection.counts_at(matching.match([picture]), 0.5)
        assert (counts.right, counts.wrong, counts.missed) == (1, wrong, 0)


def test_counts_follow_a_cut_in_the_scores() -> None:
    """Detections below the stated score do not exist; what only they find is missed."""
    a, b = [0.0, 0.0, 10.0, 10.0], [20.0, 0.0, 30.0, 10.0]
    matches = matching.match([PictureBoxes([a, b], [a, [80.0, 80.0, 90.0, 90.0], b], [0.9, 0.8, 0.3])])
    strict, loose = detection.counts_at(matches, 0.5), detection.counts_at(matches, 0.3)
    assert (strict.precision, strict.recall, strict.f1) == (0.5, 0.5, 0.5)
    assert (loose.precision, loose.recall) == (pytest.approx(2 / 3), 1.0)


def test_curves_hold_every_cut_between_distinct_scores() -> None:
    """Each point equals counting at its score; scores that tie are cut together."""
    for seed in range(60):
        matches = matching.match(random_pictures(seed))
        if not matches.truths:
            continue
        curve = detection.curve(matches)
        distinct = np.unique(matches.scores[matches.right[0] | matches.wrong[0]])
        assert set(distinct) <= set(curve.scores) <= set(matches.scores)
        assert (np.diff(curve.scores) < 0).all()
        for i, score in enumerate(curve.scores):
            counts = detection.counts_at(matches, score)
            assert curve.precision[i] == pytest.approx(counts.precision, abs=1e-12)
            assert curve.recall[i] == pytest.approx(counts.recall, abs=1e-12)
            assert curve.f1[i] == pytest.approx(counts.f1, abs=1e-12)
            assert curve.false_positives[i] == counts.wrong
        if len(curve.scores):
            assert curve.f1[curve.best] == curve.f1.max()


def test_scores_at_which_truths_were_found_add_up_to_the_recall() -> None:
    """Counting truths found at or above a score gives the same recall as counting right detections."""
    for seed in range(60):
        matches = matching.match(random_pictures(seed))
        for score in (0.2, 0.5, 0.9):
            found = (matches.found_at[0] >= score) & matches.counted
            assert found.sum() == detection.counts_at(matches, score).right


def test_without_truths_that_count_there_is_no_figure() -> None:
    """Nothing but crowds or nothing at all: a named error, not -1."""
    box = [[0.0, 0.0, 10.0, 10.0]]
    for one in (PictureBoxes([], box, [0.5]), PictureBoxes(box, box, [0.5], crowd=[True])):
        matches = matching.match([one])
        for call in (detection.average_precisions, detection.curve):
            with pytest.raises(InsufficientData):
                call(matches)


@pytest.mark.parametrize(
    "make",
    [
        lambda: PictureBoxes([[0, 0, np.nan, 1]], [], []),
        lambda: PictureBoxes([], [[5, 0, 1, 1]], [0.5]),
        lambda: PictureBoxes([], [[0, 0, 1, 1]], [np.nan]),
        lambda: PictureBoxes([], [[0, 0, 1, 1]], [0.5, 0.6]),
        lambda: PictureBoxes([[0, 0, 1, 1]], [], [], crowd=[True, False]),
        lambda: PictureBoxes([[0, 0, 1]], [], []),
        lambda: matching.match([PictureBoxes([], [], [])], [0.0]),
    ],
)
def test_unusable_boxes_end_in_a_named_error(make: object) -> None:
    """NaN, turned-over boxes, unequal lengths and an IoU of 0 are refused."""
    with pytest.raises(InvalidArray):
        make()  # type: ignore[operator]
