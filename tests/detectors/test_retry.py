"""Retry finds what the plain detector misses, maps it back, and says how it was found."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from lineament.errors import ConfigError
from lineament.geometry.alignment import apply
from lineament.geometry.boxes import center
from lineament.geometry.landmarks import interocular_distance, roll
from lineament.geometry.rotation import rotate_about_center
from lineament.io import images
from lineament.registry import detectors
from lineament.types import Faces, Image, UInt8

SAMPLE = Path(__file__).parents[2] / "samples" / "collins_nasa.png"


@pytest.fixture(scope="module")
def upright() -> UInt8:
    return images.load(SAMPLE).pixels[:320, 60:380]


@pytest.fixture(scope="module")
def truth(upright: UInt8) -> Faces:
    return detectors.create("yunet").detect([Image(upright)])[0]


def turn(pixels: UInt8, degrees: float) -> tuple[UInt8, np.ndarray]:
    transform, size = rotate_about_center((pixels.shape[1], pixels.shape[0]), degrees)
    centred = transform.copy()
    centred[:, 2] += transform[:, :2] @ [0.5, 0.5] - 0.5
    return np.asarray(cv2.warpAffine(pixels, centred, size), np.uint8), transform


def test_an_upright_face_is_the_plain_answer(upright: UInt8, truth: Faces) -> None:
    """Where the plain picture shows an upright face, that very answer is given, as attempt 0."""
    found = detectors.create("retry:yunet,level=false").detect([Image(upright)])[0]
    np.testing.assert_array_equal(found.boxes, truth.boxes)
    assert found.attempts is not None
    assert (found.attempts[0].index, found.attempts[0].name) == (0, "plain")


@pytest.mark.parametrize("degrees", [-180, -135, -90, -60, -30, -15, 15, 30, 45, 75, 90, 120, 180])
@pytest.mark.parametrize("spec", ["retry:yunet", "retry:centerface"])
def test_points_of_turned_faces(upright: UInt8, truth: Faces, spec: str, degrees: int) -> None:
    """At any angle the five points lie where the upright face's go, to a fifth of the eye distance."""
    pixels, transform = turn(upright, degrees)
    found = detectors.create(spec).detect([Image(pixels)])[0]
    assert len(found) >= 1 and found.landmarks is not None and truth.landmarks is not None
    wanted = apply(transform, truth.landmarks[0])
    off = np.linalg.norm(found.landmarks[0] - wanted, axis=1) / interocular_distance(truth.landmarks[0])
    assert off.mean() < 0.2
    turned = math.degrees(float(roll(found.landmarks[0]) - roll(wanted)))
    assert abs((turned + 180) % 360 - 180) < 15


@pytest.mark.parametrize(("quarter", "undone_by"), [(1, 270), (2, 180), (3, 90)])
def test_quarter_turns_are_undone_exactly(upright: UInt8, quarter: int, undone_by: int) -> None:
    """A picture on its side gives the upright picture's box moved exactly, and names the turn."""
    wanted = detectors.create("haar").detect([Image(upright)])[0]
    pixels = np.ascontiguousarray(np.rot90(upright, quarter))
    found = detectors.create("retry:haar").detect([Image(pixels)])[0]
    transform, _ = rotate_about_center((upright.shape[1], upright.shape[0]), 90 * quarter)
    np.testing.assert_allclose(
        center(found.boxes[:1]), apply(transform, center(wanted.boxes[:1])), atol=1e-3
    )
    assert found.attempts is not None
    assert (found.attempts[0].name, found.attempts[0].rotation_deg) == ("quarter turn", undone_by)


def test_haar_finds_rotated_faces_only_with_retry(upright: UInt8, truth: Faces) -> None:
    """The rotated-cascade method: at 40 degrees Haar alone sees no sure face, with retry it does."""
    pixels, transform = turn(upright, 40)
    assert not len(detectors.create("haar:score=0.5").detect([Image(pixels)])[0])
    found = detectors.create("retry:haar").detect([Image(pixels)])[0]
    off = center(found.boxes[:1]) - apply(transform, center(truth.boxes[:1]))
    assert np.abs(off).max() < 20
    assert found.attempts is not None
    assert found.attempts[0].name == "rotation" and -55 <= found.attempts[0].rotation_deg <= -25


