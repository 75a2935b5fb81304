"""What every label format can say, before and after it is one."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, Literal

from lineament.io.manifest import Box, ManifestRow, Points, Provenance
from lineament.kinds import CLASS, FACE

Frame = Literal["auto", "upright", "stored"]
Labels = Mapping[str, str | float]

_SPLITS = {
    "train": "train",
    "training": "train",
    "trainval": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
    "dev": "val",
    "devel": "val",
    "development": "val",
    "eval": "test",
    "evaluation": "test",
}


@dataclass(frozen=True, slots=True)
class BoxConfig:
    """What can be told to every format of boxes.

    ``frame``: which picture the boxes are on, where the labels do not tell. ``empty``: whether pictures
    without a label hold no face; None leaves it to the format.
    """

    frame: Frame = "auto"
    empty: bool | None = None


@dataclass(frozen=True, slots=True)
class LabelledFace:
    """One labelled face: ``box`` xyxy and ``landmarks`` in the picture's frame, ``kind`` its class."""

    box: Box
    kind: str = FACE
    landmarks: Points | None = None
    subject: str | None = None
    labels: Labels = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LabelledPicture:
    """One picture as a label file tells it.

    ``path`` is relative to the root, with ``/``. ``size_wh`` is what the label file claims, None where it
    claims nothing. Coordinates are pixels, or shares of the size when ``normalised``. ``subject`` and
    ``labels`` are of the picture as a whole, used when it has no faces. ``broken`` says why its labels
    cannot be used, ``lost`` what was wrong with each label that gives no face. ``source_name`` is the
    file's name before a service renamed it. ``assumed`` tells that no label names it: it holds no face by
    the user's word, or by the rule of its format. When writing, ``rows`` are the manifest's, one a face;
    when reading, ``kept`` are further fields of theirs, for formats that hold them.
    """

    path: str
    faces: tuple[LabelledFace, ...] = ()
    split: str | None = None
    size_wh: tuple[int, int] | None = None
    subject: str | None = None
    labels: Labels = field(default_factory=dict)
    provenance: Provenance = field(default_factory=Provenance)
    normalised: bool = False
    broken: str | None = None
    lost: tuple[str, ...] = ()
    located: bool = True
    source_name: str | None = None
    assumed: bool = False
    rows: tuple[ManifestRow, ...] = ()
    kept: tuple[Mapping[str, Any], ...] = ()


def split_name(text: str) -> str | None:
    """train, val or test for the usual spellings, None for any other word."""
    return _SPLITS.get(text.lower())


def split_in(path: PurePath) -> str | None:
    """The split told by a file's name (``instances_val2017.json``) or else by its folder's."""
    for word in re.split(r"[^a-z]+", path.stem.lower()):
        if word in _SPLITS:
            return _SPLITS[word]
    return split_name(path.parent.name)


def repeated(faces: Sequence[LabelledFace]) -> set[int]:
    """Which faces, placed in pixels, say what an earlier one says: box, class, landmarks, subject, labels.

    Boxes are equal to a thousandth of a pixel; what one of the two leaves out does not make them differ.
    """
    kept: dict[tuple[object, ...], list[LabelledFace]] = {}
    found = set()
    for number, face in enumerate(faces):
        key = (face.kind, *(round(v, 3) + 0.0 if math.isfinite(v) else None for v in face.box))
        earlier = kept.setdefault(key, [])
        if any(_says(old, face) for old in earlier[:100]):
            found.add(number)
        else:
            earlier.append(face)
    return found


def _says(old: LabelledFace, face: LabelledFace) -> bool:
    if face.subject not in (None, old.subject):
        return False
    if face.landmarks is not None and face.landmarks != old.landmarks:
        return False
    return all(old.labels.get(key) == value for key, value in face.labels.items())


def label_value(value: Any) -> str | float:
    """A JSON value as a label: numbers and truth values as float, anything but text as JSON text."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        try:
            number = float(value)
        except OverflowError:
            return str(value)
        if math.isfinite(number) and number == value:
            return number
        return str(value)
    return json.dumps(value, sort_keys=True)


def kind_of(labels: Labels) -> tuple[str, dict[str, str | float]]:
    """The class to write, and the labels it does not already tell."""
    kind = labels.get(CLASS)
    if isinstance(kind, str) and kind and kind != FACE:
        return kind, {key: value for key, value in labels.items() if key != CLASS}
    return FACE, dict(labels)


def numbered(pictures: Iterable[LabelledPicture], known: Mapping[int, str]) -> dict[str, int]:
    """A number for every class, from 0 without gaps: those ``known``, used or not, then the others sorted.

    Known numbers that leave gaps keep their order only; that shows in the loss report.
    """
    names = [known[number] for number in sorted(known)]
    used = {face.kind for picture in pictures for face in picture.faces}
    ordered = [*dict.fromkeys(names), *sorted(used - set(names))] or [FACE]
    return {name: number for number, name in enumerate(ordered)}
