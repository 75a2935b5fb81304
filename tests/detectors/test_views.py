"""Large pictures keep their small faces and their large ones."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineament.detectors._merging import Found, merge, parts_of_others, to_picture
from lineament.detectors._views import AROUND, HALVED, SMALL_FACE, View, ViewSettings, cut, enlarged, plan
from lineament.geometry.boxes import iou
from lineament.io import images
from lineament.registry import detectors
from lineament.types import Image, UInt8

PORTRAIT = Path(__file__).parents[2] / "samples" / "obama_2012_portrait.jpg"
FACE = np.array([374, 94, 605, 416], np.float32)

sides = st.integers(1, 9000)


@given(sides, sides, st.integers(256, 2048), st.integers(0, 128))
@settings(deadline=None)
def test_plan_obeys_its_rule(w: int, h: int, side: int, overlap: int) -> None:
    """Small pictures are one native view; larger ones are covered whole by tiles within the limit."""
    chosen = ViewSettings(long_side=side, overlap=overlap)
    views = plan((w, h), chosen)
    native = [v for v in views if v.scale_xy == (1.0, 1.0) and v.least == 0]
    if max(w, h) <= side:
        assert native == [View(0, 0, w, h, score=chosen.score)]
        return
    assert all(v.width <= side and v.height <= side for v in native)
    for axis, length in (("x", w), ("y", h)):
        size = {"x": "width", "y": "height"}[axis]
        spans = sorted({(getattr(v, axis), getattr(v, axis) + getattr(v, size)) for v in native})
        assert spans[0][0] == 0 and spans[-1][1] == length
        assert all(after[0] <= before[1] - overlap for before, after in pairwise(spans))
    shrunk = [v for v in views if v.scale_xy != (1.0, 1.0)]
    assert 1 <= len(shrunk) <= 2 and all(v.least > 0 for v in shrunk)


@given(st.integers(2049, 9000), st.integers(300, 9000), st.data())
@settings(max_examples=200, deadline=None)
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


@given(st.integers(1, 2048), st.integers(1, 2048), st.floats(1.25, 4), st.data())
@settings(max_examples=200, deadline=None)
def test_every_hinted_face_is_whole_in_an_enlarged_view(
    w: int, h: int, factor: float, data: st.DataObject
) -> None:
    """The enlarged views hold every small face that was hinted at, in place, and no larger one."""
    chosen = ViewSettings(enlarge=factor, long_side=1024)
    size = data.draw(st.integers(1, min(w, h, SMALL_FACE + 8)))
    corners = [(data.draw(st.integers(0, w - size)), data.draw(st.integers(0, h - size))) for _ in range(3)]
    boxes = np.array([[x, y, x + size, y + size] for x, y in corners], np.float32)
    views = enlarged((w, h), boxes, chosen)
    assert all(max(v.width * v.scale_xy[0], v.height * v.scale_xy[1]) <= 1025 for v in views)
    low, high = boxes.min(axis=0)[:2] - AROUND - 16, boxes.max(axis=0)[2:] + AROUND
    assert all(v.x >= low[0] and v.x + v.width <= high[0] for v in views)
    assert all(v.y >= low[1] and v.y + v.height <= high[1] for v in views)
    for box in boxes[:, None]:
        kept = 0
        for view in views:
            moved = box - np.array([view.x, view.y, view.x, view.y], np.float32)
            inside = moved.min() >= 0 and moved[0, 2] <= view.width and moved[0, 3] <= view.height
            seen = moved * np.tile(np.array(view.scale_xy, np.float32), 2)
            back = to_picture(Found(seen, np.ones(1, np.float32), np.zeros((1, 5, 2), np.float32)), view)
            if inside and len(back.scores):
                np.testing.assert_allclose(back.boxes, box, atol=1e-2)
                kept += 1
        assert size == SMALL_FACE or (kept >= 1) == (size < SMALL_FACE)


def test_without_a_hint_nothing_is_enlarged() -> None:
    """A picture whose native view shows nothing small costs no enlarged view."""
    assert enlarged((900, 700), np.zeros((0, 4), np.float32), ViewSettings(enlarge=2)) == []


def test_an_enlarged_view_finds_smaller_faces() -> None:
    """Faces of 15 pixels, of which the native view has but a hint, are found in the enlarged one."""
    canvas, wanted = scene([(300, 200, 0.4), (700, 100, 0.046), (80, 600, 0.046)], (900, 700))
    plain = detectors.create("yunet").detect([Image(canvas)])[0]
    assert len(plain) == 1
    found = detectors.create("yunet:enlarge=2").detect([Image(canvas)])[0]
    overlaps = iou(wanted, found.boxes).max(axis=1)
    assert len(found) == 3 and (overlaps > 0.5).all(), (found.boxes, wanted)


def test_half_size_is_seen_for_larger_faces_only() -> None:
    """The view at half size is added where it is asked for, never to a picture in tiles."""
    (half,) = [v for v in plan((900, 700), ViewSettings(half=True)) if v.scale_xy == (0.5, 0.5)]
    assert half.least == HALVED and half.score == ViewSettings().score
    assert not [v for v in plan((4000, 700), ViewSettings(half=True)) if v.scale_xy == (0.5, 0.5)]


def test_averaged_boxes_are_weighted_by_score() -> None:
    """Of a face's boxes the mean by score is given, of its points that of the best one's view."""
    found = _found((0, 0, 10, 10, 0.9), (0, 0, 10, 12, 0.6), (100, 0, 110, 10, 0.8))
    faces = merge([found], ViewSettings(average=True))
    np.testing.assert_allclose(faces.boxes, [[0, 0, 10, 10.8], [100, 0, 110, 10]], atol=1e-5)
    np.testing.assert_allclose(faces.scores, [0.9, 0.8])
    points = np.array([0.0, 10.0, 50.0], np.float32)[:, None, None] * np.ones((1, 5, 2), np.float32)
    moved = merge([Found(found.boxes, found.scores, points)], ViewSettings(average=True)).landmarks
    assert moved is not None
    np.testing.assert_allclose(moved[:, 0, 0], [4, 50], atol=1e-5)
    each = [Found(found.boxes[i : i + 1], found.scores[i : i + 1], points[i : i + 1]) for i in range(3)]
    apart = merge(each, ViewSettings(average=True))
    assert apart.landmarks is not None
    np.testing.assert_allclose(apart.boxes, faces.boxes, atol=1e-5)
    np.testing.assert_allclose(apart.landmarks[:, 0, 0], [0, 50], atol=1e-5)
    np.testing.assert_array_equal(merge([found], ViewSettings()).boxes[0], [0, 0, 10, 10])


@pytest.mark.parametrize("longer", [256, 400, 512])
def test_shrinking_averages(longer: int) -> None:
    """A shrunk view is what area averaging gives, but for 3 levels of grey on average, of odd sides too."""
    pixels = images.load(PORTRAIT).pixels[:1201, :901]
    h, w = pixels.shape[:2]
    wanted_wh = (round(w * longer / max(h, w)), round(h * longer / max(h, w)))
    view = View(0, 0, w, h, (wanted_wh[0] / w, wanted_wh[1] / h))
    shrunk = cut(pixels, view).astype(int)
    wanted = cv2.resize(pixels, wanted_wh, interpolation=cv2.INTER_AREA).astype(int)
    assert shrunk.shape == wanted.shape and np.abs(shrunk - wanted).mean() < 3


def test_without_tiles_there_is_one_view() -> None:
    """The fast way sees any picture once, and its large faces in views of few pixels."""
    first, *small = plan((6000, 4000), ViewSettings(tiles=False))
    assert (
        max(first.width * first.scale_xy[0], first.height * first.scale_xy[1]) == 2048 and not first.least
    )
    assert [round(max(v.scale_xy) * 6000) for v in small] == [512, 256] and all(v.least for v in small)


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


SAMPLES = Path(__file__).parents[2] / "samples"
TIGHT = {
    "obama_2010_white_house.jpg": (640, 246, 910, 613),
    "obama_2009_congress.jpg": (195, 224, 471, 614),
    "obama_2012_portrait.jpg": (374, 94, 605, 416),
    "biden_2013_portrait.jpg": (412, 212, 851, 711),
    "collins_nasa.png": (178, 63, 268, 176),
}


@pytest.mark.parametrize("margin", [-0.1, 0.1, 0.25])
@pytest.mark.parametrize("side", [500, 1200, 2000])
@pytest.mark.parametrize("name", TIGHT)
def test_a_face_that_fills_the_frame_is_one_face(name: str, side: int, margin: float) -> None:
    """Cut to its box or little more and enlarged, a face is found, once, with all of it in the box."""
    pixels, face = close_up(name, margin, side)
    found = detectors.create("yunet").detect([Image(pixels)])[0]
    assert len(found) == 1, (found.boxes, found.scores)
    assert iou(face[None], found.boxes)[0, 0] > 0.6, (face, found.boxes)


def close_up(name: str, margin: float, side: int) -> tuple[UInt8, np.ndarray]:
    """A sample's face with a margin, a share of its box, enlarged to ``side``; and its box there."""
    pixels, box = images.load(SAMPLES / name).pixels, np.array(TIGHT[name], np.float32)
    grown = np.concatenate([box[:2], box[2:]]) + margin * np.concatenate(
        [box[:2] - box[2:], box[2:] - box[:2]]
    )
    h, w = pixels.shape[:2]
    x1, y1, x2, y2 = (int(v) for v in np.clip(np.round(grown), 0, [w, h, w, h]))
    factor = side / max(x2 - x1, y2 - y1)
    part = cv2.resize(pixels[y1:y2, x1:x2], None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    return np.asarray(part, np.uint8), (box - [x1, y1, x1, y1]) * np.float32(factor)


@pytest.mark.parametrize("spec", ["yunet", "yunet:long_side=1024", "yunet:tiles=false", "centerface"])
def test_every_way_of_seeing_finds_one_face(spec: str) -> None:
    """In tiles, in one shrunk view and with another network a face of 2600 pixels is one face."""
    for name in ("obama_2010_white_house.jpg", "biden_2013_portrait.jpg"):
        pixels, face = close_up(name, 0.1, 3000)
        found = detectors.create(spec).detect([Image(pixels)])[0]
        assert len(found) == 1 and iou(face[None], found.boxes)[0, 0] > 0.6, (spec, found.boxes)


@pytest.mark.parametrize("share", [0.15, 0.25, 0.35])
@pytest.mark.parametrize("place", [(0.5, 0.25), (0.5, 0.85), (0.2, 0.7)])
def test_a_small_face_within_a_large_one_is_kept(place: tuple[float, float], share: float) -> None:
    """A phone or a child held before a face, or a tattoo, is a face of its own and stays."""
    pixels, face = close_up("obama_2010_white_house.jpg", 0.25, 2000)
    small = images.load(SAMPLES / "biden_2013_portrait.jpg").pixels[150:760, 350:900]
    size = face[2:] - face[:2]
    factor = share * float(size[1]) / 483
    small = cv2.resize(small, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    x, y = (face[:2] + size * np.float32(place) - np.array(small.shape[1::-1]) / 2).astype(int)
    x, y = min(x, pixels.shape[1] - small.shape[1]), min(y, pixels.shape[0] - small.shape[0])
    pixels[y : y + small.shape[0], x : x + small.shape[1]] = small
    at = (np.array(TIGHT["biden_2013_portrait.jpg"]) - [350, 150, 350, 150]) * factor + [x, y, x, y]
    found = detectors.create("yunet").detect([Image(pixels)])[0]
    # Where the small one covers both eyes, nobody sees the large one any more.
    covered = share > 0.3 and place == (0.5, 0.25)
    wanted = np.stack([at] if covered else [face, at]).astype(np.float32)
    overlap = iou(wanted, found.boxes).max(axis=1)
    assert len(found) == len(wanted) and (overlap > 0.5).all(), (wanted, found.boxes)


def _found(*rows: tuple[float, float, float, float, float]) -> Found:
    values = np.asarray(rows, np.float32).reshape(-1, 5)
    return Found(values[:, :4], values[:, 4], np.zeros((len(rows), 5, 2), np.float32))


LARGE, PART, CHILD = (100, 100, 900, 1100), (300, 300, 700, 800), (420, 700, 560, 880)


@pytest.mark.parametrize(
    ("boxes", "seen", "scale", "gone"),
    [
        # The shrunk view shows the face and no part of it.
        ([LARGE, PART], [(*LARGE, 0.9)], 0.25, [False, True]),
        # The part is seen there too, by a score that alone would not do: it is a face.
        ([LARGE, CHILD], [(*LARGE, 0.9), (*CHILD, 0.4)], 0.25, [False, False]),
        # A guess is not enough.
        ([LARGE, PART], [(*LARGE, 0.9), (*PART, 0.2)], 0.25, [False, True]),
        # Too small to be seen there, so nothing is known against it.
        ([LARGE, CHILD], [(*LARGE, 0.9)], 0.1, [False, False]),
        # Surer than the large one.
        ([PART, LARGE], [(*LARGE, 0.9)], 0.25, [False, False]),
        # The shrunk view does not see the large one either.
        ([LARGE, PART], [], 0.25, [False, False]),
        # An ear that reaches over its edge.
        ([LARGE, (800, 500, 1250, 900)], [(*LARGE, 0.9)], 0.25, [False, True]),
        # Beside it.
        ([LARGE, (890, 300, 1290, 800)], [(*LARGE, 0.9)], 0.25, [False, False]),
        # The larger one is of a size that the native view knows: it does not see parts as faces.
        ([(100, 100, 600, 700), (300, 300, 500, 600)], [(100, 100, 600, 700, 0.9)], 0.5, [False, False]),
        # A box around the face that happens to overlap its part is the same face.
        ([LARGE, PART], [(*LARGE, 0.9), (120, 120, 880, 1000, 0.5)], 0.25, [False, True]),
    ],
)
def test_what_is_a_part_of_a_face(
    boxes: list[tuple[int, int, int, int]],
    seen: list[tuple[float, float, float, float, float]],
    scale: float,
    gone: list[bool],
) -> None:
    """Only a box within a larger, surer one that a shrunk view would show and does not show is dropped."""
    parts = parts_of_others(np.asarray(boxes, np.float32), [(scale, _found(*seen))])
    assert parts.tolist() == gone
