"""How the people of a calibration are divided, and how many of them with how many photos a target takes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from lineament.counting import quantity
from lineament.scoring import thresholds

FEWEST = 30
"""People a part needs: fewer say next to nothing about others, however many photos there are of them."""
_MOST = 1_000_000
"""People that are tried; for more the answer is to hold out less."""


class Divided(Protocol):
    """The settings that decide who chooses a threshold, see `lineament.evaluation.calibration.Plan`."""

    @property
    def target(self) -> float:
        """The rate asked for."""

    @property
    def kind(self) -> str:
        """FMR or FPIR."""

    @property
    def hold_out(self) -> float:
        """Share of people that measure and do not choose."""

    @property
    def hold_back(self) -> float:
        """For FPIR: people kept out of the gallery, as a share below 1 or a number."""

    @property
    def gallery_photos(self) -> int:
        """For FPIR: photos enrolled of everybody else."""


def choosing(people: int, plan: Divided) -> int:
    """How many of so many people a threshold is chosen on."""
    asked = _strangers(people, plan) if plan.kind == "FPIR" else people
    return asked - round(plan.hold_out * asked)


def explained(subjects: Sequence[str], plan: Divided) -> str:
    """In words how few people became fewer, and how many people and photos to bring; one name a picture."""
    count = len(set(subjects))
    steps = [f"of {quantity(count, 'person')} with photos"]
    asked = count
    if plan.kind == "FPIR":
        asked = _strangers(count, plan)
        steps.append(f"{_are(asked)} kept out of the gallery as strangers (--hold-back {plan.hold_back:g})")
    if plan.hold_out:
        held = round(plan.hold_out * asked)
        steps.append(f"{_are(held)} held out to measure on (--hold-out {plan.hold_out:g})")
    # Two are the least of a person by whom to see what the threshold misses.
    least = 2 if plan.kind == "FMR" else plan.gallery_photos + 1
    photos = max(least, round(Counter(subjects).total() / count) if count else 0)
    left = f"{', '.join(steps)}, {_are(choosing(count, plan))} left to choose on"
    wanted = _wanted(plan, photos)
    if wanted is None:
        return f"{left}; hold out less, or hold back more"
    return f"{left}; bring {quantity(wanted, 'person')} with {quantity(photos, 'photo')} or more of each"


def explained_for_both(subjects: Sequence[str], hold_out: float) -> str:
    """In words how many people with several photos it takes to have `FEWEST` in both parts."""
    several = sum(count > 1 for count in Counter(subjects).values())
    there = f"{several} of {quantity(len(set(subjects)), 'person')} have several"
    if not hold_out:
        return f"{there}; bring {FEWEST}"
    wanted = math.ceil(FEWEST / min(hold_out, 1 - hold_out) - 1e-9)
    return f"{there}, and a part of {hold_out:g} is held out to check it on; bring {wanted}"


def alone(units: int, one: str) -> list[str]:
    """What figures of a single picture or person, of which there are ``units``, are worth."""
    if units != 1:
        return []
    return [
        f"warning: all of it is of one {one}: the figures tell next to nothing of others, and the "
        "intervals are those of a single trial, or none"
    ]


def _are(count: int) -> str:
    return f"{count} {'is' if count == 1 else 'are'}"


def _strangers(people: int, plan: Divided) -> int:
    if plan.hold_back >= 1:
        return min(round(plan.hold_back), people)
    return min(max(1, round(plan.hold_back * people)), max(people - 1, 0))


def _wanted(plan: Divided, photos: int) -> int | None:
    """The fewest people of whom enough, with so many photos each, are left to choose on."""

    def enough(people: int) -> bool:
        left = choosing(people, plan)
        each = photos * left
        trials = each if plan.kind == "FPIR" else each * (each - photos) // 2
        return left >= FEWEST and trials >= thresholds.needed(plan.target)

    high = FEWEST
    while not enough(high):
        if (high := 2 * high) > _MOST:
            return None
    low = high // 2
    # Rounding lets the part grow in steps, but never shrink.
    while high - low > 1:
        middle = math.floor((low + high) / 2)
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
