"""Videos with their faces masked, in two passes: first all faces are followed, then the masks are laid.

Only in the end of the first pass is it known when a face will appear, and who a track is of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lineament.analyzer import Analyzer
from lineament.anonymizing.keeping import NAMING, Keeping
from lineament.anonymizing.masking import COLOUR, MaskSettings, masked
from lineament.anonymizing.planning import Plan
from lineament.anonymizing.reviewing import Review, least_sure
from lineament.counting import quantity
from lineament.errors import CollectError
from lineament.gallery.gallery import Gallery
from lineament.gallery.pipeline import following
from lineament.io.own_files import NEW
from lineament.io.video import Frame
from lineament.io.writing import require
from lineament.protocols import Advance, Detector
from lineament.registry import detectors
from lineament.settings import AnalyzerSettings, Spec
from lineament.shown import shown
from lineament.types import Faces, Float32, Image, Track, UInt8
from lineament.watching.appearances import Appearance
from lineament.watching.film import rewritten
from lineament.watching.watch import Seen, Watch, WatchSettings

SEARCH_SIDE = 1920
"""Frames are searched at up to this size: small faces in the background count, too."""

_APART_S = 0.5
_A_FILM = 24
"""Frames of one video that are offered for review."""


class Noting:
    """A detector that remembers how sure it was of the least sure face at each moment of a video."""

    def __init__(self, base: Detector) -> None:
        self.base = base
        self.gives_landmarks = base.gives_landmarks
        self.least: dict[float, float] = {}

    def detect(self, images: Sequence[Image]) -> list[Faces]:
        """What the detector finds."""
        found = self.base.detect(images)
        for image, faces in zip(images, found, strict=True):
            if image.timestamp is not None and len(faces):
                self.least[image.timestamp] = float(faces.scores.min())
        return found


@dataclass(frozen=True, slots=True, eq=False)
class MaskedFilm:
    """A video that was written: the ``tracks`` that were masked, and those ``kept``.

    In ``bridged`` of its ``frames`` a face was not found that was found before and after, and the mask lies
    between; in ``held`` one lies only because masks are held before and after a track. ``blank`` frames
    came in the second pass alone and are one colour. ``error`` is that of a video that breaks off.
    """

    source: str
    written: Path
    frames: int
    seconds: float
    tracks: tuple[Track, ...] = ()
    kept: tuple[Appearance, ...] = ()
    bridged: int = 0
    held: int = 0
    blank: int = 0
    settings: MaskSettings = field(default_factory=MaskSettings)
    error: CollectError | None = None

    __repr__ = shown

    def to_json(self) -> dict[str, Any]:
        """Where masks lie: each track's boxes at ``times``; they move between, are held and dilated."""
        return {
            "source": self.source,
            "written": str(self.written),
            "frames": self.frames,
            "seconds": round(self.seconds, 3),
            "bridged": self.bridged,
            "held": self.held,
            "blank": self.blank,
            "method": self.settings.method,
            "dilate": self.settings.dilate,
            "hold_s": self.settings.hold_s,
            "masks": [
                {
                    "track": track.number,
                    "times": [round(float(t), 4) for t in track.times],
                    "boxes": np.round(track.boxes, 1).astype(float).round(1).tolist(),
                }
                for track in self.tracks
            ],
            "kept": [
                {
                    "track": one.track.number,
                    "subject": one.subject,
                    "similarity": round(one.naming.similarity or 0.0, 4),
                    "from_s": round(one.track.from_s, 3),
                    "to_s": round(one.track.to_s, 3),
                }
                for one in self.kept
            ],
        }

    def __str__(self) -> str:
        parts = [
            f"{quantity(self.frames, 'frame')} of {self.seconds:.1f} s",
            f"{quantity(len(self.tracks), 'track')} masked, {len(self.kept):,} kept",
        ]
        if self.bridged:
            parts.append(f"in {quantity(self.bridged, 'frame')} a face was lost and a gap bridged")
        if self.blank:
            parts.append(f"{quantity(self.blank, 'frame')} blank, for the first pass did not see them")
        return "; ".join(parts)


