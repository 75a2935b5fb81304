"""What every detector must do, as tests: subclass `DetectorContract` and provide the fixture ``detector``.

class TestMine(DetectorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def detector(cls) -> Detector:
        return Mine()

Override the fixture ``portraits`` with pictures of one large, upright, frontal face each, or the tests that
need a face are skipped.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from lineament.geometry.boxes import center, iou
from lineament.protocols import Detector
from lineament.types import Faces, Image, UInt8


def plain_pictures() -> list[Image]:
    """Pictures without a face: one colour, noise, and sides of one and eight pixels."""
    rng = np.random.default_rng(7)

    def grey(h: int, w: int) -> UInt8:
        return np.full((h, w, 3), 128, np.uint8)

    noise = rng.integers(0, 256, (96, 64, 3), np.uint8)
    return [Image(p) for p in (grey(120, 160), noise, grey(1, 1), grey(1, 40), grey(40, 1), grey(8, 8))]


def assert_same(got: Faces, wanted: Faces, tolerance: float) -> None:
    """Two answers hold the same faces, to ``tolerance`` pixels."""
    assert len(got) == len(wanted)
    np.testing.assert_allclose(got.boxes, wanted.boxes, atol=tolerance)
    np.testing.assert_allclose(got.scores, wanted.scores, atol=1e-3)
    assert (got.landmarks is None) == (wanted.landmarks is None)
    if got.landmarks is not None and wanted.landmarks is not None:
        np.testing.assert_allclose(got.landmarks, wanted.landmarks, atol=tolerance)


class DetectorContract:
    """The contract of `lineament.protocols.Detector`."""

    tolerance = 0.01
    """Pixels by which answers to the same picture may differ between batches and threads."""

    @pytest.fixture(scope="class")
    @classmethod
    def portraits(cls) -> list[Image]:
        """Pictures of one large, upright, frontal face each."""
        return []

    @pytest.fixture(scope="class")
    @classmethod
    def faces(cls, detector: Detector, portraits: list[Image]) -> list[tuple[Image, Faces]]:
        """What the detector finds in each portrait alone."""
        if not portraits:
            pytest.skip("no portraits given: override the fixture `portraits`")
        return [(image, detector.detect([image])[0]) for image in portraits]

    def test_satisfies_protocol(self, detector: Detector) -> None:
        """It has the methods and names of the seam."""
        assert isinstance(detector, Detector)
        assert isinstance(detector.gives_landmarks, bool)

    def test_no_pictures(self, detector: Detector) -> None:
        """No pictures give no answers."""
        assert detector.detect([]) == []

    def test_pictures_without_faces(self, detector: Detector) -> None:
        """One colour, noise and pictures a pixel wide hold no face; the landmark column is still there."""
        pictures = plain_pictures()
        answers = detector.detect(pictures)
        assert [len(faces) for faces in answers] == [0] * len(pictures)
        assert all((faces.landmarks is not None) == detector.gives_landmarks for faces in answers)

    def test_finds_portraits(self, faces: list[tuple[Image, Faces]]) -> None:
        """A large frontal face is found."""
        assert all(len(found) >= 1 for _, found in faces)

    def test_well_formed(self, detector: Detector, faces: list[tuple[Image, Faces]]) -> None:
        """Scores fall from at most 1 to at least 0; boxes have an area and lie on the picture."""
        for image, found in faces:
            w, h = image.size_wh
            assert ((found.scores >= 0) & (found.scores <= 1)).all()
            assert (np.diff(found.scores) <= 0).all()
            assert (found.boxes[:, 2:] > found.boxes[:, :2]).all()
            assert ((center(found.boxes) > 0) & (center(found.boxes) < [w, h])).all()
            assert (found.landmarks is not None) == detector.gives_landmarks

    def test_no_face_twice(self, faces: list[tuple[Image, Faces]]) -> None:
        """No two boxes of an answer are the same face."""
        for _, found in faces:
            overlaps = iou(found.boxes, found.boxes) - np.eye(len(found))
            assert overlaps.max(initial=0) < 0.6

    def test_batch_equals_singles(self, detector: Detector, faces: list[tuple[Image, Faces]]) -> None:
        """A picture's answer does not depend on the pictures beside it."""
        pictures = [image for image, _ in faces]
        mixed = [*pictures, *plain_pictures(), *reversed(pictures)]
        answers = detector.detect(mixed)
        assert len(answers) == len(mixed)
        for got, (_, wanted) in zip(answers, faces, strict=False):
            assert_same(got, wanted, self.tolerance)
        for got, (_, wanted) in zip(reversed(answers), faces, strict=False):
            assert_same(got, wanted, self.tolerance)

    def test_threads_agree(self, detector: Detector, faces: list[tuple[Image, Faces]]) -> None:
        """Four threads at once get the answers that one gets."""
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda item: detector.detect([item[0]])[0], faces * 4))
        for got, (_, wanted) in zip(answers, faces * 4, strict=True):
            assert_same(got, wanted, self.tolerance)

    def test_leaves_pixels_alone(self, detector: Detector, faces: list[tuple[Image, Faces]]) -> None:
        """Read-only pixels in any memory order give the same answer and are not written to."""
        image, wanted = faces[0]
        pixels = np.asfortranarray(image.pixels)
        pixels.flags.writeable = False
        assert_same(detector.detect([Image(pixels)])[0], wanted, self.tolerance)

    def test_landmark_order(self, faces: list[tuple[Image, Faces]]) -> None:
        """The subject's right eye and mouth corner are at the left of an upright portrait, eyes above."""
        for _, found in faces:
            if found.landmarks is None:
                pytest.skip("this detector gives no landmarks")
            right_eye, left_eye, nose, right_mouth, left_mouth = found.landmarks[0]
            assert right_eye[0] < left_eye[0] and right_mouth[0] < left_mouth[0]
            assert max(right_eye[1], left_eye[1]) < nose[1] < min(right_mouth[1], left_mouth[1])
            inside = (found.landmarks[0] > found.boxes[0, :2]) & (found.landmarks[0] < found.boxes[0, 2:])
            assert inside.all()
