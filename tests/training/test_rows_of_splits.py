"""What must hold of a manifest before anything is trained on it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lineament.datasets.splitting.held_out import exam_of, telling
from lineament.errors import NotEnoughSamples, SplitError
from lineament.io.manifest import Manifest, ManifestRow
from lineament.training.splits import require_no_leak, rows_of, splits_of


def row(number: int, split: str | None, **fields: object) -> ManifestRow:
    return ManifestRow(f"{number:03}", f"{number}.png", f"{number:064x}", split=split, **fields)  # type: ignore[arg-type]


CLEAN = Manifest((row(1, "train"), row(2, "train"), row(3, "val"), row(4, "test"), row(5, None)))


def test_rows_of_a_split_are_the_usable_ones() -> None:
    """Rows without a face or refused are no samples; others come in the order of their ids."""
    refused = replace(CLEAN.rows[0], outcome="refused", error="CorruptPicture")
    manifest = replace(CLEAN, rows=(refused, *CLEAN.rows[1:]))
    assert [r.id for r in rows_of(manifest, "train")] == ["002"]
    assert [r.id for r in rows_of(CLEAN, "train")] == ["001", "002"]


def test_an_empty_split_is_a_named_error() -> None:
    """A split without rows raises NotEnoughSamples and says which splits there are, or how to make them."""
    with pytest.raises(
        NotEnoughSamples, match=r"no rows in the split 'dev' \(they have test, train, val\)"
    ):
        rows_of(CLEAN, "dev")
    with pytest.raises(NotEnoughSamples, match="lineament dataset split"):
        rows_of(Manifest((row(1, None),)), "train")
    with pytest.raises(NotEnoughSamples, match=r"take it from train.*split DATA 85/15"):
        rows_of(Manifest((row(1, "train"), row(2, "test"))), "val")


@pytest.mark.parametrize(
    ("there", "taken", "exam"),
    [
        (("train", "val"), ("train", "val"), "val"),
        (("train", "val", "test"), ("train", "val", "test"), "test"),
        (("test", "val", "train", "extra"), ("train", "val", "test"), "test"),
        (("train",), ("train", "val"), "val"),
    ],
)
def test_every_training_takes_test_where_it_is_there(
    there: tuple[str, ...], taken: tuple[str, ...], exam: str
) -> None:
    """Train and val are always asked for, test only where it has usable rows; without, val is the exam."""
    manifest = Manifest(tuple(row(number, split) for number, split in enumerate(there)))
    assert splits_of(manifest) == taken and exam_of(taken) == exam
    refused = replace(row(9, "test"), outcome="refused")
    assert splits_of(replace(manifest, rows=(*manifest.rows, refused))) == taken


def test_figures_of_val_say_so() -> None:
    """What is said of figures of val is that the choice was made on it; those of test need no excuse."""
    assert telling("test") == {"measured_on": "test"}
    assert telling("val")["measured_on"] == "val" and "chosen" in telling("val")["note"]


def test_a_clean_manifest_passes() -> None:
    """Different pictures in different splits, crops and copies beside their original, are no leak."""
    children = (row(6, "train", parent="001"), row(7, "train", parent="006"), row(8, "val", parent="003"))
    require_no_leak(replace(CLEAN, rows=(*CLEAN.rows, *children)))


@pytest.mark.parametrize(
    "leak",
    [
        replace(row(6, "test"), sha256=f"{1:064x}"),
        row(6, "test", parent="001"),
        row(6, "val", parent="gone"),
    ],
    ids=["the same bytes", "a crop of a training photo", "two crops of a photo that is no row"],
)
def test_a_leak_is_refused(leak: ManifestRow) -> None:
    """Equal files, or crops and copies of one picture, in two splits raise SplitError."""
    twin = row(9, "train", parent="gone")
    with pytest.raises(SplitError, match="1 picture or their copies lie in several splits"):
        require_no_leak(replace(CLEAN, rows=(*CLEAN.rows, leak, twin)))


def test_a_copy_of_a_copy_leaks_too() -> None:
    """The origin counts, however many steps away, also where rows between have no split."""
    rows = (row(6, None, parent="001"), row(7, "test", parent="006"))
    with pytest.raises(SplitError):
        require_no_leak(replace(CLEAN, rows=(*CLEAN.rows, *rows)))


def test_a_row_that_is_its_own_ancestor_ends() -> None:
    """Parents in a circle, which only a damaged manifest has, raise SplitError instead of running on."""
    circle = (row(6, "train", parent="007"), row(7, "train", parent="006"))
    with pytest.raises(SplitError, match="circle"):
        require_no_leak(replace(CLEAN, rows=(*CLEAN.rows, *circle)))


def test_unusable_rows_leak_nothing() -> None:
    """A refused picture is in nobody's training: its split does not matter."""
    refused = replace(row(6, "test", parent="001"), outcome="refused")
    require_no_leak(replace(CLEAN, rows=(*CLEAN.rows, refused)))
