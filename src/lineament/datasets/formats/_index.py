"""Pictures by name, those that are not where a label file says among them: moved sets, other machines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import unquote

from lineament.datasets.formats._layout import meaning, split_among
from lineament.datasets.formats._naming import folded
from lineament.io.formats import SUFFIXES

_FAR = re.compile(r"([A-Za-z]:)?/|[A-Za-z][A-Za-z0-9+.-]*://|~|\.\./")
# Label Studio puts eight hex digits before the name of an uploaded file.
_UPLOADED = re.compile(r"[0-9a-f]{8}-(?=.)")
_MAX_ALIKE = 1000
"""Pictures of one name: with more of them, nobody means one by its name."""


@dataclass(frozen=True, slots=True)
class Found:
    """Where a picture lies, relative to the root, and the name under which that is counted."""

    path: str
    kind: str


class PictureIndex:
    """Pictures by the name of their file. One picture is given to one name only.

    ``doubted`` are those that a name may mean which found none for sure.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self._names: dict[str, list[str]] = {}
        self._stems: dict[str, list[str]] = {}
        self._given: dict[str, str] = {}
        self.doubted: set[str] = set()
        for path in paths:
            name = PurePosixPath(path).name
            self._names.setdefault(folded(name), []).append(path)
            self._stems.setdefault(folded(PurePosixPath(name).stem), []).append(path)

    def find(self, name: str, split: str | None = None) -> Found | None:
        """The only picture that the name can mean; None where there is none, or several.

        A name that tells no split of its own is of ``split``.
        """
        far = _FAR.match(name) is not None
        path = _path_of(name)
        *folders, last = [part for part in path.split("/") if part not in ("", ".", "..")] or [""]
        for kind, candidates in self._candidates(last):
            if len(candidates) > _MAX_ALIKE:
                continue
            best = _nearest([c for c in candidates if _agree(folders, c, far, split)], folders)
            if best is not None and self._given.setdefault(best, name) == name:
                return Found(best, kind)
        self.doubted.update(path for _, alike in self._candidates(last) for path in alike)
        return None

    def _candidates(self, last: str) -> Iterable[tuple[str, Sequence[str]]]:
        for form in dict.fromkeys((last, unquote(last), last.replace("+", " "))):
            yield "picture_found_elsewhere", self._names.get(folded(form), ())
        suffix = PurePosixPath(last).suffix.lower()
        stem = PurePosixPath(last).stem if suffix in SUFFIXES else last
        if stem:
            yield "picture_of_another_suffix", self._stems.get(folded(unquote(stem)), ())
        plain = _UPLOADED.sub("", last, count=1)
        if plain != last:
            yield "picture_found_elsewhere", self._names.get(folded(unquote(plain)), ())


def _path_of(name: str) -> str:
    """The path in a name, which may be a URL or of Label Studio's (``/data/local-files/?d=a/b.jpg``)."""
    path, _, query = name.partition("?")
    if query:
        for part in query.split("&"):
            key, _, value = part.partition("=")
            if key == "d":
                return unquote(value)
        return path
    return name


def _agree(folders: Sequence[str], path: str, far: bool, split: str | None) -> bool:
    """Whether a picture's folders do not speak against the name: another split, another person."""
    here = PurePosixPath(path).parent.parts
    splits = split_among(folders) or split, split_among(here)
    if None not in splits and splits[0] != splits[1]:
        return False
    if far:
        return True
    mine, its = meaning(folders), meaning(here)
    shorter, longer = sorted((mine, its), key=len)
    return not shorter or longer[-len(shorter) :] == shorter


def _nearest(paths: Sequence[str], folders: Sequence[str]) -> str | None:
    """The picture that shares most of the last folders, if there is one such."""

    def shared(path: str) -> int:
        here, count = PurePosixPath(path).parent.parts, 0
        for a, b in zip(reversed(folders), reversed(here), strict=False):
            if folded(a) != folded(b):
                break
            count += 1
        return count

    if not paths:
        return None
    most = max(map(shared, paths))
    best = [path for path in paths if shared(path) == most]
    return best[0] if len(best) == 1 else None