def test_padding_finds_a_face_that_fills_the_frame(upright: UInt8) -> None:
    """Haar needs some border about a face; the box comes back in the picture's own pixels."""
    x1, y1, x2, y2 = (int(v) for v in detectors.create("haar").detect([Image(upright)])[0].boxes[0])
    tight = np.ascontiguousarray(upright[y1 + 6 : y2 - 6, x1 + 6 : x2 - 6])
    assert not len(detectors.create("haar").detect([Image(tight)])[0])
    found = detectors.create("retry:haar,score=0.3").detect([Image(tight)])[0]
    assert found.attempts is not None
    assert len(found) == 1 and found.attempts[0].padding > 0
    middle = np.array([[tight.shape[1] / 2, tight.shape[0] / 2]])
    assert np.abs(center(found.boxes) - middle).max() < 0.15 * tight.shape[1]


def test_enlarging_finds_a_face_of_few_pixels(upright: UInt8, truth: Faces) -> None:
    """A face of 11 pixels is found in the picture enlarged, in the small picture's pixels."""
    factor = 11 / float(truth.boxes[0, 3] - truth.boxes[0, 1])
    tiny = np.asarray(
        cv2.resize(upright, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8
    )
    assert not len(detectors.create("yunet:score=0.75").detect([Image(tiny)])[0])
    found = detectors.create("retry:yunet,padding=0.25").detect([Image(tiny)])[0]
    assert found.attempts is not None and len(found) == 1
    np.testing.assert_allclose(center(found.boxes), center(truth.boxes[:1]) * factor, atol=2)


def test_a_face_is_searched_for_each_picture_alone(upright: UInt8) -> None:
    """One picture found at once does not end the search for its neighbour, and order is kept."""
    pixels, _ = turn(upright, 40)
    blank = Image(np.full((64, 64, 3), 80, np.uint8))
    first, none, second = detectors.create("retry:haar").detect([Image(upright), blank, Image(pixels)])
    assert len(first) == 1 and not len(none) and len(second) == 1
    assert first.attempts is not None and second.attempts is not None
    assert first.attempts[0].index == 0 < second.attempts[0].index


def test_landmarked_points_are_those_of_yunet(upright: UInt8, truth: Faces) -> None:
    """A Haar face gets landmarks near YuNet's own, without changing its box."""
    plain = detectors.create("haar").detect([Image(upright)])[0]
    found = detectors.create("landmarked:haar").detect([Image(upright)])[0]
    np.testing.assert_array_equal(found.boxes, plain.boxes)
    assert found.landmarks is not None and truth.landmarks is not None
    off = np.linalg.norm(found.landmarks[0] - truth.landmarks[0], axis=1)
    assert off.max() < 0.15 * interocular_distance(truth.landmarks[0])


def test_landmarks_not_found_are_marked_as_estimated(upright: UInt8) -> None:
    """A box in which YuNet sees no face is kept, with the mean face's points and a name that says so."""
    from lineament.detectors.landmarked import landmarked

    blank = np.full_like(upright, 128)

    class HaarOfAnotherPicture:
        """Haar's boxes for the portrait, whatever picture is shown: a sure false detection."""

        gives_landmarks = False

        def detect(self, pictures: list[Image]) -> list[Faces]:
            return detectors.create("haar").detect([Image(upright)] * len(pictures))

    found = landmarked(HaarOfAnotherPicture()).detect([Image(blank)])[0]
    assert found.attempts is not None and found.landmarks is not None
    assert found.attempts[0].name == "plain, landmarks estimated"
    assert (found.landmarks[0] > found.boxes[0, :2]).all() and (
        found.landmarks[0] < found.boxes[0, 2:]
    ).all()


@pytest.mark.parametrize("spec", ["retry:retry", "retry:haar,step_deg=0", "retry:haar,score=1", "landmarked:landmarked"])  # fmt: skip  # noqa: E501
def test_impossible_settings_are_refused(spec: str) -> None:
    """A wrapper does not wrap itself, and settings out of range are named errors."""
    with pytest.raises(ConfigError):
        detectors.create(spec)
