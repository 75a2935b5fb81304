"""A shape gives the box around it, and a label that gives none is not "no face"."""

from __future__ import annotations

import base64
import io
import json
import math
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from label_sets import one, put
from numpy.typing import NDArray
from PIL import Image as pillow

from lineament.datasets.formats._outlines import around, around_segmentation, ellipse, turned
from lineament.datasets.importing.labels import Imported, import_labels

BOX = (10.0, 6.0, 30.0, 18.0)
CORNERS = [[10, 6], [30, 6], [30, 18], [10, 18]]
FLAT = [v for corner in CORNERS for v in corner]
SQUARE = [[10, 12], [20, 2], [30, 12], [20, 22]]
"""A square of 14.14 pixels, turned by 45 degrees: the box around it is 10, 2, 30, 22."""


def runs(mask: NDArray[np.bool_]) -> list[int]:
    """A mask in COCO's run lengths, made with a loop: down the columns, off first."""
    found, last = [0], False
    for value in mask.T.ravel():
        if bool(value) != last:
            found.append(0)
            last = not last
        found[-1] += 1
    return found


def packed(counts: list[int]) -> str:
    """The same in COCO's characters, as in rleToString of its maskApi.c."""
    text = ""
    for place, count in enumerate(counts):
        value = count - counts[place - 2] if place > 2 else count
        while True:
            code, value = value & 31, value >> 5
            more = value != -1 if code & 16 else value != 0
            text += chr((code | 32 if more else code) + 48)
            if not more:
                break
    return text


def mask_of_the_box() -> NDArray[np.bool_]:
    mask = np.zeros((24, 40), bool)
    mask[6:18, 10:30] = True
    return mask


def coco(folder: Path, annotation: dict, image: object = 1) -> Imported:
    put(folder, "a.jpg")
    images = [{"id": image, "file_name": "a.jpg", "width": 40, "height": 24}]
    document = {
        "images": images,
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, **annotation}],
        "categories": [{"id": 1, "name": "face"}],
    }
    (folder / "c.json").write_text(json.dumps(document))
    return import_labels(folder)


def labelme(folder: Path, shape: dict) -> Imported:
    put(folder, "a.jpg")
    shape = {"label": "face", "group_id": None, "flags": {}, **shape}
    document = {"shapes": [shape], "imagePath": "a.jpg", "imageWidth": 40, "imageHeight": 24}
    (folder / "a.json").write_text(json.dumps(document))
    return import_labels(folder)


def voc(folder: Path, inner: str) -> Imported:
    put(folder, "a.jpg")
    (folder / "a.xml").write_text(
        "<annotation><filename>a.jpg</filename><source><database>x</database></source>"
        f"<object><name>face</name>{inner}</object></annotation>"
    )
    return import_labels(folder)


def cvat(folder: Path, shape: str) -> Imported:
    put(folder, "a.jpg")
    (folder / "annotations.xml").write_text(
        f'<annotations><image id="0" name="a.jpg" width="40" height="24">{shape}</image></annotations>'
    )
    return import_labels(folder)


def yolo(folder: Path, line: str) -> Imported:
    put(folder, "a.jpg")
    (folder / "a.txt").write_text(f"{line}\n")
    (folder / "classes.txt").write_text("face\n")
    return import_labels(folder)


def via(folder: Path, shape: dict) -> Imported:
    put(folder, "a.jpg")
    regions = [{"shape_attributes": shape, "region_attributes": {}}]
    (folder / "via.json").write_text(json.dumps({"a.jpg1": {"filename": "a.jpg", "regions": regions}}))
    return import_labels(folder)


def supervisely(folder: Path, shape: dict) -> Imported:
    put(folder, "img/a.jpg")
    (folder / "ann").mkdir()
    document = {"size": {"width": 40, "height": 24}, "objects": [{"classTitle": "face", **shape}]}
    (folder / "ann" / "a.jpg.json").write_text(json.dumps(document))
    return import_labels(folder)


def datumaro(folder: Path, annotation: dict) -> Imported:
    put(folder, "images/default/a.jpg")
    (folder / "annotations").mkdir()
    item = {"id": "a", "annotations": [{"label_id": 0, **annotation}], "image": {"path": "a.jpg"}}
    document = {"categories": {"label": {"labels": [{"name": "face"}]}}, "items": [item]}
    (folder / "annotations" / "default.json").write_text(json.dumps(document))
    return import_labels(folder)


