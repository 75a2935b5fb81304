"""The manifest: one versioned file that follows every picture from its source to the split it ended in.

JSON Lines. The first line is the header; each further line is one row, a picture or one face of it, in the
order of their ids, keys sorted, so that equal data sets give equal bytes. A manifest appears whole or not
at all; a step that may be interrupted keeps its finished rows in a journal (`lineament.io.journal`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any, Literal, Self

from lineament import typed
from lineament.counting import quantity
from lineament.documents import Malformed, json_of, lines_of
from lineament.errors import ManifestError, PictureOutside
from lineament.io.own_files import MANIFEST
from lineament.io.sources import lies_within
from lineament.io.writing import replacing

MANIFEST_NAME = "manifest.jsonl"
"""What a manifest is called in a folder of its own."""
VERSION = 1
_ENTRY = b'{"key": '
Box = tuple[float, float, float, float]
Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a picture came from and on what terms: URL of the file, of its page, licence, author, when."""

    url: str | None = None
    page: str | None = None
    licence: str | None = None
    author: str | None = None
    fetched_at: str | None = None
    keyword: str | None = None
    purpose: str | None = None
    consent: str | None = None


_FURTHEST_PX = 1e9
"""Beyond it products of sides leave what 32 bits hold; pictures have 65,535."""


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """A picture, or one face of it.

    ``path`` is relative to the manifest's folder, with ``/``. ``sha256`` is of the file's bytes. ``box``
    (xyxy) and ``landmarks`` (five points) are in pixels of the upright picture. ``labels`` holds attributes
    and classes. ``parent`` is the id of the row this one was augmented from, or that all crops of one photo
    share: of one of its rows, or of what those were made from. ``step`` is what made the row.
    ``repeats`` is how often an epoch sees it: balancing up refers, it never copies.
    """

    id: str
    path: str
    sha256: str
    size_wh: tuple[int, int] | None = None
    subject: str | None = None
    split: str | None = None
    box: Box | None = None
    landmarks: Points | None = None
    labels: Mapping[str, str | float] = field(default_factory=dict)
    parent: str | None = None
    step: str = ""
    outcome: Literal["ok", "no_face", "refused"] = "ok"
    error: str | None = None
    quality: float | None = None
    repeats: int = 1
    provenance: Provenance = field(default_factory=Provenance)

    def __post_init__(self) -> None:
        pure = PurePosixPath(self.path)
        if not self.path or pure.is_absolute() or ".." in pure.parts or "\0" in self.path:
            raise ManifestError(f"row {self.id}: path {self.path!r} does not lie below the manifest")
        if self.repeats < 0:
            raise ManifestError(f"row {self.id}: repeats is negative")
        for x in (*(self.box or ()), *(side for point in self.landmarks or () for side in point)):
            if not abs(x) <= _FURTHEST_PX:
                raise ManifestError(f"row {self.id}: {x:.6g} is no place in a picture, in pixels")

    def to_json(self) -> str:
        """The row as one canonical line without its newline; what has its default is left out."""
        values = {k: v for k, v in asdict(self).items() if v not in (None, {}, "")}
        values["provenance"] = {k: v for k, v in asdict(self.provenance).items() if v is not None}
        if self.repeats == 1:
            del values["repeats"]
        if self.outcome == "ok":
            del values["outcome"]
        if not values["provenance"]:
            del values["provenance"]
        try:
            return json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)
        except ValueError:
            raise ManifestError(f"row {self.id}: holds a number that is none") from None

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Build a row; raises `ManifestError` for unknown keys or shapes that do not fit."""
        if isinstance(values, dict) and values.get("outcome") == "refused":
            values = {"sha256": "", **values}  # of a picture that was not read
        try:
            return typed.build(cls, values)
        except ValueError as error:
            name = values.get("id") if isinstance(values, dict) else None
            raise ManifestError(f"row {name!r:.60}: {error}") from None


def row_id(sha256: str, path: str, face: int | None = None) -> str:
    """The stable id of a row: from the picture's bytes, its path, and which of its faces this is."""
    text = f"{sha256}\0{path}\0{'' if face is None else face}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:20]


