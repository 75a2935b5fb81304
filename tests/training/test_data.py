"""Pictures as batches: the same for a seed, whoever loads them; boxes and points follow."""

from __future__ import annotations

import gc
import os
import pickle
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_training import SIZE, STEPS, photos, target

from lineament.datasets.augment.pipeline import Pipeline
from lineament.datasets.augment.view import View
from lineament.errors import NotEnoughSamples, UndeclaredLabel
from lineament.io.manifest import Manifest
from lineament.training.attributes.heads import resolve
from lineament.training.attributes.settings import HeadSettings
from lineament.training.attributes.trainer import AttributeTargets
from lineament.training.classification.classes import ClassTarget
from lineament.training.data import (
    Batch,
    Batches,
    Pictures,
    _collate_or_fail,
    _Guarded,
    _prepare_worker,
    fitted,
    in_order,
    normalised,
    shuffled,
)
from lineament.training.detection import localizer
from lineament.training.recognition.trainer import SubjectTarget
from lineament.training.splits import rows_of


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return photos(tmp_path_factory.mktemp("stripes"), count=14)


def batches(data: Manifest, workers: int = 0, **order: Any) -> Batches:
    pictures = Pictures(data, data.rows, target, size=SIZE, augment=Pipeline(STEPS, seed=3))
    return Batches(pictures, shuffled(len(pictures), 4, 7), workers=workers)


def by_position(found: Batches, epoch: int) -> dict[int, torch.Tensor]:
    return {int(i): p for b in found.epoch(epoch) for i, p in zip(b.index, b.pixels, strict=True)}


def same(a: Batch, b: Batch) -> bool:
    return (
        torch.equal(a.pixels, b.pixels)
        and torch.equal(a.index, b.index)
        and torch.equal(a.targets["label"], b.targets["label"])
    )


def test_batches_do_not_depend_on_who_loads_them(data: Manifest) -> None:
    """Two loading processes give the batches of none, epoch after epoch, from any position on; the next
    epoch augments otherwise."""
    alone, helped = batches(data), batches(data, workers=2)
    for epoch in (0, 1):
        wanted, got = list(alone.epoch(epoch)), list(helped.epoch(epoch))
        assert len(wanted) == alone.length(epoch) == 4
        assert all(same(a, b) for a, b in zip(wanted, got, strict=True))
        rest = list(helped.epoch(epoch, start=2))
        assert len(rest) == 2 and all(same(a, b) for a, b in zip(wanted[2:], rest, strict=True))
    first, second = by_position(alone, 0), by_position(alone, 1)
    assert first.keys() == second.keys() and not any(torch.equal(first[i], second[i]) for i in first)


def test_an_epoch_that_is_left_early_does_not_disturb_the_next(data: Manifest) -> None:
    """Batches loaded ahead for an epoch that was left never turn up in another."""
    helped, wanted = batches(data, workers=2), list(batches(data).epoch(1))
    begun: Iterator[Batch] = helped.epoch(0)
    next(begun)
    begun.close()  # type: ignore[attr-defined]
    assert all(same(a, b) for a, b in zip(wanted, helped.epoch(1), strict=True))


@pytest.mark.parametrize("world", [2, 3, 5])
def test_shares_of_several_processes_make_the_whole_batch(data: Manifest, world: int) -> None:
    """Each sample of a batch goes to exactly one process; with fewer samples than processes a share is an
    empty batch, not a missing one."""
    whole = [sorted(b.index.tolist()) for b in batches(data).epoch(0)]
    shares = [[b.index.tolist() for b in batches(data).epoch(0, rank=r, world=world)] for r in range(world)]
    assert all(len(share) == len(whole) for share in shares)
    assert [sorted(chain(*parts)) for parts in zip(*shares, strict=True)] == whole


@pytest.mark.parametrize(
    ("count", "size", "sizes"),
    [
        (10, 4, [4, 4, 2]),
        (9, 4, [4, 5]),
        (8, 4, [4, 4]),
        (3, 4, [3]),
        (5, 4, [5]),
        (1, 4, [1]),
        (3, 1, [1, 1, 1]),
        (3, 2, [3]),
    ],
)
def test_every_sample_comes_once_an_epoch(count: int, size: int, sizes: list[int]) -> None:
    """shuffled gives each sample once, the last batch incomplete, and none left alone."""
    plan = shuffled(count, size, 0)
    assert [len(batch) for batch in plan(0)] == sizes
    assert all(sorted(chain(*plan(epoch))) == list(range(count)) for epoch in range(3))


def test_the_order_is_of_seed_and_epoch() -> None:
    """The same seed and epoch give the same batches, another seed others."""
    plan = shuffled(10, 4, 0)
    assert shuffled(10, 4, 0)(3) == plan(3) != shuffled(10, 4, 1)(3)
    assert in_order(5, 2)(9) == [[0, 1], [2, 3], [4]]


