"""What a caller hands over to be enrolled: subjects with their photos, and refusals to override."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lineament.config import did_you_mean
from lineament.errors import ConfigError, InvalidSubject, LineamentError
from lineament.gallery import subjects as names
from lineament.gallery.enrolment import Allow, EnrolOutcome
from lineament.io import inputs
from lineament.types import Outcome


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
