"""Who appears in films made of real photos."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from films import RATE, Film, analyzer, gallery, still, street

from lineament.analyzer import Analyzer
from lineament.errors import BadAnswer, ConfigError, ModelMismatch, Unreachable, UsageError
from lineament.geometry.boxes import iou
from lineament.io.streams import Stream
from lineament.io.video import Frame
from lineament.scoring.tracks import IdentityScores
from lineament.tracking import FaceTracker
from lineament.types import Faces, Float32, Image, Tracks
from lineament.watching import (
    Appearance,
    Seen,
    VideoSource,
    Watch,
    WatchCounts,
    WatchSettings,
    watchable,
)
from lineament.watching.appearances import COLUMNS


@pytest.fixture(scope="module")
def film() -> Film:
    return street()


@pytest.fixture(scope="module")
def path(film: Film, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return film.write(tmp_path_factory.mktemp("films") / "street.mp4")


@dataclass
class Watched:
    """What was told of a film, and of each of its frames."""

    found: list[Appearance]
    counts: WatchCounts
    frames: list[tuple[float, tuple[Seen, ...]]]


_watched: dict[int, Watched] = {}


def watched(path: Path, every: int) -> Watched:
    """The film, watched once for all tests that ask of it."""
    if every not in _watched:
        frames: list[tuple[float, tuple[Seen, ...]]] = []
        watch = Watch(
            path,
            analyzer(),
            gallery(),
            WatchSettings(every=every),
            on_frame=lambda frame, seen: frames.append((frame.seconds, seen)),
        )
        _watched[every] = Watched(list(watch), watch.counts, frames)
    return _watched[every]


@pytest.mark.parametrize("every", [1, 3, 5])
def test_each_person_is_named_once(film: Film, path: Path, every: int) -> None:
    """Two people cross, one hiding the other, then one comes, is blurred and goes: three appearances, the
    stranger unknown, no identity switch, at any stride."""
    done = watched(path, every)
    assert sorted(str(one.subject) for one in done.found) == ["Biden", "None", "Obama"]
    scores = IdentityScores()
    for i, there in list(enumerate(film.truth))[::every]:
        boxes = {
            one.track.number: box for one in done.found if (box := one.track.box_at(i / RATE)) is not None
        }
        scores.add(list(there), list(boxes), iou(_rows(there), _rows(boxes)))
    assert scores.switches == 0 and scores.idf1 > 0.8
    for one in done.found:
        times = [i / RATE for i, there in enumerate(film.truth) if (one.subject or "stranger") in there]
        assert one.track.from_s == pytest.approx(times[0], abs=0.4)
        assert one.track.to_s == pytest.approx(times[-1], abs=0.4)
        match = one.naming.match
        assert match is not None
        assert one.subject is None or (one.naming.similarity or 0) >= match.threshold.value
    counts = done.counts
    assert (counts.cuts, counts.frames, counts.dropped) == (1, len(film.frames), 0)
    assert counts.searched <= len(film.frames) // every + 2


def _rows(boxes: dict[Any, Float32]) -> Float32:
    return np.array(list(boxes.values()), np.float32).reshape(-1, 4)


def test_nobody_is_carried_over_a_cut(tmp_path: Path) -> None:
    """A face in the same place before and after a cut: two appearances, each with its own name."""
    film = Film().scene(0.8, {"Obama": still()}).scene(0.8, {"Biden": still()}, background=1)
    watch = Watch(film.write(tmp_path / "cut.mp4"), analyzer(), gallery(), WatchSettings(every=2))
    found = list(watch)
    assert [(one.subject, round(one.track.from_s, 1)) for one in found] == [("Obama", 0.0), ("Biden", 0.8)]
    assert watch.counts.cuts == 1


def test_a_film_without_faces_tells_nothing(tmp_path: Path) -> None:
    """No appearance; frames are counted all the same."""
    watch = Watch(Film().scene(0.4, {}).write(tmp_path / "empty.mp4"), analyzer(), gallery())
    assert list(watch) == [] and (watch.counts.frames, watch.counts.tracks) == (10, 0)


def test_a_glimpse_is_counted_and_not_told(tmp_path: Path) -> None:
    """A face in two frames is no appearance."""
    film = Film().scene(0.5, {"Obama": lambda t: (240, 135) if 0.19 < t < 0.27 else None})
    watch = Watch(film.write(tmp_path / "a.mp4"), analyzer(), gallery(), WatchSettings(every=1))
    assert list(watch) == [] and watch.counts.glimpses == 1


def test_frames_are_told_with_the_names_to_show(film: Film, path: Path) -> None:
    """Every frame comes once, in order, with the faces last seen and nobody named who is not there."""
    frames = watched(path, 3).frames
    assert [t for t, _ in frames] == pytest.approx([i / RATE for i in range(len(film.frames))], abs=1e-3)
    for (t, seen), there in zip(frames, film.truth, strict=True):
        assert {one.name for one in seen} - {None} <= ({"Biden"} if t < 2.6 else {"Obama"})
        assert len(there) <= 1 or t < 0.2 or 0.8 < t < 1.8 or len(seen) == 2


def test_json_holds_what_is_promised(path: Path) -> None:
    """Plain numbers and no embedding; also the repr shows none."""
    one = watched(path, 3).found[0]
    told = one.to_json()
    assert {"track", "subject", "from_s", "to_s", "frames", "similarity", "probability", "box"} <= set(told)
    assert 0 <= told["from_s"] < told["to_s"] < 2.7 and told["probability"] is None
    assert one.track.from_s <= told["best_s"] <= one.track.to_s and 0 < told["quality"] <= 1
    assert len(one.row()) == len(COLUMNS)
    assert "<float32 (" in repr(one.track) and "array" not in repr(one)


class Counting(FaceTracker):
    """Counts its frames."""

    updates = 0

    def update(self, faces: Faces, timestamp: float) -> Tracks:
        self.updates += 1
        return super().update(faces, timestamp)


def test_without_a_gallery_tracks_have_no_names(path: Path) -> None:
    """Any tracker with the methods of the seam follows them."""
    tracker = Counting()
    watch = Watch(path, analyzer(), settings=WatchSettings(every=6), tracker=tracker)
    found = list(watch)
    with pytest.raises(UsageError, match="watched already"):
        list(watch)
    assert len(found) == 3 and all(one.naming.match is None and one.track.looks > 1 for one in found)
    assert tracker.updates == watch.counts.searched


class Degenerate:
    """Finds one face that cannot be aligned beside those that YuNet finds."""

    gives_landmarks = True

    def detect(self, images: Sequence[Image]) -> list[Faces]:
        given = []
        for faces in analyzer().detector.detect(images):
            assert faces.landmarks is not None
            boxes = np.concatenate([faces.boxes, [[0, 0, 9, 9]]]).astype(np.float32)
            points = np.concatenate([faces.landmarks, np.full((1, 5, 2), 4)]).astype(np.float32)
            scores = np.append(faces.scores, 0.5).astype(np.float32)
            given.append(Faces(boxes, scores, points))
        return given


def test_a_face_that_cannot_be_aligned_ends_no_video(path: Path) -> None:
    """It is left out, and the others are followed as before."""
    with Analyzer(Degenerate(), workers=1) as other:
        assert len(list(Watch(path, other, settings=WatchSettings(every=8)))) == 3


def test_who_is_still_there_is_told_when_the_watching_is_left(path: Path) -> None:
    """As after Ctrl-C: `rest` ends the tracks under way."""

    def stop(frame: Frame, _seen: object) -> None:
        if frame.seconds > 0.7:
            raise KeyboardInterrupt

    watch = Watch(path, analyzer(), gallery(), WatchSettings(every=3), on_frame=stop)
    with pytest.raises(KeyboardInterrupt):
        list(watch)
    assert sorted(str(one.subject) for one in watch.rest()) == ["Biden", "None"]


def test_a_file_that_breaks_off_tells_what_came_before(path: Path) -> None:
    """The appearances up to the break, and then the named error."""

    def breaking() -> Iterator[Frame]:
        yield from islice(VideoSource.file(path).frames(), 20)
        raise BadAnswer("the film broke")

    told: list[Appearance] = []
    watch = Watch(VideoSource("broken", breaking), analyzer(), gallery(), WatchSettings(every=3))
    with pytest.raises(BadAnswer, match="broke"):
        told.extend(watch)
    assert sorted(str(one.subject) for one in told) == ["Biden", "None"]
    assert watch.counts.frames == 20


def test_a_stream_that_is_cut_and_restored(tmp_path: Path) -> None:
    """Who was seen before and after is told, and then that it did not come back; every frame that came is
    counted, and how often it was connected again."""
    data = Film().scene(1, {"Obama": still()}).write(tmp_path / "live.ts").read_bytes()
    answers = [data[: 188 * (len(data) // 376)], b"", data]

    class Cut(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = answers.pop(0) if answers else b""
            self.send_response(200 if body else 503)
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Cut) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        stream = Stream(
            f"http://127.0.0.1:{server.server_port}/live.ts", 0.5, sleep=lambda _: time.sleep(0.05)
        )
        # Not as live: on a busy machine frames would be dropped.
        source = VideoSource(stream.name, stream.frames, stream=stream)
        watch, told = Watch(source, analyzer(), gallery(), WatchSettings(every=3)), []
        with pytest.raises(Unreachable, match="did not come back"):
            told.extend(watch)
        server.shutdown()
    assert {one.subject for one in told} == {"Obama"} and told[-1].track.to_s > 1
    assert watch.counts.reconnects >= 3 and 25 < watch.counts.frames <= 50


def test_what_cannot_be_watched_is_refused_by_name(tmp_path: Path) -> None:
    """A path to nothing, a folder without videos, an address of another kind, a wrong setting."""
    (tmp_path / "notes.txt").touch()
    for text, reason in (
        (str(tmp_path / "gone.mp4"), "is not there"),
        (str(tmp_path), "no video"),
        ("ftp://a.example/film.mp4", "streams are read from rtsp"),
        ("file:///etc/passwd", "streams are read from rtsp"),
    ):
        with pytest.raises(UsageError, match=reason):
            watchable(text)
    for wrong in ({"every": 0}, {"looks_a_second": 0.0}, {"search_side": -1}, {"least_seen": 0}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            WatchSettings(**wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="no lineament"):
        Watch("a.mp4", "yunet")  # type: ignore[arg-type]


def test_passwords_in_addresses_are_not_shown() -> None:
    """Neither in the name of a source, nor in what is said of it."""
    [source] = watchable("rtsp://ada:secret@camera.example:554/live?token=secret")
    assert source.name == "rtsp://camera.example:554/live" and source.live
    with pytest.raises(UsageError) as refused:
        watchable("ftp://ada:secret@camera.example/live")
    assert "secret" not in str(refused.value) + repr(source)


def test_a_gallery_of_another_pipeline_is_refused_before_the_film_begins(path: Path) -> None:
    """Not at the first face that is looked at, which may be hours later, or never come."""
    with (
        Analyzer("yunet", pipeline="classic", workers=1) as other,
        pytest.raises(ModelMismatch, match="pipeline"),
    ):
        Watch(path, other, gallery())
