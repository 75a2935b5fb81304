"""A camera that is none, and a film in a camera's place."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from test_collect_here import ADA, _portrait, _shown, _write_video, collecting, faces  # noqa: F401
from test_collect_sitting import turning  # noqa: F401
from typer.testing import CliRunner

from lineament.analyzer import Analyzer
from lineament.cli.main import app
from lineament.datasets.collect import film as films
from lineament.datasets.collect import video
from lineament.datasets.collect.film import Film, Wanted
from lineament.datasets.collect.frames import Choice
from lineament.datasets.collect.people import Person
from lineament.datasets.collect.poses import named
from lineament.datasets.opening import open_dataset
from lineament.errors import BadAnswer, Unreachable, UsageError
from lineament.io import camera
from lineament.io.camera import Device, film_at
from lineament.io.video import frames
from lineament.types import Image

pytest.importorskip("av", reason="not installed: lineament[video]")
COLLECT = ["dataset", "collect", "names.txt", "--out", "out", "--purpose", "x", "--source", "camera"]


@pytest.fixture
def thorough() -> Analyzer:
    return Analyzer("retry:yunet:score=0.5,step_deg=90", None, workers=1)


def playing(folder: Path, path: Path, faces: Analyzer, thorough: Analyzer, wanted: Wanted) -> Counter[str]:  # noqa: F811
    """What was passed over while a film was played."""
    with collecting(folder, ADA) as collection:
        film = Film(collection, path, faces, thorough, Choice(gap_seconds=0.3), lambda *_: None)
        list(film.gather(wanted))
        assert set(collection.counts) <= {"kept"}
    return film.passed_over


@pytest.mark.parametrize("device", ["0", "987", "/dev/null", "gone.mp4", "rtsp://127.0.0.1/a", "."])
def test_a_camera_that_gives_nothing_is_told_before_anybody_is_asked(device: str, tmp_path: Path) -> None:
    """One named line, without OpenCV's own: what is here instead, and the way with a video file. Nothing is
    asked, and no folder is begun."""
    if device == "0" and Path("/dev/video0").exists():
        pytest.skip("a camera is here")
    (tmp_path / "names.txt").write_text("Ada\n", encoding="utf-8")
    command = [sys.executable, "-m", "lineament", *COLLECT, "--device", device]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, input="\n", check=False)
    assert done.returncode == 1 and not done.stdout
    [line] = done.stderr.splitlines()
    assert line.startswith(f"Unreachable: camera {device} ") and "--device FILE" in line
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="names /dev/video*")
def test_the_cameras_that_are_here_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order of their numbers; where there is none, that is said."""
    monkeypatch.setattr(camera, "_FILES", tmp_path)
    assert f"there is no {tmp_path}/video* here" in camera.no_camera("0", "x")
    for number in (10, 2, 0):
        (tmp_path / f"video{number}").touch()
    assert f"cameras here: {tmp_path}/video0, {tmp_path}/video2, {tmp_path}/video10;" in (
        camera.no_camera("0", "cannot be opened")
    )


def test_a_camera_that_opens_and_shows_nothing_is_named() -> None:
    """As one does that another program holds."""
    with pytest.raises(Unreachable, match="gives no picture; another program"):
        Device("0", lambda: iter(())).require()
    Device("0", lambda: iter([Image.from_array(np.zeros((2, 2, 3), np.uint8), order="rgb")])).require()


def test_only_a_file_is_a_film(tmp_path: Path) -> None:
    """A number is a camera's, also where a file is called so; folders, devices and addresses are none."""
    (tmp_path / "7").touch()
    assert film_at(str(tmp_path / "7")) == tmp_path / "7"
    for text in ("7", str(tmp_path), "/dev/null", "rtsp://127.0.0.1/a", "a\0b", "x" * 5000):
        assert film_at(text) is None, text


