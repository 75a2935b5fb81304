"""Faces are a sequence: one number gives a `Face`, everything else gives `Faces`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lineament.types import Attempt, AttributeScores, Face, Faces, ModelId, Quality

COUNT = 4


def four() -> Faces:
    """Four faces with every column; each can be told by its score."""
    number = np.arange(COUNT, dtype=np.float32)
    scores = (0.9 - number / 10).astype(np.float32)
    probabilities = np.stack([1 - scores, scores], axis=1)
    return Faces(
        boxes=np.stack([number, number, number + 9, number + 9], axis=1),
        scores=scores,
        landmarks=np.ones((COUNT, 5, 2), np.float32) * number[:, None, None],
        attempts=tuple(Attempt(i) for i in range(COUNT)),
        embeddings=np.eye(COUNT, dtype=np.float32),
        embedding_lengths=number + 1,
        model=ModelId("m", "0" * 64),
        quality=tuple(Quality(60, 0, 0, 0, 1, 1, 0.9, 1, float(s)) for s in scores),
        attributes={"hat": AttributeScores("hat", ("yes",) * COUNT, ("no", "yes"), probabilities)},
    )


def whose(faces: Faces) -> list[int]:
    """Which of the four these are, by every column, which must agree."""
    numbers = [round(float(9 - s * 10)) for s in faces.scores]
    for number, face in zip(numbers, faces, strict=True):
        same(face, number)
    return numbers


def same(face: Face, number: int) -> None:
    assert isinstance(face, Face)
    assert face.box[0] == number and face.attempt == Attempt(number)
    assert face.embedding is not None and face.embedding.vector[number] == 1
    assert face.embedding.length == number + 1
    assert face.landmarks is not None and (face.landmarks == number).all()
    assert face.quality is not None and face.quality.score == pytest.approx(face.score)
    assert face.probabilities["hat"] == pytest.approx(face.score)


class Index:
    """A number of another library: it can be an index."""

    def __index__(self) -> int:
        return 2


ONE = {
    "first": (0, 0),
    "last": (COUNT - 1, 3),
    "from the end": (-1, 3),
    "the furthest from the end": (-COUNT, 0),
    "a NumPy integer": (np.int64(2), 2),
    "uint8": (np.uint8(1), 1),
    "argmax": (np.argmax([0, 1, 5, 2]), 2),
    "an array of no dimension": (np.array(1), 1),
    "__index__": (Index(), 2),
}


@pytest.mark.parametrize("name", ONE)
def test_one_number_gives_one_face(name: str) -> None:
    """Whatever is a whole number gives a `Face`, counted from the end where it is negative."""
    index, number = ONE[name]
    same(four()[index], number)
    assert four().attributes["hat"][index] == "yes"


SEVERAL: dict[str, tuple[Any, list[int]]] = {
    "slice": (slice(1, 3), [1, 2]),
    "all": (slice(None), [0, 1, 2, 3]),
    "from the end": (slice(None, None, -1), [3, 2, 1, 0]),
    "a slice beyond the end": (slice(2, 99), [2, 3]),
    "a slice of one": (slice(0, 1), [0]),
    "a mask": (np.array([True, False, True, False]), [0, 2]),
    "a list of bools": ([False, True, False, False], [1]),
    "an index array": (np.array([3, 1]), [3, 1]),
    "a list": ([2, 0, 2], [2, 0, 2]),
    "a list of NumPy integers": ([np.int64(1)], [1]),
    "negative numbers": ([-1, -2], [3, 2]),
    "nothing": ([], []),
    "an empty mask": (np.zeros(COUNT, bool), []),
}


@pytest.mark.parametrize("name", SEVERAL)
def test_everything_else_gives_faces(name: str) -> None:
    """A slice, a mask or a list of numbers gives `Faces` with every column, in the order asked for."""
    rows, wanted = SEVERAL[name]
    assert whose(four()[rows]) == wanted
    scores = four().attributes["hat"][rows]
    assert isinstance(scores, AttributeScores) and len(scores) == len(wanted)


NONE: list[Any] = [COUNT, -COUNT - 1, 99, np.int64(7), 1.0, "0", None, True, np.True_, ..., (0, 1), [9]]
NONE += [[True, False], np.ones(9, bool), np.zeros((2, 2), int), [[0, 1]]]


@pytest.mark.parametrize("rows", NONE, ids=repr)
def test_what_is_not_there_is_an_index_error(rows: Any) -> None:
    """Numbers out of range, masks of another length and what is no index end in `IndexError`."""
    for things in (four(), four().attributes["hat"]):
        with pytest.raises(IndexError):
            things[rows]


def test_no_faces_have_no_first() -> None:
    """The first of none is an `IndexError` that tells how many there are; a slice of none is none."""
    with pytest.raises(IndexError, match="there are 0"):
        Faces.none()[0]
    assert len(Faces.none()[:1]) == 0


def test_iteration_gives_each_face_once() -> None:
    """Iteration, ``reversed`` and unpacking give `Face`s; attributes give their values."""
    faces = four()
    first, *_, last = faces
    same(first, 0)
    same(last, 3)
    assert [round(float(9 - f.score * 10)) for f in reversed(faces)] == [3, 2, 1, 0]
    assert list(faces.attributes["hat"]) == ["yes"] * COUNT
