"""By which detector faces are found for models trained here: that by which their training faces were cut.

A box of another detector shows another part of the head, which a network trained on crops has never seen:
people it knows well by the one it confuses by the other.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from lineament import registry
from lineament.attributes.trained import Trained
from lineament.errors import LineamentError
from lineament.protocols import AttributeClassifier, Detector

DEFAULT = "yunet"


@dataclass(frozen=True, slots=True)
class Finding:
    """The ``detector`` to use; ``told`` says of one that nobody asked for why, and warns of a mismatch."""

    detector: str | os.PathLike[str] | Detector
    told: tuple[str, ...] = ()


def finding(
    asked: str | os.PathLike[str] | Detector | None,
    classifiers: Sequence[AttributeClassifier],
    default: str = DEFAULT,
) -> Finding:
    """What was ``asked`` for, else the trainings', first of classifiers of people, or ``default``."""
    trained = [one for one in classifiers if isinstance(one, Trained) and one.card.data.detector]
    trained.sort(key=lambda one: one.card.job != "classifier")
    told = []
    if asked is None:
        asked = default
        for one in trained:
            spec = str(one.card.data.detector)
            try:
                registry.detectors.create(spec)
            except LineamentError as error:
                told.append(f"the detector of the training of {one.card.name} cannot be had: {error}")
                continue
            asked = spec
            told.append(f"faces are found by {spec}, as for the training of {one.card.name}")
            break
    if isinstance(asked, str | os.PathLike):
        used = os.fspath(asked)
        told += [
            f"warning: {one.card.name} was trained on faces cut by the boxes of {one.card.data.detector}, "
            f"these are found by {used}: its answers may be wrong; leave the detector out, or train on "
            f"crops by `dataset extract --detector {used}`"
            for one in trained
            if _boxes_of(used) != _boxes_of(str(one.card.data.detector))
        ]
    return Finding(asked, tuple(told))


def _boxes_of(spec: str) -> str:
    """Whose boxes a detector gives: turning and enlarging the picture leaves them as they are."""
    try:
        return registry.detectors.innermost(spec)
    except LineamentError:
        return spec
