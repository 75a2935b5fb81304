"""Random pictures with labels and detections, hard on purpose, and what pycocotools makes of them."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence

import numpy as np

from lineament.scoring.matching import PictureBoxes


def random_pictures(seed: int, *, crowds: bool = True, most: int = 8) -> list[PictureBoxes]:
    """A few pictures, some empty; whole-number boxes and few distinct scores, so that much ties."""
    rng = np.random.default_rng(seed)
    steps = int(rng.integers(2, 12))
    pictures = []
    for _ in range(int(rng.integers(1, 7))):
        truths = _boxes(rng, int(rng.integers(0, most)))
        near = truths[rng.random(len(truths)) < 0.8]
        near = np.repeat(near, rng.integers(1, 3, len(near)), axis=0)
        near = near + rng.integers(-2, 3, near.shape)
        near[:, 2:] = np.maximum(near[:, 2:], near[:, :2] + 1)
        boxes = np.concatenate([near, _boxes(rng, int(rng.integers(0, 4)))])
        boxes = boxes[rng.permutation(len(boxes))]
        crowd = rng.random(len(truths)) < 0.2 if crowds else np.zeros(len(truths), bool)
        scores = rng.integers(1, steps + 1, len(boxes)) / steps
        pictures.append(PictureBoxes(truths, boxes, scores, crowd=crowd))
    return pictures


def crowded_picture(faces: int) -> PictureBoxes:
    """A picture of many faces in a grid, all found exactly, with falling scores."""
    side = int(np.ceil(np.sqrt(faces)))
    y, x = np.divmod(np.arange(faces), side)
    low = np.stack([x, y], 1) * 12.0
    boxes = np.concatenate([low, low + 10], axis=1)
    return PictureBoxes(boxes, boxes, np.linspace(1, 0.1, faces))


def _boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    low = rng.integers(0, 40, (count, 2))
    return np.concatenate([low, low + rng.integers(1, 25, (count, 2))], axis=1).astype(float)


def coco_precisions(
    pictures: Sequence[PictureBoxes], area_range: tuple[float, float] | None = None
) -> np.ndarray | None:
    """Average precision at each of COCO's thresholds by pycocotools, with room for every detection.

    None when no truth counts.
    """
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    truths, found = [], []
    for number, one in enumerate(pictures, 1):
        assert one.crowd is not None
        for (x1, y1, x2, y2), crowd in zip(one.truths.tolist(), one.crowd, strict=True):
            size = {"bbox": [x1, y1, x2 - x1, y2 - y1], "area": (x2 - x1) * (y2 - y1)}
            # Ids from 1: pycocotools reads an id of 0 as "not matched".
            truths.append(
                {"id": len(truths) + 1, "image_id": number, "category_id": 1, "iscrowd": int(crowd), **size}
            )
        for (x1, y1, x2, y2), score in zip(one.boxes.tolist(), one.scores, strict=True):
            box = [x1, y1, x2 - x1, y2 - y1]
            found.append({"image_id": number, "category_id": 1, "bbox": box, "score": float(score)})
    if not found:
        return np.zeros(10) if any(one.counted.any() for one in pictures) else None
    with contextlib.redirect_stdout(io.StringIO()):
        labels = COCO()
        images = [{"id": number} for number in range(1, len(pictures) + 1)]
        labels.dataset = {"images": images, "annotations": truths, "categories": [{"id": 1}]}
        labels.createIndex()
        run = COCOeval(labels, labels.loadRes(found), "bbox")
        run.params.maxDets = [max(len(found), 1)]
        run.params.areaRng = [area_range or (0, 1e10)]
        run.params.areaRngLbl = ["all"]
        run.evaluate()
        run.accumulate()
    precision = run.eval["precision"][:, :, 0, 0, 0]
    return None if (precision < 0).all() else precision.mean(axis=1)
