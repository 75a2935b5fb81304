"""Sources on this machine: folders, videos, a camera (a video file stands in for the device)."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections import Counter
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from collect_site import jpeg

from lineament.analyzer import Analyzer
from lineament.datasets.collect import camera, folder, video
from lineament.datasets.collect.collection import Collection
from lineament.datasets.collect.people import Person
from lineament.datasets.opening import open_dataset
from lineament.errors import BadAnswer, Unreachable, UsageError
from lineament.io import images
from lineament.io.camera import Device, device
from lineament.io.video import find, frames
from lineament.types import UInt8

SAMPLES = Path(__file__).parents[3] / "samples"
ADA, GRACE, ALAN = (Person(name, name) for name in ("Ada Lovelace", "grace", "Alan"))
needs_av = pytest.mark.skipif(
    importlib.util.find_spec("av") is None, reason="not installed: av (pip install 'lineament[video]')"
)


def collecting(out: Path, *people: Person) -> Collection:
    return Collection(out, people, purpose="testing", source="here")


def photos(root: Path) -> Path:
    for name, count in (("Ada Lovelace", 3), ("grace", 1), ("stranger", 2)):
        (root / name).mkdir(parents=True)
        for i in range(count):
            (root / name / f"{i}.jpg").write_bytes(jpeg(100 * count + i))
    (root / "loose.jpg").write_bytes(jpeg(1))
    return root


def test_only_people_in_the_list_are_copied_in(tmp_path: Path) -> None:
    """Byte for byte with their provenance; strangers, missing people and loose pictures are told."""
    found = folder.find(photos(tmp_path / "in"), [ADA, GRACE, ALAN])
    assert (found.left_out, found.missing, found.skipped) == (["stranger"], ["Alan"], 1)
    with collecting(tmp_path / "out", ADA, GRACE, ALAN) as collection:
        assert [g.outcome for g in folder.gather(collection, found, licence="CC0")] == ["kept"] * 4
    manifest = open_dataset(tmp_path / "out")
    assert Counter(row.subject for row in manifest) == {"Ada Lovelace": 3, "grace": 1}
    for row in manifest:
        source = Path((row.provenance.url or "").removeprefix("file://").replace("%20", " "))
        assert manifest.file(row).read_bytes() == source.read_bytes()
        assert row.provenance.licence == "CC0" and row.provenance.purpose == "testing"


def test_photos_beyond_the_number_wanted_are_counted(tmp_path: Path) -> None:
    """What is left out because the subject has enough is told, and told again when nothing is new."""
    root = photos(tmp_path / "in")
    for _ in range(2):
        found = folder.find(root, [ADA, GRACE])
        with collecting(tmp_path / "out", ADA, GRACE) as collection:
            list(folder.gather(collection, found, per_subject=1))
        assert found.too_many == {"Ada Lovelace": 2}


def test_a_flat_folder_belongs_to_the_subject_named(tmp_path: Path) -> None:
    """Sub-folders included; the subject must be in the list."""
    root = photos(tmp_path / "in")
    assert len(folder.find(root, [ADA], "Ada Lovelace")) == 7
    with pytest.raises(UsageError, match="not in the list"):
        folder.find(root, [ADA], "grace")
    with pytest.raises(UsageError):
        folder.find(tmp_path / "gone", [ADA], "Ada Lovelace")


def test_copying_again_copies_nothing_and_bad_files_are_named(tmp_path: Path) -> None:
    """A second run finds everything settled; bad pictures are refused by name, a pipe is passed over."""
    root = photos(tmp_path / "in") / "grace"
    (root / "text.jpg").write_text("no picture", encoding="utf-8")
    (root / "cut.jpg").write_bytes(jpeg(5)[:-300])
    (root / "same.jpg").write_bytes((root / "0.jpg").read_bytes())
    (root / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    without = folder.find(root.parent, [GRACE]).skipped
    os.mkfifo(root / "pipe.jpg")
    found = folder.find(root.parent, [GRACE])
    with collecting(tmp_path / "out", GRACE) as collection:
        outcomes = Counter(g.outcome for g in folder.gather(collection, found))
    assert outcomes == {
        "kept": 1,
        "UnsupportedFormat": 1,
        "CorruptPicture": 1,
        "DuplicatePicture": 1,
        "PictureNotFound": 1,
    }
    assert found.skipped == without + 1
    with collecting(tmp_path / "out", GRACE) as collection:
        assert not list(folder.gather(collection, found))


@pytest.fixture(scope="session")
def faces() -> Analyzer:
    return Analyzer("yunet", None, workers=1)


def _portrait(name: str) -> UInt8:
    pixels = images.load(SAMPLES / name).pixels
    scale = 300 / max(pixels.shape[:2])
    return np.asarray(cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def _shown(*portraits: UInt8, shift: int = 0) -> UInt8:
    canvas = np.full((320, 640, 3), 90, np.uint8)
    for i, portrait in enumerate(portraits):
        h, w = portrait.shape[:2]
        canvas[10 : 10 + h, 5 + 315 * i + shift : 5 + 315 * i + shift + w] = portrait
    return canvas


def _write_video(path: Path, frames: list[UInt8]) -> Path:
    fourcc = cv2.VideoWriter.fourcc(*("MJPG" if path.suffix == ".avi" else "mp4v"))
    writer = cv2.VideoWriter(str(path), fourcc, 10, (640, 320))
    for frame in frames:
        writer.write(np.ascontiguousarray(frame[:, :, ::-1]))
    writer.release()
    return path


def before(film: Path) -> Device:
    """A film's frames in the place of a camera's: none is at hand where this runs."""
    return Device("film", lambda: frames(film))


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten frames a second: one second empty, three of one face, one of two faces."""
    one, two = _portrait("biden_2013_portrait.jpg"), _portrait("obama_2012_portrait.jpg")
    frames = [_shown()] * 10 + [_shown(one, shift=i) for i in range(30)] + [_shown(one, two)] * 10
    return _write_video(tmp_path_factory.mktemp("film") / "film.mp4", frames)


