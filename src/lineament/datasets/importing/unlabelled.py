"""Pictures that no label names: not known and left out, or without a face where the user says so.

The setting ``empty=true`` of every format of boxes says so. A picture that may well have a label, which was
not understood, holds no proof of having no face: it is refused. That is one with a label file of its own
name, and one of several that a label file's name may mean.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from pathlib import Path

from lineament.datasets.formats import LabelFormat
from lineament.datasets.formats._files import doubted, pictures_below, pictures_folder, relative
from lineament.datasets.formats._labelled import LabelledPicture
from lineament.datasets.formats._layout import label_files, split_among
from lineament.datasets.formats._partners import Partners
from lineament.datasets.formats._problems import Problems
from lineament.errors import ConfigError

OPTION = "empty"
"""The setting of a format that says it."""
WITHOUT_LABELS = "picture_without_labels"
"""The kind of problem that counts those left out."""


def unnamed(
    reader: LabelFormat,
    source: Path,
    root: Path,
    named: Container[str],
    problems: Problems,
    *,
    boxes: bool,
) -> Iterator[LabelledPicture]:
    """The pictures beside those ``named`` that hold no face; without the user's word they are counted only.

    ``boxes`` tells whether any label has a place for boxes: where none has, `ConfigError` refuses the word.
    """
    folder = pictures_folder(source)
    others = (path for path in pictures_below(folder) if relative(path, root) not in named)
    if not reader.empty:
        for path in others:
            problems.add(WITHOUT_LABELS, relative(path, root))
        return
    if not boxes:
        raise ConfigError(
            f"{source}: {OPTION}=true says that pictures without a label hold no face, and the labels here "
            "have no boxes, so they do not say which pictures hold one; leave it out"
        )
    partners = Partners(root, [*label_files(source if source.is_dir() else source.parent)])
    yield from _empty(folder, root, others, partners, doubted(root, problems))


def _empty(
    folder: Path, root: Path, pictures: Iterable[Path], partners: Partners, in_doubt: Container[str]
) -> Iterator[LabelledPicture]:
    for path in pictures:
        name, file = relative(path, root), partners.of(path)
        why = None
        if file is not None:
            why = f"no label names it, yet {relative(file, root)} has its name; it does not pass for empty"
        elif name in in_doubt:
            why = "no label names it for sure, and a label of a missing picture may be its own"
        split = split_among(path.relative_to(folder).parent.parts)
        yield LabelledPicture(name, split=split, broken=why, assumed=why is None)
