"""A sitting before a camera, with a film in its place: poses, frames of nobody, and the keyboard."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from test_collect_here import (  # noqa: F401
    ADA,
    GRACE,
    _portrait,
    _shown,
    _write_video,
    before,
    collecting,
    faces,
)

from lineament.analyzer import Analyzer
from lineament.cli.dataset import collect_keys
from lineament.cli.dataset.collect_keys import Keys
from lineament.datasets.collect.camera import NOBODY, Camera, Sitting
from lineament.datasets.collect.frames import Choice
from lineament.datasets.collect.people import Person
from lineament.datasets.collect.poses import POSES, named
from lineament.datasets.opening import open_dataset
from lineament.errors import UsageError, WrongPose
from lineament.types import Quality

pytest.importorskip("av", reason="not installed: lineament[video]")
QUIET = Sitting(lambda *_: None, lambda *_: None)


@pytest.fixture(scope="session")
def turning(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten frames a second: two seconds each of nobody, a frontal face, one turned left, one right."""
    frontal, left = _portrait("obama_2012_portrait.jpg"), _portrait("obama_2010_white_house.jpg")
    right = np.ascontiguousarray(left[:, ::-1])
    frames = [_shown()] * 20
    for portrait in (frontal, left, right):
        frames += [_shown(portrait, shift=i) for i in range(20)]
    return _write_video(tmp_path_factory.mktemp("turning") / "turning.mp4", frames)


def measured(yaw: float, pitch: float) -> Quality:
    return Quality(60, yaw, pitch, 0, 0.5, 0.9, 0.9, None, 0.9)


@pytest.mark.parametrize(
    ("yaw", "pitch", "pose"),
    [
        (0, 0, "frontal"),
        (30, 5, "left"),
        (-30, 5, "right"),
        (3, 15, "up"),
        (-3, -15, "down"),
        (13.5, 0, None),
    ],
)
def test_a_pose_is_told_by_its_angles(yaw: float, pitch: float, pose: str | None) -> None:
    """Each pose excludes the others, and the reason against a frame tells what was measured."""
    against = {name: one.against(measured(yaw, pitch)) for name, one in POSES.items()}
    assert [name for name, reason in against.items() if reason is None] == ([pose] if pose else [])
    assert all(
        isinstance(reason, WrongPose) and ("yaw" in str(reason) or "pitch" in str(reason))
        for reason in against.values()
        if reason is not None
    )


def test_poses_are_asked_for_and_confirmed(turning: Path, faces: Analyzer, tmp_path: Path) -> None:  # noqa: F811
    """Each pose gets its number of frames that were measured to show it, said in their labels; the others
    are passed over by name, and a second run asks only for what is missing."""
    asked: list[str] = []
    sitting = Sitting(lambda _person, what: asked.append(what), lambda *_: None)
    poses = named(["frontal", "left", "right"])
    passed: Counter[str] = Counter()
    choice = Choice(gap_seconds=0.3)
    with collecting(tmp_path, ADA) as collection:
        camera = Camera(collection, before(turning), faces, sitting, choice, passed)
        list(camera.gather_poses([ADA], poses, 2))
    rows = list(open_dataset(tmp_path))
    assert Counter(row.labels["pose"] for row in rows) == {"frontal": 2, "left": 2, "right": 2}
    for row in rows:
        yaw = float(row.labels["yaw_deg"])
        assert {"frontal": abs(yaw) <= 12, "left": yaw >= 15, "right": yaw <= -15}[str(row.labels["pose"])]
    assert asked == [POSES[name].asked for name in ("frontal", "left", "right")]
    assert passed["WrongPose"] and passed["NoFaceFound"]
    asked.clear()
    with collecting(tmp_path, ADA) as collection:
        camera = Camera(collection, before(turning), faces, sitting, choice)
        list(camera.gather_poses([ADA], poses[:1], 3))
    assert asked == [POSES["frontal"].asked]


def test_a_pose_that_never_comes_ends_the_sitting(turning: Path, faces: Analyzer, tmp_path: Path) -> None:  # noqa: F811
    """It is asked for again while rounds of the poses bring pictures, and not without end."""
    asked: list[str] = []
    sitting = Sitting(lambda _person, what: asked.append(what), lambda *_: None)
    with collecting(tmp_path, ADA) as collection:
        camera = Camera(collection, before(turning), faces, sitting)
        list(camera.gather_poses([ADA], named(["frontal", "up"]), 1))
        assert collection.labelled(ADA.subject, "pose") == {"frontal": 1}
    assert asked == [POSES["frontal"].asked, POSES["up"].asked, POSES["up"].asked]


