"""Pictures with any number of boxes: what detectors learn from, one entry a picture.

A manifest has a row a face, or a single row ``no_face`` for a picture that was looked at and holds none.
`lineament.datasets.splitting.splits` assigns both; where another tool left an empty picture without a
split, it gets one here by a hash of its bytes, in the proportions of the others.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from lineament.counting import quantity
from lineament.datasets.augment.pipeline import Pipeline
from lineament.datasets.augment.sight import in_sight
from lineament.datasets.augment.view import View
from lineament.errors import NotEnoughSamples, PictureError, UndeclaredLabel
from lineament.geometry import boxes as box_geometry
from lineament.geometry.letterbox import Placement, letterbox
from lineament.io import images
from lineament.io.manifest import Manifest, ManifestRow
from lineament.kinds import CLASS, FACE, is_face
from lineament.scoring.matching import Mask
from lineament.shown import shown
from lineament.training.data import Key
from lineament.types import Float32

_CROWD = "iscrowd"


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """One picture: ``boxes`` ``(N, 4)`` in its upright pixels and ``labels`` ``(N,)``, numbers of classes.

    ``ignored`` ``(N,)`` boxes, too small or crowds, are neither learnt nor counted.
    """

    id: str
    path: str
    boxes: Float32
    labels: NDArray[np.int64]
    ignored: Mask

    __repr__ = shown


def classes_of(rows: Sequence[ManifestRow], declared: Sequence[str], *, one_class: bool) -> tuple[str, ...]:
    """The classes to learn: those declared, else those of the rows' boxes, sorted.

    Raises `UndeclaredLabel` when rows have others, `NotEnoughSamples` when there is no box.
    """
    seen = Counter(_kind(row) for row in rows if row.box is not None)
    if not seen:
        raise NotEnoughSamples("not one picture has a box; label faces first, or import labels with boxes")
    if one_class:
        return (declared[0] if declared else _one_name(seen),)
    if declared and (unknown := sorted(set(seen) - set(declared))):
        raise UndeclaredLabel(
            f"boxes of the classes {', '.join(unknown)} are there, declared are {', '.join(declared)}"
        )
    return tuple(declared) or tuple(sorted(seen))


def _one_name(kinds: Collection[str]) -> str:
    """What one class of boxes of all these is called: what they are, never faces unless they are."""
    if len(kinds) == 1:
        return next(iter(kinds))
    return FACE if all(map(is_face, kinds)) else "-or-".join(sorted(kinds, key=is_face))


def scenes_of(
    manifest: Manifest,
    split: str,
    classes: Sequence[str],
    *,
    min_side: float = 0.0,
    one_class: bool = False,
) -> list[Scene]:
    """The pictures of a split, ordered by path; those without boxes are empty scenes.

    Boxes whose shorter side is below ``min_side`` pixels of the picture are ignored. Pictures whose rows
    are "ok" without any box were never looked at for faces and are left out; see `unlabelled`.
    """
    grouped: dict[str, list[ManifestRow]] = defaultdict(list)
    for row in manifest:
        if row.split == split and row.outcome == "ok" and row.box is not None:
            grouped[row.path].append(row)
    scenes = [_scene(rows, classes, min_side, one_class) for rows in grouped.values()]
    scenes += [
        Scene(row.id, row.path, np.zeros((0, 4), np.float32), np.zeros(0, np.int64), np.zeros(0, bool))
        for row in empty_rows(manifest, split)
        if row.path not in grouped
    ]
    return sorted(scenes, key=lambda scene: scene.path)


def empty_rows(manifest: Manifest, split: str) -> list[ManifestRow]:
    """Rows of pictures that hold no face and belong to a split, by their own word or by hash."""
    shares = Counter(str(row.split) for row in manifest if row.split is not None and row.outcome == "ok")
    names = sorted(shares)
    limits = np.cumsum([shares[name] for name in names]) / max(sum(shares.values()), 1)
    found = []
    for row in manifest:
        if row.outcome != "no_face":
            continue
        place = row.split
        if place is None and names:
            share = int(row.sha256[:8] or "0", 16) / 2**32
            place = names[min(int(np.searchsorted(limits, share, side="right")), len(names) - 1)]
        if place == split:
            found.append(replace(row, split=split))
    return found


def unlabelled(manifest: Manifest) -> int:
    """How many pictures have a split but no box, and nobody said that they hold no face."""
    boxed = {row.path for row in manifest if row.box is not None}
    return len(
        {row.path for row in manifest if row.outcome == "ok" and row.split and row.path not in boxed}
    )


def require_boxes(scenes: Mapping[str, Sequence[Scene]], min_side: float) -> None:
    """Raise `NotEnoughSamples` for a split all of whose boxes are ignored: faces would count as none."""
    for split, some in scenes.items():
        count = sum(len(scene.boxes) for scene in some)
        if not count or not all(scene.ignored.all() for scene in some):
            continue
        short = max((s.boxes[:, 2:] - s.boxes[:, :2]).min(axis=1).max() for s in some if len(s.boxes))
        if short < min_side:
            raise NotEnoughSamples(
                f"min_side {min_side:g} is above all {quantity(count, 'box')} of the split {split!r}: the "
                f"shorter side of the largest is {short:.4g} pixels; set --min-side lower"
            )
        raise NotEnoughSamples(
            f"all {quantity(count, 'box')} of the split {split!r} are crowds or below min_side"
        )


class Scenes(Dataset[Any]):
    """Scenes letterboxed to ``size``, with targets padded to the same number of boxes.

    Targets: ``boxes`` ``(M, 4)`` in pixels of the square and ``labels`` ``(M,)``, -1 where there is no box;
    ``place`` ``(6,)``: scale x, y, offset x, y of the `Placement`, and the picture's width and height. An
    augmentation drops the faces that left the picture (`lineament.datasets.augment.sight`).
    """

    def __init__(
        self, manifest: Manifest, scenes: Sequence[Scene], *, size: int, augment: Pipeline | None = None
    ) -> None:
        if not scenes:
            raise NotEnoughSamples("a split holds no pictures; see: lineament dataset split")
        self.manifest, self.scenes, self.size, self.augment = manifest, list(scenes), size, augment
        self.most = max(1, *(len(scene.boxes) for scene in scenes))

    def __len__(self) -> int:
        return len(self.scenes)

    def __getitem__(self, key: Key) -> Any:
        index, epoch = key
        scene = self.scenes[index]
        try:
            image = images.load(self.manifest.folder / scene.path, min_side=2 * self.size)
        except PictureError as error:
            return scene.id, f"{type(error).__name__}: {error}"
        # Also faces that are not learnt may not be cut to remainders.
        view = View.of(image.pixels, scene.boxes / image.scale)
        if self.augment is not None:
            view = self.augment(view.pixels, view.boxes, key=scene.id, epoch=epoch)
        kept = ~scene.ignored & (in_sight(view) if self.augment is not None else True)
        pixels, boxes, labels = view.pixels, view.boxes[kept], scene.labels[kept]
        boxes = box_geometry.clip(boxes, (pixels.shape[1], pixels.shape[0]))
        square, placement = letterbox(pixels, self.size)
        padded = np.zeros((self.most, 4), np.float32)
        numbers = np.full(self.most, -1, np.int64)
        padded[: len(boxes)] = placement.to_square(boxes)
        numbers[: len(labels)] = labels
        # A picture decoded at reduced size has its boxes in the pixels of the whole one.
        scale, size_wh = np.array(placement.scale_xy) / image.scale, np.array(pixels.shape[1::-1])
        place = np.concatenate([scale, placement.offset_xy, size_wh * image.scale]).astype(np.float32)
        return square, {"boxes": padded, "labels": numbers, "place": place}, index


def placement_of(place: Float32) -> tuple[Placement, tuple[int, int]]:
    """The `Placement` and the picture's size in a target of `Scenes`."""
    sx, sy, x, y, w, h = (float(value) for value in place)
    return Placement((sx, sy), (x, y)), (round(w), round(h))


def _scene(rows: Sequence[ManifestRow], classes: Sequence[str], min_side: float, one_class: bool) -> Scene:
    numbers = {name: number for number, name in enumerate(classes)}
    kinds = [classes[0] if one_class else _kind(row) for row in rows]
    if unknown := sorted(set(kinds) - set(numbers)):
        raise UndeclaredLabel(
            f"{rows[0].path}: boxes of the class {unknown[0]}, which the training rows do not have"
        )
    boxes = np.array([row.box for row in rows], np.float32).reshape(-1, 4)
    short = (boxes[:, 2:] - boxes[:, :2]).min(axis=1)
    crowd = np.array([row.labels.get(_CROWD) == 1 for row in rows])
    labels = np.array([numbers[kind] for kind in kinds], np.int64)
    return Scene(rows[0].id, rows[0].path, boxes, labels, (short < min_side) | crowd)


def _kind(row: ManifestRow) -> str:
    return str(row.labels.get(CLASS, FACE))
