"""Numbers of classes survive an export, or the loss report says which did not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from label_sets import put

from lineament.datasets.exporting import classes_of, export_labels
from lineament.datasets.importing.labels import import_labels
from lineament.io.manifest import Manifest

NAMES = {0: "with_mask", 1: "face", 2: "hat"}


@pytest.fixture
def labelled(tmp_path: Path) -> Manifest:
    folder = tmp_path / "in"
    for i in range(4):
        put(folder, f"images/a{i}.jpg", i)
        (folder / "labels").mkdir(exist_ok=True)
        (folder / "labels" / f"a{i}.txt").write_text(f"{i % 2} 0.5 0.5 0.25 0.25\n")
    (folder / "data.yaml").write_text(
        "path: .\ntrain: images\nnames:\n  0: with_mask\n  1: face\n  2: hat\n"
    )
    return import_labels(folder).manifest


@pytest.mark.parametrize("format", ["yolo", "roboflow:flavour=yolo", "yolo:landmarks=true"])
def test_numbers_are_kept(format: str, labelled: Manifest, tmp_path: Path) -> None:
    """Names keep their numbers, also one without a box; nothing is reported."""
    done = export_labels(labelled, tmp_path / "out", format)
    assert done.losses["class number"] == 0
    assert classes_of(import_labels(tmp_path / "out").manifest) == NAMES
    lines = [p.read_text().split()[0] for p in sorted((tmp_path / "out").rglob("a*.txt"))]
    assert sorted(lines) == ["0", "0", "1", "1"]


@pytest.mark.parametrize("format", ["coco", "roboflow:flavour=coco"])
def test_coco_keeps_its_numbers_with_their_gaps(format: str, tmp_path: Path) -> None:
    """Categories of any numbers keep them, also one without a box; YOLO, which has no gaps, tells."""
    put(tmp_path / "in", "a.jpg", 1)
    categories = {3: "hat", 7: "face", 90: "mask"}
    document = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 40, "height": 24}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 90, "bbox": [10, 6, 20, 12]}],
        "categories": [{"id": number, "name": name} for number, name in categories.items()],
    }
    (tmp_path / "in" / "c.json").write_text(json.dumps(document))
    manifest = import_labels(tmp_path / "in").manifest
    done = export_labels(manifest, tmp_path / "out", format)
    assert classes_of(import_labels(tmp_path / "out").manifest) == categories
    assert done.losses["class number"] == 0
    assert export_labels(manifest, tmp_path / "yolo", "yolo").losses["class number"] == 3


def test_a_saved_manifest_keeps_them(labelled: Manifest, tmp_path: Path) -> None:
    """They stand in the manifest's first step, and a class of later comes after them."""
    labelled.save(tmp_path / "in" / "manifest.jsonl")
    again = Manifest.load(tmp_path / "in" / "manifest.jsonl")
    rows = [row for row in again if row.labels.get("class") != "with_mask"]
    done = export_labels(again.with_rows(rows, step="clean"), tmp_path / "out", "yolo")
    assert classes_of(import_labels(tmp_path / "out").manifest) == NAMES
    assert done.losses["class number"] == 0


def test_a_format_without_numbers_says_so(labelled: Manifest, tmp_path: Path) -> None:
    """VOC has names only: every number is in the report."""
    assert export_labels(labelled, tmp_path / "out", "voc").losses["class number"] == 3


def test_numbers_with_gaps_keep_their_order_and_are_told(tmp_path: Path) -> None:
    """YOLO's numbers have no gaps: what moved is in the report."""
    put(tmp_path / "in", "images/a.jpg", 1)
    (tmp_path / "in" / "labels").mkdir()
    (tmp_path / "in" / "labels" / "a.txt").write_text("5 0.5 0.5 0.25 0.25\n")
    (tmp_path / "in" / "data.yaml").write_text("path: .\ntrain: images\nnames:\n  0: b\n  5: a\n")
    done = export_labels(import_labels(tmp_path / "in").manifest, tmp_path / "out", "yolo")
    assert done.losses["class number"] == 1
    assert classes_of(import_labels(tmp_path / "out").manifest) == {0: "b", 1: "a"}
