"""A folder a class, optionally below ``train``, ``val`` and ``test``.

The folder's name is the subject, or with ``label=emotion`` the label of that name. Everything below one
class folder belongs to it. Folders that are called like a split or like a part of a layout (``images``,
``labels``) are no class: classes are looked for inside them. Where there is a ``train``, folders beside it
that are no split hold no classes. Boxes are not held.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lineament.datasets.formats import formats
from lineament.datasets.formats._expected import Expected
from lineament.datasets.formats._files import pictures_below, relative
from lineament.datasets.formats._labelled import Frame, LabelledPicture
from lineament.datasets.formats._layout import is_structure, passed_over, split_of
from lineament.datasets.formats._naming import FolderNames, portable_path
from lineament.datasets.formats._problems import Problems
from lineament.datasets.formats._told_by_names import NamePattern
from lineament.io.manifest import ManifestRow

UNSPLIT = "unsplit"


@dataclass(frozen=True, slots=True)
class ImageFolderConfig:
    """``label``: the folder's name is this label; by default it is the subject.

    ``names``: what file names tell instead, ``{age}_{gender}_{race}_`` of UTKFace: a label each,
    {subject} and {split} what they say, {} nothing.
    """

    label: str | None = None
    names: str | None = None


@formats.register("imagefolder", ImageFolderConfig)
class ImageFolder:
    """Pictures sorted into folders."""

    frame: Frame = "upright"
    empty: bool | None = None
    located = False
    unique_stems = False
    importable = True
    rank = 90
    expects = Expected(
        "a folder a person or class with its pictures in it",
        "Sort the pictures into such folders; where their names tell, `imagefolder:names=PATTERN`",
    )
    classes: Mapping[int, str] = {}

    def __init__(self, config: ImageFolderConfig) -> None:
        self.label = config.label
        self.names = None if config.names is None else NamePattern(config.names)

    def matches(self, source: Path) -> bool:
        """Whether a folder of a class holds a picture."""
        if self.names is not None:
            return source.is_dir() and next(pictures_below(source), None) is not None
        return source.is_dir() and any(
            next(pictures_below(folder), None) is not None for _, folder in class_folders(source)
        )

    def read(self, source: Path, root: Path, problems: Problems) -> Iterator[LabelledPicture]:
        """One entry a picture."""
        if not source.is_dir():
            return
        if self.names is not None:
            yield from self.names.pictures(source, root, problems)
            return
        for split, folder in class_folders(source):
            for path in pictures_below(folder):
                yield LabelledPicture(
                    relative(path, root),
                    split=split,
                    subject=folder.name if self.label is None else None,
                    labels={} if self.label is None else {self.label: folder.name},
                    located=False,
                )

    def destinations(self, rows: Sequence[ManifestRow], folders: FolderNames) -> list[str | None]:
        """``[SPLIT/]FOLDER/NAME``: sub-folders are dropped, a row without subject (or label) has no place.

        When only some rows have a split, the others go below ``unsplit``: mixed, splits would look like
        subjects. A split of another name than train, val and test counts as none.
        """
        splits = [row.split if row.split in ("train", "val", "test") else None for row in rows]
        split_up = any(splits)
        found: list[str | None] = []
        for row, split in zip(rows, splits, strict=True):
            name = row.subject if self.label is None else row.labels.get(self.label)
            parts = [split or UNSPLIT] if split_up else []
            file = PurePosixPath(portable_path(row.path)).name
            found.append(None if name is None else "/".join([*parts, folders.of(str(name)), file]))
        return found

    def write(self, pictures: Sequence[LabelledPicture], folder: Path) -> None:
        """Nothing: the folders are the labels."""


def class_folders(source: Path, split: str | None = None) -> list[tuple[str | None, Path]]:
    """The folder of every class, with its split; folders of a layout are looked into, three deep."""
    return _classes(source, split, 3)


def _classes(source: Path, split: str | None, deep: int) -> list[tuple[str | None, Path]]:
    inner = folders_in(source)
    layout = {
        p: _classes(p, split_of(p.name) or split, deep - 1) for p in inner if deep and is_structure(p.name)
    }
    trained = any(split_of(p.name) == "train" and classes for p, classes in layout.items())
    found: list[tuple[str | None, Path]] = []
    for folder in inner:
        if is_structure(folder.name):
            found += layout.get(folder, [])
        elif not trained:
            found.append((split, folder))
    return found


def folders_in(folder: Path) -> list[Path]:
    """Sub-folders by name, without hidden ones and those that systems put there."""
    try:
        return sorted(p for p in folder.iterdir() if p.is_dir() and not passed_over(p.name))
    except OSError:
        return []
