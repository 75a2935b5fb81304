"""The column of a face's mesh: finite or absent, one row a face, chosen with the face."""

from __future__ import annotations

import numpy as np
import pytest

from lineament.errors import InvalidArray
from lineament.types import Faces, Refinement


def two_faces() -> Faces:
    dense = np.full((2, 468, 2), np.nan, np.float32)
    dense[1] = 5
    said = (Refinement("mesh", used=False, score=0.1), Refinement("mesh", used=True, score=0.9))
    return Faces(np.tile(np.float32([0, 0, 9, 9]), (2, 1)), np.ones(2), dense=dense, refinements=said)


def test_rows_are_chosen_with_their_faces() -> None:
    """A face without a mesh has None in its place; masks and orders carry the column along."""
    faces = two_faces()
    assert faces[0].dense is None and faces[0].refinement == Refinement("mesh", used=False, score=0.1)
    assert faces[1].dense is not None and faces[1].dense.shape == (468, 2)
    swapped = faces[[1, 0]]
    assert swapped[0].refinement == faces[1].refinement and swapped[1].dense is None
    assert Faces.none().dense is None


@pytest.mark.parametrize("fault", ["half a row", "infinite", "flat", "rows"])
def test_a_mesh_that_is_none_is_refused(fault: str) -> None:
    """Points partly missing, infinite, of another shape or number are named before anybody uses them."""
    faces = two_faces()
    assert faces.dense is not None
    dense = faces.dense.copy()
    if fault == "half a row":
        dense[1, 7] = np.nan
    elif fault == "infinite":
        dense[1, 7] = np.inf
    wrong = {"flat": dense.reshape(2, -1), "rows": dense[:1]}.get(fault, dense)
    with pytest.raises(InvalidArray, match="dense"):
        faces.with_columns(dense=wrong)
