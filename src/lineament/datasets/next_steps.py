"""The commands that follow on cleaning, in order: terminal and review page name the same ones."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lineament.datasets.reviewing.review import PROPOSALS_NAME
from lineament.io.manifest import MANIFEST_NAME

SHARES = "70/20/10"


@dataclass(frozen=True, slots=True)
class NextSteps:
    """What is left to do with the data that the paths name, as somebody would type it.

    ``proposals`` and ``log`` are None where they lie beside the manifest under their own names.
    """

    data: Path
    proposals: Path | None = None
    log: Path | None = None

    def after(self, counts: Mapping[str, int]) -> list[str]:
        """To decide what is left, to make the manifest as decided, and to split that, or what there is.

        ``counts`` are those of `lineament.datasets.reviewing.review.Review.counts`.
        """
        changing = counts["left"] or counts["remove"] or counts["move"]
        if not changing:
            return [self.split(self.data)]
        review = [self.review] if counts["left"] else []
        applied = f"{self.review} --apply {shlex.quote(str(self.reviewed))}"
        return [*review, applied, self.split(self.reviewed)]

    @property
    def review(self) -> str:
        """To decide proposals."""
        given = {"--proposals": self.proposals, "--log": self.log}
        options = [word for name, path in given.items() if path is not None for word in (name, str(path))]
        return shlex.join(["lineament", "dataset", "review", str(self.data), *options])

    @property
    def reviewed(self) -> Path:
        """The manifest as decided, beside the one it is made from."""
        name = "reviewed.jsonl" if self.data.name != "reviewed.jsonl" else "reviewed-again.jsonl"
        return self._folder / name

    def clean(self, command: str = "clean") -> str:
        """To have something proposed, where the review looks for it."""
        out = self.proposals or self._folder / PROPOSALS_NAME
        return shlex.join(["lineament", "dataset", command, str(self.data), "--out", str(out)])

    @staticmethod
    def split(data: Path) -> str:
        """To share the pictures out."""
        return shlex.join(["lineament", "dataset", "split", str(data), SHARES])

    @property
    def _folder(self) -> Path:
        return self.data if self.data.is_dir() else self.data.parent


def of_manifest(path: Path) -> NextSteps:
    """Those of a manifest with everything beside it; the usual one is called by its folder."""
    return NextSteps(path.parent if path.name == MANIFEST_NAME else path)


def spoken(commands: list[str]) -> list[str]:
    """As lines to print."""
    return [f"{'then' if i else 'next'}: {command}" for i, command in enumerate(commands)]
