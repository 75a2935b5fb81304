"""Pictures of people in front of a camera, one person after the other, with other backgrounds and clothes.

A set of one sitting teaches a model the room and the shirt, so the sitting is divided into parts and the
person is asked to change something before each, or to hold the head in each of several poses.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from lineament.analyzer import Analyzer
from lineament.datasets.collect.collection import Collection, Gathered
from lineament.datasets.collect.frames import Choice, Verdict, judge, judge_empty
from lineament.datasets.collect.people import Person
from lineament.datasets.collect.poses import Pose
from lineament.errors import DuplicatePicture, Unreachable
from lineament.io.camera import Device
from lineament.io.images import encode_jpeg
from lineament.io.manifest import Provenance
from lineament.types import Image, Quality

PARTS = (
    "look into the camera",
    "turn the head slowly to both sides, up and down",
    "go to another background and other light",
    "change something you wear: a coat, glasses, a hat, the hair",
    "smile, talk, frown; come nearer and go back",
)
NOBODY = "leave the picture, and show what the camera is to see without a face: the room, doors, hands"
POSE = "pose"
"""The label that says how the head was held."""


def _always() -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Sitting:
    """What the people in front of the camera are told and shown, and when pictures are taken.

    ``ready`` asks a person (None: whoever is there) to do something and waits until they are; ``show`` gets
    the person, how many pictures there are and how many are wanted, after each frame that was looked at,
    with the reason against that frame or an empty text. Frames are taken while ``recording`` is true.
    """

    ready: Callable[[Person | None, str], None]
    show: Callable[[Person | None, int, int, str], None]
    recording: Callable[[], bool] = _always


@dataclass(slots=True)
class Camera:
    """What every part of a sitting needs. ``passed_over`` counts the named reasons against frames."""

    collection: Collection
    device: Device
    analyzer: Analyzer
    sitting: Sitting
    choice: Choice = field(default_factory=lambda: Choice(gap_seconds=0.5))
    passed_over: Counter[str] = field(default_factory=Counter)

    def gather(
        self, people: Sequence[Person], per_subject: int = 100, parts: Sequence[str] = PARTS
    ) -> Iterator[Gathered]:
        """Take pictures of each person until there are enough; who has enough already is left alone.

        Raises `Unreachable` when the camera cannot be opened or gives no frames.
        """
        for person in people:
            for number, part in enumerate(parts):
                goal = -(-per_subject * (number + 1) // len(parts))
                if self.collection.kept(person.subject) >= goal:
                    continue
                self.sitting.ready(person, part)
                verdicts = judge(self._frames(), self.analyzer, self.choice)
                yield from self._take(person, verdicts, goal, per_subject)

    def gather_poses(
        self, people: Sequence[Person], poses: Sequence[Pose], per_pose: int
    ) -> Iterator[Gathered]:
        """Take ``per_pose`` pictures of each person in each pose, confirmed by the measured angles.

        Poses that lack pictures are asked for again until each has its number, or a round of all of them
        brings none. Pictures carry the label `POSE`. Raises as `gather`.
        """
        for person in people:
            have = self.collection.labelled(person.subject, POSE)
            while missing := [pose for pose in poses if have[pose.name] < per_pose]:
                before = have.total()
                for pose in missing:
                    self.sitting.ready(person, pose.asked)
                    choice = replace(self.choice, pose=pose)
                    goal = self.collection.kept(person.subject) + per_pose - have[pose.name]
                    verdicts = judge(self._frames(), self.analyzer, choice)
                    for gathered in self._take(
                        person, verdicts, goal, per_pose * len(poses), **{POSE: pose.name}
                    ):
                        have[pose.name] += gathered.error is None
                        yield gathered
                if have.total() == before:
                    break

    def gather_empty(self, number: int, thorough: Analyzer) -> Iterator[Gathered]:
        """Take ``number`` frames without a face, which ``thorough`` must find none in either.

        Rows of theirs have the outcome ``no_face`` and no subject. Raises as `gather`.
        """
        if self.collection.kept(None) < number:
            self.sitting.ready(None, NOBODY)
            verdicts = judge_empty(self._frames(), self.analyzer, thorough, self.choice)
            yield from self._take(None, verdicts, number, number)

    def _frames(self) -> Iterator[Image]:
        """Those to be looked at: while nothing is recorded the camera goes on unseen."""
        return (frame for frame in self.device.frames() if self.sitting.recording())

    def _take(
        self, person: Person | None, verdicts: Iterator[Verdict], goal: int, wanted: int, **labels: str
    ) -> Iterator[Gathered]:
        subject = None if person is None else person.subject
        looked_at = 0
        for verdict in verdicts:
            looked_at += 1
            if verdict.reason is not None:
                reason = str(verdict.reason)
                self.passed_over[type(verdict.reason).__name__] += 1
            else:
                gathered = self._keep(person, verdict, looked_at, labels)
                reason = ""
                if gathered is None:
                    reason = DuplicatePicture.__name__
                    self.passed_over[reason] += 1
                else:
                    yield gathered
            have = self.collection.kept(subject)
            self.sitting.show(person, have, wanted, reason)
            if have >= goal:
                return
        if not looked_at:
            raise Unreachable(f"camera {self.device.name} gives no picture any more")

    def _keep(
        self, person: Person | None, verdict: Verdict, number: int, labels: dict[str, str]
    ) -> Gathered | None:
        """What became of a frame; None of one that is there already, as a camera that hangs gives it."""
        moment = datetime.now(UTC).isoformat(timespec="milliseconds")
        data = encode_jpeg(verdict.frame.pixels, quality=95)
        if self.collection.holds(None if person is None else person.subject, data):
            return None
        return self.collection.keep(
            person,
            f"camera {self.device.name} {moment} {number}",
            data,
            Provenance(fetched_at=moment),
            quality=verdict.quality,
            **labels,
            **(angles(verdict.measured) if labels else {}),
        )


def angles(measured: Quality | None) -> dict[str, float]:
    """How the head is held, as labels of a picture; nothing where it was not measured."""
    if measured is None:
        return {}
    return {"yaw_deg": round(measured.yaw_deg, 1), "pitch_deg": round(measured.pitch_deg, 1)}
