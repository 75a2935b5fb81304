"""Photos that are here already: a folder a person, or a flat folder of one, copied in with provenance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lineament.datasets.collect.collection import Collection, Gathered
from lineament.datasets.collect.people import Person
from lineament.errors import PictureError, UsageError
from lineament.io import images, sources
from lineament.io.images import DEFAULT_LIMITS
from lineament.io.manifest import Provenance
from lineament.io.reading import read


@dataclass(slots=True)
class Photos:
    """Who is in which file. ``left_out`` are sub-folders that nobody in the list is named like.

    ``missing`` are people of the list without a sub-folder; ``skipped`` counts files that are no pictures
    or lie loose beside the sub-folders. ``too_many`` counts, by subject, the photos that `gather` did not
    copy in because the subject had enough.
    """

    of: list[tuple[Person, str]]
    left_out: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    skipped: int = 0
    too_many: Counter[str] = field(default_factory=Counter)

    def __len__(self) -> int:
        return len(self.of)


def find(folder: Path, people: Sequence[Person], subject: str | None = None) -> Photos:
    """The photos of the people in the list, in a fixed order.

    Without ``subject`` each person's are in the sub-folder of exactly their name; with it, every picture
    below ``folder`` is that person's. Raises `UsageError` when ``subject`` is not in the list.
    """
    by_name = {person.subject: person for person in people}
    if subject is not None:
        person = named(subject, people)
        if not folder.is_dir():
            raise UsageError(f"{folder}: not a folder")
        listing = sources.expand([folder])
        files = [(person, file) for file in listing]
        return Photos(files, skipped=listing.left_out.total() + listing.repeated)
    found = sources.people(folder)
    there = {name for name, _ in found}
    return Photos(
        [(by_name[name], file) for name, files in found if name in by_name for file in files],
        left_out=[name for name, _ in found if name not in by_name],
        missing=[name for name in by_name if name not in there],
        skipped=found.left_out.total() + len(found.loose),
    )


def named(subject: str, people: Sequence[Person]) -> Person:
    """The person of that name in the list; raises `UsageError`: only people in the list are collected."""
    for person in people:
        if person.subject == subject:
            return person
    raise UsageError(f"{subject!r} is not in the list of names")


def gather(
    collection: Collection,
    photos: Photos,
    *,
    per_subject: int | None = None,
    licence: str | None = None,
) -> Iterator[Gathered]:
    """Copy the photos in, byte for byte; those copied by an earlier run are left alone.

    Photos beyond ``per_subject`` are counted in ``photos.too_many``.
    """
    for person, file in photos.of:
        path = Path(file)
        origin = str(path.absolute())
        if collection.settled(person.subject, origin):
            continue
        if per_subject is not None and collection.kept(person.subject) >= per_subject:
            photos.too_many[person.subject] += 1
            continue
        try:
            data = read(path, DEFAULT_LIMITS.max_bytes)
            images.probe(data)  # what the one decoder would refuse is not copied
        except PictureError as error:
            yield collection.refuse(person, origin, error)
            continue
        yield collection.keep(
            person, origin, data, Provenance(url=path.absolute().as_uri(), licence=licence)
        )
