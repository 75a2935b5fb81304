"""A film in a camera's place: played once, from start to end, and nobody is asked for anything.

What a sitting asks of a person, a film shows when it comes: every frame may serve as a picture of the
person, in whichever pose is still wanted, or as one without a face.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from lineament.analyzer import Analyzer
from lineament.datasets.collect.camera import POSE, angles
from lineament.datasets.collect.collection import Collection, Gathered
from lineament.datasets.collect.frames import Choice, Verdict, against_empty, judge
from lineament.datasets.collect.people import Person
from lineament.datasets.collect.poses import Pose
from lineament.datasets.collect.video import moment, seconds_of
from lineament.errors import DuplicatePicture, NoFaceFound, Unreachable, WrongPose
from lineament.io.images import encode_jpeg
from lineament.io.video import digest_of, frames
from lineament.types import Quality


@dataclass(slots=True)
class Wanted:
    """How many pictures of the person there are to be, of each of the poses or in all, and of nobody."""

    person: Person | None
    per_subject: int
    poses: Sequence[Pose] = ()
    negatives: int = 0

    @property
    def per_pose(self) -> int:
        """Of each pose, rounded up."""
        return -(-self.per_subject // len(self.poses)) if self.poses else 0


@dataclass(slots=True)
class Film:
    """What playing one needs. ``passed_over`` counts the named reasons against frames.

    ``thorough`` must find no face either in a frame that is kept as one without. ``show`` gets the person
    or None, how many pictures there are, how many are wanted, and the reason against a frame.
    """

    collection: Collection
    path: Path
    analyzer: Analyzer
    thorough: Analyzer
    choice: Choice
    show: Callable[[Person | None, int, int, str], None]
    passed_over: Counter[str] = field(default_factory=Counter)

    def gather(self, wanted: Wanted) -> Iterator[Gathered]:
        """Keep what fits until there is enough, or the film is over.

        A frame's origin is the film's SHA-256 and its time: playing it again keeps nothing twice. Raises
        `CollectError` for a file that is no film, and `Unreachable` for one without a frame.
        """
        digest, missing = digest_of(self.path), _Missing(self.collection, wanted)
        choice = replace(self.choice, pose=missing if wanted.poses else None)
        empty_from = float("-inf")
        looked_at = missing.nothing()
        playing = iter(()) if looked_at else judge(frames(self.path), self.analyzer, choice)
        for verdict in playing:
            looked_at = True
            now = verdict.frame.timestamp or 0.0
            nobody = isinstance(verdict.reason, NoFaceFound) and missing.empty()
            if nobody and now < empty_from:
                continue
            reason = against_empty(verdict.frame, self.thorough) if nobody else verdict.reason
            person = None if nobody else wanted.person
            told = str(reason or "")
            if reason is not None:
                self.passed_over[type(reason).__name__] += 1
            elif nobody or missing.of_person():
                if nobody:
                    empty_from = now + choice.gap_seconds
                gathered = self._keep(person, verdict, digest, missing)
                if gathered is not None:
                    yield gathered
            of = (None, wanted.negatives) if person is None else (person.subject, wanted.per_subject)
            self.show(person, self.collection.kept(of[0]), of[1], told)
            if missing.nothing():
                return
        if not looked_at:
            raise Unreachable(f"{self.path}: the film holds no picture")

    def _keep(
        self, person: Person | None, verdict: Verdict, digest: str, missing: _Missing
    ) -> Gathered | None:
        origin, provenance = moment(self.path, digest, verdict.frame)
        subject = None if person is None else person.subject
        if self.collection.settled(subject, origin):
            return None
        data = encode_jpeg(verdict.frame.pixels, quality=95)
        if self.collection.holds(subject, data):
            self.passed_over[DuplicatePicture.__name__] += 1
            return None
        pose = None if person is None else missing.pose_of(verdict.measured)
        labels: dict[str, str | float] = (
            {} if pose is None else {POSE: pose.name, **angles(verdict.measured)}
        )
        gathered = self.collection.keep(
            person,
            origin,
            data,
            provenance,
            quality=verdict.quality,
            seconds=seconds_of(verdict.frame),
            video=digest,
            **labels,
        )
        if pose is not None and gathered.error is None:
            missing.have[pose.name] += 1
        return gathered


class _Missing:
    """What is still wanted while a film plays; as a choice's pose it takes any of the poses that lack."""

    def __init__(self, collection: Collection, wanted: Wanted) -> None:
        self._collection, self._wanted = collection, wanted
        person = wanted.person
        self.have: Counter[str] = (
            collection.labelled(person.subject, POSE) if person is not None and wanted.poses else Counter()
        )

    def empty(self) -> bool:
        return self._collection.kept(None) < self._wanted.negatives

    def of_person(self) -> bool:
        person, wanted = self._wanted.person, self._wanted
        if person is None:
            return False
        if wanted.poses:
            return bool(self._poses())
        return self._collection.kept(person.subject) < wanted.per_subject

    def nothing(self) -> bool:
        return not self.empty() and not self.of_person()

    def _poses(self) -> list[Pose]:
        return [pose for pose in self._wanted.poses if self.have[pose.name] < self._wanted.per_pose]

    def pose_of(self, measured: Quality | None) -> Pose | None:
        fitting = (p for p in self._poses() if measured is not None and p.against(measured) is None)
        return next(fitting, None)

    def against(self, measured: Quality) -> WrongPose | None:
        if self.pose_of(measured) is not None:
            return None
        names = ", ".join(pose.name for pose in self._poses()) or "none"
        return WrongPose(
            f"yaw {measured.yaw_deg:.0f}, pitch {measured.pitch_deg:.0f}; still wanted: {names}"
        )
