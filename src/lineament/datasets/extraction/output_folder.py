"""The folder that an extraction writes: kept apart from the photos, and whole after any interruption."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lineament.errors import UsageError
from lineament.io.digests import sha256_of
from lineament.io.journal import Journal
from lineament.io.manifest import MANIFEST_NAME, Manifest
from lineament.io.writing import LEFTOVER

JOURNAL_NAME = ".extract.journal"
LOCK_NAME = ".extract.lock"
SETTINGS_KEY = "settings"


def require_apart(photos: Path, out: Path) -> None:
    """Raise `UsageError` when one folder lies inside the other."""
    a, b = photos.resolve(), out.resolve()
    if a.is_relative_to(b) or b.is_relative_to(a):
        raise UsageError(f"{out}: crops and photos need folders apart; one lies inside the other")


def finished(out: Path, stated: Mapping[str, Any]) -> Manifest | None:
    """The manifest of an earlier whole run with this input and settings; None when there is work to do.

    Raises `UsageError` when the folder holds anything else.
    """
    if (out / JOURNAL_NAME).exists():
        return None
    if not (out / MANIFEST_NAME).exists():
        if any(entry.name != LOCK_NAME for entry in out.iterdir()):
            raise UsageError(
                f"{out}: is not empty and no earlier run of this command; choose another folder"
            )
        return None
    manifest = Manifest.load(out / MANIFEST_NAME)
    step = dict(manifest.steps[-1]) if manifest.steps else {}
    if step.get("step") != "extract" or any(step.get(key) != value for key, value in stated.items()):
        raise UsageError(f"{out}: holds the result of other photos or settings; choose another folder")
    return manifest


def sweep(out: Path) -> None:
    """Half-written files, which only a kill leaves."""
    for folder, _, names in os.walk(out):
        for name in names:
            if LEFTOVER.fullmatch(name):
                (Path(folder) / name).unlink()


def remove_stale(out: Path, journal: Journal, wanted: set[str]) -> None:
    """Crops of an interrupted run that its photos, changed since, no longer ask for."""
    for key, value in journal.done.items():
        if key == SETTINGS_KEY:
            continue
        crops = value["crops"].values() if isinstance(value, dict) else [value]
        for relative, digest in crops:
            path = out / relative
            if relative not in wanted and path.is_file() and sha256_of(path) == digest:
                path.unlink()
