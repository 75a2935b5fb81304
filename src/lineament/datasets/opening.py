"""Whatever the user points at, as a manifest: a manifest, or a folder a person."""

from __future__ import annotations

import hashlib
from pathlib import Path

from lineament.errors import ManifestError, UsageError
from lineament.io import sources
from lineament.io.manifest import Manifest, ManifestRow, row_id

MANIFEST_NAME = "manifest.jsonl"


def open_dataset(path: str | Path) -> Manifest:
    """The manifest at ``path``, or in that folder, or made from a folder a person.

    A folder without a manifest gives one row a picture, its sub-folder's name as the subject, unopened but
    hashed. Raises `ManifestError` or `UsageError`.
    """
    path = Path(path)
    if path.is_file():
        return Manifest.load(path)
    if not path.is_dir():
        raise UsageError(f"{path}: neither a manifest nor a folder")
    if (path / MANIFEST_NAME).is_file():
        return Manifest.load(path / MANIFEST_NAME)
    return from_people(path)


def from_people(folder: Path) -> Manifest:
    """One row a picture of a folder a person; raises `ManifestError` when there is none."""
    rows = []
    for subject, files in sources.people(folder):
        for file in files:
            relative = Path(file).relative_to(folder).as_posix()
            digest = sha256_of(Path(file))
            rows.append(
                ManifestRow(row_id(digest, relative), relative, digest, subject=subject, step="folder")
            )
    if not rows:
        raise ManifestError(f"{folder}: holds no sub-folder with pictures; one folder a person is needed")
    return Manifest(tuple(rows), ({"step": "folder"},), folder)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
