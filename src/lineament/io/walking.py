"""Folders that somebody else may have filled: walked within bounds."""

from __future__ import annotations

import os
from collections.abc import Iterator

from lineament.errors import FolderRefused

MAX_DEPTH = 2_000
"""Folders in folders: as many as a path of 4,096 bytes can name."""
MAX_ENTRIES = 5_000_000
"""Of a folder: unlike those of an archive they lie on the disk already, and large sets have millions."""


class Bounds:
    """Counts what a walk meets; raises `FolderRefused` naming the folder and the bound."""

    def __init__(self, root: str) -> None:
        self._root, self._entries = root, 0

    def take(self, names: int, depth: int, folder: str) -> None:
        """One folder, ``depth`` folders below the root, with this number of names in it."""
        self._entries += names
        if depth > MAX_DEPTH:
            shown = folder if len(folder) <= 200 else f"{folder[:200]}..."
            raise FolderRefused(
                f"{shown}: lies more than {MAX_DEPTH} folders deep in {self._root}; name one further in"
            )
        if self._entries > MAX_ENTRIES:
            raise FolderRefused(
                f"{self._root}: more than {MAX_ENTRIES:,} files and folders; name a part of it"
            )


def walk(root: str | os.PathLike[str]) -> Iterator[tuple[str, list[str], list[str]]]:
    """What `os.walk` gives, links to folders not followed, within the bounds."""
    bounds, left = Bounds(os.fspath(root)), [(os.fspath(root), 0)]
    while left:  # `os.walk` itself would recurse
        place, depth = left.pop()
        for folder, folders, files in os.walk(place):
            bounds.take(len(folders) + len(files), depth, folder)
            yield folder, folders, files
            inner = [os.path.join(folder, name) for name in folders]  # noqa: PTH118 - those the caller left
            left += [(path, depth + 1) for path in reversed(inner) if not os.path.islink(path)]  # noqa: PTH114
            break
