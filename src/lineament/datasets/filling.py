"""The folder that copies of pictures and their manifest are put in: a new one, or one filled again.

Filled again (``--replace``), it gets what it lacks. A file that is there stays as it is where it holds the
same bytes; it gives way only where an import wrote it, which the manifest of then tells by its digest.
Anything else that stands in the way is the user's: nothing is written then. No file is ever removed.
"""

from __future__ import annotations

import filecmp
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lineament.counting import quantity
from lineament.datasets.formats._files import new_folder
from lineament.errors import ManifestError, UsageError, WouldOverwrite
from lineament.io import own_files, writing
from lineament.io.digests import sha256_of
from lineament.io.manifest import MANIFEST_NAME, Manifest
from lineament.io.own_files import Kind
from lineament.io.permissions import opener
from lineament.io.sources import lies_within

_IMPORTS = ("import", "join")
"""Steps whose manifest can be made again from the data it was made of."""


@dataclass(frozen=True, slots=True)
class Filled:
    """How many pictures were ``copied``, were there already (``kept``), and took an earlier one's place.

    ``left`` are pictures of the earlier manifest that the new one does not name; they stay in the folder.
    """

    copied: int
    kept: int = 0
    replaced: int = 0
    left: int = 0


def fill(out: Path, manifest: Manifest, copies: Mapping[str, Path], *, replace: bool = False) -> Filled:
    """Copy files byte for byte to their relative paths in ``out``, and save the manifest there last.

    Raises `UsageError` where the folder is in use and may not be replaced, `WouldOverwrite` naming what
    stands in the way, and `OutputError` where the disk refuses.
    """
    if not out.is_dir() or not any(out.iterdir()):
        with new_folder(out) as temporary:
            for path, source in copies.items():
                copy_picture(source, temporary / path)
            manifest.save(temporary / MANIFEST_NAME)
        return Filled(len(copies))
    own = own_files.MANIFEST.known(out / MANIFEST_NAME) if (out / MANIFEST_NAME).is_file() else False
    if not own or not replace:
        hint = "--replace fills it again" if own else f"--replace needs an import's {MANIFEST_NAME} there"
        raise UsageError(f"{out}: exists already; a new or empty folder is needed; {hint}")
    require_import(out / MANIFEST_NAME)
    return _again(out, manifest, copies)


def require_import(path: Path) -> None:
    """Raise `WouldOverwrite` for a manifest that holds the work of later steps."""
    manifest = _earlier(path)
    last = str(manifest.steps[-1].get("step", "")) if manifest is not None and manifest.steps else "import"
    if last not in _IMPORTS:
        raise WouldOverwrite(
            f"{path}: holds what `dataset {last}` made, which an import would undo; it was not touched: "
            "move it away, or name another folder with --out"
        )


def copy_picture(source: Path, target: Path) -> None:
    """Copy bytes to a new file; raises `OSError`, also for a target that is there."""
    writing.make_folder(target.parent)
    with source.open("rb") as file, open(target, "xb", opener=opener) as out:
        shutil.copyfileobj(file, out, 1 << 20)


def _earlier(path: Path) -> Manifest | None:
    """The manifest there; None where it is broken, or none of ours, which saving will tell."""
    try:
        return Manifest.load(path)
    except ManifestError:
        return None


def _again(out: Path, manifest: Manifest, copies: Mapping[str, Path]) -> Filled:
    earlier = _earlier(out / MANIFEST_NAME)
    written = {row.path: row.sha256 for row in earlier or () if row.sha256}
    kinds = {path: _as_written(written.get(path)) for path in copies}
    there = {path for path in copies if os.path.lexists(out / path)}
    same = {path for path in there if _is_same(copies[path], out / path)}
    foreign = sorted(
        path
        for path in copies
        if not lies_within(out / path, out)
        or (out / path).is_symlink()
        or (path in there - same and not ((out / path).is_file() and kinds[path].known(out / path)))
    )
    if foreign:
        raise WouldOverwrite(
            f"{out}: {quantity(len(foreign), 'file')} there are not as an import wrote them, such as "
            f"{foreign[0]}; nothing was touched: move them away, or name another folder"
        )
    for path in copies.keys() - same:
        writing.require(out / path, kinds[path])
    for path in sorted(copies.keys() - same):
        with (
            copies[path].open("rb") as source,
            writing.replacing(out / path, kinds[path], binary=True) as file,
        ):
            shutil.copyfileobj(source, file, 1 << 20)
    manifest.save(out / MANIFEST_NAME)
    return Filled(
        copied=len(copies) - len(there),
        kept=len(same),
        replaced=len(there - same),
        left=sum(path not in copies and (out / path).is_file() for path in written),
    )


def _as_written(sha256: str | None) -> Kind:
    return Kind("a picture as an import wrote it", lambda path: sha256_of(path) == sha256)


def _is_same(source: Path, target: Path) -> bool:
    return target.is_file() and filecmp.cmp(source, target, shallow=False)
