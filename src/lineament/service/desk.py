"""A review as its page sees it: pictures and subjects by number, names as they are shown to people.

A name or a path that a client sends never leads to a file. Names reach the page as escaped text.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from lineament.datasets.cleaning.proposals import Proposal
from lineament.datasets.naming import display_names
from lineament.datasets.reviewing.decisions import ReviewDecision
from lineament.datasets.reviewing.review import DUPLICATES, Review
from lineament.errors import UsageError
from lineament.gallery.subjects import require_valid
from lineament.io.names import shown
from lineament.service.ending import Ending
from lineament.service.thumbnails import Thumbnails

_EXAMPLES = 4
Commands = Callable[[Mapping[str, int]], Sequence[str]]
"""The commands to give next, from the counts of a review."""


def nothing(_counts: Mapping[str, int]) -> Sequence[str]:
    """No command at all."""
    return ()


class ReviewDesk:
    """A review as the page sees it; safe from several threads, and from several pages at once.

    ``ending`` is told what is left after every change. ``commands`` makes of the review's counts what to
    give next, for people.
    """

    def __init__(self, review: Review, ending: Ending | None = None, commands: Commands = nothing) -> None:
        self._review = review
        self._ending = ending or Ending(lambda: None, after_s=None)
        self._commands = commands
        self._accepted: list[list[str]] = []
        self._lock = threading.Lock()
        self._rows = sorted(review.manifest, key=lambda row: (row.subject or "", row.path, row.id))
        self._number = {row.id: n for n, row in enumerate(self._rows)}
        self._names: list[str | None] = sorted(
            {row.subject for row in self._rows}, key=lambda name: (name is not None, name or "")
        )
        self._subject = {name: n for n, name in enumerate(self._names)}
        self._members: list[list[int]] = [[] for _ in self._names]
        for n, row in enumerate(self._rows):
            self._members[self._subject[row.subject]].append(n)
        for members in self._members:
            members.sort(key=self._urgency)
        for several in review.proposals.values():
            for proposal in several:
                if proposal.to is not None:
                    self._known(proposal.to)
        for row in self._rows:
            standing = review.decided(row.id)
            if standing is not None and standing.to is not None:
                self._known(standing.to)
        self._labels = display_names(name for name in self._names if name is not None)
        self.thumbnails = Thumbnails(review.manifest)

    def _urgency(self, n: int) -> tuple[float, int]:
        proposals = self._review.proposals.get(self._rows[n].id)
        return (-proposals[0].score if proposals else 1.0, n)

    def _known(self, name: str) -> int:
        """The number of a subject, new ones at the end."""
        if name not in self._subject:
            self._subject[name] = len(self._names)
            self._names.append(name)
            self._members.append([])
            self._labels = display_names(name for name in self._names if name is not None)
        return self._subject[name]

    def _label(self, name: str | None) -> str:
        return "(no subject)" if name is None else self._labels[name]

    def _stored(self, name: str | None) -> str | None:
        """The name as it is stored, where another is shown."""
        exact = None if name is None else shown(name, limit=None)
        return None if exact == self._label(name) else exact

    def overview(self) -> dict[str, Any]:
        """Every subject by number, and what is left to decide."""
        with self._lock:
            self._review.refresh()
            if not self._review.left() and self._ending.seconds_left() is None:
                self._changed()  # another program decided the last ones
            return {
                **self._state(),
                "proposed": len(self._review.proposals),
                "subjects": [
                    {
                        "name": self._label(name),
                        "stored": self._stored(name),
                        "pictures": len(members),
                        "left": self._left(members),
                    }
                    for name, members in zip(self._names, self._members, strict=True)
                ],
            }

    def _state(self) -> dict[str, Any]:
        """What is left, what stands and comes next, and in how many seconds the command ends by itself."""
        counts = self._review.counts()
        return {
            "left": counts["left"],
            "decided": {name: counts[name] for name in ("keep", "remove", "move")},
            "commands": self._commands(counts),
            "ends_in": self._ending.seconds_left(),
        }

    def subject(self, number: int) -> dict[str, Any]:
        """The pictures of one subject, those with proposals first, the surest of them before the others."""
        with self._lock:
            self._review.refresh()
            if not 0 <= number < len(self._names):
                raise UsageError("there is no subject with this number")
            return {
                "subject": number,
                "name": self._label(self._names[number]),
                "pictures": [self._picture(n) for n in self._members[number]],
            }

    def _picture(self, n: int) -> dict[str, Any]:
        row = self._rows[n]
        return {
            "picture": n,
            "name": shown(row.path, limit=None),
            "file": shown(PurePosixPath(row.path).name, limit=None),
            "decision": self._standing(self._review.decided(row.id)),
            "proposals": [self._proposal(p) for p in self._review.proposals.get(row.id, ())],
        }

    def _proposal(self, p: Proposal) -> dict[str, Any]:
        to = None if p.to is None else self._subject[p.to]
        of = [self._number[i] for i in self._review.paths.get(p.of or "", [])[:1]]
        return {
            "action": p.action,
            "reason": p.reason,
            "score": p.score,
            "detail": shown(p.detail, limit=None),
            "to": to,
            "to_name": None if p.to is None else self._label(p.to),
            "of": of[0] if of else None,
            "of_name": self._label(self._rows[of[0]].subject) if of else None,
            "like": [] if to is None else self._examples(to),
        }

    def _examples(self, subject: int) -> list[int]:
        """Pictures of a subject that nothing worse is said of than that there are several like them."""
        found: list[int] = []
        for n in reversed(self._members[subject]):
            proposals = self._review.proposals.get(self._rows[n].id, ())
            if all(p.reason in DUPLICATES for p in proposals):
                found.append(n)
            if len(found) == _EXAMPLES:
                break
        return found

    def _standing(self, decision: ReviewDecision | None) -> dict[str, Any] | None:
        if decision is None:
            return None
        return {
            "choice": decision.choice,
            "to": None if decision.to is None else self._label(decision.to),
            "by": decision.by,
        }

    def _left(self, members: list[int]) -> int:
        return self._review.left(self._rows[n].id for n in members)

    def _answer(self, n: int) -> dict[str, Any]:
        row = self._rows[n]
        subject = self._subject[row.subject]
        return {
            "picture": n,
            "subject": subject,
            "decision": self._standing(self._review.decided(row.id)),
            **self._state(),
            "subject_left": self._left(self._members[subject]),
        }

    def decide(self, values: dict[str, Any]) -> dict[str, Any]:
        """``{"picture", "choice"}`` and for a move a subject's number ``"to"`` or a name ``"to_new"``."""
        with self._lock:
            row = self._rows[_number(values.get("picture"), len(self._rows), "picture")]
            to: str | None = None
            if values.get("choice") == "move":
                if values.get("to_new") is not None:
                    to = _new_name(values["to_new"])
                    self._known(to)
                else:
                    to = self._names[_number(values.get("to"), len(self._names), "subject")]
                if to is None:
                    raise UsageError("a picture cannot be moved to nobody; remove it")
            self._review.decide(row.id, str(values.get("choice")), to)
            self._changed()
            return self._answer(self._number[row.id])

    def undo(self, values: dict[str, Any]) -> dict[str, Any]:
        """Take back the last decision about ``{"picture"}``, or without it the last one at all.

        ``{"accepted": true}`` takes back what `accept` did last, where nobody has decided since.
        """
        with self._lock:
            if values.get("accepted"):
                batch = self._accepted.pop() if self._accepted else []
                return self._whole(taken_back=self._review.take_back(batch))
            row_id = None
            if values.get("picture") is not None:
                row_id = self._rows[_number(values["picture"], len(self._rows), "picture")].id
            undone = self._review.undo(row_id)
            self._changed()
            return {"picture": None} if undone is None else self._answer(self._number[undone])

    def acceptable(self, confidence: float) -> dict[str, Any]:
        """How many proposals `accept` would accept from this score on."""
        with self._lock:
            self._review.refresh()
            return {"count": len(self._review.acceptable(confidence))}

    def accept(self, values: dict[str, Any]) -> dict[str, Any]:
        """Accept every proposal from the score ``{"from"}`` on, as `Review.accept`."""
        confidence = values.get("from")
        if isinstance(confidence, bool) or not isinstance(confidence, (int, float)):
            raise UsageError("the score to accept from is a number above 0 and at most 1")
        with self._lock:
            self._accepted.append(list(self._review.acceptable(float(confidence))))
            return self._whole(accepted=self._review.accept(float(confidence)))

    def finish(self, _values: dict[str, Any]) -> dict[str, Any]:
        """End the command now; what was decided is kept."""
        with self._lock:
            self._ending.now()
            return self._state()

    def stay(self, _values: dict[str, Any]) -> dict[str, Any]:
        """Do not end by itself any more."""
        with self._lock:
            self._ending.stay()
            return self._state()

    def _changed(self) -> None:
        self._ending.changed(self._review.left())

    def _whole(self, **more: int) -> dict[str, Any]:
        self._changed()
        return {**self._state(), **more}

    def jpeg(self, number: int, longest_px: int) -> bytes:
        """One picture by its number, small."""
        return self.thumbnails.get(
            self._rows[_number(number, len(self._rows), "picture")], longest_px=longest_px
        )


def _number(value: Any, below: int, what: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < below:
        raise UsageError(f"there is no {what} with this number")
    return value


def _new_name(value: Any) -> str:
    if not isinstance(value, str):
        raise UsageError("a subject's name is text")
    require_valid(value)
    return value
