"""Finding out which label format a folder or file is in, when nobody says.

Formats that store boxes are asked in the order of their ranks. A folder a person fits nearly everything, so
that is the last guess, and none where label files lie about that nothing here reads: their pictures would
become people called "train" or "images".
"""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path

from lineament.datasets.formats import formats
from lineament.datasets.formats._files import pictures_below
from lineament.datasets.formats._foreign import looks_like
from lineament.datasets.formats._layout import is_label_name, label_files, passed_over
from lineament.datasets.formats._told_by_names import told_by_names
from lineament.datasets.formats.imagefolder import class_folders
from lineament.errors import LabelFileError
from lineament.io.left_out import is_picture_name

_DATE = re.compile(r"(19|20)\d\d([-_. ]?\d\d?){0,2}([ _-].*)?")


def detect(source: Path) -> tuple[str, Path] | None:
    """The format of a folder or label file, and the folder or file it is in; None when nothing fits.

    A folder of which only one sub-folder holds pictures, as in archives, is looked into. Raises
    `LabelFileError` when there are label files that no format reads: then a folder is none of people.
    """
    readers = sorted(
        (one for name in formats.names() if (one := (formats.create(name), name))[0].importable),
        key=lambda one: one[0].rank,
    )
    places = places_in(source)
    for place in places:
        for reader, name in readers:
            if reader.located and reader.matches(place):
                return name, place
    _refuse_unread(source)
    if source.is_dir():
        _refuse_names(source, places[-1])
    # Of folders within each other the inner one holds the people when there are several in it.
    people = {place: _with_pictures(place) for place in places}
    # A photographer's folders of years within one person's are not people.
    named = [p for p in places if people[p] and not _by_date(p)] or [p for p in places if people[p]]
    for place in [p for p in named if people[p] > 1] or named:
        for reader, name in readers:
            if not reader.located and reader.matches(place):
                return name, place
    return None


def _with_pictures(place: Path) -> int:
    """How many folders of a class hold pictures, counted up to two."""
    folders = (folder for _, folder in class_folders(place))
    return len(list(islice((f for f in folders if next(pictures_below(f), None) is not None), 2)))


def _by_date(place: Path) -> bool:
    """Whether every folder of a class is called by a year, a month or a day."""
    return all(_DATE.fullmatch(folder.name) for _, folder in class_folders(place))


def _refuse_names(source: Path, inner: Path) -> None:
    """Raise `LabelFileError` for pictures of one folder whose names are their labels."""
    if _with_pictures(inner) > 1 or (found := told_by_names(inner)) is None:
        return
    tool, pattern = found
    raise LabelFileError(
        f"{source}: the names of its pictures are their labels (looks like {tool}); "
        f"say what they tell: --format 'imagefolder:names={pattern}'"
    )


def _refuse_unread(place: Path) -> None:
    """Raise `LabelFileError` that names label files which no format takes for its own."""
    unread = [place] if place.is_file() and is_label_name(place.name) else list(label_files(place))
    if not unread or (place.is_file() and place.suffix.lower() == ".jsonl"):
        return
    named = []
    for file in unread[:3]:
        kind = looks_like(file)
        named.append(f"{file.name}{f' (looks like {kind})' if kind else ''}")
    raise LabelFileError(
        f"{place}: no label format here reads {', '.join(named)}{' ...' if unread[3:] else ''}; export "
        "it as COCO, YOLO or Pascal VOC, or name its format with --format (imagefolder: folders are people)"
    )


def places_in(source: Path) -> list[Path]:
    """The folder, and the only one in it that holds pictures, as in archives, perhaps beside a README."""
    places = [source]
    while places[-1].is_dir() and len(places) < 4:
        try:
            inner = [p for p in places[-1].iterdir() if not passed_over(p.name)]
        except OSError:
            break
        folders = [p for p in inner if p.is_dir() and next(pictures_below(p), None) is not None]
        files = [p for p in inner if not p.is_dir()]
        if len(folders) != 1 or any(is_label_name(p.name) or is_picture_name(p.name) for p in files):
            break
        places.append(folders[0])
    return places
