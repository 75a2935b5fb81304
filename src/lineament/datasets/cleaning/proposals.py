"""What cleaning proposes and a person decides: one picture to remove, move or look at, and why.

A file of proposals is JSON Lines, one proposal a line, ordered by path; ``--json`` prints the same lines.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self, get_args

from lineament import typed
from lineament.documents import Malformed, json_of, lines_of
from lineament.errors import ManifestError
from lineament.io.own_files import PROPOSALS
from lineament.io.writing import replacing

Action = Literal["remove", "move", "review"]
Reason = Literal[
    "not a face", "wrong person", "exact duplicate", "near duplicate", "poor quality", "refused"
]


@dataclass(frozen=True, slots=True)
class Proposal:
    """One proposal for one picture of a manifest.

    ``id`` and ``path`` are those of its row. ``score`` in [0, 1] is how sure the proposal is, so that those
    above a stated confidence may be accepted unseen. ``to`` is the subject the picture looks like, ``of``
    the path of the picture it duplicates, ``detail`` the finding in words.
    """

    path: str
    subject: str | None
    action: Action
    reason: Reason
    score: float
    to: str | None = None
    of: str | None = None
    detail: str = ""
    id: str = ""

    def __post_init__(self) -> None:
        if self.action not in get_args(Action) or self.reason not in get_args(Reason):
            raise ManifestError(f"proposal for {self.path!r}: {self.action!r} because of {self.reason!r}")
        if not 0 <= self.score <= 1:
            raise ManifestError(f"proposal for {self.path!r}: score {self.score} is not in [0, 1]")
        if self.action == "move" and self.to is None:
            raise ManifestError(f"proposal for {self.path!r}: moves it to nobody")

    def to_json(self) -> dict[str, Any]:
        """Plain values under the fields' names."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Build one; raises `ManifestError` for unknown or missing keys."""
        try:
            return typed.build(cls, values)
        except ValueError as error:
            raise ManifestError(f"no proposal: {error}") from None


def in_order(proposals: Iterable[Proposal]) -> list[Proposal]:
    """By path, then reason: the order of every list of proposals."""
    return sorted(proposals, key=lambda p: (p.path, p.reason, p.of or ""))


def save(path: Path, proposals: Iterable[Proposal]) -> None:
    """Write a file of proposals; it appears whole or not at all.

    Raises `WouldOverwrite` for a file that holds anything else, and `OutputError`.
    """
    with replacing(path, PROPOSALS) as file:
        for proposal in in_order(proposals):
            file.write(json.dumps(proposal.to_json(), sort_keys=True, allow_nan=False) + "\n")


def load(path: Path) -> list[Proposal]:
    """Read a file of proposals; raises `ManifestError` naming the line that is wrong."""
    found = []
    try:
        with path.open("rb") as file:
            for number, line in enumerate(lines_of(file), 1):
                try:
                    found.append(Proposal.from_json(json_of(line)))
                except (Malformed, ManifestError) as error:
                    raise ManifestError(f"{path}, line {number}: {error}") from error
    except (OSError, Malformed) as error:
        raise ManifestError(f"{path}: cannot be read as proposals: {error}") from error
    return found
