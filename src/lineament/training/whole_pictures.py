"""The gate before trainers that see whole pictures: every row's face fills its picture, and is alone there.

Classifiers, attributes and embedders resize the picture of a row and never look at its box. Of a photo with
two labelled faces both rows would be the same pixels with different labels, and of a face far away the
network would learn the street.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from lineament.counting import quantity
from lineament.errors import NotCutOut
from lineament.geometry import boxes as box_geometry
from lineament.geometry.crop_style import MARGIN
from lineament.io.manifest import Manifest, ManifestRow

LEAST_OVERLAP = 0.5
"""IoU from which what a trainer sees of a picture is what inference would cut out of it."""


def require_cut_out(manifest: Manifest, rows: Iterable[ManifestRow]) -> None:
    """Raise `NotCutOut` unless each row is the only one of its picture, and its face fills that.

    A crop that ``dataset extract`` made fills its picture however wide its margin, and so does a changed
    copy of one; a row without a box speaks of the whole picture.
    """
    chosen = list(rows)
    shared = Counter(row.path for row in chosen)
    several = [row for row in chosen if shared[row.path] > 1]
    steps = {row.id: row.step for row in manifest}
    small = [
        row for row in chosen if shared[row.path] == 1 and not _is_crop(row, steps) and not _fills(row)
    ]
    if not several and not small:
        return
    told = []
    if several:
        pictures = len({row.path for row in several})
        told.append(
            f"{len(several)} share {quantity(pictures, 'picture')} with others, such as {several[0].path}"
        )
    if small:
        told.append(f"{len(small)} have a box that is a small part of the picture, such as {small[0].path}")
    raise NotCutOut(
        f"of {quantity(len(chosen), 'row')} {' and '.join(told)}: a network that sees whole pictures "
        "cannot tell whose label it is; cut the faces out first: lineament dataset extract DATA OUT, and "
        "train on OUT"
    )


def require_cut_out_unless_split(manifest: Manifest) -> None:
    """The same for data without any split: cutting comes first, and splitting would be done in vain."""
    if all(row.split is None for row in manifest):
        require_cut_out(manifest, [row for row in manifest if row.outcome == "ok"])


def _is_crop(row: ManifestRow, steps: dict[str, str]) -> bool:
    return row.step == "extract" or (row.parent is not None and steps.get(row.parent) == "extract")


def _fills(row: ManifestRow) -> bool:
    """Whether the square that inference cuts about the box is about the one that a trainer sees."""
    if row.box is None or row.size_wh is None:
        return row.box is None
    w, h = row.size_wh
    box = np.array([row.box], np.float32)
    half = float((box[0, 2:] - box[0, :2]).max()) * (0.5 + MARGIN)
    middle = box_geometry.center(box)
    cut = box_geometry.clip(np.concatenate([middle - half, middle + half], axis=1), (w, h))
    side = min(w, h)
    x, y = (w - side) / 2, (h - side) / 2
    seen = np.array([[x, y, x + side, y + side]], np.float32)
    return float(box_geometry.iou(cut, seen)[0, 0]) >= LEAST_OVERLAP
