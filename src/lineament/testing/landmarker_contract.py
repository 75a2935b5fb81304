"""What every landmarker must do, as tests: subclass `LandmarkerContract` and provide ``landmarker``.

class TestMine(LandmarkerContract):
    @pytest.fixture(scope="class")
    @classmethod
    def landmarker(cls) -> Landmarker:
        return Mine()

Override the fixture ``portraits`` with pictures of one large, upright, frontal face each and what a
detector found there, or the tests that need a face are skipped.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from lineament.errors import NoLandmarks
from lineament.geometry.alignment import ARCFACE_112
from lineament.protocols import Landmarker
from lineament.testing.detector_contract import plain_pictures
from lineament.types import Faces, Float32, Image, Refinement

Portrait = tuple[Image, Faces]


def faces_at(*boxes: tuple[float, float, float, float]) -> Faces:
    """Faces of these boxes, their landmarks where an upright, frontal face has them."""
    xyxy: Float32 = np.array(boxes, np.float32).reshape(-1, 4)
    points = xyxy[:, None, :2] + ARCFACE_112 / 112 * (xyxy[:, 2:] - xyxy[:, :2])[:, None]
    return Faces(xyxy, np.ones(len(xyxy), np.float32), landmarks=points)


def assert_same(got: Faces, wanted: Faces, tolerance: float) -> None:
    """Two answers place the same points, to ``tolerance`` pixels, and say the same of them."""
    assert got.landmarks is not None and wanted.landmarks is not None
    np.testing.assert_allclose(got.landmarks, wanted.landmarks, atol=tolerance)
    assert (got.dense is None) == (wanted.dense is None)
    if got.dense is not None and wanted.dense is not None:
        np.testing.assert_allclose(got.dense, wanted.dense, atol=tolerance)
    assert _used(got) == _used(wanted)


class LandmarkerContract:
    """The contract of `lineament.protocols.Landmarker`."""

    tolerance = 0.05
    """Pixels by which answers to the same face may differ between batches and threads."""

    @pytest.fixture(scope="class")
    @classmethod
    def portraits(cls) -> list[Portrait]:
        """Pictures of one large, upright, frontal face each, and that face as a detector found it."""
        return []

    @pytest.fixture(scope="class")
    @classmethod
    def refined(cls, landmarker: Landmarker, portraits: list[Portrait]) -> list[Faces]:
        """What the landmarker makes of each portrait alone."""
        if not portraits:
            pytest.skip("no portraits given: override the fixture `portraits`")
        return [landmarker.refine([image], [faces])[0] for image, faces in portraits]

    def test_satisfies_protocol(self, landmarker: Landmarker) -> None:
        """It has the methods and names of the seam."""
        assert isinstance(landmarker, Landmarker)
        assert landmarker.name

    def test_no_pictures(self, landmarker: Landmarker) -> None:
        """No pictures give no answers."""
        assert landmarker.refine([], []) == []

    def test_pictures_without_faces(self, landmarker: Landmarker) -> None:
        """Where nothing was found nothing is refined; the columns are there and empty."""
        pictures = plain_pictures()
        answers = landmarker.refine(pictures, [Faces.none() for _ in pictures])
        assert [len(faces) for faces in answers] == [0] * len(pictures)
        assert all(f.refinements == () and f.landmarks is not None for f in answers)

    def test_what_is_no_face_does_no_harm(self, landmarker: Landmarker) -> None:
        """False detections, faces over the edge or of a pixel: each has finite points, or keeps its own."""
        rng = np.random.default_rng(3)
        image = Image(rng.integers(0, 256, (90, 120, 3), np.uint8))
        given = faces_at((10, 10, 60, 70), (-40, -50, 30, 25), (100, 60, 160, 130), (40, 40, 41, 41))
        (faces,) = landmarker.refine([image], [given])
        assert_whole(faces, given)

    def test_portraits_are_refined(self, refined: list[Faces], portraits: list[Portrait]) -> None:
        """A large frontal face is placed anew, near where the detector saw it, and the answer says so."""
        for faces, (_, given) in zip(refined, portraits, strict=True):
            assert _used(faces) == [True] * len(given) and len(given) == 1
            assert faces.landmarks is not None and given.landmarks is not None
            moved = np.linalg.norm(faces.landmarks - given.landmarks, axis=-1)
            assert 0 < moved.max() < 0.2 * (given.boxes[0, 2:] - given.boxes[0, :2]).max()

    def test_everything_else_stays(self, refined: list[Faces], portraits: list[Portrait]) -> None:
        """Boxes, scores, order and attempts are the detector's."""
        for faces, (_, given) in zip(refined, portraits, strict=True):
            assert_whole(faces, given)

    def test_batch_equals_singles(
        self, landmarker: Landmarker, refined: list[Faces], portraits: list[Portrait]
    ) -> None:
        """A face's points do not depend on the pictures and faces beside it."""
        plain = plain_pictures()
        images = [*(image for image, _ in portraits), *plain, *(image for image, _ in reversed(portraits))]
        given = [faces for _, faces in portraits]
        none = [Faces.none() for _ in plain]
        answers = landmarker.refine(images, [*given, *none, *reversed(given)])
        assert len(answers) == len(images)
        for got, wanted in zip(answers, refined, strict=False):
            assert_same(got, wanted, self.tolerance)
        for got, wanted in zip(reversed(answers), refined, strict=False):
            assert_same(got, wanted, self.tolerance)

    def test_threads_agree(
        self, landmarker: Landmarker, refined: list[Faces], portraits: list[Portrait]
    ) -> None:
        """Four threads at once get the answers that one gets."""
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda one: landmarker.refine([one[0]], [one[1]])[0], portraits * 4))
        for got, wanted in zip(answers, refined * 4, strict=True):
            assert_same(got, wanted, self.tolerance)

    def test_leaves_pixels_alone(
        self, landmarker: Landmarker, refined: list[Faces], portraits: list[Portrait]
    ) -> None:
        """Read-only pixels in any memory order give the same answer and are not written to."""
        image, faces = portraits[0]
        pixels = np.asfortranarray(image.pixels)
        pixels.flags.writeable = False
        assert_same(landmarker.refine([Image(pixels)], [faces])[0], refined[0], self.tolerance)

    def test_landmark_order(self, refined: list[Faces]) -> None:
        """The subject's right eye and mouth corner are at the left of an upright portrait, eyes above."""
        for faces in refined:
            assert faces.landmarks is not None
            right_eye, left_eye, nose, right_mouth, left_mouth = faces.landmarks[0]
            assert right_eye[0] < left_eye[0] and right_mouth[0] < left_mouth[0]
            assert max(right_eye[1], left_eye[1]) < nose[1] < min(right_mouth[1], left_mouth[1])

    def test_faces_without_landmarks_are_refused(self, landmarker: Landmarker) -> None:
        """There is nothing to refine, and it says so by name."""
        bare = Faces(np.array([[1, 1, 9, 9]], np.float32), np.ones(1, np.float32))
        with pytest.raises(NoLandmarks):
            landmarker.refine([Image(np.zeros((20, 20, 3), np.uint8))], [bare])


def assert_whole(faces: Faces, given: Faces) -> None:
    """Every face is still there as it was found, with points that are used or its own."""
    np.testing.assert_array_equal(faces.boxes, given.boxes)
    np.testing.assert_array_equal(faces.scores, given.scores)
    assert faces.attempts == given.attempts
    assert faces.landmarks is not None and given.landmarks is not None and faces.refinements is not None
    for i, said in enumerate(faces.refinements):
        assert isinstance(said, Refinement) and said.by
        assert said.score is None or 0 <= said.score <= 1
        if not said.used:
            np.testing.assert_array_equal(faces.landmarks[i], given.landmarks[i])
        if faces.dense is not None:
            assert np.isnan(faces.dense[i]).any() == (not said.used)


def _used(faces: Faces) -> list[bool]:
    return [said.used for said in faces.refinements or ()]
