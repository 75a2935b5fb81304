"""Names of crops: the photo's own path, kept apart on every file system, never outside of the folder."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from lineament.errors import ManifestError
from lineament.io.writing import make_folder

RESERVED = ("manifest.jsonl", "undetected.txt", "refused.txt", "contact_sheet.jpg")
_LONGEST_BYTES = 200
"""Of one name, so that a face's number and the suffix still fit into the usual limit of 255."""


def crop_stems(paths: Iterable[str]) -> dict[str, str]:
    """For each photo's path the path of its crop without ``.jpg``; no two differ only by case or accents.

    The stem is the path without its suffix; where that is taken, with it; then with a number. Two folders
    whose names differ only by case or Unicode form keep their names, but their crops never share one.
    Depends only on the set of paths. Raises `ManifestError` for a folder with the name of a result file.
    """
    ordered = sorted(paths)
    folders = {str(parent) for path in ordered for parent in PurePosixPath(path).parents}
    taken = {folded(name).removesuffix(".jpg") for name in (*RESERVED, *folders)}
    stems: dict[str, str] = {}
    for path in ordered:
        pure = PurePosixPath(path)
        if folded(pure.parts[0]) in RESERVED and len(pure.parts) > 1:
            raise ManifestError(f"a folder is named {pure.parts[0]!r}, which is a file of the result")
        choices = (str(pure.with_name(name)) for name in _choices(pure))
        stems[path] = next(stem for stem in choices if folded(stem) not in taken)
        taken.add(folded(stems[path]))
    return stems


def folded(name: str) -> str:
    """What a file system that ignores case and Unicode form would compare."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def twins(names: Iterable[str]) -> list[list[str]]:
    """Groups of names that differ only by case or Unicode form."""
    groups: dict[str, set[str]] = {}
    for name in names:
        groups.setdefault(folded(name), set()).add(name)
    return sorted(sorted(group) for group in groups.values() if len(group) > 1)


def inside(folder: Path, relative: str) -> Path:
    """``folder / relative`` with its parent made; raises `ManifestError` if a link leads it outside."""
    root = folder.resolve()
    target = root / relative
    parent = target.parent
    if not parent.resolve().is_relative_to(root):
        raise ManifestError(f"{relative!r} does not lie below the output folder")
    make_folder(parent)
    return parent.resolve() / target.name


def _choices(path: PurePosixPath) -> Iterator[str]:
    yield _short(path.stem)
    yield _short(path.name)
    number = 2
    while True:
        yield f"{_short(path.stem)}-{number}"
        number += 1


def _short(name: str) -> str:
    data = name.encode("utf-8", "surrogateescape")
    if len(data) <= _LONGEST_BYTES:
        return name
    digest = hashlib.sha256(data).hexdigest()[:8]
    return data[: _LONGEST_BYTES - 9].decode("utf-8", "ignore") + "-" + digest
