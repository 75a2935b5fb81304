"""Which rows belong together, whatever is done with them: one picture, crops of one photo, equal files."""

from __future__ import annotations

from collections.abc import Iterable

from lineament.io.manifest import Manifest


class Union:
    """Disjoint sets of row ids, joined step by step."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def find(self, item: str) -> str:
        """The name of the item's set."""
        root = item
        while (up := self._parent.setdefault(root, root)) != root:
            root = up
        while item != root:
            self._parent[item], item = root, self._parent[item]
        return root

    def join(self, a: str, b: str) -> None:
        """Make one set of two."""
        a, b = self.find(a), self.find(b)
        if a != b:
            self._parent[max(a, b)] = min(a, b)


def link(manifest: Manifest, groups: Iterable[Iterable[str]] = ()) -> Union:
    """Sets of rows that must stay together: of one picture, photo or file, or linked by ``groups``."""
    united = Union()
    first: dict[str, str] = {}
    for row in manifest:
        united.join(row.id, first.setdefault(f"path {row.path}", row.id))
        if row.parent is not None:
            united.join(row.id, row.parent)
        if row.sha256:  # a picture that was never there has none
            united.join(row.id, first.setdefault(f"bytes {row.sha256}", row.id))
    for group in groups:
        ids = list(group)
        for other in ids[1:]:
            united.join(ids[0], other)
    return united


def photo_keys(manifest: Manifest) -> dict[str, str]:
    """The photo each row id comes from: the SHA-256 of its first ancestor, or that one's id."""
    rows = {row.id: row for row in manifest}
    keys = {}
    for row in manifest:
        at, seen = row, {row.id}
        while at.parent is not None and at.parent in rows and at.parent not in seen:
            seen.add(at.parent)
            at = rows[at.parent]
        keys[row.id] = (at.sha256 or at.id) if at.parent is None or at.parent in seen else at.parent
    return keys
