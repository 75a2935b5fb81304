"""Large pictures keep their small faces and their large ones."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineament.detectors._views import Found, View, ViewSettings, plan, to_picture
from lineament.geometry.boxes import iou
from lineament.io import images
from lineament.registry import detectors
from lineament.types import Image, UInt8

PORTRAIT = Path(__file__).parents[2] / "samples" / "obama_2012_portrait.jpg"
FACE = np.array([374, 94, 605, 416], np.float32)

sides = st.integers(1, 9000)


@given(sides, sides, st.integers(256, 2048), st.integers(0, 128))
def test_plan_obeys_its_rule(w: int, h: int, side: int, overlap: int) -> None:
    """Small pictures are one native view; larger ones are covered whole by tiles within the limit."""
    chosen = ViewSettings(long_side=side, overlap=overlap)
    views = plan((w, h), chosen)
    native = [v for v in views if v.scale_xy == (1.0, 1.0) and v.least == 0]
    if max(w, h) <= side:
        assert native == [View(0, 0, w, h)]
        return
    assert all(v.width <= side and v.height <= side for v in native)
    for axis, length in (("x", w), ("y", h)):
        size = {"x": "width", "y": "height"}[axis]
        spans = sorted({(getattr(v, axis), getattr(v, axis) + getattr(v, size)) for v in native})
        assert spans[0][0] == 0 and spans[-1][1] == length
        assert all(after[0] <= before[1] - overlap for before, after in pairwise(spans))
    assert len([v for v in views if v.scale_xy != (1.0, 1.0)]) == 1


@given(st.integers(2049, 9000), st.integers(300, 9000), st.data())
@settings(max_examples=200)
def test_every_small_face_is_whole_in_some_tile(w: int, h: int, data: st.DataObject) -> None:
    """A face no longer than the overlap lies inside a tile that does not drop it as cut."""
    chosen = ViewSettings()
    size = data.draw(st.integers(1, chosen.overlap - 1))
    x, y = data.draw(st.integers(0, max(0, w - size))), data.draw(st.integers(0, max(0, h - size)))
    kept = 0
    for view in plan((w, h), chosen):
        if view.least:
            continue
        box = np.array([[x - view.x, y - view.y, x - view.x + size, y - view.y + size]], np.float32)
        found = Found(box, np.ones(1, np.float32), np.zeros((1, 5, 2), np.float32))
        inside = (box[0, 0] >= 0 and box[0, 1] >= 0
                  and box[0, 2] <= view.width and box[0, 3] <= view.height)  # fmt: skip
        back = to_picture(found, view)
        if inside and len(back.scores):
            np.testing.assert_allclose(back.boxes[0], [x, y, x + size, y + size])
            kept += 1
    assert kept >= 1


def test_without_tiles_there_is_one_view() -> None:
    """The fast way sees any picture once."""
    assert len(plan((6000, 4000), ViewSettings(tiles=False))) == 1


def scene(faces: list[tuple[int, int, float]], wh: tuple[int, int]) -> tuple[UInt8, np.ndarray]:
    """The sample portrait pasted at places and factors; returns the picture and the face boxes."""
    pixels = images.load(PORTRAIT).pixels[:600, 200:800]
    canvas = np.full((wh[1], wh[0], 3), 120, np.uint8)
    boxes = []
    for x, y, factor in faces:
        how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
        part = cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=how)
        canvas[y : y + part.shape[0], x : x + part.shape[1]] = part
        boxes.append((FACE - [200, 0, 200, 0]) * factor + [x, y, x, y])
    return canvas, np.array(boxes, np.float32)


@pytest.mark.parametrize("spec", ["yunet", "centerface"])
def test_large_picture_with_large_and_small_faces(spec: str) -> None:
    """In 3600 x 2400 a face of 1100 pixels and faces of 30 to 150 on tile borders are found, once each."""
    canvas, wanted = scene(
        [(0, 0, 3.5), (2200, 40, 0.1), (2700, 100, 0.3), (1700, 2050, 0.45), (2400, 1150, 0.12)],
        (3600, 2400),
    )
    found = detectors.create(spec).detect([Image(canvas)])[0]
    overlaps = iou(wanted, found.boxes)
    assert (overlaps.max(axis=1) > 0.5).all()
    assert ((overlaps > 0.3).sum(axis=1) == 1).all()


def test_face_that_fills_a_large_frame() -> None:
    """A face of 1100 pixels is found although the network sees nothing larger than 800 at native size."""
    canvas, wanted = scene([(0, 0, 3.4)], (2040, 2040))
    found = detectors.create("yunet").detect([Image(canvas)])[0]
    assert iou(wanted, found.boxes[:1])[0, 0] > 0.6


def test_tiles_answer_as_one_view() -> None:
    """A face whole in a tile gets the points that one view of everything gives it."""
    canvas, _ = scene([(150, 60, 0.3), (900, 700, 0.4), (1300, 90, 0.35)], (1600, 1200))
    tiled = detectors.create("yunet:long_side=1024").detect([Image(canvas)])[0]
    whole = detectors.create("yunet:long_side=4096").detect([Image(canvas)])[0]
    assert len(tiled) == len(whole) == 3
    assert tiled.landmarks is not None and whole.landmarks is not None
    match = iou(whole.boxes, tiled.boxes).argmax(axis=1)
    np.testing.assert_allclose(tiled.landmarks[match], whole.landmarks, atol=0.5)
