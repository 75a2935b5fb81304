"""A folder a person, or a manifest, as labelled pictures: what is left out is counted."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineament.errors import InsufficientData, UsageError
from lineament.io import sources
from lineament.io.digests import sha256_of
from lineament.io.manifest import MANIFEST_NAME, Box, Manifest


@dataclass(frozen=True, slots=True)
class LabelledPictures:
    """Pictures of people: ``pictures`` with one ``subjects`` each, and the ``boxes`` of their faces.

    A box, from a manifest, says which face of the picture is meant; without one it is the central face.
    ``names`` are paths relative to the folder, ``files`` how many distinct files they are. ``empty`` people
    have no picture, ``loose`` pictures no person, ``skipped`` files are no pictures by their names,
    ``elsewhere`` rows of the manifest belong to another split, ``unusable`` rows ended without a face when
    the manifest was made.
    """

    pictures: tuple[Path, ...]
    names: tuple[str, ...]
    subjects: tuple[str, ...]
    boxes: tuple[Box | None, ...]
    title: str
    empty: int = 0
    loose: int = 0
    skipped: int = 0
    elsewhere: int = 0
    unusable: int = 0

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, rows: NDArray[Any] | Sequence[int]) -> LabelledPictures:
        """The chosen rows, in the order given; counts of what was left out stay with the whole."""
        picked = [int(i) for i in np.arange(len(self))[rows]]
        return LabelledPictures(
            tuple(self.pictures[i] for i in picked),
            tuple(self.names[i] for i in picked),
            tuple(self.subjects[i] for i in picked),
            tuple(self.boxes[i] for i in picked),
            self.title,
        )

    def digest(self) -> str:
        """SHA-256 over each picture's name, subject, box and bytes: which data a threshold came from."""
        total = hashlib.sha256()
        for row in sorted(range(len(self)), key=lambda i: (self.names[i], self.subjects[i])):
            parts = [
                self.names[row],
                self.subjects[row],
                repr(self.boxes[row]),
                _sha256(self.pictures[row]),
            ]
            total.update("\0".join(parts).encode("utf-8", "surrogateescape") + b"\n")
        return total.hexdigest()

    def left_out(self) -> dict[str, int]:
        """What the folder or manifest held besides."""
        return {
            "people_without_pictures": self.empty,
            "pictures_without_person": self.loose,
            "files_left_out": self.skipped,
            "rows_of_other_splits": self.elsewhere,
            "rows_without_a_face": self.unusable,
        }

    def told(self) -> list[str]:
        """That in one line, if there was anything."""
        left = self.left_out()
        words = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in left.items() if count)
        return [f"left out: {words}"] if words else []


def open_people(path: Path, split: str | None = None) -> LabelledPictures:
    """Pictures of a folder a person, or of the manifest at ``path`` or in that folder.

    ``split`` picks rows of a manifest. Raises `UsageError` for neither, or a split that is not there;
    `InsufficientData` when no picture has a person.
    """
    if path.is_dir() and (path / MANIFEST_NAME).is_file():
        path = path / MANIFEST_NAME
    found = _of_manifest(Manifest.load(path), split, path) if path.is_file() else _of_folder(path, split)
    if not len(found):
        raise InsufficientData(f"{path}: holds no picture of a person")
    return found


def _of_folder(folder: Path, split: str | None) -> LabelledPictures:
    if split is not None:
        raise UsageError(f"{folder} is no manifest, so it has no split {split!r}")
    people = sources.people(folder)
    rows = [(name, Path(photo)) for name, photos in people for photo in photos]
    return LabelledPictures(
        pictures=tuple(photo for _, photo in rows),
        names=tuple(photo.relative_to(folder).as_posix() for _, photo in rows),
        subjects=tuple(name for name, _ in rows),
        boxes=(None,) * len(rows),
        title=folder.resolve().name,
        empty=sum(not photos for _, photos in people),
        loose=len(people.loose),
        skipped=people.left_out.total(),
    )


def _of_manifest(manifest: Manifest, split: str | None, path: Path) -> LabelledPictures:
    splits = {row.split for row in manifest}
    if split is not None and split not in splits:
        known = ", ".join(sorted(filter(None, splits))) or "none"
        raise UsageError(f"{path}: no split {split!r}; splits: {known}")
    rows = [row for row in manifest if split is None or row.split == split]
    usable = [row for row in rows if row.outcome == "ok"]
    labelled = sorted((row for row in usable if row.subject is not None), key=lambda r: (r.path, r.id))
    return LabelledPictures(
        pictures=tuple(manifest.file(row) for row in labelled),
        names=tuple(row.path for row in labelled),
        subjects=tuple(str(row.subject) for row in labelled),
        boxes=tuple(row.box for row in labelled),
        title=manifest.folder.resolve().name + (f", split {split}" if split else ""),
        loose=len(usable) - len(labelled),
        elsewhere=len(manifest) - len(rows),
        unusable=len(rows) - len(usable),
    )


def _sha256(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError:
        return ""  # missing: a failure to acquire, and part of what the data are
