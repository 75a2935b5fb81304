"""What is to be anonymised, and the name that each result gets."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath

from lineament.io import sources, video
from lineament.io.formats import looks_like
from lineament.io.left_out import is_system
from lineament.io.walking import walk

_HEAD = 1024
_KEPT_SUFFIXES = (".jpg", ".jpeg", ".png")


@dataclass(frozen=True, slots=True)
class Given:
    """A picture or video at ``path``; its result is called ``name``, below the folder of all results."""

    path: str
    name: str
    is_video: bool


def given(paths: Iterable[str]) -> list[Given]:
    """Every picture and video, those of a folder under the names that they have within it.

    A result is called as its source, with ``.mp4`` for a video and ``.jpg`` added for a picture that is no
    JPEG or PNG by its name; a name that another has already gets a number.
    """
    taken: set[str] = set()
    found = []
    for path, name, is_video in _found(paths):
        plain = PurePath(name)
        if is_video:
            plain = plain.with_suffix(".mp4")
        elif plain.suffix.lower() not in _KEPT_SUFFIXES:
            plain = plain.with_name(f"{plain.name}.jpg")
        own, number = plain, 1
        while str(own).casefold() in taken:
            number += 1
            own = plain.with_stem(f"{plain.stem}-{number}")
        taken.add(str(own).casefold())
        found.append(Given(path, str(own), is_video))
    return found


def _found(paths: Iterable[str]) -> Iterator[tuple[str, str, bool]]:
    for path in paths:
        if not Path(path).is_dir():
            yield path, PurePath(path).name or "picture", _is_video(path)
            continue
        for picture in sources.expand([path]):
            yield picture, os.path.relpath(picture, path), False
        for folder, folders, names in walk(path):
            folders[:] = [name for name in folders if not _hidden(name)]
            for name in sorted(names):
                if PurePath(name).suffix.lower() in video.SUFFIXES and not _hidden(name):
                    film = str(Path(folder) / name)
                    yield film, os.path.relpath(film, path), True


def _is_video(path: str) -> bool:
    if not Path(path).is_file():  # a pipe is read once, as a picture
        return False
    if PurePath(path).suffix.lower() in video.SUFFIXES:
        return True
    with suppress(OSError), Path(path).open("rb") as file:
        return looks_like(file.read(_HEAD)).endswith("video")
    return False


def _hidden(name: str) -> bool:
    return name.startswith(".") or is_system(name)
