"""What a split is asked to be: names and shares, read from what people write."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from lineament.counting import quantity
from lineament.datasets.given import meaning
from lineament.errors import ConfigError

NAMES = {1: ("train",), 2: ("train", "val"), 3: ("train", "val", "test")}

PURPOSES = {"train": "to learn", "val": "to choose by", "test": "for the exam"}
"""What a training does with each split."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How to split: ``shares`` by name, in order; they add up to 1.

    ``by="photo"`` spreads each subject over the splits (closed set); ``by="subject"`` puts a subject into
    one split only (open set). ``exact`` gives each subject its shares to the nearest photo instead of on
    average; it takes a ``keep`` to leave earlier rows where they were when photos are added. ``resplit``
    shares out rows anew that came with a split; ``clips`` keeps frames of one video together.
    """

    shares: Mapping[str, float]
    by: Literal["photo", "subject"] = "photo"
    exact: bool = False
    seed: int = 0
    resplit: bool = False
    clips: bool = False

    def __post_init__(self) -> None:
        if self.by not in ("photo", "subject"):
            raise ConfigError(f"by: {self.by!r} is neither 'photo' nor 'subject'")
        if not self.shares:
            raise ConfigError("no split is asked for: name at least one, such as train=100")
        for name, share in self.shares.items():
            if not math.isfinite(share) or share <= 0:
                raise ConfigError(
                    f"{name} gets {share:.3g} of the data: leave it out, or give it more than 0"
                )
        if abs(sum(self.shares.values()) - 1) > 1e-6:
            raise ConfigError(f"the shares add up to {sum(self.shares.values()):g}, not to 1")


def parse_shares(text: str, names: Sequence[str] | None = None) -> dict[str, float]:
    """Shares from ``70/20/10``, ``0.7,0.2,0.1``, ``70:20:10 %`` or ``train=70,val=20,test=10``.

    They must add up to 100 or to 1. Without names two parts are train and val, which every training needs;
    three are train, val and test. Raises `ConfigError`.
    """
    parts = _parts(text)
    named = [_NAMED.fullmatch(part) for part in parts]
    if any(named):
        if names is not None:
            raise ConfigError(f"{text!r} names the splits already: leave out --names {','.join(names)}")
        if not all(named):
            raise ConfigError(f"{text!r} names some of the splits only: train=70,val=20,test=10")
        names = [match["name"].strip() for match in named if match is not None]
        parts = [match["share"] for match in named if match is not None]
    elif names is None:
        if len(parts) not in NAMES:
            raise ConfigError(
                f"{text!r}: name the splits of {quantity(len(parts), 'part')} with --names "
                "train,val,test,... or as train=70,val=10,..."
            )
        names = NAMES[len(parts)]
    names = [name.strip() for name in names]
    values = []
    for part in parts:
        try:
            values.append(float(part.replace("%", "").replace(",", ".")))
        except ValueError:
            raise ConfigError(f"{text!r}: {part!r} is no number; a split reads 70/20/10") from None
    if len(names) != len(values) or len(set(names)) != len(names) or not all(names):
        raise ConfigError(
            f"{text!r}: {quantity(len(values), 'share needs', 'shares need')} as many different names, "
            f"such as --names {','.join(NAMES.get(len(values), ('a', 'b', '...')))}; "
            f"given: {','.join(names)}"
        )
    for name, value in zip(names, values, strict=True):
        if not math.isfinite(value) or value <= 0:
            raise ConfigError(f"{text!r}: {name} gets {value:g}: leave it out, or give it more than 0")
    total = math.fsum(values)
    if not any(math.isclose(total, whole, rel_tol=1e-6) for whole in (1.0, 100.0)):
        whole = "/".join(f"{100 * value / total:.3g}" for value in values)
        raise ConfigError(f"{text!r} adds up to {total:g}, not to 100; in these proportions it is {whole}")
    return {name: value / total for name, value in zip(names, values, strict=True)}


def purpose(name: str) -> str:
    """What a split is for, ``to learn``; nothing for names of one's own."""
    return PURPOSES.get(meaning(name), "")


def aloud(shares: Mapping[str, float]) -> str:
    """``train 70 % to learn, val 20 % to choose by, test 10 % for the exam``."""
    return ", ".join(
        f"{name} {100 * share:.3g} % {purpose(name)}".rstrip() for name, share in shares.items()
    )


_NAMED = re.compile(r"(?P<name>[^=:]*)[=:](?P<share>[^=:]*)")


def _parts(text: str) -> list[str]:
    """At the slashes, or else at semicolons, colons, commas or blanks: a comma may be a decimal one."""
    named = any(character.isalpha() for character in text)
    for mark in ("/", ";") if named else ("/", ";", ":"):
        if mark in text:
            return [part.strip() for part in text.split(mark)]
    *before, last = "=".join(part.strip() for part in text.split("=")).split("%")
    bare = "%".join([*(part.rstrip() for part in before), last])
    return re.split(r"\s*,\s*|\s+", bare)
