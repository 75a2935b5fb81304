"""Watching a video: search some frames, follow the faces, look at them now and then, name the tracks."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lineament.analyzer import Analyzer
from lineament.config import require_whole
from lineament.errors import ConfigError, LineamentError, UsageError
from lineament.gallery.gallery import Gallery
from lineament.gallery.pipeline import require as require_same
from lineament.gallery.tracks import Naming, NamingSettings, TrackNames
from lineament.io.opencv import one_thread_each
from lineament.io.video import Frame
from lineament.protocols import Tracker
from lineament.scoring.probability import Probability
from lineament.shown import shown
from lineament.tracking.cuts import SIZE_WH, Cuts
from lineament.tracking.tracker import FaceTracker, TrackerSettings
from lineament.types import Faces, Float32, Track
from lineament.watching.appearances import Appearance, WatchCounts
from lineament.watching.feed import Feed
from lineament.watching.looks import Look, View, Waiting, assessed, look
from lineament.watching.pace import Pace
from lineament.watching.sources import VideoSource

_SAME_MOMENT_S = 0.5


@dataclass(frozen=True, slots=True)
class WatchSettings:
    """How a video is watched.

    Faces are searched in every ``every``-th frame, None for as many as the measured cost allows, four
    times a second at least, in a picture of at most ``search_side`` pixels. A track is looked at
    ``looks_a_second`` times a second at most, and told of when it was found in ``least_seen`` frames.
    """

    every: int | None = None
    search_side: int = 960
    looks_a_second: float = 2.0
    least_seen: int = 3
    tracker: TrackerSettings = field(default_factory=TrackerSettings)
    naming: NamingSettings = field(default_factory=NamingSettings)

    def __post_init__(self) -> None:
        for name in ("search_side", "least_seen", *(("every",) if self.every is not None else ())):
            require_whole(name, getattr(self, name))
        if not 0 < self.looks_a_second < float("inf"):
            raise ConfigError(f"looks_a_second: expected a number above 0, got {self.looks_a_second!r:.80}")


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A face that is followed, in one frame: its track, ``box`` ``(4,)``, and the name to show, if any."""

    track: int
    box: Float32
    name: str | None = None
    similarity: float | None = None

    __repr__ = shown


@dataclass(frozen=True, slots=True, eq=False)
class _Best:
    """The best view of a track so far, and whether it was embedded."""

    looked: bool
    quality: float
    seconds: float
    box: Float32

    __repr__ = shown


OnFrame = Callable[[Frame, tuple[Seen, ...]], None]


