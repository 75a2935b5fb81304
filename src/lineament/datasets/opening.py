"""Whatever the user points at, as a manifest: a manifest, a folder a person, or labels of any format."""

from __future__ import annotations

from pathlib import Path

from lineament.errors import ManifestError, UsageError
from lineament.io import left_out, sources
from lineament.io.digests import sha256_of
from lineament.io.manifest import MANIFEST_NAME, Manifest, ManifestRow, row_id
from lineament.io.writing import reading


def open_dataset(path: str | Path) -> Manifest:
    """The manifest at ``path``, or in that folder, or made from a label format or a folder a person.

    A folder a person gives one row a picture, its sub-folder's name as the subject, unopened but hashed.
    Labels are read as `lineament.datasets.importing.labels` does; what was wrong with them stands, counted,
    in the manifest's first step. Raises `ManifestError`, `LabelFileError` or `UsageError`.
    """
    from lineament.datasets.archives import is_archive
    from lineament.datasets.importing.guessing import detect

    path = Path(path)
    if path.is_dir() and (path / MANIFEST_NAME).is_file():
        reading(path / MANIFEST_NAME)
        return Manifest.load(path / MANIFEST_NAME)
    if path.is_file():
        if is_archive(path):
            raise UsageError(
                f"{path}: an archive; unpack it with: lineament dataset import {path} --out DIR"
            )
        return Manifest.load(path) if detect(path) is None else _from_labels(path)
    if not path.is_dir():
        what = "neither a manifest nor a folder" if path.exists() else "there is no such file or folder"
        raise UsageError(f"{path}: {what}")
    found = detect(path)
    if found is None or (
        found[0] in ("imagefolder", "lfw") and found[1] == path and not _is_split_up(path)
    ):
        return from_people(path)
    return _from_labels(path)


def _from_labels(path: Path) -> Manifest:
    from lineament.datasets.importing.labels import import_labels

    found = import_labels(path)
    left_out.notice_labels(str(path), found.problems.counts())
    return found.manifest


def _is_split_up(path: Path) -> bool:
    from lineament.datasets.formats.imagefolder import class_folders, folders_in
    from lineament.datasets.formats.lfw import base_folder

    plain = [(None, folder) for folder in folders_in(path)]
    return class_folders(path) != plain or base_folder(path) not in (None, path)


def from_people(folder: Path) -> Manifest:
    """One row a picture of a folder a person; raises `ManifestError` when there is none."""
    if not folder.exists():
        raise ManifestError(f"{folder}: there is no such folder")
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