def mask_film(
    source: Path,
    target: Path,
    detector: Spec | Detector,
    settings: MaskSettings | None = None,
    *,
    keeping: Keeping | None = None,
    pipeline: str | None = None,
    every: int = 1,
    search_side: int = SEARCH_SIDE,
    review: Review | None = None,
    advance: Advance | None = None,
) -> MaskedFilm:
    """Write a video as MP4 with its faces masked, its sound kept, and nothing else of the file.

    Faces are searched in every ``every``-th frame; for ``keeping`` they are embedded by ``pipeline``, or
    else by that of its gallery. Of a video that breaks off, what comes before is written, and its error is
    in the answer. Raises as `lineament.watching.film.rewritten` where nothing can be written;
    `WouldOverwrite` before any work.
    """
    require(target, NEW)
    chosen = settings or MaskSettings()
    # Embeddings tell who is to be kept. Where everybody is masked, it does not matter who is who.
    noting = Noting(detectors.made(detector, "detect"))
    gallery = None if keeping is None else keeping.gallery
    made_of = AnalyzerSettings(noting, quality=False, workers=1, pipeline=pipeline)
    if gallery is None:
        made_of = made_of.changed(embedder=None)
    else:
        made_of = following(made_of, gallery.store.model())
    with Analyzer.from_settings(made_of) as analyzer:
        watching = WatchSettings(every=every, search_side=search_side, least_seen=1, naming=NAMING)
        times, told, error = _followed(source, analyzer, gallery, watching, advance)
    kept = () if keeping is None else tuple(keeping.tracks(told))
    staying = {one.track.number for one in kept}
    hidden = tuple(one.track for one in told if one.track.number not in staying)
    plan = Plan(hidden, chosen.hold_s)
    gaps = [plan.gap_at(seconds) for seconds in times]
    pen = _Pen(plan, times, chosen, source.name, review)
    if review is not None:
        pen.doubted = _doubts(times, gaps, noting.least, kept)
    if advance is not None:
        pen.advance = advance
    rewritten(source, target, pen.draw)
    return MaskedFilm(
        str(source),
        target,
        pen.count,
        times[-1] - times[0] if times else 0.0,
        hidden,
        kept,
        sum(gap > 0 for gap in gaps),
        sum(plan.held_at(seconds) for seconds in times),
        pen.blank,
        chosen,
        error,
    )


def _followed(
    source: Path,
    analyzer: Analyzer,
    gallery: Gallery | None,
    settings: WatchSettings,
    advance: Advance | None,
) -> tuple[list[float], list[Appearance], CollectError | None]:
    """The first pass: the time of each frame, and every track, also of what was found but once."""
    times: list[float] = []
    told: list[Appearance] = []

    def on_frame(frame: Frame, _seen: tuple[Seen, ...]) -> None:
        times.append(frame.seconds)
        if advance is not None:
            advance(1)

    try:
        for one in Watch(source, analyzer, gallery, settings, on_frame=on_frame):
            told.append(one)  # noqa: PERF402  what came before a break has to be masked
    except CollectError as broken:
        if not times:
            raise
        return times, told, broken
    return times, told, None


class _Pen:
    """Lays the masks, frame by frame in the order of the first pass."""

    def __init__(
        self, plan: Plan, times: list[float], settings: MaskSettings, name: str, review: Review | None
    ) -> None:
        self.count = self.blank = 0
        self.doubted: dict[int, tuple[float, str]] = {}
        self.advance: Advance | None = None
        self._plan, self._times, self._settings = plan, times, settings
        self._name, self._review = name, review

    def draw(self, image: Image) -> UInt8:
        """The frame, masked. One that the first pass did not see is not shown."""
        number, self.count = self.count, self.count + 1
        if self.advance is not None:
            self.advance(1)
        if number >= len(self._times):
            self.blank += 1
            return np.full_like(image.pixels, COLOUR[0])
        seconds = self._times[number]
        boxes = self._plan.boxes_at(seconds)
        pixels = masked(image.pixels, boxes, self._settings)
        if number in self.doubted and self._review is not None:
            unsure, why = self.doubted[number]
            self._review.offer(unsure, self._name, seconds, why, pixels, _unscored(boxes))
        return pixels


def _unscored(boxes: Float32) -> Faces:
    return Faces(boxes, np.zeros(len(boxes), np.float32))


def _doubts(
    times: list[float], gaps: list[float], least: dict[float, float], kept: tuple[Appearance, ...]
) -> dict[int, tuple[float, str]]:
    """The frames to look at, with how unsure they are and why."""
    unsure, why = [], []
    for seconds, gap in zip(times, gaps, strict=True):
        reasons = [(0.0, "")]
        if gap > 0:
            reasons.append((min(1.0, 0.6 + gap / 5), f"a face was not found for {gap:.2f} s"))
        if seconds in least:
            reasons.append((1 - least[seconds], f"least score {least[seconds]:.2f}"))
        for one in kept:
            if one.track.from_s <= seconds <= one.track.to_s:
                similarity = one.naming.similarity or 0.0
                reasons.append((1 - similarity, f"{one.subject} kept at {similarity:.2f}"))
        most = max(reasons)
        unsure.append(most[0])
        why.append(most[1])
    return {i: (unsure[i], why[i]) for i in least_sure(unsure, times, _A_FILM, _APART_S)}
