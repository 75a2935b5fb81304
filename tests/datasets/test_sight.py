"""A face that leaves its picture is treated by one rule, on disk and in training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lineament.datasets.augment.materialise import faces_of, materialise
from lineament.datasets.augment.pipeline import STEPS, Pipeline
from lineament.datasets.augment.sight import GONE, VISIBLE, in_sight
from lineament.datasets.augment.view import View
from lineament.errors import ConfigError
from lineament.geometry.polygons import shares_inside
from lineament.io import images
from lineament.io.manifest import Manifest, ManifestRow
from lineament.training.data import Pictures, fitted
from lineament.training.detection.localizer import rows_for, target
from lineament.training.detection.scenes import Scenes, placement_of, scenes_of

SPECS = {
    "flip": "flip:1",
    "rotate": "rotate:60",
    "zoom": "zoom:low=20,high=60,visible=0",
    "crop": "crop:low=0.2,high=0.6,visible=0",
}
"""The hardest settings of the steps that move pixels."""

ALL = [SPECS.get(name, name) for name in STEPS if name != "normalise"] + ["inside:rotate:90"]
CORNERS = ((0.0, 0.0), (240.0, 140.0), (120.0, 70.0))


def corners(folder: Path, count: int = 6) -> Manifest:
    """Pictures with three red squares of 60 x 60 as faces, two of them in corners."""
    rows = []
    for i in range(count):
        pixels = np.full((200, 300, 3), (30 + i * 20, 90, 120), np.uint8)
        for x, y in CORNERS:
            pixels[int(y) : int(y) + 60, int(x) : int(x) + 60] = (250, 40, 40)
        images.save(folder / f"b{i}.png", pixels)
        rows += [
            ManifestRow(
                f"{i}{k}", f"b{i}.png", f"{i:064x}", (300, 200), split="train", box=(x, y, x + 60, y + 60)
            )
            for k, (x, y) in enumerate(CORNERS)
        ]
    return Manifest(tuple(rows), folder=folder)


@pytest.mark.parametrize("spec", ALL)
def test_disk_and_training_label_the_same_faces(spec: str, tmp_path: Path) -> None:
    """Every step of the registry gives a copy on disk and a scene on the fly the same boxes."""
    data, pipeline = corners(tmp_path), Pipeline([spec], seed=4)
    copies: dict[str, list[tuple[float, ...]]] = {}
    for row in materialise(data, pipeline, 3, suffix=".png").manifest:
        if row.step == "augment":
            assert row.box is not None
            copies.setdefault(row.path, []).append(row.box)
    scenes = Scenes(data, scenes_of(data, "train", ["face"]), size=300, augment=pipeline)
    for index, scene in enumerate(scenes.scenes):
        for epoch in (1, 2):
            _, target, _ = scenes[index, epoch]
            placement, _ = placement_of(target["place"])
            boxes = target["boxes"][target["labels"] >= 0]
            back = (boxes - np.tile(placement.offset_xy, 2)) / np.tile(placement.scale_xy, 2)
            on_disk = np.array(sorted(copies[f".augmented/{scene.path}-{epoch:04}.png"]))
            np.testing.assert_allclose(np.array(sorted(back.tolist())), on_disk, atol=0.02)


@pytest.mark.parametrize("spec", ALL)
def test_a_localizer_sees_what_is_on_disk(spec: str, tmp_path: Path) -> None:
    """Of several faces it takes the largest in the picture, which a draw can make another one; the draw is
    that of the copy on disk, whose rule counts all faces."""
    made, pipeline = corners(tmp_path, 3), Pipeline([spec], seed=4)
    unequal = []
    for row in made:
        assert row.box is not None
        x, y, _, _ = row.box
        side = 60.0 - 7 * int(row.id[1])
        unequal.append(replace(row, box=(x, y, x + side, y + side)))
    data = replace(made, rows=tuple(unequal))
    copies: dict[str, list[ManifestRow]] = {}
    for row in materialise(data, pipeline, 3, suffix=".png").manifest:
        if row.step == "augment":
            copies.setdefault(row.path, []).append(row)
    rows = rows_for(data, "train")
    drawn = Pictures(data, rows, target, size=300, fit="stretch", augment=pipeline, whole=True)
    for index, row in enumerate(rows):
        for epoch in (1, 2):
            pixels, told, _ = drawn[index, epoch]
            on_disk = copies[f".augmented/{row.path}-{epoch:04}.png"]
            view = fitted(faces_of(images.load(data.file(on_disk[0])).pixels, on_disk), 300, "stretch")
            np.testing.assert_array_equal(pixels, view.pixels)
            np.testing.assert_allclose(told["box"], target(on_disk[0], view)["box"], atol=1e-3)


@pytest.mark.parametrize("spec", ALL)
@pytest.mark.parametrize("landmarks", [False, True])
def test_pictures_without_a_box_are_changed_alike(spec: str, landmarks: bool, tmp_path: Path) -> None:
    """A picture of which no box is known is drawn as one of which nothing is known: on disk as in training,
    and no step is kept from it."""
    rng, points = np.random.default_rng(6), tuple((40.0 + 9 * i, 50.0 + 5 * i) for i in range(5))
    images.save(tmp_path / "a.png", rng.integers(0, 256, (120, 160, 3), np.uint8))
    row = ManifestRow(
        "a", "a.png", "a" * 64, (160, 120), split="train", landmarks=points if landmarks else None
    )
    data, pipeline = Manifest((row,), folder=tmp_path), Pipeline([spec], seed=4)
    if spec.startswith("inside:"):
        with pytest.raises(ConfigError, match="no training row has a box"):
            materialise(data, pipeline, 4)
        return
    copies = {r.path: r for r in materialise(data, pipeline, 4, suffix=".png").manifest if r.id != "a"}
    assert len(copies) == 3
    original, changed = images.load(tmp_path / "a.png").pixels, False
    for epoch in (1, 2, 3):
        copy = images.load(tmp_path / ".augmented" / f"a.png-{epoch:04}.png").pixels
        bare = pipeline(original, key="a", epoch=epoch).pixels
        np.testing.assert_array_equal(copy, bare)
        changed |= copy.shape != original.shape or bool((copy != original).any())
    assert changed


@pytest.mark.parametrize("spec", [SPECS["rotate"], SPECS["zoom"], SPECS["crop"], "zoom:low=50,high=60"])
def test_what_is_labelled_is_seen_and_the_last_face_stays(spec: str, tmp_path: Path) -> None:
    """At least half of every labelled square is in the copy; no copy is without a label."""
    data = corners(tmp_path, 2)
    made = materialise(data, Pipeline([spec], seed=1), 12, suffix=".png")
    by_path: dict[str, list[ManifestRow]] = {}
    for row in made.manifest:
        if row.step == "augment":
            by_path.setdefault(row.path, []).append(row)
    assert len(by_path) == made.made == 22
    for path, rows in by_path.items():
        red = images.load(tmp_path / path).pixels.astype(int)
        is_face = (red[..., 0] > 180) & (red[..., 1] < 90)
        scale = 1.0 if spec.startswith("rotate") else 1.2
        for row in rows:
            assert row.box is not None
            x0, y0, x1, y1 = (round(v) for v in row.box)
            assert is_face[y0:y1, x0:x1].sum() >= 0.95 * VISIBLE * 3600 * (scale if scale > 1 else 1)


def test_a_remainder_is_drawn_again() -> None:
    """Every face of a few is seen or gone, none is cut to a remainder; in a crowd the fewest are."""
    pixels = np.zeros((200, 300, 3), np.uint8)
    boxes = np.array([[x, y, x + 60, y + 60] for x, y in CORNERS], np.float32)
    pipeline = Pipeline(["rotate:60"], seed=0)
    views = [pipeline(pixels, boxes, key="a", epoch=epoch) for epoch in range(40)]
    assert all((in_sight(view) | (view.shares <= GONE)).all() for view in views)
    assert any(not np.array_equal(view.boxes, boxes) for view in views)
    crowd = np.array(
        [[x, y, x + 30, y + 30] for x in range(0, 270, 30) for y in range(0, 180, 30)], np.float32
    )
    views = [pipeline(pixels, crowd, key="a", epoch=epoch) for epoch in range(10)]
    assert any(not in_sight(view).all() for view in views) and all(in_sight(view).any() for view in views)


def test_a_crop_to_a_size_has_it_whatever_is_drawn() -> None:
    """Where no draw serves, the whole picture is resized."""
    pixels = np.zeros((200, 300, 3), np.uint8)
    boxes = np.array([[0, 0, 20, 20]], np.float32)
    for epoch in range(20):
        view = Pipeline(["crop:low=0.01,high=0.02,size=64,visible=0"])(pixels, boxes, key="a", epoch=epoch)
        assert view.size_wh == (64, 64) and in_sight(view).all()


def test_shares_by_hand() -> None:
    """Half of a square over the edge is 0.5, a corner of it 0.25, a turned one over its diagonal 0.5."""
    square = np.array([[0, 0], [10, 0], [10, 10], [0, 10]], np.float64)
    diamond = np.array([[0, -5], [5, 0], [0, 5], [-5, 0]], np.float64)
    shapes = np.stack(
        [square + 5, square - [5, 0], square - 5, square + 50, diamond + np.array([0, 20]), square * np.nan]
    )
    np.testing.assert_allclose(shares_inside(shapes, (40, 40)), [1, 0.5, 0.25, 0, 0.5, np.nan], atol=1e-6)


def test_a_face_that_was_cut_before_is_measured_by_what_was_there() -> None:
    """Of a box that reaches over the edge of the photo, the part outside is nothing that was lost."""
    pixels = np.zeros((100, 100, 3), np.uint8)
    view = Pipeline(["rotate:1"])(pixels, np.array([[-60, 30, 20, 70]], np.float32), key="a")
    assert isinstance(view, View) and in_sight(view).all()