def test_a_repeated_row_is_seen_as_often_and_differently(data: Manifest) -> None:
    """A row with repeats is that many samples an epoch, each augmented in its own way; 0 leaves it out."""
    row = data.rows[0]
    pictures = Pictures(data, [replace(row, repeats=3)], target, size=SIZE, augment=Pipeline(STEPS))
    shown = [pictures[i, 0][0] for i in range(3)]
    assert len(pictures) == 3
    assert not any(np.array_equal(shown[a], shown[b]) for a, b in ((0, 1), (0, 2), (1, 2)))
    with pytest.raises(NotEnoughSamples):
        Pictures(data, [replace(row, repeats=0)], target, size=SIZE)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_named_error_of_a_target_arrives_as_it_was_raised(data: Manifest, workers: int) -> None:
    """What a target raises on purpose has the same type and words from a loading process as from here."""

    def strict(_row: Any, _view: Any) -> Mapping[str, Any]:
        raise UndeclaredLabel("nobody declared 'x'")

    pictures = Pictures(data, data.rows, strict, size=SIZE)
    with pytest.raises(UndeclaredLabel) as caught:
        list(Batches(pictures, in_order(4, 2), workers=workers).epoch())
    assert str(caught.value) == "nobody declared 'x'"


def test_what_loads_pictures_can_be_sent_to_a_process_that_is_started_anew(data: Manifest) -> None:
    """Pictures with the target of any trainer, and what is done to their samples, survive pickling, which
    is how they reach a process that is not forked, and give the same samples."""
    label = HeadSettings("tint", label="subject")
    heads = resolve([label], {split: rows_of(data, split) for split in ("train", "val")})
    targets = (
        ClassTarget("subject", {"a": 0, "b": 1, "c": 2}),
        AttributeTargets(heads),
        SubjectTarget({"a": 0}),
        localizer.target,
    )
    for one in targets:
        pictures = Pictures(data, data.rows, one, size=SIZE, augment=Pipeline(STEPS, seed=3))
        for tool in (_Guarded(pictures), _collate_or_fail, _prepare_worker):
            again = pickle.loads(pickle.dumps(tool))
            if isinstance(again, _Guarded):
                (pixels, target, index), wanted = again[1, 4], pictures[1, 4]
                assert np.array_equal(pixels, wanted[0]) and index == wanted[2] == 1
                assert target.keys() == wanted[1].keys() and str(target) == str(wanted[1])


class _Foreign:
    """Part of a cycle, so that only the collector ends it; tells into a file who did."""

    def __init__(self, told: Path) -> None:
        self.me, self.told = self, told

    def __del__(self) -> None:
        with self.told.open("a") as file:
            file.write(f"{os.getpid()}\n")


def test_loading_processes_leave_what_the_training_process_left(data: Manifest, tmp_path: Path) -> None:
    """Garbage of the training process, which may own threads that a forked process lacks, is ended by the
    training process alone, however often a loading process collects its own."""
    told = tmp_path / "told"

    def collecting(row: Any, view: Any) -> Mapping[str, Any]:
        gc.collect()
        return target(row, view)

    gc.collect()
    gc.disable()
    try:
        _Foreign(told)
        helped = Batches(Pictures(data, data.rows, collecting, size=SIZE), in_order(4, 2), workers=2)
        assert [len(batch) for batch in helped.epoch()] == [2, 2]
        helped.close()
        assert not told.exists()
    finally:
        gc.enable()
    gc.collect()
    assert told.read_text() == f"{os.getpid()}\n"


def test_a_batch_of_refused_pictures_is_an_empty_one(tmp_path: Path) -> None:
    """Each refused picture stands in its batch with a reason; with none left the batch is empty."""
    manifest = photos(tmp_path, count=6)
    for row in manifest.rows[:2]:
        manifest.file(row).write_bytes(b"GIF87a nonsense")
    pictures = Pictures(manifest, manifest.rows, target, size=SIZE)
    first, second, third = Batches(pictures, in_order(6, 2)).epoch()
    assert len(first) == 0 and set(first.refused) == {row.id for row in manifest.rows[:2]}
    assert all(reason.split(":")[0].isidentifier() for reason in first.refused.values())
    assert len(second) == len(third) == 2 and not second.refused


@pytest.mark.parametrize("fit", ["cover", "stretch"])
def test_boxes_and_points_follow_a_picture_into_its_square(fit: Any) -> None:
    """A bright square in a wide picture is found where its moved box says, and its corner where the moved
    landmark says."""
    pixels = np.zeros((60, 100, 3), np.uint8)
    pixels[20:40, 40:64] = 255
    box, corner = [[40.0, 20.0, 64.0, 40.0]], [[[40.0, 20.0]] * 5]
    view = fitted(View.of(pixels, box, corner), 30, fit)
    assert view.pixels.shape == (30, 30, 3)
    ys, xs = np.nonzero(view.pixels[..., 0] > 127)
    found = [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
    assert np.abs(view.boxes[0] - found).max() <= 0.6
    assert np.abs(view.landmarks[0, 0] - view.boxes[0, :2]).max() < 1e-4


def test_a_picture_of_the_right_size_is_passed_on_untouched() -> None:
    """No resampling where none is needed."""
    pixels = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    assert np.array_equal(fitted(View.of(pixels, None, None), 24, "cover").pixels, pixels)


def test_normalised_is_in_grey_levels() -> None:
    """(value - mean) / std channel by channel, float32."""
    pixels = torch.tensor([0, 128, 255], dtype=torch.uint8).reshape(1, 3, 1, 1)
    values = normalised(pixels, (0.0, 128.0, 127.5), (1.0, 2.0, 127.5))
    assert values.dtype == torch.float32 and values.flatten().tolist() == [0.0, 0.0, 1.0]
    assert float(normalised(pixels)[0, 2, 0, 0]) == 1.0
