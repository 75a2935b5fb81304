"""Which pictures are versions of one photo, as their rows and names say: no pixel is looked at.

A row's label ``source_name`` says it, or a name that only one tool writes, or a tool's words behind a name
(``_flip``, ``_aug_3``) where the picture without them is there, or where siblings make them sure. A name
counts within a person's folder only, where the folder is a person's: everybody has a ``0001.jpg``.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from lineament.datasets.grouping.source_names import Ending, clip_of, ending_of, source_of, stem_of
from lineament.datasets.grouping.together import Union
from lineament.io.manifest import Manifest, ManifestRow

SOURCE_NAME = "source_name"
"""The label that holds the name a picture had before a tool made versions of it."""

_LEAST_FRAMES = 3

_Key = tuple[str, str]
"""The person in whose folder a picture lies, or nothing, and the name of its source."""


@dataclass(frozen=True, slots=True)
class Versions:
    """Sets of ids of rows. ``sure`` ones are versions of one photo; ``by`` counts their pictures by what
    says so.

    ``unsure`` ones may be, by words that may mean something else. ``clips`` are frames of one video each,
    by their names. ``pictures`` and ``unsure_pictures`` are how many pictures that is.
    """

    sure: tuple[frozenset[str], ...] = ()
    by: Mapping[str, int] = field(default_factory=dict)
    pictures: int = 0
    unsure: tuple[frozenset[str], ...] = ()
    unsure_pictures: int = 0
    clips: Mapping[str, frozenset[str]] = field(default_factory=dict)


def versions(manifest: Manifest) -> Versions:
    """What the rows and names of a manifest say about which pictures were made of one photo."""
    pictures: dict[str, list[ManifestRow]] = defaultdict(list)
    for row in manifest:
        pictures[row.path].append(row)
    work = _Names()
    for path, rows in sorted(pictures.items()):
        work.add(path, rows)
    unsure = work.join_endings()
    sure = work.groups()

    def ids(paths: Iterable[str]) -> frozenset[str]:
        return frozenset(row.id for path in paths for row in pictures[path])

    clips: dict[str, list[str]] = defaultdict(list)
    for key, paths in work.paths.items():
        for path in paths:
            if (clip := _cut_from(pictures[path]) or clip_of(path, stem_of(key[1]))) is not None:
                clips[clip].append(path)
    return Versions(
        tuple(map(ids, sure)),
        dict(
            sorted(
                Counter(work.said[path] for paths in sure for path in paths if path in work.said).items()
            )
        ),
        sum(map(len, sure)),
        tuple(map(ids, unsure)),
        sum(map(len, unsure)),
        {name: ids(paths) for name, paths in sorted(clips.items()) if len(paths) >= _LEAST_FRAMES},
    )


class _Names:
    """Pictures by the name of their source; ``said`` is what told it, where anything did."""

    def __init__(self) -> None:
        self.paths: dict[_Key, list[str]] = defaultdict(list)
        self.said: dict[str, str] = {}
        self._united = Union()

    def add(self, path: str, rows: Iterable[ManifestRow]) -> None:
        rows = list(rows)
        stated = sorted({str(row.labels[SOURCE_NAME]) for row in rows if row.labels.get(SOURCE_NAME)})
        # A stated name is the tool's own word, whoever is seen in a version.
        scope = "" if stated else _person(rows)
        keys = []
        for name in stated or [path]:
            source, tool = source_of(PurePosixPath(name).name)
            keys.append((scope, source))
            if stated or tool is not None:
                self.said[path] = SOURCE_NAME if stated else str(tool)
        self.paths[keys[0]].append(path)
        for key in keys[1:]:
            self._join(keys[0], key)

    def join_endings(self) -> list[list[str]]:
        """Join names that differ by a tool's words alone; returns the pictures of which it is not sure."""
        by_stem: dict[_Key, list[_Key]] = defaultdict(list)
        for scope, name in sorted(self.paths):
            by_stem[scope, stem_of(name)].append((scope, name))
        ended: dict[_Key, list[tuple[_Key, Ending]]] = defaultdict(list)
        for (scope, stem), keys in by_stem.items():
            found = ending_of(stem)
            if found is not None and (not found.front or (scope, found.stem) in by_stem):
                ended[scope, found.stem] += [(key, found) for key in keys]
        shapes = Counter(_shape(base, group) for base, group in ended.items())
        unsure = []
        for base, group in sorted(ended.items()):
            members = [*by_stem.get(base, ()), *(key for key, _ in group)]
            # August comes with days too; that several photos have the same ones is a tool's work.
            counted = shapes[_shape(base, group)] > 1 and all("aug" in found.words for _, found in group)
            if base in by_stem or counted or all(found.clear for _, found in group):
                for key, _ in group:
                    self._join(members[0], key)
                    self.said |= {path: "endings" for path in self.paths[key] if path not in self.said}
                for other in by_stem.get(base, ()):
                    self._join(members[0], other)
            elif len(members) > 1:
                unsure.append([path for key in members for path in self.paths[key]])
        return unsure

    def groups(self) -> list[list[str]]:
        """The pictures of every source that has several, where something says that it is one source."""
        found: dict[str, list[_Key]] = defaultdict(list)
        for key in sorted(self.paths):
            found[self._united.find("\0".join(key))].append(key)
        groups = []
        for keys in found.values():
            paths = [path for key in keys for path in self.paths[key]]
            # Files of one plain name in several folders say nothing.
            if len(paths) > 1 and any(path in self.said for path in paths):
                groups.append(paths)
        return groups

    def _join(self, a: _Key, b: _Key) -> None:
        self._united.join("\0".join(a), "\0".join(b))


def _cut_from(rows: Iterable[ManifestRow]) -> str | None:
    """The video that a frame was collected from, as its address says."""
    for row in rows:
        video, mark, _ = (row.provenance.url or "").partition("#t=")
        if mark:
            return video
    return None


def _shape(stem: _Key, group: Iterable[tuple[_Key, Ending]]) -> tuple[str, ...]:
    return (stem[0], *sorted({found.words for _, found in group}))


def _person(rows: Iterable[ManifestRow]) -> str:
    """The subject in whose folder a picture lies, or nothing."""
    for row in rows:
        if row.subject is not None and row.subject in PurePosixPath(row.path).parts[:-1]:
            return row.subject
    return ""
