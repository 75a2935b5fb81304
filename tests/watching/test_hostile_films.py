"""Files that are no films, broken ones, and strange ones: watched, or refused by name."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from films import RATE, SAMPLES, Film, analyzer, av, gallery, still

from lineament.errors import BadAnswer, CollectError, Unreachable
from lineament.watching import Watch, WatchSettings


def film(path: Path) -> Path:
    return Film().scene(1, {"Obama": still()}).write(path)


def sound_alone(path: Path) -> None:
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=16_000)
        for at in range(0, 16_000, 1024):
            tone = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            tone.sample_rate, tone.pts = 16_000, at
            container.mux(stream.encode(tone))
        container.mux(stream.encode(None))


REFUSED: dict[str, Callable[[Path], object]] = {
    "nothing in it": lambda path: path.touch(),
    "a picture": lambda path: shutil.copy(SAMPLES / "obama_2012_portrait.jpg", path),
    "text": lambda path: path.write_text("not a film\n" * 100),
    "a head alone": lambda path: path.write_bytes(b"\0\0\0\x18ftypmp42" + bytes(1000)),
    "sound alone": sound_alone,
    "the index cut off": lambda path: path.write_bytes(film(path).read_bytes()[:-2000]),
    "a folder": lambda path: path.mkdir(),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_film_is_refused_by_name(kind: str, tmp_path: Path) -> None:
    """With the file's name, and no appearance."""
    path = tmp_path / "film.mp4"
    REFUSED[kind](path)
    watch = Watch(path, analyzer())
    with pytest.raises(CollectError, match=r"film\.mp4"):
        list(watch)
    assert (watch.counts.frames, watch.counts.tracks) == (0, 0)


def test_a_film_cut_off_in_the_middle_tells_what_it_shows(tmp_path: Path) -> None:
    """A Matroska film without its end: who was seen up to there; an error that is raised has a name."""
    data = film(tmp_path / "whole.mkv").read_bytes()
    (tmp_path / "film.mkv").write_bytes(data[: len(data) * 3 // 4])
    watch, told = Watch(tmp_path / "film.mkv", analyzer(), gallery(), WatchSettings(every=2)), []
    try:
        told.extend(watch)
    except BadAnswer as error:
        assert "film.mkv" in str(error)
    assert [one.subject for one in told] == ["Obama"] and 5 < watch.counts.frames < RATE


@pytest.mark.parametrize("seed", range(3))
def test_corrupt_packets(seed: int, tmp_path: Path) -> None:
    """Bytes overwritten in the middle: the film is watched as far as it can be, or refused by name."""
    data = bytearray(film(tmp_path / "whole.mkv").read_bytes())
    draw = np.random.default_rng(seed)
    for at in draw.integers(len(data) // 3, len(data) - 400, 60):
        data[at] = int(draw.integers(256))
    (tmp_path / "film.mkv").write_bytes(data)
    watch, told = Watch(tmp_path / "film.mkv", analyzer(), gallery(), WatchSettings(every=3)), []
    try:
        told.extend(watch)
    except BadAnswer as error:
        assert "film.mkv" in str(error)
    assert {one.subject for one in told} <= {"Obama", None} and watch.counts.frames <= RATE


def test_a_film_of_one_pixel(tmp_path: Path) -> None:
    """Is watched: it shows nobody. Encoders want two, so a codec of single pixels is taken."""
    path = tmp_path / "dot.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("rawvideo", rate=5)
        stream.width, stream.height, stream.pix_fmt = 1, 1, "bgr24"
        for shade in (0, 255, 0):
            frame = av.VideoFrame.from_ndarray(np.full((1, 1, 3), shade, np.uint8), format="bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    watch = Watch(path, analyzer(), gallery())
    assert list(watch) == [] and watch.counts.frames == 3


def test_frames_of_uneven_times_and_a_start_hours_later(tmp_path: Path) -> None:
    """Ten hours in, at a rate that changes all the time: the appearance has the frames' own times."""
    frames, path = Film().scene(1, {"Obama": still()}).frames, tmp_path / "late.mkv"
    gaps = np.random.default_rng(0).uniform(0.01, 0.15, len(frames))
    times = np.round(36_000 + np.cumsum(gaps), 3)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = frames[0].shape[1], frames[0].shape[0], "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for pixels, seconds in zip(frames, times, strict=True):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts = round(seconds * 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    [one] = Watch(path, analyzer(), gallery(), WatchSettings(every=1))
    assert one.subject == "Obama" and len(one.track) == len(frames)
    assert [one.track.from_s, one.track.to_s] == pytest.approx([times[0], times[-1]], abs=0.002)


def test_a_film_held_upright(tmp_path: Path) -> None:
    """Turned by its metadata, as phones write it: boxes lie in the upright frame."""
    path = tmp_path / "turned.mp4"
    upright = Film().scene(0.6, {"Obama": still(150, 135)})
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE)
        height, width = upright.frames[0].shape[:2]
        stream.width, stream.height, stream.pix_fmt = height, width, "yuv420p"
        stream.options = {"preset": "ultrafast", "crf": "18"}
        for pixels in upright.frames:
            lying = np.ascontiguousarray(np.rot90(pixels))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(lying, format="rgb24")))
        container.mux(stream.encode(None))
    data = path.read_bytes()
    path.write_bytes(_turned(data))
    [one] = Watch(path, analyzer(), gallery(), WatchSettings(every=2))
    assert one.subject == "Obama"
    assert (one.box[:2] + one.box[2:]) / 2 == pytest.approx([150, 135], abs=25)


def _turned(data: bytes) -> bytes:
    """The matrix of the track's head (tkhd) set to a quarter turn clockwise."""
    changed = bytearray(data)
    at = data.index(b"tkhd") + 4 + 40
    matrix = [0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30]
    changed[at : at + 36] = b"".join((value & 0xFFFFFFFF).to_bytes(4, "big") for value in matrix)
    return bytes(changed)


def test_nobody_there(tmp_path: Path) -> None:
    """A file that went away since it was named."""
    with pytest.raises(Unreachable, match="gone"):
        list(Watch(tmp_path / "gone.mp4", analyzer()))
