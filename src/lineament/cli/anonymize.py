"""``lineament anonymize``: photos and videos with their faces masked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lineament.cli.gallery.app import SearchFmrOption
from lineament.cli.options import (
    DEFAULT_PRECISION,
    DetectorOption,
    GalleryOption,
    JsonOption,
    PipelineOption,
    PrecisionOption,
    StrictOption,
    ThresholdFileOption,
    WorkersOption,
)
from lineament.cli.targets import Writes
from lineament.counting import quantity
from lineament.io.own_files import PAGE

if TYPE_CHECKING:
    from lineament.analyzer import Analyzer
    from lineament.anonymizing import Keeping, MaskSettings, Review
    from lineament.anonymizing.given import Given
    from lineament.cli.output import Report
    from lineament.errors import LineamentError
    from lineament.types import Match, Outcome

DETECTOR = "yunet:score=0.4,large_score=0.5"
"""Less sure than elsewhere: a mask too many costs less than a face too many."""


def anonymize(
    paths: Annotated[
        list[str], typer.Argument(metavar="PATHS...", help="Pictures, videos, or folders of them.")
    ],
    out: Annotated[
        Path,
        typer.Option("--out", metavar="DIR", help="The folder where the masked copies go."),
        Writes(apart=True),
    ],
    method: Annotated[
        str, typer.Option("--method", metavar="solid|pixelate", help="What takes the place of a face.")
    ] = "solid",
    keep: Annotated[
        list[str] | None,
        typer.Option(
            "--keep",
            metavar="NAME",
            help="Somebody of the gallery whose face stays where it is surely recognised; may be repeated.",
        ),
    ] = None,
    dilate: Annotated[
        float, typer.Option("--dilate", min=0, max=3, help="How much longer than the face a mask is.")
    ] = 0.3,
    every: Annotated[
        int, typer.Option("--every", min=1, help="Of a video, search every N-th frame only.")
    ] = 1,
    review: Annotated[
        Path | None,
        typer.Option("--review", metavar="HTML", help="Write a page of the least sure masked pictures."),
        Writes(PAGE),
    ] = None,
    gallery: GalleryOption = None,
    pipeline: PipelineOption = None,
    detector: DetectorOption = DETECTOR,
    target_fmr: SearchFmrOption = None,
    threshold_file: ThresholdFileOption = None,
    json: JsonOption = None,
    strict: StrictOption = False,
    precision: PrecisionOption = DEFAULT_PRECISION,
    workers: WorkersOption = None,
) -> None:
    """Mask the faces in photos and videos, and write copies without anything else that tells of people.

    Everybody is masked, or all but the named. Metadata and embedded thumbnails are left behind, sound is
    kept. A face that no detector finds is not masked: look through the copies before you hand them on.
    """
    from lineament.analyzer import Analyzer
    from lineament.anonymizing import Keeping, MaskSettings, Method, Review
    from lineament.anonymizing.given import given
    from lineament.cli.output import Report
    from lineament.errors import UsageError
    from lineament.gallery.gallery import Gallery
    from lineament.gallery.pipeline import require
    from lineament.io import calibration_file
    from lineament.io.writing import make_folder
    from lineament.settings import AnalyzerSettings

    if method not in list(Method):
        raise UsageError(f"--method {method}: solid or pixelate")
    known = None if threshold_file is None else calibration_file.load(threshold_file)
    with ExitStack() as stack:
        made_of = AnalyzerSettings(
            detector,
            quality=False,
            precision=precision,
            workers=workers,
            keep_images=True,
            pipeline=pipeline,
        )
        if keep:
            opened = stack.enter_context(
                Gallery(
                    gallery,
                    made_of,
                    threshold=None if known is None else known.threshold,
                    target_fmr=target_fmr,
                    create=False,
                )
            )
            keeping, analyzer = Keeping(opened, keep), opened.analyzer
        else:
            keeping = None
            analyzer = stack.enter_context(Analyzer.from_settings(made_of.changed(embedder=None)))
        assert isinstance(analyzer, Analyzer)  # made of settings
        if keeping is not None and analyzer.model is not None:
            require(keeping.gallery.store.model(), analyzer.model)
        report = stack.enter_context(Report(json))
        settings = MaskSettings(Method(method), dilate)
        work = Anonymizing(report, make_folder(out), settings, keeping, Review() if review else None)
        stack.enter_context(report.at_the_end(lambda: work.tell(review)))
        sources = given(paths)
        work.photos([one for one in sources if not one.is_video], analyzer)
        for one in sources:
            if one.is_video:
                work.film(one, analyzer, every)
    if work.failed or not any(out.iterdir()) or (strict and work.refused):
        raise typer.Exit(1)


class Anonymizing:
    """One command's photos and videos, and what is told of them."""

    def __init__(
        self,
        report: Report,
        out: Path,
        settings: MaskSettings,
        keeping: Keeping | None,
        review: Review | None,
    ) -> None:
        self.failed = self.refused = 0
        self._report, self._out, self._settings = report, out, settings
        self._keeping, self._review = keeping, review
        self._counts: Counter[str] = Counter()
        self._photos = self._masked = self._kept = 0
        self._films: list[str] = []
        self._problems: list[str] = []

    def photos(self, photos: Sequence[Given], analyzer: Analyzer) -> None:
        """Mask photos; one that cannot be read or written is told of, and the rest goes on."""
        from lineament.anonymizing import mask_photo
        from lineament.answers import error_json
        from lineament.cli.output import progress
        from lineament.errors import LineamentError
        from lineament.types import Status

        with progress(len(photos), "pictures") as advance:
            for one, (outcome, matches) in zip(photos, self._answers(photos, analyzer), strict=True):
                self._photos += 1
                error: LineamentError | None = None
                line: dict[str, object] = {
                    "source": outcome.source,
                    "written": None,
                    "masks": [],
                    "kept": [],
                }
                try:
                    done = mask_photo(
                        outcome,
                        self._out / one.name,
                        self._settings,
                        matches=matches,
                        keeping=self._keeping,
                        review=self._review,
                    )
                    line = done.to_json()
                    self._masked += len(done.faces)
                    self._kept += len(done.kept)
                    if outcome.status is Status.NO_FACE and self._review is not None:
                        self._review.no_face(outcome.source)
                except LineamentError as caught:
                    error = caught
                    self._problem(outcome.source, caught, written=outcome.error is not None)
                self._counts[outcome.status] += 1
                self._report.line({**line, "outcome": outcome.status, "error": error_json(error)})
                advance(1)

    def film(self, one: Given, analyzer: Analyzer, every: int) -> None:
        """Mask a video; a broken one is told of, and the rest goes on."""
        from lineament.anonymizing import mask_film
        from lineament.answers import error_json
        from lineament.cli.output import progress
        from lineament.errors import CollectError, OutputError, WouldOverwrite

        try:
            with progress(None, "frames, both passes") as advance:
                done = mask_film(
                    Path(one.path),
                    self._out / one.name,
                    analyzer.detector,
                    self._settings,
                    keeping=self._keeping,
                    pipeline=analyzer.settings.pipeline,
                    every=every,
                    review=self._review,
                    advance=advance,
                )
        except (CollectError, OutputError, WouldOverwrite) as error:
            self._problem(one.path, error, written=isinstance(error, CollectError))
            self._report.line({"source": one.path, "written": None, "error": error_json(error)})
            return
        self._films.append(f"{one.path}: {done}")
        if done.error is not None:
            self._problem(one.path, done.error, written=True)
        self._report.line({**done.to_json(), "error": error_json(done.error)})

    def tell(self, review: Path | None) -> None:
        """What was masked, and what somebody has to look at."""
        from lineament.types import Status

        say = self._report.say
        if self._photos:
            summary = ", ".join(f"{self._counts[status]} {status}" for status in Status)
            say(
                f"{quantity(self._photos, 'picture')}: {summary}; "
                f"{quantity(self._masked, 'face')} masked, {self._kept:,} kept"
            )
        for line in self._films:
            say(line)
        for line in self._problems:
            say(line)
        if without := self._counts[Status.NO_FACE]:
            say(
                f"no face was found in {quantity(without, 'picture')}, written without a mask: look at them"
            )
        if self._review is not None and review is not None:
            self._review.write(review)
            say(f"wrote {review}: {quantity(len(self._review.doubts), 'picture')} to look through")
        if any(self._out.iterdir()):
            say(f"copies are in {self._out}; a face that was not found is not masked, look through them")
        else:
            say(f"nothing was written to {self._out}")

    def _answers(
        self, photos: Sequence[Given], analyzer: Analyzer
    ) -> Iterator[tuple[Outcome, tuple[Match, ...]]]:
        files = [one.path for one in photos]
        if self._keeping is None:
            yield from ((outcome, ()) for outcome in analyzer.analyze(files))
        else:
            for found in self._keeping.gallery.identify(files):
                yield found.outcome, found.matches

    def _problem(self, source: str, error: LineamentError, *, written: bool) -> None:
        """Note what was refused (``written`` is false where the copy could not be)."""
        if written:
            self.refused += 1
        else:
            self.failed += 1
        self._problems.append(f"{source}: {type(error).__name__}: {error}")
