"""Scenes: rows become pictures with boxes, empty pictures find a split, targets follow the pixels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scene_pictures

from lineament.datasets.augment.pipeline import Pipeline
from lineament.errors import NotEnoughSamples, UndeclaredLabel
from lineament.io.manifest import Manifest
from lineament.training.data import Batches, in_order
from lineament.training.detection.scenes import (
    Scenes,
    classes_of,
    empty_rows,
    placement_of,
    scenes_of,
    unlabelled,
)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    folder = tmp_path_factory.mktemp("scenes")
    return scene_pictures.write(
        folder, {"train": 12, "val": 4, "test": 4}, empty=40, kinds=("face", "mask")
    )


def test_one_scene_a_picture(manifest: Manifest) -> None:
    """All rows of a picture become one scene; every box of the split is in one."""
    classes = classes_of(list(manifest), (), one_class=False)
    assert classes == ("face", "mask")
    scenes = scenes_of(manifest, "train", classes)
    rows = [row for row in manifest if row.split == "train"]
    with_boxes = [scene for scene in scenes if len(scene.boxes)]
    assert len(with_boxes) == 12 and sum(len(scene.boxes) for scene in scenes) == len(rows)
    for scene in with_boxes:
        wanted = {(row.box, row.labels.get("class", "face")) for row in rows if row.path == scene.path}
        got = {(tuple(box), classes[label]) for box, label in zip(scene.boxes, scene.labels, strict=True)}
        assert {tuple(np.float32(box)) for box, _ in wanted} == {box for box, _ in got}
        assert sorted(kind for _, kind in wanted) == sorted(kind for _, kind in got)


def test_empty_pictures_are_shared_out(manifest: Manifest) -> None:
    """Each empty picture is in exactly one split, about by the splits' sizes, and always the same one."""
    found = {split: {row.id for row in empty_rows(manifest, split)} for split in ("train", "val", "test")}
    assert len(set.union(*found.values())) == 40 == sum(map(len, found.values()))
    assert len(found["train"]) > len(found["val"]) and len(found["train"]) > len(found["test"])
    fewer = replace(manifest, rows=tuple(r for r in manifest if r.id not in list(found["train"])[:3]))
    assert {row.id for row in empty_rows(fewer, "test")} == found["test"]
    said = [replace(row, split="val") if row.outcome == "no_face" else row for row in manifest]
    assert len(empty_rows(Manifest(tuple(said)), "val")) == 40


def test_small_boxes_and_crowds_are_ignored(manifest: Manifest) -> None:
    """Boxes below the least side, and crowds, are marked; they are no targets."""
    rows = list(manifest)
    at = next(i for i, row in enumerate(rows) if row.split == "train")
    rows[at] = replace(rows[at], labels={**rows[at].labels, "iscrowd": 1.0})
    other = replace(manifest, rows=tuple(rows))
    scenes = scenes_of(other, "train", ("face",), min_side=30, one_class=True)
    for scene in scenes:
        short = (scene.boxes[:, 2:] - scene.boxes[:, :2]).min(axis=1, initial=np.inf)
        assert (scene.ignored >= (short < 30)).all() if len(scene.boxes) else True
    ignored = sum(int(scene.ignored.sum()) for scene in scenes)
    crowd = next(scene for scene in scenes if scene.path == rows[at].path)
    assert crowd.ignored.any() and 0 < ignored < sum(len(scene.boxes) for scene in scenes)
    data = Scenes(other, scenes, size=64)
    _, target, _ = data[scenes.index(crowd), 0]
    assert (target["labels"] >= 0).sum() == (~crowd.ignored).sum()


def test_boxes_return_from_the_square(manifest: Manifest) -> None:
    """A target's box, taken back with the target's placement, is the manifest's box."""
    scenes = scenes_of(manifest, "val", ("face", "mask"))
    data = Scenes(manifest, scenes, size=64)
    for index, scene in enumerate(scenes):
        square, target, _ = data[index, 0]
        assert square.shape == (64, 64, 3)
        placement, size_wh = placement_of(target["place"])
        assert size_wh == (96, 96)
        there = target["labels"] >= 0
        np.testing.assert_allclose(placement.to_picture(target["boxes"][there]), scene.boxes, atol=0.01)
        np.testing.assert_array_equal(target["labels"][there], scene.labels)


def test_augmented_boxes_lie_on_the_discs(manifest: Manifest) -> None:
    """After mirroring and zooming a box still holds its coloured disc; one whose middle left is gone."""
    scenes = scenes_of(manifest, "train", ("face", "mask"))
    data = Scenes(manifest, scenes, size=96, augment=Pipeline(("flip", "zoom:high=60,visible=0"), seed=1))
    kept = dropped = 0
    for epoch in range(4):
        for index, scene in enumerate(scenes):
            square, target, _ = data[index, epoch]
            there = target["labels"] >= 0
            kept, dropped = kept + there.sum(), dropped + len(scene.boxes) - there.sum()
            for box, label in zip(target["boxes"][there], target["labels"][there], strict=True):
                x1, y1, x2, y2 = (int(v) for v in np.round(box))
                red, _, blue = square[y1:y2, x1:x2].mean(axis=(0, 1))
                assert (red - blue if label == 0 else blue - red) > 60
    assert kept > 40 and dropped > 0
    first, again = data[0, 3][0], data[0, 3][0]
    np.testing.assert_array_equal(first, again)


def test_a_picture_that_cannot_be_read(manifest: Manifest, tmp_path: Path) -> None:
    """A damaged picture in the middle is reported with its batch; the others train on."""
    for row in manifest:
        (tmp_path / row.path).write_bytes(manifest.file(row).read_bytes())
    other = replace(manifest, folder=tmp_path)
    scenes = scenes_of(other, "train", ("face", "mask"))
    (tmp_path / scenes[1].path).write_bytes(b"\x89PNG\r\n\x1a\n damaged")
    batches = list(Batches(Scenes(other, scenes, size=64), in_order(len(scenes), 4)).epoch())
    assert sum(len(batch) for batch in batches) == len(scenes) - 1
    refused = {name: why for batch in batches for name, why in batch.refused.items()}
    assert list(refused) == [scenes[1].id]


def test_classes(manifest: Manifest) -> None:
    """A class that was not declared, or that training lacks, is an error; one class takes all."""
    rows = list(manifest)
    with pytest.raises(UndeclaredLabel, match="mask"):
        classes_of(rows, ("face",), one_class=False)
    with pytest.raises(UndeclaredLabel, match="mask"):
        scenes_of(manifest, "train", ("face",))
    assert classes_of(rows, (), one_class=True) == ("face",)
    assert classes_of(rows, ("head",), one_class=True) == ("head",)
    with pytest.raises(NotEnoughSamples, match="not one picture has a box"):
        classes_of([replace(row, box=None) for row in rows], (), one_class=False)


def test_pictures_nobody_looked_at_are_counted(manifest: Manifest) -> None:
    """A picture with a split and no box is no empty scene: it is left out and counted."""
    rows = [replace(r, box=None) if r.path == "train_0.png" else r for r in manifest]
    other = replace(manifest, rows=tuple(rows))
    assert unlabelled(manifest) == 0 and unlabelled(other) == 1
    assert "train_0.png" not in {scene.path for scene in scenes_of(other, "train", ("face", "mask"))}
