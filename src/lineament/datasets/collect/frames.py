"""From moving pictures to photos: the frames with one good face, spaced in time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from lineament.analyzer import Analyzer
from lineament.counting import quantity
from lineament.errors import (
    CollectError,
    FaceError,
    FaceInPicture,
    LowQuality,
    NoFaceFound,
    NoLandmarks,
    PictureError,
    SeveralFaces,
    WrongPose,
)
from lineament.types import Image, Outcome, Quality


class Held(Protocol):
    """How a head is to be held."""

    def against(self, measured: Quality) -> WrongPose | None:
        """What is wrong with how it is held; None when it is right."""
        ...


@dataclass(frozen=True, slots=True)
class Choice:
    """Which frames are good: one face, of at least this quality, this many seconds after the last kept.

    ``look_seconds`` lie between two frames that are looked at when the last was no good. With a ``pose``
    the head must be held so.
    """

    min_quality: float = 0.5
    gap_seconds: float = 1.0
    look_seconds: float = 0.2
    pose: Held | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a frame was found to be: quality and all that was ``measured``, or the reason against it."""

    frame: Image
    quality: float | None = None
    measured: Quality | None = None
    reason: FaceError | PictureError | CollectError | None = None


def judge(frames: Iterator[Image], analyzer: Analyzer, choice: Choice) -> Iterator[Verdict]:
    """A verdict on each frame that is looked at; frames carry their ``timestamp`` in seconds."""
    due = float("-inf")
    for frame in frames:
        now = frame.timestamp or 0.0
        if now < due:
            continue
        verdict = _verdict(frame, analyzer.analyze_one(frame), choice)
        due = now + (choice.look_seconds if verdict.reason is not None else choice.gap_seconds)
        yield verdict


def judge_empty(
    frames: Iterator[Image], analyzer: Analyzer, thorough: Analyzer, choice: Choice
) -> Iterator[Verdict]:
    """As `judge`, but good is a frame in which no face is.

    A face that is overlooked would teach a detector to overlook faces, so ``thorough`` looks as well.
    """
    due = float("-inf")
    for frame in frames:
        now = frame.timestamp or 0.0
        if now < due:
            continue
        reason = against_empty(frame, analyzer) or against_empty(frame, thorough)
        due = now + (choice.look_seconds if reason is not None else choice.gap_seconds)
        yield Verdict(frame, reason=reason)


def against_empty(frame: Image, analyzer: Analyzer) -> FaceError | PictureError | None:
    """What speaks against a frame as one without a face; None when the analyzer finds none."""
    outcome = analyzer.analyze_one(frame)
    reason = _refusal(outcome)
    if reason is None and len(outcome.faces):
        return FaceInPicture(f"{quantity(len(outcome.faces), 'face')} in the frame")
    return reason


def _refusal(outcome: Outcome) -> FaceError | PictureError | None:
    """Why the frame cannot be judged; what ends the run is raised."""
    error = outcome.error
    if error is None or isinstance(error, (FaceError, PictureError)):
        return error
    raise error


def _verdict(frame: Image, outcome: Outcome, choice: Choice) -> Verdict:
    if (refusal := _refusal(outcome)) is not None:
        return Verdict(frame, reason=refusal)
    if not len(outcome.faces):
        return Verdict(frame, reason=NoFaceFound("no face in the frame"))
    if len(outcome.faces) > 1:
        return Verdict(frame, reason=SeveralFaces(f"{quantity(len(outcome.faces), 'face')} in the frame"))
    measured = outcome.faces[0].quality
    quality = 1.0 if measured is None else measured.score
    if quality < choice.min_quality:
        low = LowQuality(f"quality {quality:.2f} is below {choice.min_quality:g}")
        return Verdict(frame, quality, measured, low)
    if choice.pose is not None:
        if measured is None:
            return Verdict(frame, quality, reason=NoLandmarks("a pose is measured from landmarks"))
        return Verdict(frame, quality, measured, choice.pose.against(measured))
    return Verdict(frame, quality, measured)
