"""The folder that collecting fills: pictures by subject, a journal of every outcome, and the manifest.

The journal stays: it is the record of what was refused and why, and what a later run goes on from. A
picture is on disk before its line is in the journal, and the line is synced before the next is begun, so
a kill at any moment costs at most the answers that were under way.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from filelock import FileLock, Timeout

from lineament.datasets.collect.people import Person
from lineament.datasets.collect.politeness import passing
from lineament.documents import json_of
from lineament.errors import (
    CollectError,
    DuplicatePicture,
    ManifestError,
    PictureError,
    UsageError,
)
from lineament.io import images
from lineament.io.formats import Format, sniff
from lineament.io.journal import Journal
from lineament.io.manifest import MANIFEST_NAME, Manifest, ManifestRow, Provenance, row_id
from lineament.io.own_files import OWN
from lineament.io.permissions import file_mode
from lineament.io.writing import LEFTOVER, make_folder, replacing, sync, unwritable

JOURNAL_NAME = "collect.journal"
STEP = "collect"
NO_FACE_FOLDER = "no-face"
"""Of pictures of nobody; no subject's folder is called so."""
_NOBODY = ""
_LOCK_NAME = ".collect.lock"
_SUFFIX = {
    Format.JPEG: ".jpg",
    Format.PNG: ".png",
    Format.WEBP: ".webp",
    Format.GIF: ".gif",
    Format.BMP: ".bmp",
    Format.TIFF: ".tif",
    Format.AVIF: ".avif",
    Format.PNM: ".ppm",
}


@dataclass(frozen=True, slots=True)
class Gathered:
    """What became of one picture: its ``path`` below the folder, or the named ``error``.

    ``subject`` is None of a picture without a face. ``origin`` is its URL, file, or moment of a video.
    """

    subject: str | None
    origin: str
    path: str | None = None
    error: CollectError | PictureError | None = None

    @property
    def outcome(self) -> str:
        """``kept``, or the name of the error."""
        return "kept" if self.error is None else type(self.error).__name__


