"""Pictures named by a table: where it says, else where the end of the path leads, with any suffix."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath

from lineament.datasets.formats._files import locate, pictures_below, relative
from lineament.datasets.formats._problems import Problems


class Finder:
    """Finds the pictures below ``root`` that names mean; ``bases`` are looked in first."""

    def __init__(self, root: Path, bases: Sequence[Path]) -> None:
        self.root, self.bases = root, bases

    def find(self, name: str, where: str, problems: Problems) -> str | None:
        """The picture's path below the root; None, and counted, when nothing or too much fits.

        Where the path is of another machine, or lacks its folders or suffix, the picture whose path shares
        the longest end with it is meant, if there is one such only.
        """
        aside = Problems()
        found = locate(name, self.root, self.bases, aside, where) if name else None
        if found is not None and (self.root / found).is_file():
            problems.take(aside)
            return found
        parts = PurePosixPath(name.replace("\\", "/")).parts
        for kind, same in (("path_by_its_end", self._by_name), ("other_suffix", self._by_stem)):
            last = parts[-1] if parts else ""
            key = last if kind == "path_by_its_end" else last.removesuffix(PurePosixPath(last).suffix)
            candidates = same.get(key.lower(), []) or (
                same.get(last.lower(), []) if kind == "other_suffix" else []
            )
            best = _longest(candidates, parts)
            if len(best) == 1:
                problems.add(kind, f"{where}: {name}")
                return best[0]
            if best:
                problems.add("several_pictures_fit", f"{where}: {name}")
                return None
        problems.add("missing_picture", f"{where}: {name}") if found else problems.take(aside)
        return None

    @cached_property
    def _by_name(self) -> dict[str, list[str]]:
        return self._index(lambda path: path.name)

    @cached_property
    def _by_stem(self) -> dict[str, list[str]]:
        return self._index(lambda path: path.stem)

    @cached_property
    def _there(self) -> list[str]:
        return [relative(path, self.root) for path in pictures_below(self.root)]

    def _index(self, of) -> dict[str, list[str]]:  # type: ignore[no-untyped-def]
        found: dict[str, list[str]] = {}
        for path in self._there:
            found.setdefault(of(PurePosixPath(path)).lower(), []).append(path)
        return found


def _longest(candidates: Sequence[str], parts: Sequence[str]) -> list[str]:
    """Those of the paths that share the most folders, from the end, with the one asked for."""

    def shared(path: str) -> int:
        ours, asked = PurePosixPath(path).parts[:-1], parts[:-1]
        count = 0
        while count < min(len(ours), len(asked)) and ours[-1 - count] == asked[-1 - count]:
            count += 1
        return count

    most = max(map(shared, candidates), default=0)
    return [path for path in candidates if shared(path) == most]
