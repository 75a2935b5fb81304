"""From what the user named to the files to read: files as they are, folders walked.

A file named by the user is passed on whatever its suffix, even when it is missing, so that
`lineament.io.images.load` refuses it by name. In a folder the suffix picks, and what it leaves out is
counted; a pipe that lies there is left out, because reading it would take what others wait for. So are
sheets, drawings and plots that this tool drew.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from lineament.errors import UsageError
from lineament.io import inputs, own_files
from lineament.io.left_out import LeftOut, is_picture_name, is_system
from lineament.io.walking import Bounds

PathLike = str | os.PathLike[str]


class Listing:
    """Files found, in a fixed order; iterate it once, then read the counts.

    ``left_out`` counts what the walk left out, by reason. ``repeated`` counts links to folders that were
    walked already, which is also how a loop of links ends. ``outside`` are the folders that were not walked
    because a link leads them out of the folders ``within``.
    """

    def __init__(self, paths: Iterable[PathLike], within: Sequence[PathLike] = ()) -> None:
        self._paths = [os.fspath(path) for path in paths]
        self._within = within
        self.outside: list[str] = []
        self.left_out = LeftOut()
        self.repeated = 0

    def __iter__(self) -> Iterator[str]:
        self.left_out, self.repeated, self.outside = LeftOut(), 0, []
        for path in self._paths:
            if _is_folder(path):
                yield from self._walk(path)
            else:
                yield path

    def _walk(self, folder: str) -> Iterator[str]:
        walked: set[tuple[int, int]] = set()
        waiting, bounds = [(folder, 0)], Bounds(folder)
        while waiting:
            path, depth = waiting.pop()
            if not _is_folder(path):
                yield path
                continue
            if self._within and not lies_within(path, *self._within):
                self.outside.append(path)
                continue
            try:
                status = Path(path).stat()
                if (status.st_dev, status.st_ino) in walked:
                    self.repeated += 1
                    continue
                walked.add((status.st_dev, status.st_ino))
                names = _names(path)[::-1]
                bounds.take(len(names), depth, path)
            except OSError:
                yield path  # a folder that cannot be read: refused by name like any other input
                continue
            for name in names:
                entry = _inside(path, name)
                is_file = is_picture_name(name) and not _is_pipe(entry) and not own_files.is_drawn(entry)
                if _wanted(name) and (_is_folder(entry) or is_file):
                    waiting.append((entry, depth + 1))
                else:
                    self.left_out.take(entry, name)


class People(list[tuple[str, list[str]]]):
    """Subjects with their files, ordered by name.

    ``loose`` are the pictures that lie in the folder itself and so belong to nobody; ``left_out`` is as
    in `Listing`.
    """

    def __init__(self, rows: Iterable[tuple[str, list[str]]], loose: list[str], left_out: LeftOut) -> None:
        super().__init__(rows)
        self.loose = loose
        self.left_out = left_out


def lies_within(path: PathLike, *folders: PathLike) -> bool:
    """Whether a path lies below one of the folders, or is one, once all links are followed."""
    real = os.path.realpath(path)
    roots = map(os.path.realpath, folders)
    return any(real == root or real.startswith(root.rstrip(os.sep) + os.sep) for root in roots)


def expand(paths: Iterable[PathLike], within: Sequence[PathLike] = ()) -> Listing:
    """Every file the user meant: sorted by name within a folder, sub-folders included.

    Links are followed; those to folders outside ``within`` are not, where that is given.

    What cannot be read is passed on, for `images.load` to refuse. Raises `FolderRefused` on the way, for
    more than a folder may hold.
    """
    return Listing(inputs.each(paths), within)


def people(folder: PathLike) -> People:
    """A folder a person: the name of each sub-folder, exactly as stored on disk, with its pictures.

    A sub-folder without pictures is there with an empty list. Raises `UsageError` when ``folder`` is none
    or cannot be read.
    """
    if not isinstance(folder, str | os.PathLike):
        raise UsageError(f"a folder of people is given as a path, not as {type(folder).__name__}")
    root = os.fspath(folder)
    try:
        names = _names(root)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{root!r:.200} is not a folder of people: {reason}") from None
    rows, loose, left_out = [], [], LeftOut()
    for name in names:
        path = _inside(root, name)
        if _wanted(name) and _is_folder(path):
            listing = Listing([path])
            rows.append((name, list(listing)))
            left_out.add(listing.left_out)
        elif _wanted(name) and is_picture_name(name) and not own_files.is_drawn(path):
            loose.append(path)
        else:
            left_out.take(path, name)
    return People(rows, loose, left_out)


def _wanted(name: str) -> bool:
    return not name.startswith(".") and not is_system(name)


# Paths stay text, and are joined as text: Path() would change what the user wrote ("./a" to "a").


def _names(folder: str) -> list[str]:
    return sorted(os.listdir(folder))  # noqa: PTH208


def _inside(folder: str, name: str) -> str:
    return os.path.join(folder, name)  # noqa: PTH118


def _is_folder(path: str) -> bool:
    return os.path.isdir(path)  # noqa: PTH112  Path("").is_dir() is true


def _is_pipe(path: str) -> bool:
    return Path(path).is_fifo()
