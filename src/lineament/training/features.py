"""Features of pictures, computed once by a frozen backbone and read from disk ever after.

One file a variant: variant v of a split holds every picture as epoch v would show it, so that augmentation
still varies from epoch to epoch, as often as there are variants. A file appears whole or not at all; an
interrupted computation goes on with the variant it was at.
"""

from __future__ import annotations

import json
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from lineament.counting import quantity
from lineament.documents import read_object
from lineament.errors import CheckpointMismatch, NotEnoughSamples
from lineament.io.own_files import OWN
from lineament.io.permissions import opener
from lineament.io.writing import make_folder, naming, replacing
from lineament.protocols import Advance
from lineament.shown import shown
from lineament.training.architectures import Backbone
from lineament.training.data import Batches, Key, Pictures, in_order
from lineament.training.telling import duration, log

_LONGEST_SILENCE = 15.0
"""Seconds of a pass over the pictures until a line says how far it is."""


@dataclass(frozen=True, slots=True, eq=False)
class _Variant:
    vectors: NDArray[np.float32]
    """``(n, D)``, memory-mapped: the readable pictures."""
    place: NDArray[np.int64]
    """``(N,)``: where a picture's vector is, -1 for a refused one."""
    targets: dict[str, NDArray[Any]]
    refused: dict[str, str]

    __repr__ = shown


class Features(Dataset[Any]):
    """What `Pictures` gives, as features: ``(D,)`` instead of pixels. Epoch e reads variant e modulo K.

    A picture that could not be read is reported with each batch it would be in, as `Pictures` does.
    """

    def __init__(self, ids: list[str], variants: list[_Variant]) -> None:
        self._ids, self._variants = ids, variants

    def __len__(self) -> int:
        return len(self._variants[0].place)

    @property
    def refused(self) -> dict[str, str]:
        """Why pictures could not be read, by row id."""
        return {row: reason for v in self._variants for row, reason in v.refused.items()}

    def __getitem__(self, key: Key) -> Any:
        index, epoch = key
        variant = self._variants[epoch % len(self._variants)]
        place = int(variant.place[index])
        if place < 0:
            return self._ids[index], variant.refused[self._ids[index]]
        return variant.vectors[place], {name: t[place] for name, t in variant.targets.items()}, index


