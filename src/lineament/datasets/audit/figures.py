"""What an audit counts: subjects by split, outcomes, files, sizes, quality, provenance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

from lineament.errors import PictureError
from lineament.io import images
from lineament.io.digests import sha256_of
from lineament.io.manifest import Manifest, ManifestRow
from lineament.protocols import Advance

NONE = "none stated"


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a histogram: from ``low`` up to but not including ``high``."""

    low: float
    high: float
    count: int


@dataclass(frozen=True, slots=True)
class Files:
    """What became of the files on disk: how many are as recorded, and the paths of those that are not."""

    present: int
    missing: tuple[str, ...]
    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Origin:
    """Rows that share licence, site, purpose and consent; ``authors`` counts different authors."""

    licence: str
    site: str
    purpose: str
    consent: str
    authors: int
    rows: int


def check_files(manifest: Manifest, advance: Advance) -> tuple[Files, dict[str, tuple[int, int]]]:
    """Hash every file once; also the sizes ``(w, h)`` by row id, read from headers where rows lack them."""
    present = 0
    missing, changed = [], []
    sizes: dict[str, tuple[int, int]] = {}
    seen: dict[str, str | None] = {}
    for row in manifest:
        if row.path not in seen:
            try:
                seen[row.path] = sha256_of(manifest.file(row))
            except OSError:
                seen[row.path] = None
            if seen[row.path] is None:
                missing.append(row.path)
            elif seen[row.path] != row.sha256:
                changed.append(row.path)
            else:
                present += 1
        if row.size_wh is not None:
            sizes[row.id] = row.size_wh
        elif seen[row.path] is not None:
            try:
                header = images.probe(manifest.file(row))
            except PictureError:
                continue
            w, h = header.size_wh
            sizes[row.id] = (h, w) if header.orientation > 4 else (w, h)
        advance(1)
    return Files(present, tuple(missing), tuple(changed)), sizes


def histogram(values: Sequence[float], edges: Sequence[float]) -> list[Bar]:
    """Counts between consecutive edges; what lies beyond the last edge goes into the last bar."""
    bars = []
    for i, (low, high) in enumerate(pairwise(edges)):
        last = i == len(edges) - 2
        bars.append(Bar(low, high, sum(low <= v and (v < high or last) for v in values)))
    return bars


def origins(manifest: Manifest) -> list[Origin]:
    """Where the rows come from and on what terms, the largest share first."""
    rows: Counter[tuple[str, str, str, str]] = Counter()
    authors: dict[tuple[str, str, str, str], set[str]] = {}
    known = {row.id: row for row in manifest}
    for row in manifest:
        provenance = _source(row, known).provenance
        key = (
            provenance.licence or NONE,
            _site(provenance.page or provenance.url),
            provenance.purpose or NONE,
            provenance.consent or NONE,
        )
        rows[key] += 1
        authors.setdefault(key, set()).update([provenance.author] if provenance.author else [])
    return [Origin(*key, len(authors[key]), n) for key, n in rows.most_common()]


def summary(manifest: Manifest, files: Files) -> dict[str, Any]:
    """The ``counts`` of the JSON: rows, subjects, outcomes, files; pictures, faces and rows by split."""
    by_split: dict[str, Counter[str]] = {}
    pictures: dict[str, set[str]] = {}
    faces: Counter[str] = Counter()
    for row in manifest:
        split = row.split or ""
        by_split.setdefault(split, Counter())[row.subject or ""] += 1
        pictures.setdefault(split, set()).add(row.path)
        faces[split] += row.outcome == "ok"
    return {
        "rows": len(manifest),
        "subjects": len({row.subject for row in manifest if row.subject is not None}),
        "outcomes": dict(sorted(Counter(row.outcome for row in manifest).items())),
        "augmented": sum(row.step == "augment" for row in manifest),
        "files": {
            "present": files.present,
            "missing": len(files.missing),
            "changed": len(files.changed),
        },
        "pictures": {name: len(pictures[name]) for name in sorted(pictures)},
        "faces": {name: faces[name] for name in sorted(pictures)},
        "splits": {name: dict(sorted(by_split[name].items())) for name in sorted(by_split)},
    }


def _source(row: ManifestRow, known: dict[str, ManifestRow]) -> ManifestRow:
    """The nearest ancestor that says anything of its provenance, or the row itself."""
    at, seen = row, {row.id}
    while at.provenance == type(at.provenance)() and at.parent in known and at.parent not in seen:
        seen.add(at.parent)
        at = known[at.parent]
    return at


def _site(url: str | None) -> str:
    if not url:
        return NONE
    try:
        return urlsplit(url).hostname or NONE
    except ValueError:
        return "unreadable address"
