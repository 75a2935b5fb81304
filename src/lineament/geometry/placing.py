"""Which of the faces found in a picture is each face that somebody said is there: one rule for every step.

Overlap alone confuses neighbours: a generous box overlaps two faces alike. So a fit counts overlap, how far
the centres lie apart, and how unlike the sizes are; each face found is one face at most, and all are placed
together so that the fits add up to the most.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from lineament.geometry.boxes import area, center, iou
from lineament.shown import shown
from lineament.types import Float32, Float64

LEAST_IOU = 0.3
"""Overlap from which a face found may be the one in a given box: people and detectors differ in what they
take for the face's edge."""

NEARLY = 0.6
"""Share of the fit chosen from which another choice is nearly as good: a second face in a box that is right
is rare, so doubt costs little."""


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """For each box given: ``face``, the row of the face found in it or -1, and its ``overlap`` (IoU).

    ``tied`` says that another face fits nearly as well, alone or with the two changing places.
    """

    face: NDArray[np.intp]
    overlap: Float32
    tied: NDArray[np.bool_]

    __repr__ = shown


def place(given: Float32, found: Float32, least: float = LEAST_IOU, *, shared: bool = False) -> Placed:
    """Place boxes ``given`` ``(N, 4)`` among those ``found`` ``(M, 4)``, xyxy of one picture.

    Only a face that overlaps a box by ``least`` (IoU) can be in it. With ``shared`` equal boxes are one
    face, of which several things are said.
    """
    if shared and len(given):
        boxes, inverse = np.unique(given, axis=0, return_inverse=True)
        one = place(boxes, found, least)
        of = inverse.reshape(-1)
        return Placed(one.face[of], one.overlap[of], one.tied[of])
    n = len(given)
    face, overlap = np.full(n, -1, np.intp), np.zeros(n, np.float32)
    tied = np.zeros(n, bool)
    if not n or not len(found):
        return Placed(face, overlap, tied)
    near = iou(given, found)
    fit = np.where(near >= least, _fit(given, found, near), 0.0)
    # A face placed is worth more than any gain of fit: first as many as can be, then as well as can be.
    rows, columns = linear_sum_assignment(fit + (fit > 0) * (n + 1), maximize=True)
    for i, j in zip(rows.tolist(), columns.tolist(), strict=True):
        if fit[i, j] > 0:
            face[i], overlap[i] = j, near[i, j]
    owner = {int(j): i for i, j in enumerate(face) if j >= 0}
    for i, j in enumerate(face.tolist()):
        for other in np.flatnonzero(fit[i]).tolist() if j >= 0 else ():
            if other == j:
                continue
            k = owner.get(other)
            now = fit[i, j] + (0 if k is None else fit[k, other])
            changed = fit[i, other] + (0 if k is None else fit[k, j])
            tied[i] |= changed >= NEARLY * now and (k is None or fit[k, j] > 0)
    return Placed(face, overlap, tied)


def _fit(given: Float32, found: Float32, near: Float32) -> Float64:
    """IoU, less for what lies off the centre or is of another size: ``(N, M)`` in [0, 1]."""
    side = np.sqrt(np.maximum(area(given), 1e-6))[:, None]
    apart = np.linalg.norm(center(given)[:, None] - center(found)[None], axis=2) / side
    sides = np.sqrt(np.maximum(area(found), 1e-6))[None] / side
    return np.asarray(near * np.exp(-apart) * np.minimum(sides, 1 / sides), np.float64)
