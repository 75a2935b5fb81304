"""Which file belongs to which by its name: a picture and its labels, beside it or in a sister folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from lineament.datasets.formats._files import exactly, locate, relative
from lineament.datasets.formats._layout import meaning, split_among
from lineament.datasets.formats._naming import folded
from lineament.datasets.formats._problems import Problems

_MAX_ALIKE = 100
"""Files of one stem in different folders, of which one could still be the only one that fits."""


class Partners:
    """Files below ``folder`` by stem.

    A partner lies in the same folder; or in one that differs only in words such as ``images`` and
    ``labels``; or it is the only file of that stem, and not of another split.
    """

    def __init__(self, folder: Path, files: Iterable[Path]) -> None:
        self.folder = folder
        self._meanings: dict[Path, tuple[str, ...]] = {}
        self._beside: dict[tuple[Path, str], Path] = {}
        self._alike: dict[tuple[tuple[str, ...], str], list[Path]] = {}
        self._files: dict[str, list[Path]] = {}
        for file in sorted(files):
            stem = folded(file.stem)
            self._beside.setdefault((file.parent, stem), file)
            self._alike.setdefault((self._meaning(file.parent), stem), []).append(file)
            self._files.setdefault(stem, []).append(file)

    def of(self, path: Path) -> Path | None:
        """The file that belongs to ``path``; None where there is none, or no telling which."""
        # Supervisely keeps the picture's suffix: a.jpg.json.
        for stem in dict.fromkeys((path.stem, path.name, Path(path.stem).stem)):
            found = self._choose(path, folded(stem))
            if found is not None:
                return found
        return None

    def _choose(self, path: Path, stem: str) -> Path | None:
        beside = self._beside.get((path.parent, stem))
        if beside is not None:
            return beside
        alike = self._alike.get((self._meaning(path.parent), stem), [])
        files = self._files.get(stem, [])
        if not alike and len(files) <= _MAX_ALIKE:
            split = split_among(self._meaning(path.parent))
            splits = {None, split} if split else None
            alike = [f for f in files if splits is None or split_among(self._meaning(f.parent)) in splits]
        return alike[0] if len(alike) == 1 else None

    def _meaning(self, folder: Path) -> tuple[str, ...]:
        if folder not in self._meanings:
            inside = folder.is_relative_to(self.folder)
            self._meanings[folder] = meaning(
                folder.relative_to(self.folder).parts if inside else folder.parts
            )
        return self._meanings[folder]


def picture_of(
    file: Path,
    name: str,
    root: Path,
    bases: Iterable[Path],
    pictures: Partners,
    labels: Partners,
    problems: Problems,
) -> str | None:
    """The picture of a label file that names one, relative to ``root``; None, and counted, without one.

    Files get renamed and copied while the name inside stays: the picture of the label file's own stem is
    taken when the named one is not there, or has a label file of its own.
    """
    where, own = relative(file, root), pictures.of(file)
    if own is None:
        if not name:
            problems.add("missing_picture", where)
        return locate(name, root, bases, problems, where) if name else None
    named = exactly(name, root, bases, problems) if name else None
    if named is not None and (root / named == own or labels.of(root / named) in (None, file)):
        return named
    problems.add("picture_found_beside", f"{where}: {name or 'no name'} is {relative(own, root)}")
    return relative(own, root)
