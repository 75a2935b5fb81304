"""Files made once from a fetched one (an edited graph, folded weights) and kept beside it.

The name of a derived file holds the digest of its source, the version of the edit and the digest of its
own bytes: a newer source or edit never meets an old file, and a damaged one is noticed and made again.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path

from lineament.io import assets, model_folders
from lineament.io.digests import sha256_of

_scratch: list[tempfile.TemporaryDirectory[str]] = []


def derived(source: Path, version: str, build: Callable[[Path, Path], None]) -> Path:
    """The file that ``build(source, target)`` makes, made on first use only.

    ``version`` names the edit and must change whenever its result does. Written atomically: two processes
    at once both end with a whole file. Beside a file in a models folder of the user's nothing is written:
    what is made of it goes into the cache. Where the folder cannot be written to, the file is kept for the
    life of the process only.
    """
    home = _home(source)
    prefix = f"{source.stem}.{version}.{_digest(source)}."
    for found in sorted(home.glob(f"{prefix}*{source.suffix}")):
        if found.name == f"{prefix}{_digest(found)}{source.suffix}":
            return found
        found.unlink(missing_ok=True)
    folder = home if os.access(home, os.W_OK) else _process_folder()
    # Not mkstemp: its files are private to the user, and a cache may be shared.
    partial = folder / f".partial-{os.getpid()}-{secrets.token_hex(4)}{source.suffix}"
    try:
        build(source, partial)
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        target = folder / f"{prefix}{_digest(partial)}{source.suffix}"
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return target


def _home(source: Path) -> Path:
    if not model_folders.holds(source):
        return source.parent
    cache = assets.cache_folder()
    with contextlib.suppress(OSError):  # one that cannot be made cannot be written to either
        cache.mkdir(parents=True, exist_ok=True)
    return cache


def _digest(path: Path) -> str:
    return sha256_of(path)[:16]


def _process_folder() -> Path:
    if not _scratch:
        _scratch.append(tempfile.TemporaryDirectory(prefix="lineament-"))
    return Path(_scratch[0].name)
