"""An album: a folder of embeddings and decisions about photos that stay where they are.

Every change is on disk, whole, when its method returns. Nobody else can change the album while it is open.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

from filelock import FileLock, Timeout

from lineament.albums import arranging, correcting
from lineament.albums.arranging import Arranged
from lineament.albums.file import FILE_NAME, Contents, face_of, load, save
from lineament.albums.records import (
    AlbumDecision,
    AlbumFace,
    Cluster,
    Kind,
    Photo,
    Proposal,
    Reference,
)
from lineament.errors import AlbumError, ConfigError
from lineament.io.digests import sha256_of
from lineament.io.journal import Journal
from lineament.io.permissions import file_mode
from lineament.io.writing import make_folder
from lineament.protocols import Advance
from lineament.shown import shown
from lineament.types import Faces, ModelId, Outcome, Status

T = TypeVar("T")

JOURNAL_NAME = "unfinished.jsonl"


class PhotoAnalyzer(Protocol):
    """What an album needs of `lineament.analyzer.Analyzer`."""

    def analyze(self, sources: Iterable[Any], *, digests: bool = False) -> Iterator[Outcome]:
        """One outcome a source, in order."""
        ...


@dataclass(slots=True, eq=False)
class Added:
    """What became of the photos given: ``seen`` maps each path to its photo's digest, in the order given.

    ``known`` photos were in the album before, or are copies of others given; ``refused`` ones are told by
    their outcomes.
    """

    seen: dict[str, str] = field(default_factory=dict)
    new: int = 0
    known: int = 0
    faces: int = 0
    without: int = 0
    refused: list[Outcome] = field(default_factory=list)

    __repr__ = shown


class Album:
    """Photos grouped by person, in the folder ``path``, or in memory alone without one.

    With ``create`` false a folder that holds no album is an `AlbumError`. Raises `AlbumError` also where
    somebody else has it open.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None, *, create: bool = False) -> None:
        self.path = None if path is None else Path(path)
        self._lock: FileLock | None = None
        self._held = Contents()
        if self.path is None:
            return
        file = self.path / FILE_NAME
        if not create and not file.is_file():
            raise AlbumError(
                f"{self.path}: holds no album; `lineament cluster PHOTOS --album DIR` makes one"
            )
        make_folder(self.path)
        self._lock = FileLock(self.path / ".lock", mode=file_mode(), timeout=0)
        try:
            self._lock.acquire()
        except Timeout:
            raise AlbumError(f"{self.path}: is open in another process; wait until it ends") from None
        try:
            if file.exists():
                self._held = load(file)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let others open it."""
        if self._lock is not None:
            self._lock.release()

    # Reading

    @property
    def detector(self) -> str | None:
        """The detector that found the faces, by its spec."""
        return self._held.detector

    def faces(self) -> list[AlbumFace]:
        """Every face, by number, those that are none included."""
        return [face for _, face in sorted(self._held.faces.items())]

    def photo(self, face: AlbumFace) -> Photo:
        """The photo of a face."""
        return self._held.photos[face.photo]

    def photos(self) -> list[Photo]:
        """Every photo, in the order they came."""
        return list(self._held.photos.values())

    def clusters(self) -> list[tuple[Cluster, list[AlbumFace]]]:
        """Each cluster with its faces, the best first: named ones, then others by size, ignored last."""
        members: dict[int, list[AlbumFace]] = {number: [] for number in self._held.clusters}
        for face in self.faces():
            if face.cluster is not None:
                members[face.cluster].append(face)
        for own in members.values():
            own.sort(key=lambda face: (-(face.quality or 0.0), face.number))
        listed = [(self._held.clusters[number], own) for number, own in members.items()]
        return sorted(
            listed,
            key=lambda one: (one[0].ignored, one[0].name is None, one[0].name, -len(one[1]), one[0].number),
        )

    def cluster(self, number: int | None) -> Cluster | None:
        """The cluster of this number."""
        return None if number is None else self._held.clusters.get(number)

    def members(self, about: Reference) -> list[AlbumFace]:
        """The faces of a cluster, or the one face; raises `UnknownReference`."""
        return correcting.members(self._held, about)

    def proposals(self) -> list[Proposal]:
        """What may be wrong, as the last run saw it, without what was decided since."""
        return [one for one in self._held.proposals if correcting.is_open(self._held, one)]

    def history(self) -> list[AlbumDecision]:
        """Every decision, in order, those taken back included."""
        return list(self._held.decisions)

    # Adding and grouping

    def add(
        self,
        analyzer: PhotoAnalyzer,
        photos: Sequence[str],
        *,
        detector: str | None = None,
        advance: Advance = lambda _count: None,
    ) -> Added:
        """Analyse the photos that are not known yet; each is kept beside the album until all are done.

        Photos are known by their bytes: a copy or a moved photo is not analysed again. Ended early, the
        next call goes on. ``advance`` is told of photos. Raises `ModelMismatch` for another embedder than
        the album's.
        """
        added = Added()
        fresh = self._unknown(photos, added, advance)
        digests = list(fresh)
        with _Kept(self.path) as kept:
            outcomes = analyzer.analyze([fresh[digest] for digest in digests if digest not in kept.done])
            for digest in digests:
                if digest not in kept.done:
                    outcome = next(outcomes)
                    if outcome.status is Status.REFUSED:
                        added.refused.append(outcome)
                        del added.seen[fresh[digest]]
                        advance(1)
                        continue
                    kept.record(digest, _found(outcome))
                self._take(digest, fresh[digest], kept.done[digest], added)
                advance(1)
            if added.new and self._held.detector is None:
                self._held.detector = detector
            self._save()
            kept.finish()
        return added

    def _unknown(self, photos: Sequence[str], added: Added, advance: Advance) -> dict[str, str]:
        """By digest the photos to analyse; the place of those that moved is put right."""
        fresh: dict[str, str] = {}
        for path in dict.fromkeys(photos):
            try:
                digest = sha256_of(Path(path))
            except (OSError, ValueError):
                digest = f"unread {path}"  # the analyzer says by name what is wrong with it
            added.seen[path] = digest
            known = self._held.photos.get(digest)
            if known is None and digest not in fresh:
                fresh[digest] = path
                continue
            if known is not None and not Path(known.path).exists():
                self._held.photos[digest] = replace(known, path=os.path.abspath(path))  # noqa: PTH100
            added.known += 1
            advance(1)
        return fresh

    def _take(self, digest: str, path: str, found: dict[str, Any], added: Added) -> None:
        if found["model"] is not None:
            model = ModelId(**found["model"])
            if self._held.model is None:
                self._held.model = model
            self._held.model.require(model)
        rows = found["faces"]
        self._held.photos[digest] = Photo(digest, os.path.abspath(path), len(rows))  # noqa: PTH100
        for values in rows:
            face = face_of({**values, "photo": digest, "number": self._held.next_face})
            self._held.faces[face.number] = face
            self._held.next_face += 1
        added.new += 1
        added.faces += len(rows)
        added.without += not rows

    def arrange(self, *, advance: Advance = lambda _count: None) -> Arranged:
        """Group the faces that are in no cluster; numbers of clusters never change. See `arranging`."""
        done = arranging.arrange(self._held, advance=advance)
        self._save()
        return done

    # Correcting

    def decide(self, kind: Kind, about: Sequence[Reference], *, name: str | None = None) -> AlbumDecision:
        """What somebody decided, kept by every later run; see `correcting` for what each kind does.

        Raises `UnknownReference`, `Contradiction`, `UsageError`.
        """
        return self._changed(lambda: correcting.decide(self._held, kind, about, name))

    def undo(self) -> AlbumDecision:
        """Take back the last decision that was not; raises `AlbumError` where there is none."""
        return self._changed(lambda: correcting.undo(self._held))

    def forget(self, about: Sequence[Reference]) -> int:
        """Erase faces for good, with their embeddings and what was said of them; returns how many.

        Their photos stay known, so that a later run does not find them again, unless the file changed. It
        cannot be undone. Raises `UnknownReference`.
        """
        return self._changed(lambda: correcting.forget(self._held, about))

    def _changed(self, change: Callable[[], T]) -> T:
        result = change()
        self._save()
        return result

    def _save(self) -> None:
        if self.path is not None:
            save(self.path / FILE_NAME, self._held)


class _Kept:
    """Photos analysed and not yet in the album: a journal in its folder, or memory."""

    def __init__(self, folder: Path | None) -> None:
        self._journal = None if folder is None else Journal(folder / JOURNAL_NAME)
        self.done: dict[str, Any] = {} if self._journal is None else self._journal.done

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._journal is not None:
            self._journal.__exit__(kind, error, trace)

    def record(self, digest: str, values: dict[str, Any]) -> None:
        if self._journal is None:
            self.done[digest] = values
        else:
            self._journal.record(digest, values)

    def finish(self) -> None:
        if self._journal is not None:
            self._journal.finish()


def _found(outcome: Outcome) -> dict[str, Any]:
    """What is kept of a photo's faces; raises `ConfigError` for faces without embeddings."""
    faces = outcome.faces
    if len(faces) and faces.embeddings is None:
        raise ConfigError("an album needs embeddings; use an analyzer with an embedder")
    model = None if faces.model is None else {"name": faces.model.name, "sha256": faces.model.sha256}
    return {"model": model, "faces": [_face(faces, row) for row in range(len(faces))]}


def _face(faces: Faces, row: int) -> dict[str, Any]:
    face = faces.face(row)
    assert face.embedding is not None
    age = face.attributes.get("age")
    x0, y0, x1, y1 = (round(float(edge), 2) for edge in face.box)
    values = AlbumFace(
        number=0,
        photo="",
        face=row + 1,
        box=(x0, y0, x1, y1),
        vector=face.embedding.vector,
        length=None if faces.embedding_lengths is None else float(face.embedding.length),
        quality=None if face.quality is None else round(face.quality.score, 4),
        age=None if age is None else float(age),
    ).to_json()
    return {key: value for key, value in values.items() if key not in ("number", "photo")}
