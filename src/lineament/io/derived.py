"""Files computed once from a pinned one and kept beside it in the cache: folded weights, dynamic shapes."""

from __future__ import annotations

import glob
import hashlib
import os
import re
import secrets
from collections.abc import Callable
from pathlib import Path

from lineament.errors import ConfigError
from lineament.io.catalog import ModelCard


def derived(card: ModelCard, name: str, build: Callable[[Path, Path], None]) -> Path:
    """The file that ``build(source, target)`` makes of the card's pinned file, made once and cached.

    ``name`` says what was done and its version (``folded-1``): a change of ``build`` needs a new one. The
    file's name holds the SHA-256 of the source and its own, so a new pin or a damaged copy is rebuilt. Safe
    with several processes at once: each writes its own temporary file and renames it. Raises what
    `lineament.io.assets.fetch` raises.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", name):
        raise ConfigError(f"derived file: the name {name!r} is not lower-case letters, digits and dashes")
    from lineament.io.assets import fetch

    return derive(fetch(card), card.sha256, name, build)


def derive(source: Path, source_sha256: str, name: str, build: Callable[[Path, Path], None]) -> Path:
    """`derived` for a file that is already at hand."""
    stem = f"{source.stem}.{name}.{source_sha256[:16]}"
    for found in sorted(source.parent.glob(f"{glob.escape(stem)}.*{source.suffix}")):
        if found.name == f"{stem}.{_digest(found)}{source.suffix}":
            return found
        found.unlink(missing_ok=True)
    partial = source.parent / f".{stem}.{os.getpid()}-{secrets.token_hex(4)}{source.suffix}"
    try:
        build(source, partial)
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        target = source.parent / f"{stem}.{_digest(partial)}{source.suffix}"
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return target


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
