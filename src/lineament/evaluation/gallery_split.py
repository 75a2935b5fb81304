"""Who is enrolled, who searches, and who is held back: the parts of a 1:N evaluation.

Who is held back and which photos are enrolled follows from a hash of the seed and the names, so the same
folder and seed give the same split on every machine:

- the people with the lowest hashes are held back, the given number or share of all, at least one; every
  photo of theirs is a non-mated probe;
- of everybody else the photos with the lowest hashes are enrolled, the given number; the rest are mated
  probes. Somebody with no more photos than that is enrolled and gives no probe.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lineament.counting import quantity
from lineament.errors import ConfigError, InsufficientData
from lineament.evaluation.people import LabelledPictures
from lineament.scoring.similarity import Index


@dataclass(frozen=True, slots=True, eq=False)
class GallerySplit:
    """What becomes of each picture.

    ``enrolled`` are tuples of picture indexes, one tuple an enrolled subject; ``mated`` ``(M,)`` and
    ``nonmated`` ``(N,)`` index the probes; ``mates`` ``(M,)`` the row of ``enrolled`` each belongs to;
    ``strangers`` ``(N,)`` numbers the held-back people. ``empty`` people have no picture, ``loose``
    pictures no person, ``skipped`` files are no pictures by their names.
    """

    pictures: tuple[str, ...]
    enrolled: tuple[tuple[int, ...], ...]
    mated: Index
    mates: Index
    nonmated: Index
    strangers: Index
    empty: int = 0
    loose: int = 0
    skipped: int = 0


def split(
    people: Sequence[tuple[str, Sequence[str]]],
    root: Path,
    *,
    hold_back: float = 0.2,
    gallery_photos: int = 1,
    seed: int = 0,
) -> GallerySplit:
    """Divide people (name, paths of photos) as the module describes; ``root`` is the folder of all.

    ``hold_back`` is a share of the people below 1, a number of people from 2 on.

    Raises `ConfigError` for settings out of range, `InsufficientData` when nobody would be left in one
    of the three parts.
    """
    whole = hold_back >= 2 and float(hold_back).is_integer()
    if not (0 < hold_back < 1 or whole) or gallery_photos < 1:
        raise ConfigError(
            "held back is a share between 0 and 1 or a number of people, 2 or more; "
            "photos to enrol are 1 or more"
        )
    known = [(name, photos) for name, photos in people if photos]
    if len(known) < 2:
        raise InsufficientData(f"identification needs photos of 2 people, you have {len(known)}")
    by_hash = sorted(range(len(known)), key=lambda i: _digest(seed, known[i][0]))
    many = round(hold_back) if hold_back >= 1 else max(1, round(hold_back * len(known)))
    if many >= len(known):
        if hold_back >= 1:
            raise InsufficientData(
                f"cannot hold back {many} of {quantity(len(known), 'person')}: nobody would be enrolled"
            )
        many = len(known) - 1
    held = set(by_hash[:many])
    pictures: list[str] = []
    enrolled: list[tuple[int, ...]] = []
    mated: list[int] = []
    mates: list[int] = []
    nonmated: list[int] = []
    strangers: list[int] = []
    for person, (_name, photos) in enumerate(known):
        start = len(pictures)
        pictures += sorted(photos, key=lambda p: _digest(seed, Path(p).relative_to(root).as_posix()))
        rows = range(start, len(pictures))
        if person in held:
            nonmated += rows
            strangers += [person] * len(rows)
        else:
            mated += rows[gallery_photos:]
            mates += [len(enrolled)] * len(rows[gallery_photos:])
            enrolled.append(tuple(rows[:gallery_photos]))
    if not mated:
        raise InsufficientData(
            f"nobody has more than {quantity(gallery_photos, 'photo')}, so no mated probe is left; enrol "
            "fewer"
        )
    return GallerySplit(
        tuple(pictures),
        tuple(enrolled),
        np.array(mated, np.intp),
        np.array(mates, np.intp),
        np.array(nonmated, np.intp),
        np.array(strangers, np.intp),
        empty=len(people) - len(known),
    )


def split_pictures(
    people: LabelledPictures, *, hold_back: float = 0.2, gallery_photos: int = 1, seed: int = 0
) -> GallerySplit:
    """`split` of labelled pictures: the parts index ``people``'s own rows, in their own order."""
    rows: dict[str, int] = {}
    photos: dict[str, list[str]] = {}
    for row, (name, subject) in enumerate(zip(people.names, people.subjects, strict=True)):
        # Two faces of one picture are two rows; a number keeps their names apart.
        key = name if name not in rows else f"{name}#{row}"
        rows[key] = row
        photos.setdefault(subject, []).append(key)
    parts = split(
        sorted(photos.items()), Path(), hold_back=hold_back, gallery_photos=gallery_photos, seed=seed
    )
    back = np.array([rows[key] for key in parts.pictures], np.intp)
    return replace(
        parts,
        pictures=people.names,
        enrolled=tuple(tuple(int(back[i]) for i in photos) for photos in parts.enrolled),
        mated=back[parts.mated],
        nonmated=back[parts.nonmated],
        empty=people.empty,
        loose=people.loose,
        skipped=people.skipped,
    )


def _digest(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}/{name}".encode("utf-8", "surrogateescape")).digest()
