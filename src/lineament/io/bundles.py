"""Offline bundles: one uncompressed zip of a ``manifest.json`` and model files, checked as if hostile.

The digests in the manifest only say what the bundle claims; what is accepted are the digests pinned by the
cards of this installation. Importing reads members one by one to the cache's own names: no member name is
ever used as a path.
"""

from __future__ import annotations

import json
import os
import stat
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lineament.documents import json_of
from lineament.errors import BundleError, LicenceRefused
from lineament.io import assets
from lineament.io.catalog import ModelCard
from lineament.io.delivery import UNKNOWN_SIZE_LIMIT, Progress, SourceFailed, copy_member
from lineament.io.own_files import BUNDLE
from lineament.io.writing import replacing

_MANIFEST = "manifest.json"
_FORMAT = "lineament-models/1"
_DIRECTORY_LIMIT = 1 << 20
_MANIFEST_LIMIT = 1 << 20


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of one model of a bundle: ``error`` is None when it is now in the cache."""

    card: ModelCard
    path: Path | None
    error: LicenceRefused | None = None


def export(
    path: Path, cards: Iterable[ModelCard], *, offline: bool | None = None, progress: Progress | None = None
) -> None:
    """Write a bundle of the cards' files, fetching what the cache lacks; atomic.

    Raises what `lineament.io.assets.fetch` raises, `OutputError` when the bundle cannot be written, and
    `WouldOverwrite` where another file lies.
    """
    chosen = {one.name: one for card in cards for one in card.files}
    files = [(card, assets.fetch(card, offline=offline, progress=progress)) for card in chosen.values()]
    manifest = {
        "format": _FORMAT,
        "models": [
            {
                "name": card.name,
                "member": _member(card),
                "sha256": card.sha256,
                "bytes": file.stat().st_size,
                "licence": card.licence,
                "licence_url": card.licence_url,
            }
            for card, file in files
        ],
    }
    with (
        replacing(path, BUNDLE, binary=True) as out,
        zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as bundle,
    ):
        _add(bundle, _MANIFEST, json.dumps(manifest, indent=1).encode())
        for card, file in files:
            _add(bundle, _member(card), file.read_bytes())


def load(
    path: Path,
    known: Mapping[str, ModelCard],
    names: Iterable[str] = (),
    *,
    accept_licence: bool = False,
    policy: assets.Policy = "any",
) -> list[Imported]:
    """Put the models of a bundle into the cache, or only those in ``names``.

    ``known`` holds the cards of this installation. The whole bundle is checked before anything is kept:
    `BundleError` for anything but a manifest and the plain members it lists, for a model this installation
    does not know at that digest, and for a name the bundle lacks; `DigestMismatch` for changed bytes. A
    model whose licence is refused is reported in the answer with the error, and the others are kept.
    """
    files = {one.name: one for card in known.values() for one in card.files}
    with _opened(path) as bundle:
        members = _checked_members(bundle, files)
        wanted = [one.name for name in names for one in known[name].files] or list(members)
        if missing := [name for name in wanted if name not in members]:
            raise BundleError(
                f"{path}: holds no {', '.join(missing)}; it holds {', '.join(members) or 'none'}"
            )
        done = []
        with tempfile.TemporaryDirectory(prefix="lineament-bundle-") as folder:
            unpacked = {name: Path(folder) / str(number) for number, name in enumerate(members)}
            for name, file in unpacked.items():
                _unpack(bundle, members[name], files[name], file)
            for name in wanted:
                card = files[name]
                try:
                    kept = assets.adopt(card, unpacked[name], accept_licence=accept_licence, policy=policy)
                    done.append(Imported(card, kept))
                except LicenceRefused as refused:
                    done.append(Imported(card, None, refused))
    return done


def _member(card: ModelCard) -> str:
    return f"models/{card.name}/{card.file}"


def _add(bundle: zipfile.ZipFile, name: str, content: bytes) -> None:
    # A fixed date: the same models give the same bundle, byte for byte.
    info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    info.external_attr = (stat.S_IFREG | 0o644) << 16
    bundle.writestr(info, content)


def _opened(path: Path) -> zipfile.ZipFile:
    if not path.is_file():
        raise BundleError(f"{path}: not a file")
    try:
        with path.open("rb") as file:
            _refuse_huge_directory(path, file)
        return zipfile.ZipFile(path)
    except OSError as error:
        raise BundleError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise BundleError(f"{path}: not a readable bundle: {error}") from error


def _refuse_huge_directory(path: Path, file: Any) -> None:
    """A list of millions of members would fill the memory before the first could be refused."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - (1 << 16) - 22))
    tail = file.read()
    end = tail.rfind(b"PK\x05\x06")
    if end < 0 or len(tail) < end + 22:
        raise BundleError(f"{path}: not a zip file, or truncated")
    directory = int.from_bytes(tail[end + 12 : end + 16], "little")
    if directory > _DIRECTORY_LIMIT or b"PK\x06\x07" in tail[:end][-20:]:
        raise BundleError(f"{path}: lists far more members than a bundle has")


