"""What boxes are of: heads, persons and bodies are not called faces."""

from __future__ import annotations

import pytest

from lineament.kinds import FACE, alike, counted, found_by, is_face, noun, tells_class


@pytest.mark.parametrize(
    "kind",
    [
        *("face", "Face", "Human face", "face_mask", "happy", "with_mask", "Ann", "0", "glasses", "woman"),
        *(
            "headphones",
            "headscarf",
            "forehead",
            "personal",
            "handsome",
            "face of a person",
            "smiling-face",
        ),
    ],
)
def test_classes_of_faces(kind: str) -> None:
    """A class is of faces unless a word of its name says otherwise; words that only hold one do not."""
    assert is_face(kind)
    assert noun([kind]) == "faces"
    assert counted({kind: 1}) == "1 face"


@pytest.mark.parametrize(
    ("kind", "one", "many"),
    [
        *((name, "head", "heads") for name in ("head", "HEAD", "heads", "Human head", "head_with_helmet")),
        *((name, "head", "heads") for name in ("helmet-head", "bareHead", "Kopf", "tête", "人头", "head2")),
        *((name, "person", "persons") for name in ("person", "People", "person_sitting")),
        ("Human body", "body", "bodies"),
        ("pedestrian", "pedestrian", "pedestrians"),
        ("human", "human", "humans"),
    ],
)
def test_classes_of_other_things(kind: str, one: str, many: str) -> None:
    """They are called by what they are, in one and in many."""
    assert not is_face(kind)
    assert tells_class((kind,))
    assert (noun([kind], 1), noun([kind])) == (one, many)
    assert counted({kind: 2}) == f"2 {many}"


def test_numbers_of_several() -> None:
    """All classes of faces count together, the others by their name, faces first."""
    assert counted({"head": 25, "mask": 2, "bare": 1, "person": 1}) == "3 faces, 25 heads and 1 person"
    assert counted({"head": 0}) == "0 heads"
    assert counted({}) == "0 faces"
    assert noun(["face", "head"]) == "boxes"
    assert not is_face("head-or-face")


def test_which_classes_mean_the_same() -> None:
    """By name, or by what they are called: a detector of heads looks for what a set calls human heads."""
    assert alike({"Human head": 1, "face": 2}, ("head",)) == {"Human head"}
    assert alike({"mask": 1, "head": 2}, (FACE,)) == {"mask"}


def test_what_a_detector_finds_shows_through_wrappers() -> None:
    """One that does not say finds faces."""

    class Inner:
        classes = ("head",)

    class Outer:
        base = Inner()

    assert found_by(Outer()) == ("head",)
    assert found_by(object()) == ("face",)
