"""The mesh on faces as they come: tilted, hidden, many at once."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lineament.detectors.yunet import YuNet
from lineament.errors import ConfigError, UnknownName
from lineament.geometry.alignment import apply
from lineament.geometry.landmarks import roll
from lineament.geometry.rotation import rotate_about_center
from lineament.io import images
from lineament.landmarkers.mean import Mean, MeanConfig
from lineament.landmarkers.mesh import Mesh, MeshConfig, five_of
from lineament.registry import landmarkers
from lineament.types import Faces, Float32, Image
from weights import pinned_or_skip

SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.fixture(scope="module")
def mesh() -> Mesh:
    return Mesh()


@pytest.fixture(scope="module")
def portrait() -> tuple[Image, Faces]:
    image = images.load(SAMPLES / "collins_nasa.png")
    return image, YuNet().detect([image])[0]


def turned(image: Image, faces: Faces, degrees: float) -> tuple[Image, Faces, Float32]:
    """The picture turned, its face as YuNet sees it there, and where its points really are."""
    import cv2

    transform, size_wh = rotate_about_center(image.size_wh, degrees)
    pixels = cv2.warpAffine(image.pixels, transform, size_wh, borderMode=cv2.BORDER_REPLICATE)
    moved = Image(np.asarray(pixels, np.uint8))
    assert faces.landmarks is not None
    return moved, YuNet().detect([moved])[0][:1], apply(transform, faces.landmarks)


@pytest.mark.parametrize("degrees", [20, -35, 45, -45])
def test_a_tilt_that_the_detector_hardly_shows_is_seen(
    mesh: Mesh, portrait: tuple[Image, Faces], degrees: float
) -> None:
    """The eye line lies within 4 degrees of the truth, and each point within a twelfth of the face."""
    upright = mesh.refine(*([one] for one in portrait))[0]
    image, seen, truth = turned(portrait[0], upright, degrees)
    faces = mesh.refine([image], [seen])[0]
    assert faces.landmarks is not None and seen.landmarks is not None
    assert abs(math.degrees(roll(faces.landmarks)[0] - roll(truth)[0])) < 4
    size = (seen.boxes[0, 2:] - seen.boxes[0, :2]).max()
    assert np.linalg.norm(faces.landmarks - truth, axis=-1).max() < size / 12
    assert np.array_equal(faces.boxes, seen.boxes)


def test_far_tilted_faces_want_points_that_follow(portrait: tuple[Image, Faces]) -> None:
    """Begun with 0009's points the mesh sees a face at 60 degrees, where the detector's show it upright."""
    pinned_or_skip("regression0009")
    after = Mesh(MeshConfig(base="regression0009"))
    upright = after.refine(*([one] for one in portrait))[0]
    image, seen, truth = turned(portrait[0], upright, -60)
    (faces,) = after.refine([image], [seen])
    assert faces.landmarks is not None and seen.landmarks is not None
    assert abs(math.degrees(roll(seen.landmarks)[0] - roll(truth)[0])) > 30
    assert abs(math.degrees(roll(faces.landmarks)[0] - roll(truth)[0])) < 4
    assert faces[0].refinement is not None and faces[0].refinement.by == "mesh:regression0009"


def test_what_is_no_face_keeps_the_detectors_points(mesh: Mesh, portrait: tuple[Image, Faces]) -> None:
    """A face covered by one colour keeps its points and has no mesh, and the score says why."""
    image, faces = portrait
    pixels = image.pixels.copy()
    x1, y1, x2, y2 = (int(v) for v in faces.boxes[0])
    pixels[y1 - 20 : y2 + 20, x1 - 20 : x2 + 20] = 128
    (hidden,) = mesh.refine([Image(pixels)], [faces])
    np.testing.assert_array_equal(hidden.landmarks, faces.landmarks)  # type: ignore[arg-type]
    face = hidden[0]
    assert face.refinement is not None and not face.refinement.used and face.dense is None
    assert face.refinement.score is not None and face.refinement.score < 0.5
    assert hidden.dense is not None and np.isnan(hidden.dense).all()


def test_the_five_points_lie_by_the_mesh(mesh: Mesh, portrait: tuple[Image, Faces]) -> None:
    """They are the mesh's own, moved by less than three pixels of the crop, and the mesh fills the face."""
    image, given = portrait
    (faces,) = mesh.refine([image], [given])
    assert faces.dense is not None and faces.dense.shape == (1, 468, 2) and faces.landmarks is not None
    moved = np.linalg.norm(faces.landmarks - five_of(faces.dense), axis=-1)
    eyes = np.linalg.norm(faces.landmarks[0, 1] - faces.landmarks[0, 0])
    assert moved.max() < 3 * eyes / 35.2
    wide = np.ptp(faces.dense[0], axis=0) / (given.boxes[0, 2:] - given.boxes[0, :2])
    assert (wide > 0.7).all() and (wide < 1.3).all()


def test_faces_of_all_pictures_go_through_the_network_together(
    mesh: Mesh, portrait: tuple[Image, Faces], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five pictures of a face each make one call of five, not five of one."""
    sizes = []
    run = mesh._session.run

    def counted(inputs: dict[str, Any]) -> dict[str, Any]:
        sizes.append(len(inputs["input"]))
        return run(inputs)

    class Session:
        run = staticmethod(counted)

    monkeypatch.setattr(mesh, "_session", Session())
    image, faces = portrait
    mesh.refine([image] * 5, [faces] * 5)
    assert sizes == [5]


def test_the_mean_lies_between_and_a_tilted_face_is_left_to_the_other(
    mesh: Mesh, portrait: tuple[Image, Faces]
) -> None:
    """Upright each point is halfway; seen tilted beyond the setting it is the landmarker's alone."""
    image, given = portrait
    mean = Mean(MeanConfig(alone_deg=20), landmarker=mesh)
    (own,), (averaged,) = mesh.refine([image], [given]), mean.refine([image], [given])
    assert given.landmarks is not None and own.landmarks is not None and averaged.landmarks is not None
    np.testing.assert_allclose(averaged.landmarks, (given.landmarks + own.landmarks) / 2, atol=1e-3)
    assert averaged[0].refinement is not None and averaged[0].refinement.by == "mean:mesh"
    tilted, seen, _ = turned(image, given, 40)
    (own,), (averaged,) = mesh.refine([tilted], [seen]), mean.refine([tilted], [seen])
    np.testing.assert_array_equal(averaged.landmarks, own.landmarks)  # type: ignore[arg-type]


def test_settings_are_checked() -> None:
    """Values out of range and names that are none are refused by name."""
    with pytest.raises(ConfigError, match="score"):
        MeshConfig(score=1.5)
    with pytest.raises(ConfigError, match="alone_deg"):
        MeanConfig(alone_deg=-1)
    with pytest.raises(ConfigError, match="begin with itself"):
        landmarkers.create("mesh:mesh")
    with pytest.raises(ConfigError, match="average itself"):
        landmarkers.create("mean:mean:mesh")
    with pytest.raises(UnknownName, match="mesh"):
        landmarkers.create("mehs")
