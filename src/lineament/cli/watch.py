"""``lineament watch``: who appears in a video, from when to when."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lineament.cli.gallery.app import SearchFmrOption
from lineament.cli.options import (
    DEFAULT_PRECISION,
    OWN,
    DetectorOption,
    GalleryOption,
    JsonOption,
    PipelineOption,
    PrecisionOption,
    StrictOption,
    ThresholdFileOption,
)
from lineament.cli.targets import Writes
from lineament.io.own_files import APPEARANCES, FIGURE, NEW

if TYPE_CHECKING:
    from types import TracebackType

    from lineament.analyzer import Analyzer
    from lineament.cli.output import Report
    from lineament.cli.window import Window
    from lineament.gallery.gallery import Gallery
    from lineament.io.calibration_file import Calibration
    from lineament.io.video import Frame
    from lineament.watching import Appearance, Seen, VideoSource, Watch, WatchSettings
    from lineament.watching.film import FilmWriter


def watch(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE", help="A video, a folder of them, an rtsp:// or http:// address, camera:0."
        ),
    ],
    draw: Annotated[
        Path | None,
        typer.Option("--draw", metavar="MP4", help="Write the video with boxes and names, and its sound."),
        Writes(NEW),
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Show the frames in a window.")] = False,
    csv: Annotated[
        Path | None,
        typer.Option("--csv", metavar="FILE", help="Write a table, a row each time somebody is seen."),
        Writes(APPEARANCES),
    ] = None,
    timeline: Annotated[
        Path | None,
        typer.Option("--timeline", metavar="PNG", help="Draw who is seen when."),
        Writes(FIGURE),
    ] = None,
    every: Annotated[
        int | None,
        typer.Option(
            "--every", min=1, help="Search every N-th frame. Default: as many as the machine can, in time."
        ),
    ] = None,
    patience: Annotated[
        float,
        typer.Option(
            "--patience", min=0, help="Seconds to wait for a stream that broke off, before giving it up."
        ),
    ] = 60.0,
    gallery: GalleryOption = None,
    pipeline: PipelineOption = None,
    detector: DetectorOption = OWN,
    target_fmr: SearchFmrOption = None,
    threshold_file: ThresholdFileOption = None,
    json: JsonOption = None,
    strict: StrictOption = False,
    precision: PrecisionOption = DEFAULT_PRECISION,
) -> None:
    """Find out who appears in a video, a stream or before a camera, from when to when.

    Faces are followed from frame to frame, and each that was followed is named once, by all looks at it.
    """
    from lineament.analyzer import Analyzer
    from lineament.cli.output import Report
    from lineament.errors import UsageError
    from lineament.gallery.gallery import Gallery
    from lineament.io import calibration_file
    from lineament.plots.canvas import figure_of
    from lineament.settings import AnalyzerSettings
    from lineament.watching import WatchSettings, watchable

    for option, file, ending in (("--draw", draw, ".mp4"), ("--timeline", timeline, ".png")):
        if file is not None and file.suffix.lower() != ending:
            raise UsageError(f"{option} writes {ending[1:].upper()}: let the name end in {ending}")
    if timeline is not None:
        figure_of(1, 1)  # where matplotlib is missing, that is told before hours of watching
    known = None if threshold_file is None else calibration_file.load(threshold_file)
    videos = watchable(source, patience_s=patience)
    if len(videos) > 1 and (draw or timeline or show):
        raise UsageError("--draw, --timeline and --show are for one video; name a file of the folder")
    with (
        Gallery(
            gallery,
            AnalyzerSettings(detector, precision=precision, workers=1, pipeline=pipeline),
            threshold=None if known is None else known.threshold,
            target_fmr=target_fmr,
            create=False,
        ) as opened,
        Report(json) as report,
    ):
        analyzer = opened.analyzer
        assert isinstance(analyzer, Analyzer)  # made of settings
        watching = Watching(report, analyzer, opened, known, WatchSettings(every=every))
        watching.draw, watching.show, watching.timeline = draw, show, timeline
        with report.at_the_end(lambda: watching.tell(csv)):
            for video in videos:
                watching.one(video, alone=len(videos) == 1)
    if strict and watching.refused:
        raise typer.Exit(1)


class Watching:
    """One command's videos, and what is told of them."""

    def __init__(
        self,
        report: Report,
        analyzer: Analyzer,
        gallery: Gallery,
        known: Calibration | None,
        settings: WatchSettings,
    ) -> None:
        from lineament.watching.watched import Watched

        self.draw: Path | None = None
        self.timeline: Path | None = None
        self.show = False
        self.refused = 0
        self._report, self._analyzer, self._gallery = report, analyzer, gallery
        self._probability = None if known is None else known.probability
        self._settings = settings
        self._watched = Watched(gallery)

    def one(self, video: VideoSource, *, alone: bool) -> None:
        """Watch one video; a broken one among several is told of, and the rest go on."""
        from lineament.answers import error_json
        from lineament.cli.output import progress
        from lineament.errors import CollectError
        from lineament.watching import Watch
        from lineament.watching.film import draw

        began = len(self._watched.appearances)
        problem: CollectError | KeyboardInterrupt | None = None
        with (
            progress(None, "frames") as advance,
            _Live(None if video.path is not None else self.draw, self.show) as live,
        ):

            def on_frame(frame: Frame, seen: tuple[Seen, ...]) -> None:
                live(frame, seen)
                advance(1)

            watch = Watch(
                video,
                self._analyzer,
                self._gallery,
                self._settings,
                probability=self._probability,
                on_frame=on_frame,
            )
            self._watched.counts.append((video.name, watch.counts))
            # A film that is written as it comes is whole however the watching ends.
            try:
                for one in _to_the_end(watch):
                    self._add(one, video)
            except (CollectError, KeyboardInterrupt) as ended:
                problem = ended
        error = problem if isinstance(problem, CollectError) else None
        if self.draw is not None and video.path is not None and watch.counts.frames:
            # What nobody looked at is not written as if nobody were in it.
            most = None if problem is None else watch.counts.frames
            draw(video.path, self.draw, self._watched.appearances[began:], most=most)
        self._report.line(
            {"source": video.name, "counts": watch.counts.to_json(), "error": error_json(error)}
        )
        if error is not None:
            self.refused += 1
            if not alone:
                self._report.say(f"{type(error).__name__}: {error}")
        if problem is not None and (alone or error is None):
            raise problem

    def tell(self, csv: Path | None) -> None:
        """Tables, files and counts of all that was watched."""
        from lineament.io import spreadsheets
        from lineament.io.writing import replacing
        from lineament.plots import save
        from lineament.watching.appearances import COLUMNS

        report = self._report
        report.tell(self._watched.told())
        if csv is not None:
            with replacing(csv, APPEARANCES) as file:
                spreadsheets.write(file, [COLUMNS, *(one.row() for one in self._watched.appearances)])
            report.say(f"wrote {csv}")
        if self.timeline is not None:
            save(self._watched.figures()["timeline"], self.timeline)
            report.say(f"wrote {self.timeline}")
        if self.draw is not None and self.draw.exists():
            report.say(f"wrote {self.draw}")

    def _add(self, one: Appearance, video: VideoSource) -> None:
        self._watched.appearances.append(one)
        self._report.line(one.to_json())
        if video.live:
            who = one.subject or "somebody unknown"
            self._report.say(f"{one.track.from_s:.1f} to {one.track.to_s:.1f} s: {who}")