@needs_av
def test_a_video_gives_frames_with_one_good_face_spaced_in_time(
    film: Path, faces: Analyzer, tmp_path: Path
) -> None:
    """Empty frames and two faces are passed over by name; the kept ones lie a second apart."""
    passed: Counter[str] = Counter()
    with collecting(tmp_path, ADA) as collection:
        outcomes = list(video.gather(collection, ADA, [film], faces, passed_over=passed))
    assert [g.outcome for g in outcomes] == ["kept"] * 3
    assert passed["NoFaceFound"] == 5 and passed["SeveralFaces"] >= 3
    seconds = sorted(float(row.labels["seconds"]) for row in open_dataset(tmp_path))
    assert 1.0 <= seconds[0] <= 1.2
    assert all(b - a >= 1 for a, b in pairwise(seconds))
    for row in open_dataset(tmp_path):
        assert row.quality is not None and row.quality >= 0.5
        assert (row.provenance.url or "").startswith(film.as_uri())


@needs_av
def test_a_video_is_not_gone_through_twice(film: Path, faces: Analyzer, tmp_path: Path) -> None:
    """Not under another name either; one that was cut off by the limit goes on where it stopped."""
    copy = tmp_path / "other name.mp4"
    shutil.copy(film, copy)
    for limit, expected in ((1, 1), (100, 2), (100, 0)):
        with collecting(tmp_path / "out", ADA) as collection:
            found = list(video.gather(collection, ADA, [film, copy], faces, per_subject=limit))
            assert [g.outcome for g in found] == ["kept"] * expected


