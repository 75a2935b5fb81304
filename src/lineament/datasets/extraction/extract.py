"""Photos to face crops: one face a photo or all of them, in the layout of the photos.

A photo much larger than needed is first decoded at reduced size (JPEG only). That look counts when every
face it shows fills the crop without enlarging; a photo where it shows none, or a smaller one, is decoded
and searched whole. With all faces wanted, or with boxes given, photos are always searched whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from lineament.counting import quantity
from lineament.datasets.belonging.choosing import Choice, choose
from lineament.datasets.belonging.consensus import Agreement
from lineament.datasets.belonging.sightings import Sighting
from lineament.datasets.extraction import crop_names
from lineament.datasets.extraction.extract_photo import LOOK_SIDE, Extractor, ExtractSettings, Photo
from lineament.datasets.extraction.output_folder import (
    JOURNAL_NAME,
    LOCK_NAME,
    SETTINGS_KEY,
    finished,
    remove_stale,
    require_apart,
    sweep,
)
from lineament.datasets.grouping.together import link
from lineament.engines.batching import Each
from lineament.engines.processes import Processes
from lineament.engines.threads import Threads
from lineament.errors import OutputError, PictureError, UsageError
from lineament.geometry.crop_style import moved
from lineament.io import images
from lineament.io.digests import sha256_of
from lineament.io.journal import Journal
from lineament.io.manifest import MANIFEST_NAME, Manifest, ManifestRow, row_id
from lineament.io.names import shown
from lineament.io.own_files import OWN, SHEET
from lineament.io.permissions import file_mode
from lineament.io.writing import make_folder, replacing, unwritable
from lineament.protocols import Advance
from lineament.types import Status

__all__ = ["ExtractSettings", "Extraction", "extract", "failures"]

_UNDETECTED, _REFUSED = "undetected.txt", "refused.txt"
_LEAST_PHOTOS = 100
"""Below so many a process is not worth the second that it takes to start."""


@dataclass(frozen=True, slots=True)
class Extraction:
    """What came of it. ``photos`` = those with a face + ``undetected`` + ``refused``; ``faces`` is crops.

    ``from_labels`` of the crops were cut by the box of their label, as no face was found there.
    ``resumed`` photos were done by an earlier run. ``twins`` are folders whose names differ only by case or
    Unicode form.
    """

    photos: int
    faces: int
    undetected: int
    refused: int
    resumed: int
    twins: tuple[tuple[str, ...], ...]
    manifest: Manifest

    @property
    def from_labels(self) -> int:
        """How many crops their label's box alone tells."""
        return sum(row.labels.get("chosen_by") == "label" for row in self.manifest)

    def to_json(self) -> dict[str, int]:
        """The counts."""
        names = ("photos", "faces", "from_labels", "undetected", "refused", "resumed")
        return {name: getattr(self, name) for name in names}


def extract(
    source: Manifest,
    out: Path,
    settings: ExtractSettings | None = None,
    *,
    workers: int | None = None,
    advance: Advance | None = None,
) -> Extraction:
    """Write the crops of every photo below ``out``, with manifest, contact sheet and list of failures.

    Run again after an interruption it goes on where it was and ends with the same bytes; a finished ``out``
    is left as it is. Raises `UsageError` when ``out`` holds anything else or overlaps the photos, or when
    no label has the box that is to be cut by, and `OutputError` when it cannot be written.
    """
    from filelock import FileLock, Timeout

    settings = settings or ExtractSettings()
    require_apart(source.folder, out)
    _require_boxes(source, settings)
    stated = {"settings": settings.to_json(), "source": source.digest()}
    try:
        make_folder(out)
        with FileLock(out / LOCK_NAME, timeout=0, mode=file_mode()):
            try:
                done = finished(out, stated)
                if done is None:
                    return _Run(source, out, settings, workers, advance).run(stated)
                return _earlier(done, source)
            finally:
                (out / LOCK_NAME).unlink(missing_ok=True)
    except Timeout:
        raise UsageError(f"{out}: another run is writing there") from None
    except OSError as error:
        raise OutputError(unwritable(out, error, "what is finished is kept")) from error


def failures(out: Path) -> Iterator[tuple[str, str]]:
    """Photo and reason, as the lists of an extraction in ``out`` have them; no reason means no face."""
    for name in (_UNDETECTED, _REFUSED):
        try:
            lines = (out / name).read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:  # taken away since, by whoever has dealt with them
            continue
        for line in lines:
            path, _, reason = line.partition("\t")
            yield path, reason


def _require_boxes(source: Manifest, settings: ExtractSettings) -> None:
    if not settings.from_boxes:
        return
    boxed = [row for row in source if row.box is not None]
    if not boxed:
        raise UsageError(
            f"{source.folder}: none of {quantity(len(source), 'row')} has a box to cut by; let faces be "
            "found"
        )
    if settings.style.align and not any(row.landmarks is not None for row in boxed):
        raise UsageError(
            f"{source.folder}: none of {quantity(len(boxed), 'box')} has landmarks to align by; leave out "
            "align, or let faces be found"
        )


