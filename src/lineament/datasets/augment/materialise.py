"""Augmented copies on disk: new pictures and rows for the training split, and for no other.

Each copy is a row with ``parent`` and ``step="augment"``. A row that balancing repeats gets that many
times more copies, so that repeats become different pictures. Pictures without a face get theirs like all
others: a detector learns from them what is none, and without them it sees faces in everything.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np

from lineament.datasets.augment.pipeline import Pipeline
from lineament.datasets.augment.sight import in_sight
from lineament.datasets.augment.view import View
from lineament.documents import json_of
from lineament.errors import ConfigError, ManifestError, PictureError, SplitError
from lineament.io import images
from lineament.io.journal import Journal
from lineament.io.manifest import Manifest, ManifestRow, row_id
from lineament.io.own_files import COPY
from lineament.io.writing import unwritable
from lineament.protocols import Advance
from lineament.types import Float32

FOLDER = ".augmented"
"""Hidden, so that reading the folder of photos again never takes copies for photos."""

TRAIN = "train"

_LONGEST_NAME = 200
"""Bytes of a file name that leave room for the copy's number; systems take 255."""


@dataclass(frozen=True, slots=True)
class Materialised:
    """The manifest with its new rows, and what became of every picture.

    ``made`` counts new pictures, ``resumed`` those of them found finished; ``refused`` names the pictures
    that could not be read, whose rows stay as they are; ``out_of_view`` counts faces of copies that left
    the picture: less than half of their box is to be seen there. ``before`` and ``after`` are the training
    pictures with and without a face.
    """

    manifest: Manifest
    made: int
    resumed: int = 0
    refused: Mapping[str, str] = field(default_factory=dict)
    out_of_view: int = 0
    before: Mapping[str, int] = field(default_factory=dict)
    after: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The JSON of the command."""
        return {
            "made": self.made,
            "resumed": self.resumed,
            "refused": dict(self.refused),
            "out_of_view": self.out_of_view,
            "balance": {"before": dict(self.before), "after": dict(self.after)},
            "rows": len(self.manifest),
        }


def training_rows(
    manifest: Manifest, *, split: str = TRAIN, unsplit: bool = False
) -> dict[str, list[ManifestRow]]:
    """The rows that may be augmented, by picture path; raises `SplitError` for any that may not.

    Pictures without a face are among them, with the row that says so.
    ``unsplit`` says that the manifest has no splits and all of it is for training.
    """
    if split != TRAIN:
        raise SplitError(f"only the split {TRAIN!r} is augmented: copies in {split!r} would flatter it")
    if unsplit and any(row.split is not None for row in manifest):
        raise SplitError("the manifest is split; take only its training split")
    wanted = None if unsplit else TRAIN
    by_path: dict[str, list[ManifestRow]] = defaultdict(list)
    for row in manifest:
        if row.outcome != "refused" and row.step != "augment" and row.repeats:
            by_path[row.path].append(row)
    chosen = {path: rows for path, rows in by_path.items() if any(r.split == wanted for r in rows)}
    for path, rows in chosen.items():
        if len({row.split for row in rows}) > 1:
            raise SplitError(f"{path}: its faces are in several splits; split again before augmenting")
    if not chosen:
        raise SplitError(
            f"no row is in the split {TRAIN!r}: split first (lineament dataset split), or say --unsplit "
            "where all is for training"
        )
    return chosen


def _require_usable(manifest: Manifest, pipeline: Pipeline, factor: int, below: PurePosixPath) -> None:
    if factor < 2:
        raise ConfigError(f"a factor of {factor} makes no copies")
    if pipeline.normalise is not None:
        raise ConfigError("normalised pictures are not written to disk; leave normalise to training")
    if any(row.step == "augment" for row in manifest):
        raise ManifestError("the manifest holds augmented rows already; start from the one before")
    if below.is_absolute() or ".." in below.parts or not below.parts:
        raise ManifestError(f"{str(below)!r} does not lie below the manifest")


def materialise(
    manifest: Manifest,
    pipeline: Pipeline,
    factor: int,
    *,
    folder: str = FOLDER,
    suffix: Literal[".jpg", ".png"] = ".jpg",
    unsplit: bool = False,
    journal: Path | None = None,
    advance: Advance = lambda _count: None,
) -> Materialised:
    """Write ``factor - 1`` changed copies of every training picture: 50 pictures become 500 with 10.

    Copies go below ``folder`` in the manifest's folder, under the paths of their parents. With a
    ``journal`` an interrupted run goes on where it stopped; it stays until the caller has saved the
    manifest and removes it. Raises `SplitError` for what is not training data, `ConfigError` for a factor
    below 2 or a step inside of boxes where there are none, `ManifestError` when the disk refuses.
    """
    below = PurePosixPath(folder)
    _require_usable(manifest, pipeline, factor, below)
    pictures = training_rows(manifest, unsplit=unsplit)
    within = [spec for spec in pipeline.specs if spec.startswith("inside:")]
    if within and all(row.box is None for faces in pictures.values() for row in faces):
        raise ConfigError(
            f"{within[0]}: no training row has a box to stay inside of; name the step without inside:, or "
            "import labels with boxes"
        )
    run = _Run(manifest, pipeline, below, suffix)
    rows = {row.id: row for row in manifest}
    made = resumed = out_of_view = 0
    refused: dict[str, str] = {}
    done: Journal | None = None
    try:
        done = Journal(journal) if journal is not None else None
        for path, faces in sorted(pictures.items()):
            copies = factor * max(face.repeats for face in faces) - 1
            key = run.key(faces, copies)
            lines = done.done.get(key) if done is not None else None
            if lines is not None and run.all_there(lines):
                new = [ManifestRow.from_json(json_of(line)) for line in lines]
                resumed += copies
            else:
                try:
                    new = list(run.copies(faces, copies))
                except PictureError as error:
                    refused[path] = f"{type(error).__name__}: {error}"
                    advance(1)
                    continue
                if done is not None:
                    done.record(key, [row.to_json() for row in new])
            made += copies
            out_of_view += copies * len(faces) - len(new)
            rows |= {face.id: replace(face, repeats=1) for face in faces}
            rows |= {row.id: row for row in new}
            advance(1)
    except OSError as error:
        raise ManifestError(unwritable("copies", error, "what is finished is kept")) from error
    finally:
        if done is not None:
            done.__exit__(None, None, None)
    wanted = None if unsplit else TRAIN
    before, after = _balance(manifest, wanted), _balance(rows.values(), wanted)
    settings = {"steps": list(pipeline.specs), "seed": pipeline.seed, "factor": factor}
    balance = {"before": before, "after": after}
    result = manifest.with_rows(rows.values(), step="augment", **settings, balance=balance)
    return Materialised(result, made, resumed, refused, out_of_view, before, after)


def _balance(rows: Iterable[ManifestRow], split: str | None) -> dict[str, int]:
    """Pictures of a split with and without a face."""
    own = [row for row in rows if row.split == split]
    faces = {row.path for row in own if row.outcome == "ok"}
    empty = {row.path for row in own if row.outcome == "no_face"} - faces
    return {"with_face": len(faces), "without_face": len(empty)}


@dataclass(frozen=True, slots=True)
class _Run:
    manifest: Manifest
    pipeline: Pipeline
    below: PurePosixPath
    suffix: str

    def key(self, faces: Sequence[ManifestRow], copies: int) -> str:
        """What a finished picture is known by: everything that its copies depend on."""
        parts = [self.pipeline.specs, self.pipeline.seed, copies, str(self.below), self.suffix]
        text = json.dumps([*parts, *(face.to_json() for face in faces)])
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    def all_there(self, lines: Sequence[str]) -> bool:
        return all((self.manifest.folder / json_of(line)["path"]).is_file() for line in lines)

    def copies(self, faces: Sequence[ManifestRow], copies: int) -> Iterator[ManifestRow]:
        pixels = images.load(self.manifest.file_inside(faces[0])).pixels
        empty = all(face.outcome == "no_face" for face in faces)
        view = View.of(pixels) if empty else faces_of(pixels, faces)
        source = PurePosixPath(faces[0].path)
        for epoch in range(1, copies + 1):
            changed = self.pipeline(pixels, view.boxes, view.landmarks, key=faces[0].id, epoch=epoch)
            # The whole old name stays in the new one: a.png and a.jpg must not meet.
            name = source.name if len(os.fsencode(source.name)) <= _LONGEST_NAME else faces[0].id
            path = self.below / source.with_name(f"{name}-{epoch:04}{self.suffix}")
            file = self.manifest.folder / path
            images.save(file, changed.pixels, quality=95, kind=COPY)
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            seen = in_sight(changed)
            for i, face in enumerate(faces):
                if not empty and not seen[i]:
                    continue
                yield replace(
                    face,
                    id=row_id(digest, path.as_posix(), i if len(faces) > 1 else None),
                    path=path.as_posix(),
                    sha256=digest,
                    size_wh=changed.size_wh,
                    box=None if face.box is None else _box(changed.boxes[i]),
                    landmarks=None if face.landmarks is None else _points(changed.landmarks[i]),
                    parent=face.id,
                    step="augment",
                    quality=None,
                    repeats=1,
                )


def faces_of(pixels: Any, faces: Sequence[ManifestRow]) -> View:
    """A picture with the boxes and landmarks of its rows, NaN where a row has none."""
    boxes = [face.box or (np.nan,) * 4 for face in faces]
    points = [face.landmarks or ((np.nan, np.nan),) * 5 for face in faces]
    return View.of(pixels, np.array(boxes, np.float32), np.array(points, np.float32))


def _box(box: Float32) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = (round(float(v), 2) for v in box)
    return x0, y0, x1, y1


def _points(points: Float32) -> tuple[tuple[float, float], ...]:
    return tuple((round(float(x), 2), round(float(y), 2)) for x, y in points)
