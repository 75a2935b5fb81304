"""Every regular expression of the sources takes time by the length of the text, whatever the text."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from growth import require_linear, seconds
from hostile.expressions import IN_CALLS, SOURCES, calls, costly, expressions
from lineament.datasets import tables
from lineament.datasets.formats._told_by_names import NamePattern
from lineament.datasets.grouping import source_names

ALL = expressions()
BOUNDED = {
    "datasets.grouping.source_names: _MADE": source_names._LONGEST,
    "datasets.grouping.source_names: _END": source_names._LONGEST,
    "datasets.grouping.source_names: _START": source_names._LONGEST,
    "datasets.grouping.source_names: _HAS_CLEAR": source_names._LONGEST,
    "datasets.grouping.source_names: _OF_VIDEO": source_names._LONGEST,
    "datasets.grouping.source_names: _NUMBERED": source_names._LONGEST,
}
"""Those that never see a longer text, because the function that uses them refuses it: they have a size at
which they are fast in place of a rule of growth."""


def longest(key: str) -> int | None:
    return next((length for begins, length in BOUNDED.items() if key.startswith(begins)), None)


@pytest.mark.parametrize("key", [key for key in ALL if longest(key) is None])
def test_expressions_cost_by_the_length_of_the_text(key: str) -> None:
    """Twice the text, at most two and a half times the time: for what each repeat likes to
    eat, behind what leads there, and ending in what makes it go back."""
    one = ALL[key]
    for before, pump, end in costly(one.pattern):

        def make(n: int, text: tuple[str, str, str] = (before, pump, end)) -> Callable[[], object]:
            acts = list(calls(one, text[0] + text[1] * n + text[2]))
            return lambda: [act() for act in acts]

        try:
            require_linear(make, 8, 8_000, measurable_s=0.004, step=1.6)
        except AssertionError as error:
            raise AssertionError(f"{key}: {before!r} {pump!r} {end!r}: {error}") from None


@pytest.mark.parametrize("key", [key for key in ALL if longest(key) is not None])
def test_expressions_over_names_are_fast_for_the_longest_name(key: str) -> None:
    """A bound in place of growth: no name that is let through takes long."""
    one, length = ALL[key], longest(key)
    assert length is not None
    for before, pump, end in costly(one.pattern):
        text = (before + pump * length)[: length - len(end)] + end
        for act in calls(one, text):
            took = min(seconds(act) for _ in range(2))
            assert took < 0.25, (before, pump, end, took)


def test_the_table_is_complete() -> None:
    """The walk finds what the sources say, and the tables name nothing that is gone."""
    assert len(ALL) > 80
    assert {"datasets.tables: _NUMBER", "io.jpeg_markers: _FILL", "registry: _KEY"} <= set(ALL)
    assert all(any(key.startswith(begins) for key in ALL) for begins in BOUNDED)
    assert all(key in ALL for key in IN_CALLS)
    for path in SOURCES.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for other in ("from re import", "import re as", "import regex", "fnmatch.translate"):
            assert other not in text, f"{path}: the walk does not see expressions made so"


NAMES = {
    "digits behind a word": lambda n: "a_flip_" + "0" * n + "x",
    "digits and dots": lambda n: "a_rot" + "1.1" * n + "x",
    "words": lambda n: "a" + "_flip" * n + "x",
    "separators": lambda n: "a" + "_" * n + "x",
    "words before it": lambda n: "flip_1_" * n + "\n",
    "originals": lambda n: "a_original_a.jpg_" * n + "x",
    "hashes": lambda n: "a_jpg.rf.000000" * n + "!",
    "frames of videos": lambda n: "a.mp4_frame_" * n + "x",
}


@pytest.mark.parametrize("kind", NAMES)
def test_names_of_any_length_end(kind: str) -> None:
    """What a manifest calls a picture may be longer than any system's names, and cost nothing."""

    def make(n: int) -> Callable[[], object]:
        name = NAMES[kind](n)
        return lambda: (
            source_names.source_of(name + ".jpg"),
            source_names.stem_of(name),
            source_names.ending_of(name),
            source_names.clip_of(f"video/{name}", name),
        )

    for n in (10, 20, 40, 80):
        assert min(seconds(make(n)) for _ in range(2)) < 0.25
    require_linear(make, 1_024, 1 << 17)


def test_what_names_say_is_still_found() -> None:
    """As before the expressions lost their freedom to go back."""
    assert source_names.ending_of("ann_flip_2_aug") == source_names.Ending("ann", "_flip_2_aug", True)
    assert source_names.ending_of("ann_rotated-12.5deg") == source_names.Ending(
        "ann", "_rotated-12.5deg", True
    )
    assert source_names.ending_of("aug_0001") == source_names.Ending("0001", "aug_", False, front=True)
    assert source_names.clip_of("a/video 12_34", "video 12_34") == "a/video 12"
    assert [tables.number(cell) for cell in ("1", "1.", ".5", "-2e3", "1.5E+2", "1e", ".", "")] == [
        1, 1, 0.5, -2000, 150, None, None, None,
    ]  # fmt: skip
    told = NamePattern("{age}_{gender}_{race}_").told
    assert told("26_1_0_2017.jpg") == {"age": "26", "gender": "1", "race": "0"}
    assert told("26__1_0_.jpg") == {"age": "26", "gender": "_1", "race": "0"}
    assert told("26_1.jpg") is None
    assert NamePattern("x{a}-{b}").told("x1-2-3.jpg") == {"a": "1", "b": "2-3"}
