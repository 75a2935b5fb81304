"""What a classifier of people says of strangers, and below which probability it should name nobody.

The probability is chosen on one half of the strangers so that at most a wanted share of them is named, and
that share is measured on the other half; of people it knows, how many it then still names.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lineament.analyzer import Analyzer, central_face
from lineament.answers import Answer
from lineament.attributes.trained import Trained
from lineament.counting import quantity
from lineament.errors import ConfigError, InsufficientData, LineamentError, UsageError
from lineament.evaluation.trained_on import compare_pictures, require_pictures_unseen
from lineament.io import own_files, sources
from lineament.io.manifest import MANIFEST_NAME, Manifest
from lineament.io.rejection import Rejection
from lineament.protocols import Advance
from lineament.scoring import proportions, thresholds
from lineament.scoring.rate import Rate


@dataclass(frozen=True, slots=True)
class Photo:
    """A picture and whose face it shows."""

    file: Path
    person: str


@dataclass(frozen=True, slots=True)
class Strangers(Answer):
    """What `measure` found. ``chosen_on`` and ``named.n`` count faces of strangers, of different people.

    ``named`` is the share of strangers that is still named; ``kept`` and ``right`` are the shares of known
    faces that are named at all, and rightly: None without photos of known people. ``without`` counts the
    pictures without a usable face, ``known_chosen_on`` those of known people that the epoch was chosen by.
    ``people`` are all strangers with a face, ``measuring`` those of the half that measures.
    """

    below: float
    share: float
    chosen_on: int
    people: int
    measuring: int
    named: Rate
    kept: Rate | None
    right: Rate | None
    without: int
    known_chosen_on: int = 0

    @property
    def needed(self) -> int:
        """How many strangers it takes to promise `share`: `thresholds.fewest` in each half."""
        return 2 * thresholds.fewest(self.share)

    @property
    def shortfall(self) -> str | None:
        """Why the probability is nothing to rely on, or None where it can be recommended."""
        each = thresholds.fewest(self.share)
        if min(self.measuring, self.people - self.measuring) < each:
            return (
                f"to promise that at most {self.share:.1%} of strangers are named takes {self.needed:,} of "
                f"them with a face, {each:,} to choose by and {each:,} to measure on; you have "
                f"{self.people:,}"
            )
        return None

    def to_json(self) -> dict[str, Any]:
        """Plain numbers; ``recommended`` is None where `shortfall` says why."""
        rates = {"named": self.named, "kept": self.kept, "right": self.right}
        return {
            "reject_below": self.below,
            "recommended": None if self.shortfall else self.below,
            "strangers_needed": self.needed,
            "shortfall": self.shortfall,
            "target_share": self.share,
            "chosen_on": self.chosen_on,
            "strangers": self.people,
            "pictures_without_face": self.without,
            "known_chosen_on": self.known_chosen_on,
            **{name: None if rate is None else rate.to_json() for name, rate in rates.items()},
        }

    def told(self) -> Iterator[str]:
        """How many strangers are still named at that probability, and what it costs known people."""
        if self.known_chosen_on:
            yield (
                f"{self.known_chosen_on:,} of those pictures are of the split val, by which the best "
                "epoch was chosen, for the training had no test: what rejecting costs is told too low"
            )
        yield (
            f"{quantity(self.people, 'stranger')}; {quantity(self.without, 'picture')} without a usable "
            "face left out"
        )
        yield (
            f"on the {quantity(self.chosen_on, 'face')} of half of them at most {self.share:.1%} are named "
            f"above {self.below:.4f}"
        )
        yield f"of the others' {quantity(self.named.n, 'face')} are named: {self.named}"
        if self.named.low > self.share:
            yield (
                f"warning: that is more than the {self.share:.1%} asked for, beyond chance: more "
                "strangers, or a smaller --share, make the level stricter"
            )
        if self.kept is not None and self.right is not None:
            yield f"of {quantity(self.kept.n, 'face')} of known people are named: {self.kept}"
            yield f"and named rightly: {self.right}"

    def rejection(self, model: Trained) -> Rejection:
        """What the run folder keeps."""
        return Rejection(self.below, model.card.sha256, self.to_json())


def photos_in(data: Path, *, split: str | None = None) -> list[Photo]:
    """Pictures of a manifest (of a split), a folder a person, or one folder, each then somebody else."""
    path = data / MANIFEST_NAME if (data / MANIFEST_NAME).is_file() else data
    if path.is_file() and own_files.MANIFEST.known(path):
        manifest = Manifest.load(path)
        rows = [row for row in manifest if row.outcome == "ok" and split in (None, row.split)]
        found = [Photo(manifest.file(row), row.subject or row.path) for row in rows]
    elif data.is_dir():
        files = [Path(file) for file in sources.expand([str(data)])]
        found = [Photo(file, file.name if file.parent == data else file.parent.name) for file in files]
    else:
        raise UsageError(f"{data}: neither a manifest nor a folder of photos")
    if not found:
        raise UsageError(f"{data}: holds no photos" + (f" of the split {split}" if split else ""))
    return list({photo.file: photo for photo in found}.values())


def measure(
    run: Path,
    strangers: Sequence[Photo],
    known: Sequence[Photo] = (),
    *,
    share: float = 0.05,
    detector: str | None = None,
    workers: int | None = None,
    advance: Advance | None = None,
) -> Strangers:
    """Choose and measure; of each picture the face nearest its centre is meant.

    Raises `SplitError` for pictures the classifier was trained on, `UsageError` for strangers that it
    knows, and `InsufficientData` for fewer than two strangers.
    """
    if not 0 < share < 1:
        raise ConfigError("the share of strangers that may be named lies between 0 and 1")
    require_pictures_unseen((photo.file for photo in strangers), (str(run),))
    compared = compare_pictures((photo.file for photo in known), (str(run),))
    with Analyzer(detector, None, [str(run)], quality=False, workers=workers) as analyzer:
        (model,) = analyzer.attributes
        if not isinstance(model, Trained) or model.card.job != "classifier":
            raise ConfigError(f"{run}: not the folder of a classifier's training")
        classes = model.card.heads[0].classes
        both = sorted({photo.person for photo in strangers} & set(classes))
        if both:
            raise UsageError(
                f"{', '.join(both[:5])}: no strangers, the classifier names them; leave them out"
            )
        seen = _answers(analyzer, model.names[0], (*strangers, *known), advance)
    met = [(p, seen[p.file]) for p in strangers if p.file in seen]
    people = {person: i for i, person in enumerate(sorted({p.person for p, _ in met}, key=_mixed))}
    if len(people) < 2:
        raise InsufficientData(
            f"{quantity(len(people), 'stranger')} with a face: half choose, half measure; give more"
        )
    choosing = np.array([people[photo.person] % 2 == 0 for photo, _ in met])
    sure = np.array([probability for _, (_, probability) in met])
    # As written into the file and compared later: a float32, and never rounded down.
    below = float(np.nextafter(np.float32(thresholds.at_rate(sure[choosing], share)), np.float32(2)))
    whose = np.array([photo.person for photo, _ in met])
    named = proportions.of_flags(sure[~choosing] >= below, whose[~choosing])
    own = [(p.person, *seen[p.file]) for p in known if p.file in seen and p.person in classes]
    kept = right = None
    if own:
        persons = np.array([person for person, _, _ in own])
        taken = np.array([probability >= below for _, _, probability in own])
        kept = proportions.of_flags(taken, persons)
        right = proportions.of_flags(taken & np.array([a == b for a, b, _ in own]), persons)
    without = len({p.file for p in (*strangers, *known)}) - len(seen)
    flattering = sum(one.chosen_on for one in compared.values())
    return Strangers(
        below=below,
        share=share,
        chosen_on=int(choosing.sum()),
        people=len(people),
        measuring=len(people) // 2,
        named=named,
        kept=kept,
        right=right,
        without=without,
        known_chosen_on=flattering,
    )


def _answers(
    analyzer: Analyzer, name: str, photos: Sequence[Photo], advance: Advance | None
) -> dict[Path, tuple[str, float]]:
    """The likeliest person and its probability by picture, of those with a usable face."""
    files = list(dict.fromkeys(photo.file for photo in photos))
    found: dict[Path, tuple[str, float]] = {}
    for file, outcome in zip(files, analyzer.analyze([str(file) for file in files]), strict=True):
        try:
            face = central_face(outcome)
        except LineamentError:
            pass  # counted by its absence
        else:
            found[file] = str(face.attributes[name]), float(face.probabilities[name])
        if advance is not None:
            advance(1)
    return found


def _mixed(person: str) -> str:
    return hashlib.sha256(person.encode("utf-8", "surrogatepass")).hexdigest()
