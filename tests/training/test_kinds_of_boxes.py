"""What a trained detector's classes are called: what the boxes are of."""

from __future__ import annotations

import pytest

from lineament.io.manifest import Manifest, ManifestRow
from lineament.training.detection.localizer import _other_kind
from lineament.training.detection.scenes import classes_of


def rows(*kinds: str | None) -> list[ManifestRow]:
    """A training row a class, None for plain faces."""
    return [
        ManifestRow(
            str(number),
            f"{number}.jpg",
            str(number),
            split="train",
            box=(1.0, 1.0, 9.0, 9.0),
            labels={} if kind is None else {"class": kind},
        )
        for number, kind in enumerate(kinds)
    ]


@pytest.mark.parametrize(
    ("kinds", "one"),
    [
        ((None, None), "face"),
        (("head", "head"), "head"),
        (("mask", "bare"), "face"),
        ((None, "mask"), "face"),
        (("happy", "happy"), "happy"),
        ((None, "head"), "head-or-face"),
        (("head", "person"), "head-or-person"),
    ],
)
def test_one_class_is_called_by_what_its_boxes_are(kinds: tuple[str | None, ...], one: str) -> None:
    """Taken as one, boxes are faces where all are; else by their own names, so that a detector of heads
    never answers with faces. A localizer's card says what it finds where that is no face."""
    assert classes_of(rows(*kinds), (), one_class=True) == (one,)
    assert classes_of(rows(*kinds), ("thing",), one_class=True) == ("thing",)
    other = _other_kind(Manifest(tuple(rows(*kinds))))
    assert other == ((one,) if "head" in one else ())
