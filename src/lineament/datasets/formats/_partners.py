"""Which file belongs to which by its name: a picture and its labels, beside it or in a sister folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from lineament.datasets.formats._files import exactly, locate, relative
from lineament.datasets.formats._layout import meaning, split_among
from lineament.datasets.formats._naming import folded
from lineament.datasets.formats._problems import Problems


class Partners:
    """Files below ``folder`` by stem.

    A partner lies in the same folder; or in one that differs only in words such as ``images`` and
    ``labels``; or it is the only file of that stem, and not of another split.
    """

    def __init__(self, folder: Path, files: Iterable[Path]) -> None:
        self.folder = folder
        self._files: dict[str, list[Path]] = {}
        for file in files:
            self._files.setdefault(folded(file.stem), []).append(file)

    def of(self, path: Path) -> Path | None:
        """The file that belongs to ``path``; None where there is none, or no telling which."""
        # Supervisely keeps the picture's suffix: a.jpg.json.
        for stem in dict.fromkeys((path.stem, path.name, Path(path.stem).stem)):
            found = self._choose(path, self._files.get(folded(stem), []))
            if found is not None:
                return found
        return None

    def _choose(self, path: Path, files: list[Path]) -> Path | None:
        beside = [file for file in files if file.parent == path.parent]
        if beside:
            return min(beside)
        if not files:
            return None
        folders = self._folders(path)
        alike = [file for file in files if meaning(self._folders(file)) == meaning(folders)]
        if not alike:
            split = split_among(folders)
            alike = [f for f in files if split_among(self._folders(f)) in (split, None) or split is None]
        return alike[0] if len(alike) == 1 else None

    def _folders(self, path: Path) -> tuple[str, ...]:
        inside = path.is_relative_to(self.folder)
        return path.parent.relative_to(self.folder).parts if inside else path.parent.parts


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
