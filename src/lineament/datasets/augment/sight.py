"""The one rule for a face that leaves its picture, on disk and in training alike.

A face is in the picture while at least `VISIBLE` of its box's area is to be seen; less, and it is dropped
from the labels. What is left of it would then stand in the picture without a label, and a detector would
learn that it is no face. So a draw that cuts a face to such a remainder is drawn again, up to `TRIES`
times; where all do, the picture stays as it is, but of a crowd (more than `CROWD` faces), which hardly any
draw spares, the draw with the fewest remainders is taken. No draw takes the last face of a picture: a
picture with faces never becomes one without.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lineament.datasets.augment.geometric import Moving
from lineament.datasets.augment.view import Step, View

VISIBLE = 0.5
"""Then the middle of the face is in the picture too, whatever side it left on."""

GONE = 0.05
"""A share so small that nobody would call it a face."""

TRIES = 15
CROWD = 10


def in_sight(view: View) -> NDArray[np.bool_]:
    """Which faces ``(N,)`` are still in the picture; one without a box is."""
    sides = (view.boxes[:, 2:] - view.boxes[:, :2]).min(axis=1, initial=np.inf)
    unknown = np.isnan(view.boxes).any(axis=1)
    found: NDArray[np.bool_] = unknown | ((view.shares >= VISIBLE) & (sides >= 1))
    return found


def taken(step: Step, view: View, rng: np.random.Generator) -> View:
    """What a step makes of a view, drawn so that no face becomes a remainder, where that can be."""
    if not isinstance(step, Moving):
        return step(view, rng)
    whole = (view.shares >= VISIBLE) & ~np.isnan(view.boxes).any(axis=1)
    best, fewest = step.rest(view), len(whole) + 1 if whole.sum() > CROWD else 1
    for _ in range(TRIES):
        move = step.draw(view, rng)
        if move is None:
            return view
        shares = move.shares(view)
        left = int((whole & (shares < VISIBLE) & (shares > GONE)).sum())
        if left < fewest and not (whole.any() and not (shares[whole] >= VISIBLE).any()):
            best, fewest = move, left
            if not left:
                break
    return view if best is None else best(view)
