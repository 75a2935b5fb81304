"""Folders of the user's that hold model files: a stick, a share, what another machine fetched.

``LINEAMENT_MODELS`` names one, or several as in ``PATH``. A file is known by its bytes, whatever it is
called and however deep it lies, and it is used where it lies: nothing is copied, nothing written beside it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from lineament.errors import ConfigError
from lineament.io.digests import sha256_of

VARIABLE = "LINEAMENT_MODELS"

_MOST_FILES = 100_000
"""Files listed of a folder: more is no folder of models, and listing it would take minutes."""

_digests: dict[tuple[str, int, int, int], str] = {}
_listings: dict[str, dict[int, list[Path]]] = {}


def folders() -> tuple[Path, ...]:
    """The folders that ``LINEAMENT_MODELS`` names; raises `ConfigError` for one that is not there."""
    named = [part for part in os.environ.get(VARIABLE, "").split(os.pathsep) if part.strip()]
    paths = tuple(Path(part).expanduser() for part in named)
    for path in paths:
        if not path.is_dir():
            raise ConfigError(f"{VARIABLE} (--models-dir): {path} is no folder")
    return paths


def find(sha256: str, size: int) -> Path | None:
    """The file with that SHA-256 in the first folder that holds it, None where none does.

    Only files of ``size`` bytes are read (0 = unknown: all), each once while it stays as it is.
    """
    for folder in folders():
        for attempt in (False, True):
            known = str(folder) in _listings
            for path in _candidates(_listed(folder, anew=attempt), size):
                if _digest(path) == sha256:
                    return path
            if not known:  # listed a moment ago: looking again would find nothing else
                break
    return None


def holds(path: Path) -> bool:
    """Whether a file lies in one of the folders."""
    return any(path.is_relative_to(folder) for folder in folders())


def _listed(folder: Path, *, anew: bool) -> dict[int, list[Path]]:
    """The files below a folder by their size; listed once, and ``anew`` where what is wanted is missing."""
    if anew or str(folder) not in _listings:
        found: dict[int, list[Path]] = {}
        for path, size in _files(folder):
            found.setdefault(size, []).append(path)
        _listings[str(folder)] = found
    return _listings[str(folder)]


def _files(folder: Path) -> Iterator[tuple[Path, int]]:
    seen = 0
    for place, folders_below, names in os.walk(folder):
        folders_below.sort()
        for name in sorted(names):
            seen += 1
            if seen > _MOST_FILES:
                raise ConfigError(
                    f"{VARIABLE} (--models-dir): {folder} holds more than {_MOST_FILES:,} files; "
                    "name the folder of the models alone"
                )
            path = Path(place, name)
            try:
                about = path.stat()
            except OSError:  # a link that leads nowhere
                continue
            if stat.S_ISREG(about.st_mode):
                yield path, about.st_size


def _candidates(listed: dict[int, list[Path]], size: int) -> list[Path]:
    return listed.get(size, []) if size else [path for paths in listed.values() for path in paths]


def _digest(path: Path) -> str | None:
    try:
        now = path.stat()
        key = (str(path), now.st_size, now.st_mtime_ns, now.st_ino)
        if key not in _digests:
            _digests[key] = sha256_of(path)
    except OSError:  # gone, or not readable: as if it were not there
        return None
    return _digests[key]
