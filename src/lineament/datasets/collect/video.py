"""Photos out of videos of one person: the frames with one good face."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from lineament.analyzer import Analyzer
from lineament.datasets.collect.collection import Collection, Gathered
from lineament.datasets.collect.frames import Choice, judge
from lineament.datasets.collect.people import Person
from lineament.errors import BadAnswer, DuplicatePicture, Unreachable
from lineament.io.images import encode_jpeg
from lineament.io.manifest import Provenance
from lineament.io.video import digest_of, frames
from lineament.types import Image

_QUALITY = 95


def gather(
    collection: Collection,
    person: Person,
    videos: list[Path],
    analyzer: Analyzer,
    *,
    per_subject: int = 100,
    choice: Choice | None = None,
    licence: str | None = None,
    passed_over: Counter[str] | None = None,
) -> Iterator[Gathered]:
    """Keep good frames of the videos until the person has enough.

    A frame's origin is the video's SHA-256 and its time, so a later run goes on after what is kept.
    ``passed_over`` counts the named reasons against the frames that were looked at.
    """
    choice = choice or Choice()
    passed_over = passed_over if passed_over is not None else Counter()
    for video in videos:
        if collection.kept(person.subject) >= per_subject:
            return
        try:
            digest = digest_of(video)
            if collection.noted("video", person.subject, digest):
                continue
            for verdict in judge(frames(video), analyzer, choice):
                if verdict.reason is not None:
                    passed_over[type(verdict.reason).__name__] += 1
                    continue
                origin, provenance = moment(video, digest, verdict.frame, licence)
                if collection.settled(person.subject, origin):
                    continue
                if collection.kept(person.subject) >= per_subject:
                    return
                data = encode_jpeg(verdict.frame.pixels, quality=_QUALITY)
                if collection.holds(person.subject, data):
                    passed_over[DuplicatePicture.__name__] += 1
                    continue
                yield collection.keep(
                    person,
                    origin,
                    data,
                    provenance,
                    quality=verdict.quality,
                    seconds=seconds_of(verdict.frame),
                    video=digest,
                )
            collection.note("video", person.subject, digest, value=True)
        except (BadAnswer, Unreachable) as error:
            yield collection.refuse(person, str(video.absolute()), error)


def seconds_of(frame: Image) -> float:
    """When it is shown, to the millisecond."""
    return round(frame.timestamp or 0.0, 3)


def moment(video: Path, digest: str, frame: Image, licence: str | None = None) -> tuple[str, Provenance]:
    """A frame's origin, the SHA-256 of its video and its time, and where it came from."""
    at = f"#t={seconds_of(frame)}"
    return f"{digest}{at}", Provenance(url=f"{video.absolute().as_uri()}{at}", licence=licence)