def bitmap() -> dict:
    out = io.BytesIO()
    alpha = np.zeros((20, 30, 4), np.uint8)
    alpha[4:16, 5:25] = 255
    pillow.fromarray(alpha).save(out, "PNG")
    return {"data": base64.b64encode(zlib.compress(out.getvalue())).decode(), "origin": [5, 2]}


COUNTS = runs(mask_of_the_box())
POLYGON = "<polygon><x1>10</x1><y1>6</y1><x2>30</x2><y2>6</y2><x3>30</x3><y3>18</y3></polygon>"
ROTATED = f"<robndbox><cx>20</cx><cy>12</cy><w>12</w><h>20</h><angle>{math.pi / 2}</angle></robndbox>"
BNDBOX = "<bndbox><xmin>15</xmin><ymin>3</ymin><xmax>26</xmax><ymax>22</ymax></bndbox>"
TURN = "<attributes><attribute><name>rotation</name><value>90.0</value></attribute></attributes>"
AROUND: dict[str, tuple[Callable[..., Imported], object, str]] = {
    "COCO polygon": (coco, {"segmentation": [FLAT]}, "polygon_to_box"),
    "COCO polygon and an empty box": (coco, {"bbox": [], "segmentation": [FLAT]}, "polygon_to_box"),
    "COCO polygon and a box of zeros": (coco, {"bbox": [0] * 4, "segmentation": [FLAT]}, "polygon_to_box"),
    "COCO two polygons": (
        coco,
        {"segmentation": [[10, 6, 12, 6, 12, 8], [28, 16, 30, 16, 30, 18]]},
        "polygon_to_box",
    ),
    "COCO flat polygon": (coco, {"segmentation": FLAT}, "polygon_to_box"),
    "COCO points in pairs": (coco, {"segmentation": [CORNERS]}, "polygon_to_box"),
    "COCO mask": (coco, {"segmentation": {"size": [24, 40], "counts": COUNTS}}, "mask_to_box"),
    "COCO packed mask": (
        coco,
        {"segmentation": {"size": [24, 40], "counts": packed(COUNTS)}},
        "mask_to_box",
    ),
    "COCO box of five": (coco, {"bbox": [20, 12, 12, 20, 90]}, "turned_rectangle_to_box"),
    "COCO box of corners": (coco, {"bbox": FLAT}, "polygon_to_box"),
    "COCO rotation of CVAT": (
        coco,
        {"bbox": [14, 2, 12, 20], "attributes": {"occluded": False, "rotation": 90.0}},
        "turned_rectangle_to_box",
    ),
    "LabelMe mask": (labelme, {"points": [[10, 6], [30, 18]], "shape_type": "mask"}, "mask_to_box"),
    "LabelMe polygon": (labelme, {"points": CORNERS, "shape_type": "polygon"}, "polygon_to_box"),
    "X-AnyLabeling rotation": (
        labelme,
        {"points": CORNERS, "shape_type": "rotation", "direction": 1.57},
        "rotation_to_box",
    ),
    "LabelMe oriented": (
        labelme,
        {"points": CORNERS, "shape_type": "oriented_rectangle"},
        "oriented_rectangle_to_box",
    ),
    "X-AnyLabeling quadrilateral": (
        labelme,
        {"points": CORNERS, "shape_type": "quadrilateral"},
        "quadrilateral_to_box",
    ),
    "VOC polygon": (voc, POLYGON, "polygon_to_box"),
    "VOC of roLabelImg": (voc, ROTATED, "turned_rectangle_to_box"),
    "VOC rotation of CVAT": (voc, BNDBOX + TURN, "turned_rectangle_to_box"),
    "CVAT polygon": (cvat, '<polygon label="face" points="10,6;30,6;30,18;10,18"/>', "polygon_to_box"),
    "CVAT turned": (
        cvat,
        '<box label="face" xtl="14" ytl="2" xbr="26" ybr="22" rotation="90.0"/>',
        "turned_rectangle_to_box",
    ),
    "CVAT ellipse": (cvat, '<ellipse label="face" cx="20" cy="12" rx="10" ry="6"/>', "ellipse_to_box"),
    "CVAT turned ellipse": (
        cvat,
        '<ellipse label="face" cx="20" cy="12" rx="6" ry="10" rotation="270"/>',
        "ellipse_to_box",
    ),
    "CVAT mask": (
        cvat,
        '<mask label="face" left="10" top="6" width="20" height="12" rle="1,2"/>',
        "mask_to_box",
    ),
    "YOLO outline": (yolo, "0 0.25 0.25 0.75 0.25 0.75 0.75 0.25 0.75", "polygon_to_box"),
    "VIA polygon": (
        via,
        {"name": "polygon", "all_points_x": [10, 30, 30], "all_points_y": [6, 6, 18]},
        "polygon_to_box",
    ),
    "VIA ellipse": (via, {"name": "ellipse", "cx": 20, "cy": 12, "rx": 10, "ry": 6}, "ellipse_to_box"),
    "Supervisely polygon": (
        supervisely,
        {"geometryType": "polygon", "points": {"exterior": CORNERS}},
        "polygon_to_box",
    ),
    "Supervisely bitmap": (supervisely, {"geometryType": "bitmap", "bitmap": bitmap()}, "bitmap_to_box"),
    "Datumaro polygon": (datumaro, {"type": "polygon", "points": FLAT}, "polygon_to_box"),
    "Datumaro turned": (
        datumaro,
        {"type": "bbox", "bbox": [14, 2, 12, 20], "attributes": {"rotation": 90.0}},
        "turned_rectangle_to_box",
    ),
}