@dataclass(frozen=True, slots=True)
class Manifest:
    """Rows ordered by id, with the ``steps`` (name and settings) that led to them, oldest first."""

    rows: tuple[ManifestRow, ...]
    steps: tuple[Mapping[str, Any], ...] = ()
    folder: Path = Path()

    def __post_init__(self) -> None:
        ordered = tuple(sorted(self.rows, key=lambda row: row.id))
        for a, b in pairwise(ordered):
            if a.id == b.id:
                raise ManifestError(f"two rows have the id {a.id}: {a.path} and {b.path}")
        object.__setattr__(self, "rows", ordered)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[ManifestRow]:
        return iter(self.rows)

    def file(self, row: ManifestRow) -> Path:
        """The row's picture on disk."""
        return self.folder / row.path

    def file_inside(self, row: ManifestRow) -> Path:
        """The same for showing and copying; raises `PictureOutside` where a link leads out of the folder.

        A manifest that was made following links (its steps say so), and a folder a person, which is the
        user's own, may lead anywhere.
        """
        file = self.file(row)
        if not self.follows_links and not lies_within(file, self.folder):
            raise outside(row.path, self.folder)
        return file

    @property
    def follows_links(self) -> bool:
        """Whether links out of the folder were meant."""
        return any(step.get("follow_links") is True or step.get("step") == "folder" for step in self.steps)

    def digest(self) -> str:
        """SHA-256 over the rows: what a trained model records as its data."""
        total = hashlib.sha256()
        for row in self.rows:
            total.update(row.to_json().encode() + b"\n")
        return total.hexdigest()

    def with_rows(self, rows: Iterable[ManifestRow], step: str, **settings: Any) -> Manifest:
        """The next version of this manifest: other rows, and the step that made them."""
        return replace(self, rows=tuple(rows), steps=(*self.steps, {"step": step, **settings}))

    def save(self, path: Path) -> None:
        """Write atomically: an interrupted save leaves the file as it was.

        Raises `WouldOverwrite` for a file that is no manifest, and `OutputError` where the disk refuses.
        """
        header = {"lineament_manifest": VERSION, "rows": len(self.rows), "steps": list(self.steps)}
        with replacing(path, MANIFEST) as file:
            file.write(json.dumps(header, sort_keys=True, separators=(",", ":")) + "\n")
            for row in self.rows:
                file.write(row.to_json() + "\n")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a manifest; raises `ManifestError` naming the line that is wrong."""
        try:
            with path.open("rb") as file:
                lines = lines_of(file)
                header = _header(path, next(lines, b""))
                rows = []
                for number, line in enumerate(lines, 2):
                    try:
                        rows.append(ManifestRow.from_json(json_of(line)))
                    except Malformed as error:
                        begins = line.strip()[:40].decode("utf-8", "replace")
                        raise ManifestError(
                            f"{path}, line {number}: {error}: {begins!r}; if the file was "
                            "cut off or changed, make it again with the command that wrote it"
                        ) from None
                    except ManifestError as error:
                        raise ManifestError(f"{path}, line {number}: {error}") from error
        except (OSError, Malformed) as error:
            raise ManifestError(f"{path}: cannot be read as a manifest: {error}") from error
        if header.rows != len(rows):
            raise ManifestError(f"{path}: announces {quantity(header.rows, 'row')} and holds {len(rows)}")
        return cls(tuple(rows), header.steps, path.parent)


@dataclass(frozen=True, slots=True)
class _Header:
    lineament_manifest: int
    rows: int
    steps: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class _KnownOfStep:
    """What later steps read of earlier ones; whatever else a step says is kept as it is."""

    step: str | None = None
    format: str | None = None
    by: str | None = None
    follow_links: bool | None = None
    shares: tuple[tuple[str, float], ...] | None = None
    given: tuple[str, ...] | None = None
    classes: Mapping[str, str] | None = None
    removed: int | None = None
    photos: int | None = None
    undetected: int | None = None
    refused: int | None = None


@dataclass(frozen=True, slots=True)
class _KnownOfSettings:
    """The same of the settings of a step ``extract``."""

    size: int | None = None
    margin: float | None = None
    align: bool | None = None
    detector: str | None = None
    rotate: float | None = None
    from_boxes: bool | None = None


def _check(known: type[Any], values: Mapping[str, Any]) -> None:
    names = {one.name for one in fields(known)}
    typed.build(known, {key: value for key, value in values.items() if key in names})


def _header(path: Path, line: bytes) -> _Header:
    values = json_of(line)
    if not isinstance(values, dict) or "lineament_manifest" not in values:
        raise ManifestError(f"{path}: not a lineament manifest")
    try:
        if typed.whole(values["lineament_manifest"]) > VERSION:
            raise ManifestError(f"{path}: written by a newer lineament; update to read it")
        header = typed.build(_Header, values)
        for step in header.steps:
            _check(_KnownOfStep, step)
            if step.get("settings") is not None:
                _check(_KnownOfSettings, typed.table(step["settings"]))
        return header
    except ValueError as error:
        raise ManifestError(f"{path}, line 1: {error}") from None


def outside(path: str, folder: Path) -> PictureOutside:
    """The error for a picture that a link leads out of the folder; nothing of it was read."""
    return PictureOutside(
        f"{path}: a link leads it out of {folder}; it was not read; "
        "import with --follow-links where that is meant"
    )