class Telling:
    """Says what the passes over the pictures are, and in a long one how far it is and what is left."""

    def __init__(
        self, what: str, pictures: int, passes: int, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._what, self._pictures, self._passes, self._clock = what, pictures, passes, clock
        self._number = self._seen = self._computed = 0
        self._began = self._said = 0.0

    def begin(self, number: int) -> None:
        """A pass begins: variant ``number``, counted from 0."""
        self._number, self._seen, self._said = number, 0, self._clock()
        if not self._computed:
            self._began = self._said
            if self._passes > 1:
                log.info(
                    f"the network that gives the features does not learn: it sees the {self._what} "
                    f"{self._passes} times now, augmented otherwise each time, and the epochs take these "
                    "variants in turn"
                )
        log.info(f"features of {quantity(self._pictures, 'picture')} ({self._what}){self._variant}")

    def seen(self, count: int) -> None:
        """So many pictures more are done."""
        self._seen += count
        self._computed += count
        now = self._clock()
        if now - self._said < _LONGEST_SILENCE:
            return
        self._said = now
        rate = self._computed / (now - self._began)
        left = (self._passes - self._number) * self._pictures - self._seen
        log.info(
            f"features of {self._seen:,} of {quantity(self._pictures, 'picture')}{self._variant}, "
            f"{rate:.3g} pictures/s, at most {duration(left / rate)} left"
        )

    @property
    def _variant(self) -> str:
        return f", variant {self._number + 1} of {self._passes}" if self._passes > 1 else ""


def cached(
    backbone: Backbone,
    pictures: Pictures,
    folder: Path,
    *,
    variants: int,
    batch_size: int,
    device: torch.device,
    prepare: Callable[[torch.Tensor], torch.Tensor],
    what: str = "pictures",
    workers: int = 0,
    advance: Advance | None = None,
) -> Features:
    """The features of a data set, from ``folder`` or computed into it.

    ``prepare`` makes the backbone's input of uint8 pixels. Pictures that are not augmented need one variant
    only. ``what`` they are is told while they are computed. ``folder`` belongs to one backbone, its weights
    and this data set: it is not checked. Raises `NotEnoughSamples` when no picture can be read, and
    `OutputError` when the disk is full.
    """
    batches = Batches(pictures, in_order(len(pictures), batch_size), workers=workers)
    backbone.to(device).eval()
    found = []
    passes = variants if pictures.augment is not None else 1
    telling = Telling(what, len(pictures), passes)
    for number in range(passes):
        stem = folder / f"{number:03}"
        if not stem.with_suffix(".json").is_file():
            telling.begin(number)
            with naming(stem):
                _compute(backbone, batches, number, stem, device, prepare, telling, advance)
        elif advance is not None:
            advance(batches.length())
        found.append(_open(stem, len(pictures)))
    return Features([row.id for row, _copy in pictures.entries], found)


def _compute(
    backbone: Backbone,
    batches: Batches,
    number: int,
    stem: Path,
    device: torch.device,
    prepare: Callable[[torch.Tensor], torch.Tensor],
    telling: Telling,
    advance: Advance | None,
) -> None:
    make_folder(stem.parent)
    partial = stem.with_name(f".{stem.name}.part")
    targets: list[dict[str, NDArray[Any]]] = []
    index: list[NDArray[np.int64]] = []
    refused: dict[str, str] = {}
    try:
        with open(partial, "wb", opener=opener) as file, torch.inference_mode():
            for batch in batches.epoch(number):
                refused.update(batch.refused)
                if len(batch):
                    vectors = backbone(prepare(batch.pixels.to(device))).float().cpu().numpy()
                    file.write(np.ascontiguousarray(vectors, np.float32).tobytes())
                    targets.append({name: value.numpy() for name, value in batch.targets.items()})
                    index.append(batch.index.numpy())
                telling.seen(len(batch) + len(batch.refused))
                if advance is not None:
                    advance(1)
        if not index:
            raise NotEnoughSamples(
                f"not one of {quantity(len(refused), 'picture')} of a split could be read"
            )
        where = np.concatenate(index)
        raw = np.memmap(partial, np.float32, "r", shape=(len(where), backbone.dimension))
        with replacing(stem.with_suffix(".npy"), OWN, binary=True) as array:
            np.save(array, raw)
        kept = {f"target_{name}": np.concatenate([t[name] for t in targets]) for name in targets[0]}
        with replacing(stem.with_suffix(".npz"), OWN, binary=True) as arrays:
            np.savez(arrays, allow_pickle=False, index=where, **kept)
        # Written last: it says that the other two are whole.
        with replacing(stem.with_suffix(".json"), OWN) as text:
            json.dump({"refused": refused}, text, indent=1, sort_keys=True)
    finally:
        partial.unlink(missing_ok=True)


def _open(stem: Path, count: int) -> _Variant:
    reasons = read_object(stem.with_suffix(".json"), CheckpointMismatch).get("refused")
    try:
        with np.load(stem.with_suffix(".npz")) as kept:
            index = kept["index"]
            targets = {name.removeprefix("target_"): kept[name] for name in kept.files if name != "index"}
        place = np.full(count, -1, np.int64)
        place[index] = np.arange(len(index))
        vectors = np.load(stem.with_suffix(".npy"), mmap_mode="r")
    except (OSError, ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile) as error:
        raise CheckpointMismatch(f"{stem}: damaged features: {error}; remove them to begin anew") from error
    if not isinstance(reasons, dict) or len(vectors) != len(index):
        raise CheckpointMismatch(f"{stem}: damaged features; remove them to begin anew")
    return _Variant(vectors, place, targets, reasons)
