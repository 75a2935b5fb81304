"""Where a step's manifest is written: a manifest's paths are relative to its own folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lineament.errors import ManifestError
from lineament.io.manifest import Manifest


def save_step(manifest: Manifest, path: Path) -> Path:
    """Write a manifest and return its path; pictures stay where they are.

    ``path`` may lie in the manifest's folder or in one above it, whose name then goes before every row's
    path. Raises `ManifestError` for any other folder, and as `Manifest.save` does; the file that was there
    is left as it was then.
    """
    here, there = manifest.folder.resolve(), path.parent.resolve()
    if not here.is_relative_to(there):
        raise ManifestError(
            f"{path}: a manifest lies beside or above its pictures; choose a place in {manifest.folder}"
        )
    prefix = here.relative_to(there)
    if prefix.parts:
        rows = tuple(replace(row, path=(prefix / row.path).as_posix()) for row in manifest)
        manifest = replace(manifest, rows=rows, folder=path.parent)
    manifest.save(path)
    return path
