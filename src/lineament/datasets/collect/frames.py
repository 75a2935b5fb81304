"""From moving pictures to photos: the frames with one good face, spaced in time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lineament.analyzer import Analyzer
from lineament.errors import CollectError, FaceError, LowQuality, NoFaceFound, PictureError, SeveralFaces
from lineament.types import Image, Outcome


@dataclass(frozen=True, slots=True)
class Choice:
    """Which frames are good: one face, of at least this quality, this many seconds after the last kept.

    ``look_seconds`` lie between two frames that are looked at when the last was no good.
    """

    min_quality: float = 0.5
    gap_seconds: float = 1.0
    look_seconds: float = 0.2


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a frame was found to be: its quality, or the named reason against it."""

    frame: Image
    quality: float | None = None
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


def _verdict(frame: Image, outcome: Outcome, choice: Choice) -> Verdict:
    if outcome.error is not None:
        error = outcome.error
        if isinstance(error, (FaceError, PictureError)):
            return Verdict(frame, reason=error)
        raise error
    if not len(outcome.faces):
        return Verdict(frame, reason=NoFaceFound("no face in the frame"))
    if len(outcome.faces) > 1:
        return Verdict(frame, reason=SeveralFaces(f"{len(outcome.faces)} faces in the frame"))
    measured = outcome.faces[0].quality
    quality = 1.0 if measured is None else measured.score
    if quality < choice.min_quality:
        return Verdict(frame, quality, LowQuality(f"quality {quality:.2f} is below {choice.min_quality:g}"))
    return Verdict(frame, quality)