def _earlier(manifest: Manifest, source: Manifest) -> Extraction:
    """What an earlier run said of itself."""
    counts = {name: int(manifest.steps[-1][name]) for name in ("photos", "undetected", "refused")}
    return Extraction(
        **counts,
        faces=len(manifest),
        resumed=counts["photos"],
        twins=_twins(_photos(source)),
        manifest=manifest,
    )


class _Run:
    """One run over all photos."""

    def __init__(
        self,
        source: Manifest,
        out: Path,
        settings: ExtractSettings,
        workers: int | None,
        advance: Advance | None,
    ) -> None:
        self.source, self.out, self.settings = source, out, settings
        self.advance = advance or (lambda _count: None)
        self.extractor = Extractor(out, settings, workers)
        self.workers = self.extractor.analyzer.workers
        model = self.extractor.analyzer.model
        assert model is not None
        self.same = Agreement.of(model)
        self.photos = _photos(source)
        self.origins = link(source)

    def run(self, stated: Mapping[str, Any]) -> Extraction:
        resuming = (self.out / JOURNAL_NAME).exists()
        with Journal(self.out / JOURNAL_NAME, sync_every=32) as journal:
            if journal.done.setdefault(SETTINGS_KEY, None) is None:
                journal.record(SETTINGS_KEY, stated["settings"])
                journal.sync()
            elif journal.done[SETTINGS_KEY] != stated["settings"]:
                raise UsageError(f"{self.out}: holds an unfinished run with other settings")
            if resuming:
                sweep(self.out)
            resumed = self._see_all(journal)
            choices = self._choose_all(journal)
            result = self._finish(journal, choices, stated, resumed)
            journal.finish()
        return result

    def _see_all(self, journal: Journal) -> int:
        """Search every photo; where the face is clear, write its crop at once."""
        todo = [photo for photo in self.photos if not self._kept(journal, photo)]
        resumed = len(self.photos) - len(todo)
        self.advance(resumed)
        with ExitStack() as stack:
            for photo, seen in zip(todo, self._seen(todo, stack), strict=True):
                journal.record(_key(photo), seen)
                self.advance(1)
        journal.sync()
        return resumed

    def _seen(self, todo: Sequence[Photo], stack: ExitStack) -> Iterator[dict[str, Any]]:
        """What is seen in each photo, by processes of one thread each: threads hinder each other here.

        With one worker or few photos it is done in this process, and also where a worker process knows
        less than this one, such as a detector registered by the caller's own program. ``stack`` ends it.
        """
        stage = Each(self.extractor.see)
        if self.workers > 1 and len(todo) >= _LEAST_PHOTOS:
            with suppress(UsageError):
                return stack.enter_context(Processes(self.workers)).map_batches(stage, todo)
        return stack.enter_context(Threads(self.workers)).map_batches(stage, todo)

    def _kept(self, journal: Journal, photo: Photo) -> bool:
        """Whether an earlier run did this photo and its crops are still what it wrote."""
        seen = journal.done.get(_key(photo))
        if seen is None or seen["stem"] != photo.stem:
            return False
        return all(self._intact(*crop) for crop in seen["crops"].values())

    def _intact(self, relative: str, digest: str) -> bool:
        """Whether a crop is as it was written; one that a power failure left unreadable is taken away."""
        path = self.out / relative
        if not path.is_file():
            return False
        if sha256_of(path) == digest:
            return True
        try:
            images.load(path)
        except PictureError:
            path.unlink()
        return False

    def _choose_all(self, journal: Journal) -> dict[str, list[Choice]]:
        """Decide the photos with several faces by their subject's other photos, and write their crops."""
        by_subject: dict[str | None, list[Photo]] = {}
        for photo in self.photos:
            for subject in dict.fromkeys(row.subject for row in photo.rows):
                by_subject.setdefault(subject, []).append(photo)
        every = self.settings.faces == "all"
        choices: dict[str, list[Choice]] = {photo.path: [] for photo in self.photos}
        for subject, photos in by_subject.items():
            seen = [_sighting(journal, photo) for photo in photos]
            rows = [[row for row in photo.rows if row.subject == subject] for photo in photos]
            among = [photo.rows for photo in photos]
            found = choose(rows, seen, None if subject is None else self.same, every=every, among=among)
            for photo, chosen in zip(photos, found, strict=True):
                choices[photo.path] += chosen
        todo = [
            (photo, face)
            for photo in self.photos
            for face in sorted({c.face for c in choices[photo.path]})
            if self._crop(journal, photo, face) is None
        ]
        sightings = {photo.path: _sighting(journal, photo) for photo, _ in todo}

        def write(task: tuple[Photo, int]) -> tuple[str, str]:
            photo, face = task
            seen = sightings[photo.path]
            image = images.load(photo.file, min_side=LOOK_SIDE if seen.scale != 1 else None)
            return self.extractor.write(photo, seen, face, image)

        with Threads(self.workers) as engine:
            for (photo, face), crop in zip(todo, engine.map_batches(Each(write), todo), strict=True):
                journal.record(_key(photo, face), crop)
        journal.sync()
        return choices

    def _crop(self, journal: Journal, photo: Photo, face: int) -> tuple[str, str] | None:
        """Path and SHA-256 of a crop that is written already."""
        crop = journal.done[_key(photo)]["crops"].get(str(face)) or journal.done.get(_key(photo, face))
        return tuple(crop) if crop is not None and self._intact(*crop) else None

    def _finish(
        self,
        journal: Journal,
        choices: Mapping[str, list[Choice]],
        stated: Mapping[str, Any],
        resumed: int,
    ) -> Extraction:
        rows: list[ManifestRow] = []
        undetected, refused = [], []
        for photo in self.photos:
            seen = _sighting(journal, photo)
            if seen.status is Status.REFUSED:
                refused.append((photo.path, seen.error or ""))
            elif not choices[photo.path]:
                undetected.append(photo.path)
            for number, choice in enumerate(choices[photo.path]):
                rows.append(self._row(journal, photo, seen, choice, number))
        remove_stale(self.out, journal, {row.path for row in rows})
        with replacing(self.out / _UNDETECTED, OWN) as file:
            file.writelines(f"{shown(path, limit=None)}\n" for path in undetected)
        with replacing(self.out / _REFUSED, OWN) as file:
            file.writelines(f"{shown(p, limit=None)}\t{shown(e, limit=None)}\n" for p, e in refused)
        _draw_sheet(self.out, rows)
        counts = {"photos": len(self.photos), "undetected": len(undetected), "refused": len(refused)}
        manifest = replace(self.source, folder=self.out).with_rows(rows, step="extract", **stated, **counts)
        manifest.save(self.out / MANIFEST_NAME)
        return Extraction(
            **counts, faces=len(rows), resumed=resumed, twins=_twins(self.photos), manifest=manifest
        )

    def _row(
        self, journal: Journal, photo: Photo, seen: Sighting, choice: Choice, number: int
    ) -> ManifestRow:
        crop = self._crop(journal, photo, choice.face)
        if crop is None:
            raise OutputError(f"{self.out}: a crop that was just written is gone")
        relative, digest = crop
        transform = self.extractor.transform(seen, choice.face, 1.0)
        box, points = moved(seen.boxes[choice.face], seen.landmarks[choice.face], transform)
        row = choice.row
        labels = dict(row.labels)
        if choice.by != "only":
            labels["chosen_by"] = choice.by
        return replace(
            row,
            id=row_id(digest, relative, number if len(photo.rows) > 1 else None),
            path=relative,
            sha256=digest,
            size_wh=(self.settings.style.size, self.settings.style.size),
            box=_rounded(box),
            landmarks=None if np.isnan(points).any() else tuple(_rounded(point) for point in points),
            labels=labels,
            parent=self.origins.find(row.id),
            step="extract",
            outcome="ok",
            error=None,
            quality=None if choice.by == "label" else round(float(seen.quality[choice.face]), 4),
        )


