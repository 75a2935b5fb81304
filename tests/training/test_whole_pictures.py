"""Trainers that see whole pictures refuse faces inside pictures, and learn from what was cut out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lineament.datasets.extraction.extract import ExtractSettings, extract
from lineament.errors import NotCutOut, UsageError
from lineament.geometry.crop_style import CropStyle
from lineament.io import images
from lineament.io.manifest import Manifest, ManifestRow
from lineament.training.attributes.settings import AttributesSettings, HeadSettings
from lineament.training.attributes.trainer import train_attributes
from lineament.training.classification.baseline import embedding_baseline
from lineament.training.classification.settings import ClassifierSettings
from lineament.training.classification.trainer import train_classifier
from lineament.training.recognition.settings import EmbedderSettings
from lineament.training.recognition.trainer import train_embedder
from lineament.training.settings import LoopSettings
from lineament.training.sweeping.settings import SweepSettings
from lineament.training.sweeping.sweep import run_sweep
from lineament.training.whole_pictures import require_cut_out

SPLITS = {"train": 8, "val": 3, "test": 3}


def boxed(folder: Path) -> Manifest:
    """Two squares a picture, blue is a mask and red is none: of each picture two rows of two classes."""
    rng = np.random.default_rng(1)
    rows = []
    for split, count in SPLITS.items():
        for i in range(count):
            name = f"{split}{i}.png"
            pixels = rng.integers(0, 255, (120, 160, 3)).astype(np.uint8)
            for x, colour in ((10, (40, 40, 250)), (110, (250, 40, 40))):
                pixels[40:80, x : x + 40] = colour
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            images.save(folder / name, pixels)
            for x, kind in ((10, "mask"), (110, "no_mask")):
                rows.append(
                    ManifestRow(
                        f"{name}{x}",
                        name,
                        f"{split}{i}".encode().hex().rjust(64, "0"),
                        (160, 120),
                        subject=f"{split}{i % 2}",
                        split=split,
                        box=(x, 40, x + 40, 80),
                        labels={"class": kind},
                    )
                )
    return Manifest(tuple(rows), folder=folder)


SMALL = ClassifierSettings(
    architecture="reference",
    method="scratch",
    label="class",
    size=32,
    loop=LoopSettings(epochs=6, batch_size=8, threads=1),
)

TRAININGS: dict[str, Callable[[Manifest, Path], Any]] = {
    "classifier": lambda data, out: train_classifier(data, out, SMALL),
    "attributes": lambda data, out: train_attributes(
        data,
        out,
        AttributesSettings(heads=(HeadSettings("class"),), architecture="reference", method="scratch"),
    ),
    "embedder": lambda data, out: train_embedder(data, out, EmbedderSettings(aligned=True)),
    "sweep": lambda data, out: run_sweep(data, out, SweepSettings(baseline="none")),
    "baseline": lambda data, out: embedding_baseline(data, label="class"),
}


@pytest.mark.parametrize("trainer", TRAININGS)
def test_cutting_comes_before_splitting(trainer: str, tmp_path: Path) -> None:
    """Data without any split are told to be cut out, not to be split in vain."""
    data = boxed(tmp_path)
    whole = Manifest(tuple(replace(row, split=None) for row in data), folder=data.folder)
    with pytest.raises(NotCutOut, match="dataset extract"):
        TRAININGS[trainer](whole, tmp_path / "run")


@pytest.mark.parametrize("trainer", TRAININGS)
def test_every_trainer_of_whole_pictures_has_the_gate(trainer: str, tmp_path: Path) -> None:
    """Two faces of a picture are refused with the numbers and the way out, before anything is written."""
    data = boxed(tmp_path / "data")
    with pytest.raises(NotCutOut, match=r"28 rows 28 share 14 pictures .*lineament dataset extract"):
        TRAININGS[trainer](data, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("from_boxes", [False, True])
def test_after_extraction_what_can_be_seen_is_learned(from_boxes: bool, tmp_path: Path) -> None:
    """Cut out by their labels' boxes, the same faces are told apart: nothing of drawn squares is a face."""
    data = boxed(tmp_path / "data")
    settings = ExtractSettings(style=CropStyle(size=32), from_boxes=from_boxes)
    done = extract(data, tmp_path / "crops", settings)
    assert (done.faces, done.from_labels, done.undetected) == (28, 28, 0)
    assert all(row.labels["chosen_by"] == "label" and row.quality is None for row in done.manifest)
    for row in done.manifest:
        middle = images.load(done.manifest.file(row)).pixels[16, 16].astype(int)
        assert (middle[2] > middle[0]) == (row.labels["class"] == "mask")
    if from_boxes:
        result = train_classifier(done.manifest, tmp_path / "run", SMALL)
        assert result.test.accuracy.value >= 0.95


def one_row(**changes: Any) -> Manifest:
    row = ManifestRow("a", "a.jpg", "0" * 64, (160, 120), split="train", box=(10, 40, 50, 80))
    return Manifest((replace(row, **changes),))


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({}, True),
        ({"box": None}, False),
        ({"box": (0, 0, 160, 120)}, False),
        ({"box": (30, 10, 130, 115)}, False),
        ({"size_wh": (100, 100), "box": (17, 17, 83, 83)}, False),
        ({"size_wh": (1000, 100), "box": (10, 10, 90, 90)}, True),
        ({"step": "extract"}, False),
        ({"size_wh": None}, True),
    ],
)
def test_a_face_fills_its_picture_or_is_refused(changes: dict[str, Any], refused: bool) -> None:
    """What inference would cut is what the trainer sees; crops, and rows without a box, are whole."""
    data = one_row(**changes)
    if refused:
        with pytest.raises(NotCutOut, match=r"a\.jpg"):
            require_cut_out(data, data)
    else:
        require_cut_out(data, data)


def test_a_changed_copy_of_a_crop_is_one() -> None:
    """Augmented copies of crops pass, of photos not."""
    for step, refused in (("extract", False), ("import", True)):
        parent = replace(one_row(step=step).rows[0], id="p", path="p.jpg", box=(0, 0, 160, 120))
        copy = replace(one_row(step="augment", parent="p").rows[0])
        data = Manifest((parent, copy))
        if refused:
            with pytest.raises(NotCutOut):
                require_cut_out(data, data)
        else:
            require_cut_out(data, data)


def test_no_boxes_to_cut_by_is_an_error(tmp_path: Path) -> None:
    """Without a box, or landmarks to align by, it is said before anything is written."""
    data = boxed(tmp_path / "data")
    bare = replace(data, rows=tuple(replace(row, box=None) for row in data))
    with pytest.raises(UsageError, match="none of 28 rows has a box"):
        extract(bare, tmp_path / "out", ExtractSettings(from_boxes=True))
    with pytest.raises(UsageError, match="landmarks to align by"):
        extract(data, tmp_path / "out", ExtractSettings(from_boxes=True, style=CropStyle(align=True)))
    assert not (tmp_path / "out").exists()
