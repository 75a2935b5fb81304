"""Whether anything that a model may learn from is also what it is measured on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from lineament.datasets.grouping.together import Union, photo_keys
from lineament.datasets.grouping.versions import Versions, versions
from lineament.io.manifest import Manifest, ManifestRow

Kind = Literal["identical", "near_duplicate", "same_photo", "augmented", "versions", "subject"]

MEANING: dict[Kind, str] = {
    "identical": "the same bytes in several splits",
    "near_duplicate": "nearly the same picture in several splits",
    "same_photo": "crops of one photo in several splits",
    "augmented": "an augmented copy away from the split of its original",
    "versions": "versions of one photo, as their names or source_name say, in several splits",
    "subject": "one person in several splits that are said to hold different people",
}


@dataclass(frozen=True, slots=True)
class Leak:
    """Rows that must not be in different splits, and are: their ids, their splits, and why in words."""

    kind: Kind
    rows: tuple[str, ...]
    splits: tuple[str, ...]
    detail: str

    def to_json(self) -> dict[str, Any]:
        """Plain values under the fields' names."""
        return asdict(self)


def find_leaks(
    manifest: Manifest,
    groups: Iterable[Iterable[str]] = (),
    *,
    subjects_apart: bool | None = None,
    named: Versions | None = None,
) -> tuple[Leak, ...]:
    """Every leak, each told once under the plainest kind that explains it.

    ``groups`` are sets of ids of near-duplicate rows. ``subjects_apart`` says that a subject may be in one
    split only; None asks the manifest's last split step. ``named`` is what the names say, where that is
    known already. Rows without a split cannot leak.
    """
    rows = {row.id: row for row in manifest if row.split is not None}
    photos = photo_keys(manifest)
    apart = split_by_subject(manifest) if subjects_apart is None else subjects_apart
    leaks = [*_identical(rows.values()), *_of_one_photo(rows.values(), photos)]
    sources = (named or versions(manifest)).sure
    leaks += _versions(rows, photos, sources)
    leaks += _near(rows, photos, sources, groups)
    if apart:
        for subject, own in _grouped(rows.values(), lambda row: row.subject).items():
            leaks += _leak("subject", own, f"{subject}: ")
    return tuple(leaks)


def split_by_subject(manifest: Manifest) -> bool:
    """Whether the last split step put each subject into one split only."""
    splits = [step for step in manifest.steps if step.get("step") == "split"]
    return bool(splits) and splits[-1].get("by") == "subject"


def _identical(rows: Iterable[ManifestRow]) -> list[Leak]:
    # An augmented copy may equal its original to the byte: that is told as augmented.
    plain = [row for row in rows if row.step != "augment"]
    return [
        leak
        for own in _grouped(plain, lambda r: r.sha256 or None).values()
        for leak in _leak("identical", own)
    ]


def _of_one_photo(rows: Iterable[ManifestRow], photos: dict[str, str]) -> list[Leak]:
    leaks = []
    for own in _grouped(rows, lambda row: photos[row.id]).values():
        plain = [row for row in own if row.step != "augment"]
        if len({row.sha256 for row in plain}) > 1:
            leaks += _leak("same_photo", plain)
        home = {row.split for row in plain}
        copies = [row for row in own if row.step == "augment"]
        if copies and len(home | {row.split for row in copies}) > len(home or {None}):
            leaks += _leak("augmented", [*copies, *plain])
    return leaks


def _versions(
    rows: dict[str, ManifestRow], photos: dict[str, str], sources: Iterable[Iterable[str]]
) -> list[Leak]:
    leaks = []
    for group in sources:
        own = [rows[key] for key in sorted(group) if key in rows]
        # Rows of one photo or of equal bytes have been told already.
        if len({photos[row.id] for row in own}) > 1 and len({row.sha256 for row in own}) > 1:
            leaks += _leak("versions", own)
    return leaks


def _near(
    rows: dict[str, ManifestRow],
    photos: dict[str, str],
    sources: Iterable[Iterable[str]],
    groups: Iterable[Iterable[str]],
) -> list[Leak]:
    leaks = []
    of_source = {key: number for number, group in enumerate(sources) for key in group}
    for group in groups:
        own = [rows[key] for key in sorted(group) if key in rows]
        same = Union()
        for row in own:
            same.join(f"photo {photos[row.id]}", f"bytes {row.sha256}")
            if row.id in of_source:
                same.join(f"source {of_source[row.id]}", f"bytes {row.sha256}")
        # Rows of one photo, of one source or of equal bytes have been told already.
        if len({same.find(f"bytes {row.sha256}") for row in own}) > 1:
            leaks += _leak("near_duplicate", own)
    return leaks


def _grouped(rows: Iterable[ManifestRow], key: Any) -> dict[str, list[ManifestRow]]:
    found: dict[str, list[ManifestRow]] = defaultdict(list)
    for row in rows:
        if (value := key(row)) is not None:
            found[value].append(row)
    return dict(sorted(found.items()))


def _leak(kind: Kind, rows: Sequence[ManifestRow], start: str = "") -> list[Leak]:
    """The leak among rows, or none when they share a split."""
    splits = tuple(sorted({row.split or "" for row in rows}))
    if len(splits) < 2:
        return []
    shown = []
    for split in splits:
        own = sorted(row.path for row in rows if row.split == split)
        more = f" and {len(own) - 2} more" if len(own) > 2 else ""
        shown.append(f"{split}: {', '.join(own[:2])}{more}")
    return [Leak(kind, tuple(sorted(row.id for row in rows)), splits, start + "; ".join(shown))]
