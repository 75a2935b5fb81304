"""Look at a whole data set: its leaks, its counts, its files, and what a leaky order would have shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lineament.counting import quantity
from lineament.datasets.audit.figures import Files, check_files, summary
from lineament.datasets.audit.flattery import Flattery, measure
from lineament.datasets.audit.leaks import Leak, find_leaks, split_by_subject
from lineament.datasets.grouping.versions import Versions, versions
from lineament.errors import InsufficientData
from lineament.io.manifest import Manifest
from lineament.protocols import Advance


@dataclass(frozen=True, slots=True)
class Audit:
    """What was found; `leaks` is empty when nothing leaks.

    ``sizes`` are ``(w, h)`` by row id. ``notes`` are findings that are no leak and yet should be known.
    ``unchecked`` says in words what could not be looked at, so that no leak there would show. ``flattery``
    is None when it was not measured, for the reason in ``why_no_flattery``.
    """

    manifest: Manifest
    leaks: tuple[Leak, ...]
    counts: Mapping[str, Any]
    files: Files
    sizes: Mapping[str, tuple[int, int]]
    subjects_apart: bool
    near_checked: bool
    notes: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()
    flattery: Flattery | None = None
    why_no_flattery: str = ""

    def to_json(self) -> dict[str, Any]:
        """The JSON of the command: ``leaks``, ``counts`` and the rest."""
        return {
            "leaks": [leak.to_json() for leak in self.leaks],
            "counts": dict(self.counts),
            "missing": list(self.files.missing),
            "changed": list(self.files.changed),
            "subjects_apart": self.subjects_apart,
            "near_checked": self.near_checked,
            "notes": list(self.notes),
            "unchecked": list(self.unchecked),
            "flattery": self.flattery and self.flattery.to_json(),
        }


def audit(
    manifest: Manifest,
    groups: Iterable[Iterable[str]] | None,
    *,
    subjects_apart: bool | None = None,
    experiment: bool = True,
    seed: int = 0,
    advance: Advance = lambda _count: None,
) -> Audit:
    """Audit a manifest.

    ``groups`` are sets of ids of near-duplicate rows, None when nobody looked for any. ``subjects_apart``
    is whether a subject may be in one split only; None asks how the manifest was split. ``advance`` is
    called once a row.
    """
    apart = split_by_subject(manifest) if subjects_apart is None else subjects_apart
    files, sizes = check_files(manifest, advance)
    measured, reason = None, "not asked for"
    if experiment:
        try:
            measured, reason = measure(manifest, seed=seed), ""
        except InsufficientData as error:
            reason = str(error)
    named = versions(manifest)
    return Audit(
        manifest,
        find_leaks(manifest, groups or (), subjects_apart=apart, named=named),
        summary(manifest, files),
        files,
        sizes,
        apart,
        groups is not None,
        tuple(_notes(manifest)),
        tuple(_unchecked(manifest, files, named, near=groups is not None)),
        measured,
        reason,
    )


def _notes(manifest: Manifest) -> Iterable[str]:
    held = [row for row in manifest if row.split not in (None, "train")]
    augmented = sum(row.step == "augment" for row in held)
    if augmented:
        yield f"{quantity(augmented, 'augmented row')} outside the training split: figures not of photos"
    repeated = sum(row.repeats > 1 for row in held)
    if repeated:
        yield f"{quantity(repeated, 'row')} repeated outside the training split: they count more"
    splits = {row.split for row in manifest if row.split is not None}
    if splits and "train" in splits and not any(row.split not in (None, "train") for row in manifest):
        yield "everything is for training: there is nothing to measure on"
    usable = sum(row.outcome == "ok" and row.split is None for row in manifest)
    if splits and usable:
        yield f"{quantity(usable, 'usable row has')} no split"


def _unchecked(manifest: Manifest, files: Files, named: Versions, *, near: bool) -> Iterable[str]:
    """What nobody looked at: a verdict without it would be taken for more than it is."""
    if not near:
        yield "near-duplicates were not looked for (--near does): only bytes, rows and names were compared"
    elif gone := len(files.missing):
        yield f"{quantity(gone, 'file is')} missing and could not be compared by their look"
    split_of = {row.id: row.split for row in manifest if row.split is not None}

    def crossing(groups: Iterable[Iterable[str]]) -> int:
        return sum(len({split_of[key] for key in group if key in split_of}) > 1 for group in groups)

    if count := crossing(named.unsure):
        yield (
            f"{quantity(count, 'photo')} may have versions in several splits by the ends of their names, "
            "but no original is there that would make it sure; the label source_name does"
        )
    if count := crossing(named.clips.values()):
        yield (
            f"{quantity(count, 'video has')} frames in several splits, by their names "
            f"({next(iter(named.clips))} ...): frames of one video are nearly one picture, and figures "
            "would flatter; split with --clips"
        )
    without = sum(row.outcome == "ok" and not row.sha256 for row in manifest)
    if without:
        yield f"{quantity(without, 'row has')} no SHA-256, so equal files among them do not show"