class Watch:
    """The appearances in one video, in the order in which they end; iterate it once.

    Without a ``gallery`` faces are followed and nobody is named. ``probability`` is the curve of a
    calibration. ``on_frame`` is told of every frame with the faces last seen, ``counts`` tells how it went.
    ``tracker`` takes the place of `lineament.tracking.FaceTracker`. A video that breaks off gives what was
    seen before, and then raises its error.
    """

    def __init__(
        self,
        source: VideoSource | str | Path,
        analyzer: Analyzer,
        gallery: Gallery | None = None,
        settings: WatchSettings | None = None,
        *,
        probability: Probability | None = None,
        tracker: Tracker | None = None,
        on_frame: OnFrame | None = None,
    ) -> None:
        self.source = source if isinstance(source, VideoSource) else VideoSource.file(Path(source))
        self.settings = settings or WatchSettings()
        self.counts = WatchCounts()
        if not isinstance(analyzer, Analyzer):
            raise ConfigError(f"analyzer: {analyzer!r:.80} is no lineament.analyzer.Analyzer")
        if gallery is not None and analyzer.embedder is None:
            raise ConfigError("analyzer: a gallery needs embeddings; give an Analyzer with an embedder")
        if gallery is not None and analyzer.model is not None:
            require_same(gallery.store.model(), analyzer.model)
        self._analyzer = analyzer
        self._names = None if gallery is None else TrackNames(gallery, self.settings.naming, probability)
        self._tracker = tracker or FaceTracker(self.settings.tracker)
        self._on_frame = on_frame
        self._pace = Pace(self.settings.every)
        self._cuts = Cuts()
        self._waiting = Waiting(self.settings.looks_a_second, self.settings.least_seen)
        self._best: dict[int, _Best] = {}
        self._costs: deque[float] = deque(maxlen=2000)
        self._seen: tuple[Seen, ...] = ()
        self._last = -np.inf
        self._begun = False

    def __iter__(self) -> Iterator[Appearance]:
        if self._begun:
            raise UsageError(f"{self.source.name} was watched already; make another Watch to see it again")
        self._begun = True
        feed = Feed(self.source)
        with one_thread_each():
            try:
                with feed:
                    yield from self._watched(feed)
            except LineamentError:
                yield from self._end()
                raise
            finally:
                self._count(feed)
            yield from self._end()

    def _watched(self, feed: Feed) -> Iterator[Appearance]:
        until_search = 0
        first: float | None = None
        for given in feed:
            frame = self._in_order(given)
            first = frame.seconds if first is None else first
            self.counts.frames += 1
            self.counts.seconds = frame.seconds - first
            self._pace.saw(frame.seconds)
            if self._cuts.begins(frame.thumbnail(SIZE_WH)):
                self.counts.cuts += 1
                yield from self._end()
                until_search = 0
            if until_search == 0:
                began = time.perf_counter()
                over = self._search(frame)
                self._costs.append(time.perf_counter() - began)
                self._pace.took(self._costs[-1])
                yield from self._told(over)
                until_search = self._pace.stride
            until_search -= 1
            if self._on_frame is not None:
                self._on_frame(frame, self._seen)

    def _in_order(self, frame: Frame) -> Frame:
        """The frame, a moment later where its time is not after the last: some files repeat times."""
        if self._last - _SAME_MOMENT_S < frame.seconds <= self._last:
            frame = Frame(self._last + 1e-3, frame.source, frame.picture)
        self._last = frame.seconds
        return frame

    def _search(self, frame: Frame) -> tuple[Track, ...]:
        """Find and follow the faces of a frame, and return the tracks that are over."""
        now = frame.seconds
        image = frame.image(self.settings.search_side)
        small = _usable(self._analyzer.detector.detect([image])[0])
        self.counts.searched += 1
        self.counts.faces += len(small)
        embedder = self._analyzer.embedder
        if embedder is not None:
            small = assessed(small, image)
        faces = small.scaled(image.scale)
        scores = [quality.score for quality in faces.quality or ()]
        views = [View(frame, faces[[row]], score) for row, score in enumerate(scores)]
        rows = self._tracker.unsure(faces, now) if embedder is not None else []
        at_once = self._look([views[row] for row in rows])
        tracks = self._tracker.update(_with(faces, rows, at_once), now)
        for row, number in enumerate(tracks.numbers):
            quality = scores[row] if views else float(faces.scores[row])
            self._note(number, _Best(False, quality, now, faces.boxes[row]))
            if views and row not in rows:
                self._waiting.offer(number, views[row])
        for row in rows:
            self._waiting.looked(tracks.numbers[row], now)
        due = self._waiting.due(now)
        looks = self._look(list(due.values()))
        self._remember([*(tracks.numbers[row] for row in rows), *due], [*at_once, *looks])
        self._seen = tuple(
            Seen(number, box, *(self._shown(number)))
            for number, box in zip(tracks.numbers, faces.boxes, strict=True)
        )
        return tracks.ended

    def rest(self) -> Iterator[Appearance]:
        """Who is still there, told of at once: after an iteration that was left early."""
        yield from self._end()

    def _look(self, views: list[View]) -> list[Look]:
        analyzer = self._analyzer
        if not views or analyzer.embedder is None or analyzer.model is None:
            return []
        self.counts.looks += len(views)
        return look(views, analyzer.embedder, analyzer.model, analyzer.landmarker)

    def _remember(self, numbers: list[int], looks: list[Look]) -> None:
        fused = {}
        for number, one in zip(numbers, looks, strict=True):
            now = self._tracker.remember(number, one.embedding, one.quality, one.view.seconds)
            self._note(number, _Best(True, one.quality, one.view.seconds, one.view.face.boxes[0]))
            if now is not None:
                fused[number] = now
        if self._names is not None and fused:
            self._names.consider(fused)

    def _note(self, number: int, seen: _Best) -> None:
        """Where a track was seen best: of views that were looked at, or else of all."""
        before = self._best.get(number)
        if before is None or (seen.looked, seen.quality) > (before.looked, before.quality):
            self._best[number] = seen

    def _shown(self, number: int) -> tuple[str | None, float | None]:
        known = None if self._names is None else self._names.shown(number)
        return (None, None) if known is None else known

    def _end(self) -> Iterator[Appearance]:
        """All tracks end; what still waits is looked at first."""
        rest = self._waiting.rest()
        self._remember(list(rest), self._look(list(rest.values())))
        self._seen = ()
        yield from self._told(self._tracker.end())

    def _told(self, tracks: tuple[Track, ...]) -> Iterator[Appearance]:
        self._waiting.forget(track.number for track in tracks)
        for track in tracks:
            best = self._best.pop(track.number, _Best(False, 0.0, track.from_s, track.boxes[0]))
            naming = Naming() if self._names is None else self._names.decided(track)
            if len(track) < self.settings.least_seen:
                self.counts.glimpses += 1
                continue
            told = Appearance(
                self.source.name,
                track,
                naming,
                best.seconds,
                best.box,
                best.quality if best.looked else None,
            )
            self.counts.add(told)
            yield told

    def _count(self, feed: Feed) -> None:
        self.counts.dropped = feed.dropped
        self.counts.stride = self._pace.stride
        if self.source.stream is not None:
            self.counts.reconnects = self.source.stream.reconnects
        if self._costs:
            half, most = np.percentile(np.array(self._costs) * 1000, [50, 95])
            self.counts.search_ms = (float(half), float(most))


def _usable(faces: Faces) -> Faces:
    """Without faces whose landmarks all coincide: they cannot be aligned, and one shall not end a video."""
    if faces.landmarks is None:
        return faces
    spread = (faces.landmarks.max(axis=1) - faces.landmarks.min(axis=1)).max(axis=1)
    return faces[np.asarray(spread > 1e-3)]


def _with(faces: Faces, rows: list[int], looks: list[Look]) -> Faces:
    """The faces with the embeddings of some rows, and rows of zeros for the others."""
    if not looks:
        return faces
    vectors = np.zeros((len(faces), len(looks[0].embedding.vector)), np.float32)
    for row, one in zip(rows, looks, strict=True):
        vectors[row] = one.embedding.vector
    return faces.with_columns(embeddings=vectors, model=looks[0].embedding.model)