def _photos(source: Manifest) -> list[Photo]:
    """Every picture once, ordered by path, with the rows that speak of it."""
    rows: dict[str, list[ManifestRow]] = {}
    for row in source:
        rows.setdefault(row.path, []).append(row)
    stems = crop_names.crop_stems(rows)
    return [Photo(path, tuple(rows[path]), stems[path], source.folder / path) for path in sorted(rows)]


def _twins(photos: Iterable[Photo]) -> tuple[tuple[str, ...], ...]:
    folders = crop_names.twins(str(PurePosixPath(photo.path).parent) for photo in photos)
    return tuple(map(tuple, folders))


def _draw_sheet(out: Path, rows: Iterable[ManifestRow]) -> None:
    from lineament.plots.contact_sheet import contact_sheet, sheet_legend

    people: dict[str, list[Path]] = {}
    for row in sorted(rows, key=lambda row: row.path):
        people.setdefault(row.subject or "", []).append(out / row.path)
    images.save(out / "contact_sheet.jpg", contact_sheet(people), kind=SHEET)
    if legend := sheet_legend(people):
        with replacing(out / "contact_sheet.txt", OWN) as file:
            file.write("\n".join(legend) + "\n")


def _key(photo: Photo, face: int | None = None) -> str:
    """Of the journal: bound to the photo's bytes, so that a changed photo is done again."""
    what = "" if face is None else f"/{face}"
    return f"{photo.rows[0].sha256}{what}:{photo.path}"


def _sighting(journal: Journal, photo: Photo) -> Sighting:
    return Sighting.from_json(journal.done[_key(photo)])


def _rounded(values: Any) -> Any:
    return tuple(round(float(value), 3) for value in np.asarray(values))
