"""Pictures of people in front of a camera, one person after the other, with other backgrounds and clothes.

A set of one sitting teaches a model the room and the shirt, so the sitting is divided into parts and the
person is asked to change something before each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from lineament.analyzer import Analyzer
from lineament.datasets.collect.collection import Collection, Gathered
from lineament.datasets.collect.frames import Choice, judge
from lineament.datasets.collect.people import Person
from lineament.datasets.collect.video import camera_frames, frames
from lineament.errors import Unreachable
from lineament.io.images import encode_jpeg
from lineament.io.manifest import Provenance

PARTS = (
    "look into the camera",
    "turn the head slowly to both sides, up and down",
    "go to another background and other light",
    "change something you wear: a coat, glasses, a hat, the hair",
    "smile, talk, frown; come nearer and go back",
)


@dataclass(frozen=True, slots=True)
class Sitting:
    """What the people in front of the camera are told and shown.

    ``ready`` asks a person to do something and waits until they are; ``show`` gets the person, how many
    pictures there are and how many are wanted, after each frame that was looked at, with the reason
    against that frame or an empty text.
    """

    ready: Callable[[Person, str], None]
    show: Callable[[Person, int, int, str], None]


def gather(
    collection: Collection,
    people: Sequence[Person],
    device: int | str,
    analyzer: Analyzer,
    sitting: Sitting,
    *,
    per_subject: int = 100,
    choice: Choice | None = None,
    parts: Sequence[str] = PARTS,
    passed_over: Counter[str] | None = None,
) -> Iterator[Gathered]:
    """Take pictures of each person until there are enough; who has enough already is left alone.

    ``device`` is a camera's number, or a video file in its place. Raises `Unreachable` when it cannot
    be opened or gives no frames.
    """
    choice = choice or Choice(gap_seconds=0.5)
    passed_over = passed_over if passed_over is not None else Counter()
    for person in people:
        for number, part in enumerate(parts):
            goal = -(-per_subject * (number + 1) // len(parts))
            if collection.kept(person.subject) >= goal:
                continue
            sitting.ready(person, part)
            yield from _part(
                collection, person, goal, per_subject, device, analyzer, sitting, choice, passed_over
            )


def _part(
    collection: Collection,
    person: Person,
    goal: int,
    wanted: int,
    device: int | str,
    analyzer: Analyzer,
    sitting: Sitting,
    choice: Choice,
    passed_over: Counter[str],
) -> Iterator[Gathered]:
    looked_at = 0
    seen = camera_frames(device) if isinstance(device, int) else frames(Path(device))
    for verdict in judge(seen, analyzer, choice):
        looked_at += 1
        reason = ""
        if verdict.reason is not None:
            reason = str(verdict.reason)
            passed_over[type(verdict.reason).__name__] += 1
        else:
            moment = datetime.now(UTC).isoformat(timespec="milliseconds")
            gathered = collection.keep(
                person,
                f"camera {device} {moment} {looked_at}",
                encode_jpeg(verdict.frame.pixels, quality=95),
                Provenance(fetched_at=moment),
                quality=verdict.quality,
            )
            reason = "" if gathered.error is None else gathered.outcome
            yield gathered
        have = collection.kept(person.subject)
        sitting.show(person, have, wanted, reason)
        if have >= goal:
            return
    if not looked_at:
        raise Unreachable(f"camera {device} gives no pictures")