@needs_av
def test_a_video_held_sideways_is_upright(film: Path, tmp_path: Path) -> None:
    """As a player shows it: every frame is the film's own, turned as it says, at its time."""
    data = film.read_bytes()
    at = data.index(b"tkhd")
    upright = b"\0\1\0\0" + bytes(12) + b"\0\1\0\0" + bytes(12) + b"\x40\0\0\0"
    sideways = bytes(4) + b"\0\1\0\0" + bytes(4) + b"\xff\xff\0\0" + bytes(16) + b"\x40\0\0\0"
    matrix = data.index(upright, at)
    turned = tmp_path / "turned.mp4"
    turned.write_bytes(data[:matrix] + sideways + data[matrix + len(upright) :])
    first, second = (list(frames(path)) for path in (film, turned))
    assert len(first) == len(second) == 50
    for number, (a, b) in enumerate(zip(first, second, strict=True)):
        assert (a.size_wh, b.size_wh) == ((640, 320), (320, 640))
        assert a.timestamp == b.timestamp == pytest.approx(number / 10, abs=0.01)
        # The film is to be turned by a quarter clockwise.
        assert np.array_equal(np.rot90(a.pixels, -1), b.pixels)


@needs_av
def test_files_that_are_no_videos_are_refused_by_name(faces: Analyzer, film: Path, tmp_path: Path) -> None:
    """A playlist, which could name addresses, a picture, a cut film, a missing one: each by name."""
    (tmp_path / "list.mp4").write_text("#EXTM3U\nhttp://127.0.0.1/x.ts\n", encoding="utf-8")
    (tmp_path / "photo.mp4").write_bytes(jpeg(1))
    (tmp_path / "cut.mp4").write_bytes(film.read_bytes()[:2_000])
    bad = [tmp_path / name for name in ("list.mp4", "photo.mp4", "cut.mp4", "gone.mp4")]
    with collecting(tmp_path / "out", ADA) as collection:
        found = list(video.gather(collection, ADA, [*bad, film], faces, per_subject=1))
    assert [g.outcome for g in found] == ["BadAnswer", "BadAnswer", found[2].outcome, "Unreachable", "kept"]
    assert isinstance(found[2].error, (BadAnswer, Unreachable))  # which, depends on the decoder
    with pytest.raises(UsageError):
        find(tmp_path / "out" / "nothing")


@needs_av
def test_a_sitting_asks_for_changes_and_counts_live(film: Path, faces: Analyzer, tmp_path: Path) -> None:
    """Each person in turn, in parts, each after a request; the count rises to the number wanted."""
    asked: list[tuple[str, str]] = []
    counts: list[tuple[str, int, int]] = []
    sitting = camera.Sitting(
        ready=lambda person, part: asked.append((person.subject, part)),
        show=lambda person, have, wanted, _reason: counts.append((person.subject, have, wanted)),
    )
    with collecting(tmp_path, ADA, GRACE) as collection:
        list(camera.Camera(collection, before(film), faces, sitting).gather([ADA, GRACE], 2, ("a", "b")))
        assert collection.kept("Ada Lovelace") == 2
    assert asked[:2] == [("Ada Lovelace", "a"), ("Ada Lovelace", "b")] and asked[2] == ("grace", "a")
    ada = [have for subject, have, _ in counts if subject == "Ada Lovelace"]
    assert ada == sorted(ada) and ada[0] == 0 and ada[-1] == 2 and counts[0][2] == 2
    again: list[str] = []
    sitting = camera.Sitting(lambda person, _part: again.append(person.subject), lambda *_: None)
    with collecting(tmp_path, ADA) as collection:
        list(camera.Camera(collection, before(film), faces, sitting).gather([ADA], 2))
    assert not again


@needs_av
def test_a_camera_that_is_not_there_is_named(faces: Analyzer, tmp_path: Path) -> None:
    """Neither a missing device nor an address in its place ends in anything but Unreachable."""
    sitting = camera.Sitting(lambda *_: None, lambda *_: None)
    for name in ("987", "/dev/null", "rtsp://127.0.0.1/stream", str(tmp_path / "gone.avi")):
        with collecting(tmp_path / "out", ADA) as collection, pytest.raises(Unreachable):
            list(camera.Camera(collection, device(name), faces, sitting).gather([ADA]))