def test_a_film_is_played_once_for_everything(
    turning: Path,  # noqa: F811
    faces: Analyzer,  # noqa: F811
    thorough: Analyzer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Poses and frames of nobody are taken as they come, whatever their order; playing it again adds
    nothing, and nothing is played when nothing is wanted."""
    played: list[Path] = []
    monkeypatch.setattr(films, "frames", lambda path: played.append(path) or frames(path))
    wanted = Wanted(ADA, 6, named(["left", "frontal", "right"]), negatives=2)
    passed = playing(tmp_path, turning, faces, thorough, wanted)
    rows = list(open_dataset(tmp_path))
    assert Counter(row.labels.get("pose") for row in rows if row.subject) == {
        "frontal": 2,
        "left": 2,
        "right": 2,
    }
    assert sum(row.outcome == "no_face" for row in rows) == 2 or passed["DuplicatePicture"]
    assert len(played) == 1
    more = Wanted(ADA, 600, (), negatives=0)
    playing(tmp_path, turning, faces, thorough, Wanted(ADA, 6))
    assert len(played) == 1, "six are there"
    first = {row.sha256 for row in open_dataset(tmp_path)}
    playing(tmp_path / "b", turning, faces, thorough, more)
    playing(tmp_path / "b", turning, faces, thorough, more)
    again = list(open_dataset(tmp_path / "b"))
    assert len({row.sha256 for row in again}) == len(again) == len({row.path for row in again})
    assert first and len(played) == 3


def test_repeated_pictures_are_counted_and_no_failures(
    faces: Analyzer,  # noqa: F811
    thorough: Analyzer,
    tmp_path: Path,
) -> None:
    """A film that stands still gives a picture or two (as decoded); the others are one count, also where it
    is a source of its own."""
    still = np.ascontiguousarray(_shown(_portrait("obama_2012_portrait.jpg")))
    path = _write_video(tmp_path / "still.avi", [still] * 20)
    passed = playing(tmp_path / "film", path, faces, thorough, Wanted(ADA, 5))
    rows = open_dataset(tmp_path / "film").rows
    assert len(rows) == len({row.sha256 for row in rows}) <= 2
    assert set(passed) == {"DuplicatePicture"} and passed["DuplicatePicture"] + len(rows) == 7
    again: Counter[str] = Counter()
    with collecting(tmp_path / "video", ADA) as collection:
        choice = Choice(gap_seconds=0.3)
        kept = list(video.gather(collection, ADA, [path], faces, choice=choice, passed_over=again))
    assert {one.outcome for one in kept} == {"kept"} and again == passed


@pytest.mark.parametrize("content", [b"", b"no film at all", b"\x00\x00\x00\x18ftypmp42"])
def test_a_file_that_is_no_film_is_named(
    content: bytes,
    faces: Analyzer,  # noqa: F811
    thorough: Analyzer,
    tmp_path: Path,
) -> None:
    """An error by its name, and not a sitting without pictures."""
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises((BadAnswer, Unreachable)):
        playing(tmp_path / "out", tmp_path / "a.mp4", faces, thorough, Wanted(ADA, 1))


def test_the_command_asks_a_film_for_nothing(
    turning: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No request, no pose, no key: what cannot be asked of a film is refused, and whose face it shows is
    said by a list of one or by --subject."""
    monkeypatch.chdir(tmp_path)
    Path("names.txt").write_text("Ada Lovelace\ngrace\n", encoding="utf-8")
    call = [*COLLECT, "--device", str(turning), "--gap", "0.3", "--per-subject", "2"]
    for more, error in (([], "--subject"), (["--subject", "grace", "--record", "enter"], "start to end")):
        refused = CliRunner().invoke(app, [*call, *more])
        assert isinstance(refused.exception, UsageError) and error in str(refused.exception)
    assert not Path("out").exists()
    done = CliRunner().invoke(app, [*call, "--subject", "grace", "--poses", "frontal,left"])
    assert done.exit_code == 0, done.output
    assert "played once from start to end" in done.stderr
    for word in ("Enter", "turn your head", "look into", "keyboard"):
        assert word not in done.output
    assert {row.subject for row in open_dataset(Path("out"))} == {"grace"}
    assert "frontal: " not in done.output, "each pose has its one picture"


def test_a_film_without_a_person_in_the_list_gives_negatives(
    turning: Path,  # noqa: F811
    faces: Analyzer,  # noqa: F811
    thorough: Analyzer,
    tmp_path: Path,
) -> None:
    """Frames with a face are passed over then, and none becomes anybody's."""
    nobody: Person | None = None
    playing(tmp_path, turning, faces, thorough, Wanted(nobody, 0, negatives=1))
    assert [(row.subject, row.outcome) for row in open_dataset(tmp_path)] == [(None, "no_face")]
