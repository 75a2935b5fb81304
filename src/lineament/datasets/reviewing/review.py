"""Decisions about pictures: an append-only log beside the manifest, and the next manifest made from it.

The log is JSON Lines, one decision a line, synced to disk before it counts. A line names its picture by the
file's SHA-256 and path, so that it holds for every manifest that lists the picture, however often the steps
around it run again. Nothing is ever taken out of the log: undoing appends as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lineament.datasets.cleaning.proposals import Proposal
from lineament.datasets.reviewing.decisions import DecisionLog, ReviewDecision, decision
from lineament.errors import UsageError
from lineament.io.manifest import Manifest, ManifestRow

LOG_NAME = "review.jsonl"
PROPOSALS_NAME = "proposals.jsonl"

DUPLICATES = ("exact duplicate", "near duplicate")


class Review:
    """A manifest, the proposals about it, and what was decided so far.

    ``proposals`` are by row id; those that fit no row are in ``unmatched``. Decisions that fit no row stay
    in the log and are left alone.
    """

    def __init__(self, manifest: Manifest, proposals: Iterable[Proposal], log: DecisionLog) -> None:
        self.manifest = manifest
        self.log = log
        self.rows = {row.id: row for row in manifest}
        self._same_file: dict[tuple[str, str], list[str]] = {}
        by_path: dict[str, list[str]] = {}
        for row in manifest:
            self._same_file.setdefault((row.sha256, row.path), []).append(row.id)
            by_path.setdefault(row.path, []).append(row.id)
        self.paths: Mapping[str, list[str]] = by_path
        self.proposals: dict[str, list[Proposal]] = {}
        self.unmatched: list[Proposal] = []
        for proposal in proposals:
            known = proposal.id in self.rows and self.rows[proposal.id].path == proposal.path
            fitting = [proposal.id] if known else by_path.get(proposal.path, [])
            for row_id in fitting:
                self.proposals.setdefault(row_id, []).append(proposal)
            if not fitting:
                self.unmatched.append(proposal)
        for several in self.proposals.values():
            several.sort(key=lambda p: (p.action == "review", -p.score, p.reason))
        self._history: dict[str, list[ReviewDecision]] = {}
        self._touched: set[str] = set()  # rows a person has decided or undone
        self._read = 0
        self.refresh()

    def refresh(self) -> None:
        """Take in what other processes have appended since."""
        self.log.refresh()
        for entry in self.log.entries[self._read :]:
            row_id = self._row_of(entry)
            if row_id is None:
                continue
            history = self._history.setdefault(row_id, [])
            if entry.choice != "undo":
                history.append(entry)
            elif history:
                history.pop()
            if entry.by == "person":
                self._touched.add(row_id)
        self._read = len(self.log.entries)

    def _row_of(self, entry: ReviewDecision) -> str | None:
        """Faces of one picture share its bytes and path; only then does the id tell them apart."""
        same = self._same_file.get((entry.sha256, entry.path), [])
        if entry.id in same:
            return entry.id
        return same[0] if len(same) == 1 else None

    def decided(self, row_id: str) -> ReviewDecision | None:
        """What stands for this row."""
        history = self._history.get(row_id)
        return history[-1] if history else None

    def left(self, row_ids: Iterable[str] | None = None) -> int:
        """How many rows (of these) have a proposal and no decision."""
        among = self.proposals if row_ids is None else (i for i in row_ids if i in self.proposals)
        return sum(self.decided(row_id) is None for row_id in among)

    def decide(self, row_id: str, choice: str, to: str | None = None) -> None:
        """Log a person's decision: ``keep``, ``remove`` or ``move`` to a subject; the last one stands.

        Raises `UsageError` for an unknown row or choice and `OutputError` where it could not be stored.
        """
        row = self._row(row_id)
        if choice not in ("keep", "remove", "move"):
            raise UsageError(f"no choice named {choice!r}: keep, remove or move")
        self.log.append([decision(row, choice, to=to)])
        self.refresh()

    def undo(self, row_id: str | None = None) -> str | None:
        """Take back the last decision about this row, or the last of a person about any; returns the row.

        What stood before stands again. None when there is nothing to take back.
        """
        self.refresh()
        if row_id is None:
            row_id = self._last_by_a_person()
        if row_id is None or self.decided(row_id) is None:
            return None
        self.log.append([decision(self._row(row_id), "undo")])
        self.refresh()
        return row_id

    def _last_by_a_person(self) -> str | None:
        for entry in reversed(self.log.entries):
            row_id = self._row_of(entry)
            if row_id is not None and entry.by == "person" and self.decided(row_id) is entry:
                return row_id
        return None

    def _row(self, row_id: str) -> ManifestRow:
        if row_id not in self.rows:
            raise UsageError(f"the manifest has no row {row_id!r}")
        return self.rows[row_id]

    def acceptable(self, confidence: float) -> dict[str, Proposal]:
        """The proposals to remove or move that `accept` would accept from this score on, by row id.

        Left to a person: what a person has decided or undone before, two moves that disagree, and a
        duplicate of a picture that is removed itself. Removing goes before moving.
        """
        if not 0 < confidence <= 1:
            raise UsageError(
                f"the confidence to accept from lies above 0 and at most at 1, not {confidence}"
            )
        sure = {
            row_id: [p for p in several if p.action != "review" and p.score >= confidence]
            for row_id, several in sorted(self.proposals.items())
            if row_id not in self._touched and self.decided(row_id) is None
        }
        chosen = {row_id: found for row_id, several in sure.items() if (found := _one_of(several))}
        for row_id in [i for i, p in chosen.items() if self._original_goes(p, chosen)]:
            del chosen[row_id]
        return chosen

    def accept(self, confidence: float) -> int:
        """Accept all `acceptable` proposals, logged as automatic; returns how many."""
        chosen = self.acceptable(confidence)
        self.log.append(
            decision(self.rows[i], p.action, to=p.to, by="auto", reason=p.reason, score=p.score)
            for i, p in chosen.items()
        )
        self.refresh()
        return len(chosen)

    def take_back(self, row_ids: Iterable[str]) -> int:
        """Undo the automatic decisions that still stand about these rows; returns how many.

        They may be accepted again, for no person has looked at them.
        """
        self.refresh()
        standing = [i for i in row_ids if (d := self.decided(i)) is not None and d.by == "auto"]
        self.log.append(decision(self.rows[i], "undo", by="auto") for i in standing)
        self.refresh()
        return len(standing)

    def _original_goes(self, proposal: Proposal, chosen: Mapping[str, Proposal]) -> bool:
        """Whether the picture at the end of this chain of duplicates would be removed too."""
        seen = {proposal.path}
        while proposal.reason in DUPLICATES and proposal.action == "remove" and proposal.of is not None:
            if proposal.of in seen:
                return True
            seen.add(proposal.of)
            originals = self.paths.get(proposal.of, [])
            if not originals:
                return True
            accepted = [chosen[i] for i in originals if i in chosen]
            stored = [d for i in originals if (d := self.decided(i)) is not None]
            if len([d for d in stored if d.choice == "remove"]) == len(originals):
                return True
            if not accepted or accepted[0].action != "remove":
                return False
            if accepted[0].reason not in DUPLICATES:
                return True
            proposal = accepted[0]
        return False

    def counts(self) -> dict[str, int]:
        """``pictures``, ``proposed``, ``left``, what stands by choice, and how many are ``automatic``."""
        standing = [d for row_id in self.rows if (d := self.decided(row_id)) is not None]
        by_choice = Counter(d.choice for d in standing)
        return {
            "pictures": len(self.rows),
            "proposed": len(self.proposals),
            "left": self.left(),
            "keep": by_choice["keep"],
            "remove": by_choice["remove"],
            "move": by_choice["move"],
            "automatic": sum(d.by == "auto" for d in standing),
        }


def _one_of(proposals: list[Proposal]) -> Proposal | None:
    removals = [p for p in proposals if p.action == "remove"]
    if removals:
        return min(removals, key=lambda p: (p.reason in DUPLICATES, -p.score))
    return proposals[0] if len({p.to for p in proposals}) == 1 else None


@dataclass(frozen=True, slots=True)
class Applied:
    """The next manifest, and how many rows were removed, moved, or followed the row they were made from."""

    manifest: Manifest
    removed: int
    moved: int
    followed: int

    def to_json(self) -> dict[str, Any]:
        """The counts."""
        return {
            "rows": len(self.manifest),
            "removed": self.removed,
            "moved": self.moved,
            "followed": self.followed,
        }


def apply(review: Review) -> Applied:
    """The manifest without the removed rows and with the moved ones under their new subject.

    Rows cut or augmented from one that goes or moves follow it, unless decided themselves. What is not
    decided stays. No file is touched.
    """
    review.refresh()
    rows, counted = [], Counter[str]()
    for row in review.manifest:
        standing, follows = _standing(review, row)
        if standing is None or standing.choice == "keep":
            rows.append(row)
            continue
        counted["followed" if follows else standing.choice] += 1
        if standing.choice == "move":
            rows.append(replace(row, subject=standing.to))
    manifest = review.manifest.with_rows(
        rows,
        step="review",
        removed=counted["remove"],
        moved=counted["move"],
        followed=counted["followed"],
        left=review.left(),
        log=review.log.digest(),
    )
    return Applied(manifest, counted["remove"], counted["move"], counted["followed"])


def _standing(review: Review, row: ManifestRow) -> tuple[ReviewDecision | None, bool]:
    """The decision for a row or the nearest row it was made from, and whether it is another's."""
    current, seen = row, {row.id}
    while (found := review.decided(current.id)) is None:
        if current.parent is None or current.parent not in review.rows or current.parent in seen:
            return None, False
        seen.add(current.parent)
        current = review.rows[current.parent]
    return found, current is not row


def open_review(manifest: Manifest, proposals: Path | None = None, log: Path | None = None) -> Review:
    """A review with its log, by default ``review.jsonl`` beside the manifest.

    Without ``proposals`` those in ``proposals.jsonl`` beside the manifest are taken, where there are any.
    """
    from lineament.datasets.cleaning import proposals as files

    beside = manifest.folder / PROPOSALS_NAME
    source = proposals if proposals is not None else beside if beside.is_file() else None
    found = files.load(source) if source is not None else []
    return Review(manifest, found, DecisionLog(log or manifest.folder / LOG_NAME))