def _to_the_end(watch: Watch) -> Iterator[Appearance]:
    """All appearances; stopped in between, also of those who are still there."""
    try:
        yield from watch
    except KeyboardInterrupt:
        yield from watch.rest()
        raise


class _Live:
    """What is done with each frame while it is watched: shown in a window, or written as it comes."""

    def __init__(self, draw: Path | None, show: bool) -> None:
        self._draw, self._show = draw, show
        self._stack = ExitStack()
        self._film: FilmWriter | None = None
        self._window: Window | None = None

    def __enter__(self) -> _Live:
        from lineament.cli.window import Window
        from lineament.io.writing import target_of
        from lineament.watching.film import FilmWriter

        if self._show:
            self._window = self._stack.enter_context(Window("lineament watch"))
        if self._draw is not None:
            partial = self._stack.enter_context(target_of(self._draw, NEW))
            self._film = self._stack.enter_context(FilmWriter(partial))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def __call__(self, frame: Frame, seen: tuple[Seen, ...]) -> None:
        from lineament.watching.film import labelled

        if self._film is None and self._window is None:
            return
        pixels = labelled(frame.image(), [(one.box, one.name, one.similarity) for one in seen])
        if self._film is not None:
            self._film.frame(pixels, frame.seconds)
        if self._window is not None:
            self._window.show(pixels)
