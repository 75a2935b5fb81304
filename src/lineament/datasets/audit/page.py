"""The audit as one HTML file that needs nothing else: pictures and styles inside, no scripts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lineament.datasets.audit import flattery
from lineament.datasets.audit.figures import NONE, histogram, origins
from lineament.datasets.audit.leaks import MEANING
from lineament.io import pages
from lineament.io.manifest import ManifestRow
from lineament.plots.thumbnails import sheet

if TYPE_CHECKING:
    from lineament.datasets.audit.run import Audit

SIZE_EDGES = (0, 32, 64, 112, 160, 224, 320, 512, 1024, 1e9)
QUALITY_EDGES = tuple(i / 10 for i in range(11))
MOST_LISTED = 200
PER_SHEET = 12
_COLOURS = ("#3c7fc0", "#e0a020", "#c1440e", "#7a4fb0", "#1f8a54", "#888888")


def render(audit: Audit, title: str, *, sheets: int = 40, leaks: int = 30) -> str:
    """The page; ``sheets`` contact sheets at most, the subjects with most rows first."""
    return pages.page("lineament.datasets.audit", "report.html.j2", _content(audit, title, sheets, leaks))


def _content(audit: Audit, title: str, most_sheets: int, most_leaks: int) -> dict[str, Any]:
    manifest = audit.manifest
    rows = {row.id: row for row in manifest}
    by_split: dict[str, dict[str, int]] = audit.counts["splits"]
    # In the order of the plan where it is known, rows without a split last.
    plan: dict[str, float] = {}
    for step in manifest.steps:
        if step.get("step") == "split":
            plan = {str(name): float(share) for name, share in step.get("shares", [])}
    names = sorted(by_split, key=lambda n: (n == "", list(plan).index(n) if n in plan else len(plan), n))
    colours = {name: _COLOURS[min(i, len(_COLOURS) - 1)] for i, name in enumerate(names)}
    frames = {name: _rgb(colour) for name, colour in colours.items()}
    totals: Counter[str] = Counter()
    for own in by_split.values():
        totals.update(own)
    subjects = [
        {"name": s, "rows": n, "counts": [by_split[name].get(s, 0) for name in names]}
        for s, n in sorted(totals.items(), key=lambda item: (-item[1], item[0]))
        if s
    ]
    own_rows: dict[str, list[ManifestRow]] = {}
    for row in manifest:
        if row.subject is not None and row.outcome == "ok":
            own_rows.setdefault(row.subject, []).append(row)
    order = [str(s["name"]) for s in subjects if s["name"] in own_rows][:most_sheets]
    qualities = [row.quality for row in manifest if row.quality is not None]
    return {
        "title": title,
        "digest": manifest.digest(),
        "leaks": audit.leaks,
        "leak_kinds": dict(Counter(leak.kind for leak in audit.leaks)),
        "shown_leaks": [
            (leak, sheet(manifest, [rows[key] for key in leak.rows][:PER_SHEET], frames))
            for leak in audit.leaks[:most_leaks]
        ],
        "meaning": MEANING,
        "split_names": [name for name in names if name],
        "near_checked": audit.near_checked,
        "unchecked": audit.unchecked,
        "subjects_apart": audit.subjects_apart,
        "splits": [
            {
                "name": name or "no split",
                "colour": colours[name],
                "pictures": audit.counts["pictures"][name],
                "faces": audit.counts["faces"][name],
                "augmented": sum(r.step == "augment" and (r.split or "") == name for r in manifest),
                "subjects": len([s for s in by_split[name] if s]),
            }
            for name in names
        ],
        "columns": names,
        "counts": audit.counts,
        "files": audit.files,
        "notes": audit.notes,
        "flattery": audit.flattery,
        "why_no_flattery": audit.why_no_flattery,
        "copies": flattery.COPIES,
        "rounds": flattery.ROUNDS,
        "sizes": histogram([min(size) for size in audit.sizes.values()], SIZE_EDGES),
        "quality": histogram(qualities, QUALITY_EDGES) if qualities else [],
        "with_quality": len(qualities),
        "origins": origins(manifest),
        "none_stated": NONE,
        "steps": [_step(step) for step in manifest.steps],
        "subjects": subjects,
        "sheets": [(s, sheet(manifest, _spread(own_rows[s], names), frames)) for s in order],
        "per_sheet": PER_SHEET,
        "most_listed": MOST_LISTED,
    }


def _spread(rows: Sequence[ManifestRow], names: Sequence[str]) -> list[ManifestRow]:
    """Up to a sheet of rows, taken from every split in turn, originals first; then grouped by split."""
    waiting = {n: sorted((r for r in rows if (r.split or "") == n), key=_originals_first) for n in names}
    taken: list[ManifestRow] = []
    while len(taken) < PER_SHEET and any(waiting.values()):
        taken += [own.pop(0) for own in waiting.values() if own][: PER_SHEET - len(taken)]
    return sorted(taken, key=lambda r: (names.index(r.split or ""), r.step == "augment"))


def _originals_first(row: ManifestRow) -> tuple[bool, str]:
    return row.step == "augment", row.id


def _step(step: Any) -> dict[str, Any]:
    rest = {key: value for key, value in step.items() if key != "step"}
    return {"step": step.get("step", "?"), "settings": json.dumps(rest, sort_keys=True) if rest else ""}


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