def _checked_members(bundle: zipfile.ZipFile, known: Mapping[str, ModelCard]) -> dict[str, zipfile.ZipInfo]:
    """The zip entry of each model, after comparing the archive with its manifest and the cards."""
    infos: dict[str, zipfile.ZipInfo] = {}
    for info in bundle.infolist():
        # `orig_filename` is what the archive really says: zipfile cuts names at NUL.
        if info.filename in infos or info.orig_filename != info.filename:
            raise BundleError(f"the bundle has a repeated or disguised member {info.orig_filename!r}")
        infos[info.filename] = info
    if _MANIFEST not in infos:
        raise BundleError(f"the bundle has no {_MANIFEST}")
    found = {}
    for name, member, sha256 in _manifest_rows(bundle, infos.pop(_MANIFEST)):
        card = known.get(name)
        if card is None or card.sha256 != sha256:
            raise BundleError(f"the bundle has a model {name!r} ({sha256[:12]}) that no card here pins")
        if member != _member(card) or name in found or member not in infos:
            raise BundleError(f"the bundle's manifest names {member!r} wrongly, twice or in vain")
        found[name] = infos.pop(member)
    if infos:
        raise BundleError(f"the bundle has members its manifest does not name: {sorted(infos)[:3]!r}")
    return found


def _manifest_rows(bundle: zipfile.ZipFile, info: zipfile.ZipInfo) -> list[tuple[str, str, str]]:
    try:
        if info.file_size > _MANIFEST_LIMIT:
            raise ValueError("too long")
        with bundle.open(info) as stream:
            text = stream.read(_MANIFEST_LIMIT + 1)
        manifest = json_of(text)
        if manifest["format"] != _FORMAT:
            raise ValueError(f"its format is {manifest['format']!r}, not {_FORMAT!r}")
        rows = [(row["name"], row["member"], row["sha256"]) for row in manifest["models"]]
        if not all(isinstance(value, str) for row in rows for value in row):
            raise TypeError("a name that is not text")
    except (KeyError, TypeError, ValueError, RecursionError, zipfile.BadZipFile, RuntimeError) as error:
        raise BundleError(f"the bundle's manifest cannot be used: {error}") from error
    return rows


def _unpack(bundle: zipfile.ZipFile, info: zipfile.ZipInfo, card: ModelCard, target: Path) -> None:
    if info.compress_type != zipfile.ZIP_STORED or info.file_size > (card.bytes or UNKNOWN_SIZE_LIMIT):
        raise BundleError(f"{card.name}: the bundle's member is compressed or longer than the card says")
    try:
        copy_member(bundle, info, card.bytes, target)
        assets.verify(card, target, f"bundle member {info.filename}")
    except SourceFailed as failed:
        raise BundleError(f"{card.name}: {failed}") from failed