def test_frames_without_a_face_are_negatives(turning: Path, faces: Analyzer, tmp_path: Path) -> None:  # noqa: F811
    """They become rows of nobody with the outcome no_face, after a second look; faces are passed over."""
    asked: list[Person | None] = []
    sitting = Sitting(
        lambda person, what: asked.append(person) if what == NOBODY else None, lambda *_: None
    )
    passed: Counter[str] = Counter()
    thorough = Analyzer("retry:yunet:score=0.5,step_deg=90", None, workers=1)
    noise = np.random.default_rng(0).integers(0, 90, (12, 320, 640, 3), np.uint8)
    film = _write_video(
        tmp_path / "room.avi", [_shown(_portrait("obama_2012_portrait.jpg"))] * 5 + list(noise)
    )
    with collecting(tmp_path / "out", ADA) as collection:
        camera = Camera(collection, before(film), faces, sitting, Choice(gap_seconds=0.3), passed)
        kept = list(camera.gather_empty(2, thorough))
        assert [one.subject for one in kept if one.error is None] == [None, None]
        assert collection.kept(None) == 2 and not collection.kept(ADA.subject)
    assert asked == [None] and passed["FaceInPicture"] >= 1
    rows = list(open_dataset(tmp_path / "out"))
    assert [(row.subject, row.outcome) for row in rows] == [(None, "no_face")] * 2
    with collecting(tmp_path / "out", ADA, GRACE) as collection:
        assert not list(Camera(collection, before(film), faces, sitting).gather_empty(2, thorough))


def test_a_camera_goes_on_while_nothing_is_recorded(
    turning: Path,
    faces: Analyzer,  # noqa: F811
    tmp_path: Path,
) -> None:
    """Frames that pass before a key is pressed are lost."""
    answers = iter([False] * 25)
    sitting = Sitting(QUIET.ready, QUIET.show, lambda: next(answers, True))
    with collecting(tmp_path, ADA) as collection:
        frame = next(Camera(collection, before(turning), faces, sitting)._frames())
    assert (frame.timestamp or 0) == pytest.approx(2.5, abs=0.05)


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A terminal in place of standard input; what is written into it is typed."""
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    with os.fdopen(theirs) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield ours
    os.close(ours)


def until(true: Callable[[], bool]) -> bool:
    """Whether it becomes true: keys arrive by another thread."""
    for _ in range(1000):
        if true():
            return True
        time.sleep(0.01)
    return False


def test_enter_begins_and_stops(keyboard: int) -> None:
    """The first Enter answers the request, each further one stops or goes on."""
    with Keys("enter") as keys:
        assert not keys.recording()
        # Only an Enter that comes after the request answers it.
        threading.Timer(0.3, os.write, (keyboard, b"\n")).start()
        assert keys.wait()
        assert keys.recording()
        os.write(keyboard, b"\n")
        assert until(lambda: not keys.recording())
        os.write(keyboard, b"\n")
        assert until(keys.recording)


def test_a_held_key_records_until_it_no_longer_repeats(
    keyboard: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A terminal tells of repetitions only: a while without one is a key let go; other keys do nothing."""
    now = [100.0]
    monkeypatch.setattr(collect_keys, "time", SimpleNamespace(monotonic=lambda: now[0]))
    with Keys("hold") as keys:
        os.write(keyboard, b"x")
        assert not keys.recording()
        for _ in range(3):
            os.write(keyboard, b" ")
            assert until(lambda: keys._held == now[0])
            now[0] += 0.7
            assert keys.recording()
        now[0] += 0.2
        assert not keys.recording()


def test_after_a_sitting_nobody_reads_its_keys(keyboard: int) -> None:
    """Once the block has ended every key is left for whoever reads the terminal next."""
    for how in ("enter", "hold"):
        with Keys(how):
            assert any(thread.name == "keys" for thread in threading.enumerate())
        assert not any(thread.name == "keys" for thread in threading.enumerate())


def test_without_a_terminal_no_key_can_be_held(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A named refusal at once; Enter from a file or nobody at all goes on by itself."""
    (tmp_path / "keys").write_text("", encoding="utf-8")
    with (tmp_path / "keys").open(encoding="utf-8") as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        with pytest.raises(UsageError, match="--record enter"):
            Keys("hold")
        with Keys("enter") as keys:
            assert not keys.wait() and keys.recording()
