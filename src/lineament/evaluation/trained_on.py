"""Were these pictures trained on? The rows of an evaluation against those in a model's run folder.

The pictures of val chose the epoch, so they are refused like those of train. Only of a model that was
trained without a split test may they be measured, for nothing else was held out: counted, to be told.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lineament.datasets.splitting.held_out import exam_of
from lineament.errors import SplitError
from lineament.evaluation.people import LabelledPictures
from lineament.io.digests import sha256_of
from lineament.io.manifest import MANIFEST_NAME, Manifest, ManifestRow
from lineament.io.trained import CARD_NAME, TrainedCard

TRAINED_ON = ("train", "val")
"""Splits that shaped a model: val chose the epoch."""


@dataclass(frozen=True, slots=True)
class LeakCheck:
    """With how many ``rows`` of a training pictures were compared; 0 without its manifest proves nothing.

    ``chosen_on`` counts those of the pictures that are its val, where it had no test.
    """

    rows: int = 0
    chosen_on: int = 0


def told(compared: Mapping[str, LeakCheck]) -> Iterator[str]:
    """Which trainings had no other held-out pictures than those measured here."""
    for run, one in compared.items():
        if one.chosen_on:
            yield (
                f"{one.chosen_on:,} of these pictures are of the split val of {run}, by which its best "
                "epoch was chosen, for it has no split test: the figures flatter"
            )


def leak_json(compared: Mapping[str, LeakCheck]) -> dict[str, dict[str, int]]:
    """The part of an answer that tells with how many rows of which training pictures were compared."""
    return {
        "compared_with_training": {run: one.rows for run, one in compared.items()},
        "chosen_on": {run: one.chosen_on for run, one in compared.items()},
    }


def require_unseen(rows: Iterable[ManifestRow], run: Path) -> LeakCheck:
    """Raise `SplitError` when rows, or crops of them, shaped the model in the run folder ``run``.

    Known by the bytes of the file, by the row's id, and by that of the row it was cut from.
    """
    used, spared = _used(run, spare_val=True)
    marks = {mark for row in used for mark in _marks(row)}
    known = {mark for row in spared for mark in _marks(row)} - marks
    rows = list(rows)
    seen = sum(not marks.isdisjoint(_marks(row)) for row in rows)
    if seen:
        held = "val, for it has no test" if spared else "test"
        raise SplitError(
            f"{seen} of the pictures were used to train {run.name}: figures would be flattered; "
            f"evaluate its split {held}, or other pictures"
        )
    return LeakCheck(len(used), sum(not known.isdisjoint(_marks(row)) for row in rows))


def _used(run: Path, *, spare_val: bool) -> tuple[list[ManifestRow], list[ManifestRow]]:
    """The rows that shaped a model, and apart from them, if so wanted, val where it had no test."""
    path = run / MANIFEST_NAME
    rows = list(Manifest.load(path)) if path.is_file() else []
    shaped = [row for row in rows if row.split in TRAINED_ON]
    if not spare_val or exam_of({row.split for row in rows}) != "val":
        return shaped, []
    return [row for row in shaped if row.split != "val"], [row for row in shaped if row.split == "val"]


def require_people_unseen(people: LabelledPictures, *specs: str) -> dict[str, int]:
    """Raise `SplitError` when a run folder named in ``specs`` was trained on these pictures or people.

    Pictures are known by their bytes; people, by name, count for models that embed: for them a person seen
    in training is no stranger. Returns how many rows of each training they were compared with.
    """
    return require_pictures_unseen(people.pictures, specs, people.subjects)


def require_pictures_unseen(
    paths: Iterable[Path], specs: Iterable[str], subjects: Iterable[str] = ()
) -> dict[str, int]:
    """`require_people_unseen` of pictures whose people, if known, are ``subjects``."""
    return {name: one.rows for name, one in _compared(paths, specs, subjects, spare_val=False).items()}


def compare_pictures(paths: Iterable[Path], specs: Iterable[str]) -> dict[str, LeakCheck]:
    """`require_unseen` of pictures that are known by their bytes alone, by run."""
    return _compared(paths, specs, (), spare_val=True)


def _compared(
    paths: Iterable[Path], specs: Iterable[str], subjects: Iterable[str], *, spare_val: bool
) -> dict[str, LeakCheck]:
    runs = runs_of(*specs)
    if not runs:
        return {}
    digests = {sha256_of(path) for path in set(paths) if path.is_file()}
    compared = {}
    for run in runs:
        used, spared = _used(run, spare_val=spare_val)
        pictures = len(digests & {row.sha256 for row in used})
        names: set[str] = set()
        if TrainedCard.load(run).job == "embedding":
            names = set(subjects) & {row.subject for row in used if row.subject}
        if pictures or names:
            raise SplitError(
                f"{run.name} was trained on {pictures} of these pictures and {len(names)} of these people: "
                "figures would be flattered; evaluate people it has not seen, with --split test"
            )
        compared[run.name] = LeakCheck(len(used), len(digests & {row.sha256 for row in spared}))
    return compared


def runs_of(*specs: str) -> list[Path]:
    """The run folders that specs name: ``runs/det``, ``runs/det:score=0.5``, ``retry:runs/det``."""
    parts = [part for s in specs for part in (s, s.rpartition(":")[0], *re.split("[:,=]", s)) if part]
    return [path for path in map(Path, dict.fromkeys(parts)) if (path / CARD_NAME).is_file()]


def _marks(row: ManifestRow) -> set[str]:
    return {row.sha256, row.id} | ({row.parent} if row.parent else set())
