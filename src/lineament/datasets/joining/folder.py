"""Data sets wherever they are, labelled, packed or as manifests, joined in one folder of copies."""

from __future__ import annotations

import dataclasses
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from lineament.counting import quantity
from lineament.datasets.archives import is_archive, unpack
from lineament.datasets.filling import Filled, fill
from lineament.datasets.importing.labels import import_labels, offer
from lineament.datasets.joining.manifests import Joined, Source, join, require_rule
from lineament.errors import UsageError
from lineament.io import own_files
from lineament.io.manifest import MANIFEST_NAME, Manifest
from lineament.io.sources import lies_within
from lineament.io.writing import reading
from lineament.protocols import Advance

GUESS = "guess"
"""In place of a format's name: found out."""

_TERMS = re.compile(
    r"(licen[cs]e|copying|notice|readme|read_me|citation|cite|credits?|attribution|terms)[^/]*"
    r"(\.(txt|md|rst|html|pdf|cff)|(?<!\.json)(?<!\.xml)(?<!\.csv))",
    re.IGNORECASE,
)
_MOST_BYTES = 2**24


def join_folders(
    sources: Sequence[Path],
    formats: Sequence[str] = (),
    *,
    out: Path,
    manifests: bool = False,
    differing: str = "refuse",
    replace: bool = False,
    follow_links: bool = False,
    advance: Advance | None = None,
) -> tuple[Path, Joined, Filled]:
    """Join data sets in the folder ``out``, new or filled again; returns its manifest's path.

    ``formats`` are as of `import_labels`: none, one for all, or one each, `GUESS` among them. With
    ``manifests`` the manifest in a folder is taken instead of its labels. What the folders hold of terms
    (licence, readme) is copied too. Raises as `import_labels`, `joining.join` and `filling.fill` do.
    """
    asked = _one_each(sources, formats)
    require_rule(differing)
    with ExitStack() as stack:
        opened = [
            _opened(source, format, out, stack, manifests, follow_links, advance)
            for source, format in zip(sources, asked, strict=True)
        ]
        joined = join(opened, differing=differing)
        copies = dict(joined.copies)
        for folder, one in zip(joined.folders, opened, strict=True):
            copies |= {f"{folder}/{file.name}": file for file in _terms(one.manifest.folder)}
        filled = fill(out, joined.manifest, copies, replace=replace)
    moved = dataclasses.replace(joined.manifest, folder=out)
    return out / MANIFEST_NAME, dataclasses.replace(joined, manifest=moved), filled


def _one_each(sources: Sequence[Path], formats: Sequence[str]) -> list[str | None]:
    if len(formats) not in (0, 1, len(sources)):
        raise UsageError(
            f"{quantity(len(formats), 'format')} for {len(sources)} data sets: name none, one for all, or "
            f"one each in their order, {GUESS} where it is to be found out"
        )
    each = list(formats) * (len(sources) if len(formats) == 1 else 1) or [GUESS] * len(sources)
    return [None if format == GUESS else format for format in each]


def _opened(
    source: Path,
    format: str | None,
    out: Path,
    stack: ExitStack,
    manifests: bool,
    follow_links: bool,
    advance: Advance | None,
) -> Source:
    """One data set; an archive is unpacked beside ``out`` until all is copied."""
    name = source.resolve().name
    own = _manifest_of(source, manifests) if format is None else None
    if own is not None:
        reading(own)
        manifest = Manifest.load(own)
        name = own.resolve().parent.name if own.name == MANIFEST_NAME else own.stem
        return Source(name, manifest, "manifest")
    if not is_archive(source):
        found = import_labels(source, format, follow_links=follow_links, advance=advance)
        named = name if source.is_dir() else source.stem
        return Source(named, found.manifest, found.format, found.problems, offer(found))
    above = next(folder for folder in out.absolute().parents if folder.is_dir())
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=".", dir=above))) / "unpacked"
    unpacked = unpack(source, folder)
    found = import_labels(folder, format, advance=advance)
    found.problems.take(unpacked.problems)
    named = re.sub(r"(\.tar)?\.\w+$", "", name)
    return Source(named, found.manifest, found.format, found.problems, offer(found))


def _manifest_of(source: Path, manifests: bool) -> Path | None:
    if source.is_dir():
        source = source / MANIFEST_NAME
        return source if manifests and source.is_file() else None
    return source if source.is_file() and own_files.MANIFEST.known(source) else None


def _terms(folder: Path) -> Iterator[Path]:
    """What lies in a data set's folder about where it is from and on what terms."""
    for file in sorted(folder.iterdir()):
        small = file.is_file() and file.stat().st_size <= _MOST_BYTES
        if small and _TERMS.fullmatch(file.name) and lies_within(file, folder):
            yield file
