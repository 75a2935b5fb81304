"""The pieces of watching: pace, feed, looks that wait, films written anew."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from films import Film, av, still

from lineament.errors import BadAnswer, StoreError, WouldOverwrite
from lineament.gallery.tracks import Naming
from lineament.io.video import Frame, read
from lineament.plots.timeline import timeline_figure
from lineament.types import Faces, Image, Track, UInt8
from lineament.watching import Appearance, VideoSource, watchable
from lineament.watching.feed import Feed
from lineament.watching.film import FilmWriter, draw, rewritten
from lineament.watching.looks import View, Waiting
from lineament.watching.pace import Pace

BLACK = np.zeros((4, 4, 3), np.uint8)


def frames(count: int) -> list[Frame]:
    return [Frame(i / 25, "made up", BLACK) for i in range(count)]


@pytest.mark.parametrize(
    ("rate", "cost_s", "stride"),
    [(25, 0.001, 1), (25, 0.03, 2), (25, 0.06, 3), (25, 5.0, 6), (50, 0.05, 5), (4, 9, 1)],
)
def test_the_stride_follows_the_cost(rate: float, cost_s: float, stride: int) -> None:
    """Searches take six tenths of the time at most, but come four times a second at least."""
    pace = Pace()
    for i in range(30):
        pace.saw(i / rate)
        pace.took(cost_s)
    assert pace.stride == stride
    assert Pace(7).stride == 7 and Pace().stride == 1


def test_no_frame_of_a_file_is_dropped() -> None:
    """However slow we are; and no more than eight are decoded ahead."""
    given = []

    def slowly() -> Iterator[Frame]:
        for frame in frames(40):
            given.append(frame)
            yield frame

    with Feed(VideoSource("file", slowly)) as feed:
        taken = []
        for frame in feed:
            time.sleep(0.002)
            assert len(given) - len(taken) <= 11
            taken.append(frame)
    assert taken == given and len(taken) == 40 and feed.dropped == 0


def test_live_frames_that_come_too_fast_are_dropped_and_counted() -> None:
    """The oldest go; what is taken is in order, and taken and dropped are all."""
    began = threading.Event()

    def live() -> Iterator[Frame]:
        began.wait(5)
        yield from frames(40)

    with Feed(VideoSource("live", live, live=True)) as feed:
        began.set()
        time.sleep(0.2)
        taken = [frame.seconds for frame in feed]
    assert taken == sorted(taken) and taken[-1] == frames(40)[-1].seconds
    assert len(taken) <= 3 and len(taken) + feed.dropped == 40


def test_a_film_in_a_cameras_place_plays_at_its_own_speed(tmp_path: Path) -> None:
    """As a camera would, dropping what we are too slow for; the file is named as it was given."""
    path = Film().scene(0.6, {}).write(tmp_path / "film.mp4")
    [source] = watchable(f"camera:{path}")
    assert source.live and source.path is None
    began = time.monotonic()
    with Feed(source) as feed:
        taken = []
        for frame in feed:
            taken.append(frame)
            time.sleep(0.1)
    assert time.monotonic() - began > 0.5 and feed.dropped > 0
    assert len(taken) + feed.dropped == 15


def test_an_error_of_the_source_comes_at_its_place() -> None:
    """After the frames before it; leaving early ends the thread."""

    def broken() -> Iterator[Frame]:
        yield from frames(3)
        raise BadAnswer("broken")

    with Feed(VideoSource("file", broken)) as feed:
        taken = []
        with pytest.raises(BadAnswer):
            taken.extend(feed)
    assert not taken or len(taken) == 3
    before = threading.active_count()
    with Feed(VideoSource("file", lambda: iter(frames(1000)))) as feed:
        next(iter(feed))
    assert threading.active_count() <= before


def view(seconds: float, quality: float) -> View:
    return View(Frame(seconds, "made up", BLACK), Faces.none(), quality)


def test_the_best_view_of_each_moment_is_looked_at() -> None:
    """The first after three views, then one each half second, the best of those since; then the rest."""
    waiting, looked = Waiting(2.0, 3), []
    for i in range(16):
        now = i / 10
        waiting.offer(1, view(now, [0.2, 0.9, 0.4, 0.1, 0.7, 0.3, 0.2, 0.5][i % 8]))
        looked += [(now, one.seconds) for one in waiting.due(now).values()]
    assert looked == [(0.2, 0.1), (0.7, 0.4), (pytest.approx(1.2), 0.9)]
    assert [one.seconds for one in waiting.rest().values()] == [1.5]
    assert waiting.rest() == {}
    waiting.looked(1, 2.0)
    waiting.offer(1, view(2.1, 0.5))
    assert waiting.due(2.4) == {} and list(waiting.due(2.5)) == [1]
    waiting.offer(1, view(2.6, 0.5))
    waiting.forget([1])
    assert waiting.due(9.0) == {}


def appearance(subject: str | None, start: float, end: float) -> Appearance:
    box = np.array([100, 50, 180, 130], np.float32)
    path = Track(1, np.array([start, end]), np.stack([box, box + 40]))
    return Appearance("film", path, Naming(subject), start, box)


@pytest.mark.parametrize("kind", ["aac", "pcm_s16le"])
def test_a_film_is_drawn_with_its_sound(tmp_path: Path, kind: str) -> None:
    """Every frame at its own time, a box where and while somebody is seen, moving between the boxes found,
    and the sound: as it was, or encoded anew where an MP4 cannot hold its kind."""
    source = Film().scene(1, {}).write(tmp_path / ("a.mp4" if kind == "aac" else "a.mkv"), sound=kind)
    target = tmp_path / "drawn.mp4"
    assert draw(source, target, [appearance("Ada", 0.4, 0.8), appearance(None, 5, 6)]) == 25
    before, after = list(read(source)), list(read(target))
    assert [f.seconds for f in after] == pytest.approx([f.seconds for f in before], abs=1e-3)
    changed = [
        (np.abs(a.image().pixels.astype(int) - b.image().pixels) > 60).mean()
        for a, b in zip(before, after, strict=True)
    ]
    assert min(changed[8:23]) > 0.001 > max(changed[:6] + changed[24:])
    shown = after[15].image().pixels.astype(int) - before[15].image().pixels
    assert np.abs(shown[70:150, 118:122]).mean() > 40  # the left edge, half way between the two boxes
    with av.open(str(target)) as container:
        sound = container.streams.audio[0]
        assert sound.codec_context.name == "aac"
        heard = sum(frame.samples for frame in container.decode(sound))
    assert heard == pytest.approx(16_000, abs=3_000)
    with pytest.raises((StoreError, WouldOverwrite)):
        draw(source, target, [])
    part = tmp_path / "part.mp4"
    assert draw(source, part, [], most=9) == 9 and len(list(read(part))) == 9


def test_a_film_of_odd_size_and_changing_size_is_written(tmp_path: Path) -> None:
    """Its sides are made even; frames of another size are scaled to the first."""
    path = tmp_path / "odd.mp4"
    with FilmWriter(path) as film:
        for i, hw in enumerate([(41, 63), (41, 63), (80, 80)]):
            film.frame(np.full((*hw, 3), 200, np.uint8), i / 10)
    found = list(read(path))
    assert [frame.image().hw for frame in found] == [(42, 64)] * 3
    assert found[-1].image().pixels.mean() == pytest.approx(200, abs=4)


def test_what_is_broken_is_written_up_to_the_break(tmp_path: Path) -> None:
    """The frames before it, as a whole file; nothing where there are none."""
    data = Film().scene(1, {"Obama": still()}).write(tmp_path / "a.mkv").read_bytes()
    (tmp_path / "cut.mkv").write_bytes(data[: len(data) * 2 // 3])
    count = rewritten(tmp_path / "cut.mkv", tmp_path / "out.mp4", lambda image: image.pixels)
    assert 5 < count < 25 and len(list(read(tmp_path / "out.mp4"))) == count
    (tmp_path / "none.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(100))
    with pytest.raises(BadAnswer):
        rewritten(tmp_path / "none.mp4", tmp_path / "no.mp4", lambda image: image.pixels)
    assert not (tmp_path / "no.mp4").exists()


def test_a_change_of_ones_own(tmp_path: Path) -> None:
    """Each frame as the function gives it."""

    def dark(image: Image) -> UInt8:
        return image.pixels // 8

    source = Film().scene(0.2, {}).write(tmp_path / "a.mp4")
    rewritten(source, tmp_path / "dark.mp4", dark)
    assert max(frame.image().pixels.max() for frame in read(tmp_path / "dark.mp4")) < 45


def test_the_timeline_has_a_row_a_person() -> None:
    """In the order in which they are first seen, somebody unknown last, a bar each time."""
    pytest.importorskip("matplotlib", reason="not installed: matplotlib (pip install 'lineament[plots]')")
    figure = timeline_figure([("Bo", 5, 6), (None, 0, 1), ("Ann", 1, 2), ("Bo", 2, 3)], 10)
    [axes] = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["Ann", "Bo", "unknown"]
    assert [len(bars.get_paths()) for bars in axes.collections] == [1, 2, 1]
    assert axes.get_xlim() == (0, 10)
    assert timeline_figure([], 0.0).axes