class Collection:
    """Open it, `keep` and `refuse` from any thread, close it: the manifest is then up to date.

    ``settings`` are recorded in the manifest's step beside purpose and names. Raises `UsageError` without
    people or purpose or when another process is filling the folder, and `ManifestError` when the
    manifest there went through further steps.
    """

    def __init__(
        self, folder: Path, people: Sequence[Person], *, purpose: str, source: str, **settings: Any
    ) -> None:
        if not purpose.strip():
            raise UsageError("collecting photos of people needs a stated purpose: --purpose TEXT")
        if not people:
            raise UsageError("collecting needs a list of the people it is for")
        self.folder = folder
        self.people = {person.subject: person for person in people}
        self.purpose = purpose.strip()
        self.source = source
        self.counts: Counter[str] = Counter()
        self._settings = settings
        self._guard = threading.RLock()
        self._digests: dict[str, set[str]] = {}
        self._by_origin: dict[str, Mapping[str, Any]] = {}
        self._before = Manifest((), (), folder)

    def __enter__(self) -> Self:
        try:
            make_folder(self.folder)
            self._lock = FileLock(self.folder / _LOCK_NAME, mode=file_mode())
            self._lock.acquire(timeout=0)
        except Timeout:
            raise UsageError(f"{self.folder}: another collect is filling this folder") from None
        except OSError as error:
            raise UsageError(unwritable(self.folder, error)) from None
        try:
            self._open()
        except BaseException:
            self._lock.release()
            raise
        return self

    def _open(self) -> None:
        manifest = self.folder / MANIFEST_NAME
        if manifest.exists():
            self._before = Manifest.load(manifest)
            if any(step.get("step") != STEP for step in self._before.steps):
                raise ManifestError(f"{manifest} went through further steps; collect into another folder")
        for partial in self.folder.glob("*/.*"):
            if LEFTOVER.fullmatch(partial.name):
                partial.unlink(missing_ok=True)
        self._journal = Journal(self.folder / JOURNAL_NAME, sync_every=1)
        for key, value in self._journal.done.items():
            if value.get("outcome") == "kept":
                self._digests.setdefault(value["subject"] or _NOBODY, set()).add(value["sha256"])
                self._by_origin.setdefault(json_of(key)[-1], value)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            with self._journal:
                if self.counts or not isinstance(error, UsageError):  # a wrong call leaves no manifest
                    self.save()
        except OSError as problem:
            raise CollectError(unwritable(self.folder, problem)) from problem
        finally:
            self._lock.release()

    def kept(self, subject: str | None) -> int:
        """How many pictures the subject has; of None, how many show nobody."""
        with self._guard:
            return len(self._digests.get(subject or _NOBODY, ()))

    def labelled(self, subject: str, label: str) -> Counter[str]:
        """How many pictures the subject has by the values of a label."""
        with self._guard:
            values = list(self._journal.done.items())
        return Counter(
            str(value["labels"][label])
            for key, value in values
            if json_of(key)[0] == "picture"
            and value["outcome"] == "kept"
            and value["subject"] == subject
            and label in value["labels"]
        )

    def holds(self, subject: str | None, data: bytes) -> bool:
        """Whether the subject has a picture of these very bytes; of None, whether one shows nobody."""
        with self._guard:
            return hashlib.sha256(data).hexdigest() in self._digests.get(subject or _NOBODY, ())

    def settled(self, subject: str | None, origin: str) -> bool:
        """Whether a picture's outcome is final; one refused for a passing reason may be tried again."""
        with self._guard:
            value = self._journal.done.get(_key("picture", subject or _NOBODY, origin))
        return value is not None and not value.get("passing", False)

    def copy_of(self, origin: str, person: Person) -> Gathered | None:
        """The picture from another subject's folder, when it was fetched for them already."""
        with self._guard:
            value = self._by_origin.get(origin)
        if value is None:
            return None
        try:
            data = (self.folder / value["path"]).read_bytes()
        except OSError:
            return None
        return self.keep(person, origin, data, Provenance(**value["provenance"]))

    def keep(
        self,
        person: Person | None,
        origin: str,
        data: bytes,
        provenance: Provenance,
        *,
        quality: float | None = None,
        **labels: str | float,
    ) -> Gathered:
        """Check a picture's content and put its bytes, unchanged, into the subject's folder.

        ``person`` None is for a picture without a face, which teaches a detector what is none. One that
        cannot be read or is there already is refused. Raises `CollectError` itself when the disk refuses,
        which ends the run; nothing is half-written then.
        """
        try:
            image = images.load(data, name=origin)
        except PictureError as error:
            return self.refuse(person, origin, error)
        digest = hashlib.sha256(data).hexdigest()
        subject = _NOBODY if person is None else person.subject
        with self._guard:
            if digest in self._digests.setdefault(subject, set()):
                return self.refuse(person, origin, DuplicatePicture(f"{digest} is there already"))
            self._digests[subject].add(digest)
        found = sniff(data)
        assert found is not None  # images.load has just read it
        folder = NO_FACE_FOLDER if person is None else person.folder
        path = f"{folder}/{digest[:20]}{_SUFFIX[found]}"
        provenance = replace(
            provenance,
            fetched_at=provenance.fetched_at or timestamp(),
            keyword=None if person is None else person.keyword,
            purpose=self.purpose,
        )
        try:
            _write(self.folder / path, data)
        except OSError as error:
            with self._guard:
                self._digests[subject].discard(digest)
            raise CollectError(unwritable(self.folder, error)) from error
        value = {
            "outcome": "kept",
            "subject": subject or None,
            "path": path,
            "sha256": digest,
            "size_wh": list(image.size_wh),
            "provenance": {k: v for k, v in asdict(provenance).items() if v is not None},
            "labels": labels,
            "quality": quality,
        }
        with self._guard:
            self._journal.record(_key("picture", subject, origin), value)
            self._by_origin.setdefault(origin, value)
            self.counts["kept"] += 1
        return Gathered(subject or None, origin, path)

    def refuse(self, person: Person | None, origin: str, error: CollectError | PictureError) -> Gathered:
        """Record why a picture was not kept."""
        subject = _NOBODY if person is None else person.subject
        value = {
            "outcome": "refused",
            "subject": subject or None,
            "error": _told(error),
            "passing": isinstance(error, CollectError) and passing(error),
        }
        with self._guard:
            self._journal.record(_key("picture", subject, origin), value)
            self.counts[type(error).__name__] += 1
        return Gathered(subject or None, origin, error=error)

    def search_failed(self, person: Person, search: str, error: CollectError) -> Gathered:
        """Record why a search for a person gave nothing; no picture is settled by it."""
        value = {"outcome": "refused", "subject": person.subject, "error": _told(error), "at": timestamp()}
        with self._guard:
            self._journal.record(_key("search", person.subject, search, person.keyword), value)
            self.counts[f"search: {type(error).__name__}"] += 1
        return Gathered(person.subject, f"search {search} for {person.keyword}", error=error)

    def count(self, name: str, number: int = 1) -> None:
        """Count an outcome that is not a picture's."""
        with self._guard:
            self.counts[name] += number

    def noted(self, *key: str) -> Any:
        """What `note` was told under this key, in this run or an earlier one; None if nothing."""
        with self._guard:
            value = self._journal.done.get(_key("note", *key))
        return None if value is None else value["value"]

    def note(self, *key: str, value: Any) -> None:
        """Keep an intermediate result, such as a page of search results, over a kill."""
        with self._guard:
            self._journal.record(_key("note", *key), {"value": value})

    def save(self) -> Manifest:
        """Write the manifest: what was there, and every picture kept whose file still exists."""
        with self._guard:
            values = dict(self._journal.done)
        rows = {row.id: row for row in self._before.rows}
        for key, value in values.items():
            if json_of(key)[0] != "picture" or value["outcome"] != "kept":
                continue
            if not (self.folder / value["path"]).is_file():
                continue  # somebody removed it since, which is theirs to decide; it is not fetched again
            row = _row(value)
            rows.setdefault(row.id, row)
        outcomes = Counter(
            value["error"]["type"] if value["outcome"] == "refused" else value["outcome"]
            for key, value in values.items()
            if json_of(key)[0] == "picture"
        )
        step: Mapping[str, Any] = {
            "source": self.source,
            "purpose": self.purpose,
            "names": sorted(self.people),
            **self._settings,
        }
        steps = self._before.steps
        if steps and {k: v for k, v in steps[-1].items() if k not in ("step", "outcomes")} == step:
            steps = steps[:-1]
        manifest = Manifest((), steps, self.folder).with_rows(
            [row for row in rows.values() if (self.folder / row.path).is_file()],
            STEP,
            **step,
            outcomes=dict(sorted(outcomes.items())),
        )
        manifest.save(self.folder / MANIFEST_NAME)
        return manifest


def timestamp() -> str:
    """Now, in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _row(value: Mapping[str, Any]) -> ManifestRow:
    return ManifestRow(
        row_id(value["sha256"], value["path"]),
        value["path"],
        value["sha256"],
        size_wh=(value["size_wh"][0], value["size_wh"][1]),
        subject=value["subject"],
        labels=value.get("labels", {}),
        step=STEP,
        outcome="ok" if value["subject"] else "no_face",
        quality=value.get("quality"),
        provenance=Provenance(**value["provenance"]),
    )


def _told(error: Exception) -> dict[str, str]:
    return {"type": type(error).__name__, "message": str(error)}


def _key(*parts: str) -> str:
    return json.dumps(parts, ensure_ascii=True)


def _write(path: Path, data: bytes) -> None:
    with replacing(path, OWN, binary=True) as file:
        file.write(data)
    sync(path.parent)
