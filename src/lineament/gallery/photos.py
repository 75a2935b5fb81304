"""Photos that a caller hands over to be enrolled with their subjects, each ending in an outcome."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lineament.config import did_you_mean
from lineament.errors import (
    ConfigError,
    FaceError,
    InvalidSubject,
    LineamentError,
    PictureError,
    PictureNotFound,
)
from lineament.gallery import enrolment
from lineament.gallery import subjects as names
from lineament.gallery.enrolment import Allow, EnrolOutcome
from lineament.io import inputs
from lineament.types import Outcome

if TYPE_CHECKING:
    from lineament.gallery.gallery import Gallery


def subjects_and_photos(photos: Any) -> list[tuple[str, Any, InvalidSubject | None]]:
    """Each subject with its photo, and what is wrong with the name; one pair is taken as that one.

    Raises `ConfigError` for what is no such pair.
    """
    rows: list[tuple[str, Any, InvalidSubject | None]] = []
    for subject, source in _pairs(photos):
        try:
            names.require_valid(subject)
            rows.append((subject, source, None))
        except InvalidSubject as error:
            rows.append((str(subject), source, error))
    return rows


def one_by_one(
    gallery: Gallery, photos: Any, face: Any, largest: bool, allow: Iterable[Allow | str]
) -> Iterator[EnrolOutcome]:
    """Enrol photos in order; see `Gallery.enrol_all`."""
    allowed = allowances(allow)
    rows = subjects_and_photos(photos)
    valid = [source for _, source, error in rows if error is None]
    outcomes = iter(gallery.analyzer.analyze(valid, digests=True))
    for subject, source, invalid in rows:
        if invalid is not None:
            yield refused(source, subject, invalid)
            continue
        outcome, taken = next(outcomes), None
        try:
            chosen = enrolment.choose(
                source, outcome, face=face, largest=largest, allow=allowed, min_quality=gallery.min_quality
            )
            taken = chosen.taken
            overridden = enrolment.enrol(
                gallery.store, subject, chosen, allowed, gallery.threshold, gallery.fusion
            )
        except (PictureError, FaceError, InvalidSubject) as refusal:
            yield EnrolOutcome(outcome.source, subject, outcome, taken=taken, error=refusal)
        else:
            yield EnrolOutcome(outcome.source, subject, outcome, chosen.id, taken, overridden=overridden)


def of_folder(
    gallery: Gallery, folder: str | Path, largest: bool, allow: Iterable[Allow | str]
) -> Iterator[EnrolOutcome]:
    """Enrol a folder a person; see `Gallery.enrol_folder`."""
    from lineament.io import sources

    found = sources.people(folder)
    for path in found.loose:
        yield refused(path, "", InvalidSubject("lies in no person's folder"))
    for subject, files in found:
        if not files:
            path = str(Path(folder) / subject)
            yield refused(path, subject, PictureNotFound("no picture in this person's folder"))
    photos = ((subject, file) for subject, files in found for file in files)
    yield from gallery.enrol_all(photos, largest=largest, allow=allow)


def refused(source: Any, subject: str, error: LineamentError) -> EnrolOutcome:
    """What became of a photo that is not looked at."""
    named = isinstance(source, (str, os.PathLike))
    name = os.fsdecode(source) if named else str(getattr(source, "source", "<memory>"))
    return EnrolOutcome(name, subject, Outcome.refused(name, error), error=error)


def allowances(allow: Iterable[Allow | str] | str) -> frozenset[Allow]:
    """The refusals to override; raises `ConfigError` for a name that is none."""
    if not isinstance(allow, Iterable):
        raise ConfigError(f"allow: {allow!r:.80} is none; give a list of {', '.join(sorted(Allow))}")
    return frozenset(map(_allowed, [allow] if isinstance(allow, str) else allow))


def _pairs(photos: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(photos, tuple) and len(photos) == 2 and isinstance(photos[0], str):
        # Two pairs would be a tuple of two tuples, so this is one.
        photos = [photos]
    if isinstance(photos, Mapping):
        photos = photos.items()
    if inputs.is_one(photos):
        raise ConfigError(f"expected pairs of a subject and a photo, got {photos!r:.80}")
    for pair in photos:
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise ConfigError(f"expected pairs of a subject and a photo, got {pair!r:.80}")
        yield pair[0], pair[1]


def _allowed(name: Allow | str) -> Allow:
    try:
        return Allow(name)
    except ValueError:
        raise ConfigError(f"allow: {name!r}{did_you_mean(str(name), [a.value for a in Allow])}") from None
