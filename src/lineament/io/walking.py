"""Folders that somebody else may have filled: walked within the bounds that archives are unpacked in."""

from __future__ import annotations

import os
from collections.abc import Iterator

from lineament.errors import FolderRefused

MAX_DEPTH = 32
"""Folders in folders, of an archive and of a folder that is walked."""
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
    bounds, depths = Bounds(os.fspath(root)), {os.fspath(root): 0}
    for folder, folders, files in os.walk(root):
        depth = depths.pop(folder)
        bounds.take(len(folders) + len(files), depth, folder)
        yield folder, folders, files
        for name in folders:  # those that the caller left
            depths[os.path.join(folder, name)] = depth + 1  # noqa: PTH118  as os.walk joins them