@pytest.mark.parametrize("name", AROUND)
def test_a_shape_gives_the_box_around_it(name: str, tmp_path: Path) -> None:
    """Polygons, masks, ellipses and turned rectangles of every tool are faces by their box, and counted."""
    make, shape, kind = AROUND[name]
    found = make(tmp_path, shape)
    row = one(found.manifest)
    assert (row.outcome, row.box) == ("ok", pytest.approx(BOX))
    assert found.problems.counts() == {kind: 1}


NOTHING: dict[str, tuple[Callable[..., Imported], object, str]] = {
    "COCO without a box": (coco, {}, "box_missing"),
    "COCO box of three": (coco, {"bbox": [1, 2, 3]}, "box_missing"),
    "COCO broken mask": (coco, {"segmentation": {"size": [24, 40], "counts": "\x7f"}}, "box_missing"),
    "COCO mask beyond the picture": (
        coco,
        {"segmentation": {"size": [24, 40], "counts": [950, 20]}},
        "box_missing",
    ),
    "COCO keypoints alone": (
        coco,
        {"keypoints": [10, 6, 2] * 5},
        "not_taken: keypoints without a box",
    ),
    "COCO box outside": (coco, {"bbox": [50, 50, 5, 5]}, "box_outside"),
    "LabelMe line": (labelme, {"points": [[1, 1], [9, 2]], "shape_type": "linestrip"}, "linestrip"),
    "LabelMe points": (labelme, {"points": [[1, 1]], "shape_type": "points"}, "points"),
    "LabelMe landmarks alone": (
        labelme,
        {"label": "nose", "points": [[1, 1]], "shape_type": "point"},
        "landmarks without a box",
    ),
    "VOC without a box": (voc, "<pose>Left</pose>", "box_missing"),
    "VOC box of text": (voc, BNDBOX.replace("15", "left"), "box_missing"),
    "CVAT points": (cvat, '<points label="face" points="10,6;30,6"/>', "not_taken: points"),
    "CVAT line": (cvat, '<polyline label="face" points="10,6;30,6"/>', "not_taken: polyline"),
    "VIA point": (via, {"name": "point", "cx": 1, "cy": 1}, "not_taken: point"),
    "Supervisely point": (supervisely, {"geometryType": "point"}, "not_taken: point"),
    "Supervisely broken bitmap": (
        supervisely,
        {"geometryType": "bitmap", "bitmap": {"data": "eJw=", "origin": [0, 0]}},
        "not_taken: bitmap",
    ),
    "Datumaro points": (datumaro, {"type": "points", "points": [1, 2]}, "not_taken: points"),
    "YOLO box without area": (yolo, "0 0.5 0.5 0.0 0.5", "box_without_area"),
}


