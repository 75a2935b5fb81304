"""Were these pictures trained on? The rows of an evaluation against those in a model's run folder."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from lineament.datasets.opening import MANIFEST_NAME, sha256_of
from lineament.errors import SplitError
from lineament.evaluation.people import LabelledPictures
from lineament.io.manifest import Manifest, ManifestRow
from lineament.io.trained import CARD_NAME, TrainedCard

TRAINED_ON = ("train", "val")
"""Splits that shaped a model: val chose the epoch."""


def require_unseen(rows: Iterable[ManifestRow], run: Path) -> int:
    """Raise `SplitError` when rows, or crops of them, shaped the model in the run folder ``run``.

    Known by the bytes of the file, by the row's id, and by that of the row it was cut from. Returns with
    how many rows of the training they were compared: 0 without a manifest in the folder, which proves
    nothing.
    """
    path = run / MANIFEST_NAME
    if not path.is_file():
        return 0
    used = [row for row in Manifest.load(path) if row.split in TRAINED_ON]
    marks = {mark for row in used for mark in _marks(row)}
    seen = sum(not marks.isdisjoint(_marks(row)) for row in rows)
    if seen:
        raise SplitError(
            f"{seen} of the pictures were used to train {run.name}: figures would be flattered; "
            "evaluate its test split, or other pictures"
        )
    return len(used)


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
    runs = runs_of(*specs)
    if not runs:
        return {}
    digests = {sha256_of(path) for path in set(paths) if path.is_file()}
    compared = {}
    for run in runs:
        path = run / MANIFEST_NAME
        used = [row for row in Manifest.load(path) if row.split in TRAINED_ON] if path.is_file() else []
        pictures = len(digests & {row.sha256 for row in used})
        names: set[str] = set()
        if TrainedCard.load(run).job == "embedding":
            names = set(subjects) & {row.subject for row in used if row.subject}
        if pictures or names:
            raise SplitError(
                f"{run.name} was trained on {pictures} of these pictures and {len(names)} of these people: "
                "figures would be flattered; evaluate people it has not seen, with --split test"
            )
        compared[run.name] = len(used)
    return compared


def runs_of(*specs: str) -> list[Path]:
    """The run folders that specs name: ``runs/det``, ``runs/det:score=0.5``, ``retry:runs/det``."""
    parts = [part for s in specs for part in (s, s.rpartition(":")[0], *re.split("[:,=]", s)) if part]
    return [path for path in map(Path, dict.fromkeys(parts)) if (path / CARD_NAME).is_file()]


def _marks(row: ManifestRow) -> set[str]:
    return {row.sha256, row.id} | ({row.parent} if row.parent else set())
