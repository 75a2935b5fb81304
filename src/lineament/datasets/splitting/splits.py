"""Assign rows to train, val and test so that nothing that belongs together is parted.

Rows are first grouped: crops and copies of one photo, files with the same bytes, versions of one photo by
what their rows and names say (`lineament.datasets.grouping.versions`), and whatever ``groups`` links
(near-duplicates). A group goes to one split as a whole. With ``by="subject"`` all groups of a
subject do too. Splits that the data came with stay (`lineament.datasets.given`). Pictures without
a face are assigned like the others, for detectors learn from them and are measured on them, but do not
count as a subject's rows. How a group finds its split, and what that costs, stands in
docs/decisions/0007-split-before-augment.md.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from lineament.datasets.given import Given, given_splits
from lineament.datasets.splitting.assigning import Assignment
from lineament.datasets.splitting.gaps import gaps
from lineament.datasets.splitting.reporting import SplitDecision, decide
from lineament.datasets.splitting.shares import Plan, parse_shares
from lineament.errors import SplitError
from lineament.io.manifest import Manifest, ManifestRow

__all__ = ["Plan", "Split", "counts", "parse_shares", "split", "summary"]


@dataclass(frozen=True, slots=True)
class Split:
    """What `split` answers: the new manifest and what has to be told about it.

    ``unassigned`` counts pictures left without a split by outcome (``refused``). ``moved`` holds the ids of
    rows that ``keep`` knew in another split, because a link to another kept row forced it. ``missing``
    names for each split the subjects with rows elsewhere but none there (closed set only). ``empty`` counts
    the rows without a face by split. ``decisions`` say in words what was not simply shared out.
    """

    manifest: Manifest
    groups: int
    unassigned: Mapping[str, int] = field(default_factory=dict)
    moved: tuple[str, ...] = ()
    missing: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    empty: Mapping[str, int] = field(default_factory=dict)
    decisions: tuple[SplitDecision, ...] = ()

    def counts(self) -> dict[str, dict[str, int]]:
        """Rows with a face by split and subject; rows without a subject count under the empty name."""
        return counts(self.manifest)


def counts(manifest: Manifest) -> dict[str, dict[str, int]]:
    """Rows with a face by split and subject, both sorted; rows without a split are left out."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for row in manifest:
        if row.split is not None and row.outcome == "ok":
            found[row.split][row.subject or ""] += 1
    return {name: dict(sorted(found[name].items())) for name in sorted(found)}


def split(
    manifest: Manifest, plan: Plan, groups: Iterable[Iterable[str]] = (), keep: Manifest | None = None
) -> Split:
    """Give every row a split whose picture could be read.

    ``groups`` are sets of row ids that must stay together. Splits that the manifest came with stay, unless
    the plan says otherwise. ``keep`` is an earlier manifest: rows it knows, by id or by bytes, keep their
    split. Where kept rows of several splits turn out to be linked, the group goes to the first split of the
    plan (train), so that nothing trained on becomes a test picture. Raises `SplitError` when augmented rows
    are there already (split first, augment after), and when a split of the plan would get no row.
    """
    if any(row.step == "augment" for row in manifest):
        raise SplitError("the manifest holds augmented rows: split before augmenting, not after")
    came = given_splits(manifest, plan.shares)
    given = Given(open=tuple(plan.shares)) if plan.resplit else came
    work = Assignment(manifest, plan, given, groups)
    moved = work.keep(keep)
    work.assign()
    placed = [replace(row, split=work.places.get(row.id)) for row in manifest]
    missing = _missing(placed, given) if plan.by == "photo" else {}
    decisions = (*decide(work, placed, came, missing), *gaps(work, placed))
    step: dict[str, Any] = {
        # A list, because the order decides who goes where, and keys are sorted when saved.
        "shares": [[name, share] for name, share in plan.shares.items()],
        "by": plan.by,
        "exact": plan.exact,
        "seed": plan.seed,
        "clips": plan.clips,
        "given": sorted(given.held),
        "decisions": [decision.to_json() for decision in decisions],
    }
    left = Counter(outcome for _, outcome in {(row.path, row.outcome) for row in placed if not row.split})
    empty = Counter(row.split for row in placed if row.outcome == "no_face" and row.split is not None)
    return Split(
        manifest.with_rows(placed, step="split", **step),
        work.groups,
        dict(sorted(left.items())),
        moved,
        missing,
        {name: empty[name] for name in work.names if empty[name]},
        decisions,
    )


def _missing(rows: Iterable[ManifestRow], given: Given) -> dict[str, tuple[str, ...]]:
    """Only of the splits that were filled here: what authors gave is theirs."""
    there: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row.split is not None and row.outcome == "ok" and row.subject:
            there[row.split].add(row.subject)
    everyone = set().union(*there.values())
    gaps = {name: tuple(sorted(everyone - there[name])) for name in given.open}
    return {name: subjects for name, subjects in gaps.items() if subjects}


def summary(result: Split) -> dict[str, Any]:
    """The JSON of the command: counts per split and subject, and all that was not as planned."""
    found = result.counts()
    pictures: dict[str, set[str]] = defaultdict(set)
    for row in result.manifest:
        if row.split is not None:
            pictures[row.split].add(row.path)
    return {
        "counts": found,
        "totals": {name: sum(subjects.values()) for name, subjects in found.items()},
        "pictures": {name: len(paths) for name, paths in sorted(pictures.items())},
        "groups": result.groups,
        "empty": dict(result.empty),
        "unassigned": dict(result.unassigned),
        "moved": list(result.moved),
        "missing": {name: list(subjects) for name, subjects in result.missing.items()},
        "decisions": [decision.to_json() for decision in result.decisions],
        "warnings": [text for one in result.decisions if (text := one.warning) is not None],
    }