@pytest.mark.parametrize("name", NOTHING)
def test_a_label_that_gives_no_box_refuses_its_picture(name: str, tmp_path: Path) -> None:
    """Who had a label, of which nothing could be used, has no picture without faces: the row says why."""
    make, shape, reason = NOTHING[name]
    found = make(tmp_path, shape)
    row = one(found.manifest)
    assert (row.outcome, row.box) == ("refused", None)
    assert reason in (row.error or "")
    assert found.problems["no_usable_box"] == 1


@pytest.mark.parametrize("one_id", [1, 1.0, "1", " 1", "1.0", "001"])
@pytest.mark.parametrize("other_id", [1, 1.0, "1", "1.0", "01"])
def test_ids_are_alike_as_numbers_and_text(one_id: object, other_id: object, tmp_path: Path) -> None:
    """An annotation finds its picture and its class whether ids are written as numbers or as text."""
    found = coco(tmp_path, {"bbox": [10, 6, 20, 12], "image_id": other_id, "category_id": other_id}, one_id)
    row = one(found.manifest)
    assert (row.box, row.labels) == (BOX, {})
    assert not found.problems


def test_ids_that_only_look_alike_stay_apart(tmp_path: Path) -> None:
    """Where "01" and "1" are two pictures, each keeps its own face."""
    put(tmp_path, "a.jpg")
    put(tmp_path, "b.jpg", 1)
    images = [{"id": "01", "file_name": "a.jpg"}, {"id": "1", "file_name": "b.jpg"}]
    labels = [{"id": n, "image_id": i["id"], "bbox": [n, 1, 5, 5]} for n, i in enumerate(images)]
    (tmp_path / "c.json").write_text(json.dumps({"images": images, "annotations": labels}))
    boxes = {row.path: row.box for row in import_labels(tmp_path).manifest}
    assert boxes == {"a.jpg": (0, 1, 5, 6), "b.jpg": (1, 1, 6, 6)}


def test_our_own_label_of_a_turn_turns_nothing(tmp_path: Path) -> None:
    """A label ``rotation`` of a manifest goes out and comes back; only boxes of other tools are turned."""
    from label_sets import face_row

    from lineament.datasets.exporting import export_labels
    from lineament.io.manifest import Manifest

    row = face_row(tmp_path / "in", "a.jpg", labels={"rotation": 30.0})
    for format in ("coco", "voc", "labelme"):
        out = tmp_path / format
        assert (
            "box" not in export_labels(Manifest((row,), (), tmp_path / "in"), out, format).losses.counts()
        )
        assert one(import_labels(out).manifest).labels == {"rotation": 30.0}


@settings(deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.data())
def test_the_box_of_a_mask_is_that_of_its_pixels(width: int, height: int, data: st.DataObject) -> None:
    """From its runs alone, packed or not, a mask gives the box that its drawn pixels have."""
    flat = data.draw(st.lists(st.booleans(), min_size=width * height, max_size=width * height))
    mask = np.array(flat, bool).reshape(height, width)
    rows, columns = np.nonzero(mask)
    wanted = None
    if len(rows):
        wanted = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    for counts in (runs(mask), packed(runs(mask))):
        found = around_segmentation({"size": [height, width], "counts": counts})
        assert (None if found is None else found[0]) == wanted


@settings(deadline=None)
@given(st.floats(-400, 400), st.floats(1, 50), st.floats(1, 50))
def test_the_box_of_a_turned_shape_is_that_of_its_outline(degrees: float, w: float, h: float) -> None:
    """Turned rectangles and ellipses have the box of their outline, drawn point by point."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))

    def at(x: float, y: float) -> tuple[float, float]:
        return (100 + x * cosine - y * sine, 50 + x * sine + y * cosine)

    corners = [at(x, y) for x in (-w / 2, w / 2) for y in (-h / 2, h / 2)]
    box = (100 - w / 2, 50 - h / 2, 100 + w / 2, 50 + h / 2)
    assert turned(box, degrees) == pytest.approx(around(corners))
    angles = [math.tau * step / 2000 for step in range(2000)]
    outline = [at(w / 2 * math.cos(a), h / 2 * math.sin(a)) for a in angles]
    assert ellipse(100, 50, w / 2, h / 2, degrees) == pytest.approx(around(outline), abs=1e-3)
