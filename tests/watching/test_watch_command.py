"""``lineament watch``."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from films import ENROLLED, SAMPLES, Film, analyzer, still
from typer.testing import CliRunner

from lineament.cli.main import app
from lineament.errors import BadAnswer, StoreError, Unreachable, UsageError
from lineament.gallery.gallery import Gallery
from lineament.io.video import read


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gallery of two, and two films: Obama and Biden one after the other, and nobody."""
    folder = tmp_path_factory.mktemp("watch")
    with Gallery(f"sqlite:{folder / 'g.db'}", analyzer()) as opened:
        for name, photo in ENROLLED.items():
            assert opened.enrol(name, [SAMPLES / photo])[0].error is None
    (folder / "films").mkdir()
    two = Film().scene(0.8, {"Obama": still()}).scene(0.8, {"Biden": still()}, background=1)
    two.write(folder / "films" / "a.mp4")
    Film().scene(0.4, {}).write(folder / "films" / "b.mp4")
    return folder


def watch(folder: Path, source: str, *options: str) -> Result:
    gallery = f"sqlite:{folder / 'g.db'}"
    return CliRunner().invoke(app, ["watch", source, "--gallery", gallery, "--every", "2", *options])


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_line_a_track_and_one_with_counts(folder: Path) -> None:
    """On stdout nothing but JSON; the words for people go to stderr."""
    done = watch(folder, str(folder / "films" / "a.mp4"), "--json", "-")
    assert done.exit_code == 0, done.output
    *tracks, last = lines(done.stdout)
    assert [(one["subject"], one["from_s"]) for one in tracks] == [("Obama", 0.0), ("Biden", 0.8)]
    assert last["counts"]["tracks"] == last["counts"]["named"] == 2 and last["error"] is None
    assert last["counts"]["threshold"]["target_rate"] == 0.001
    assert "2 tracks, 2 named; 1 cut" in done.stderr and "decided by threshold" in done.stderr


def test_everything_that_can_be_written(folder: Path, tmp_path: Path) -> None:
    """A table, a timeline, a film with names; each may be written over by the next run but for the film."""
    pytest.importorskip("matplotlib", reason="not installed: matplotlib (pip install 'lineament[plots]')")
    options = ["--csv", str(tmp_path / "t.csv"), "--timeline", str(tmp_path / "t.png")]
    film = ["--draw", str(tmp_path / "t.mp4"), "--json", str(tmp_path / "t.jsonl")]
    done = watch(folder, str(folder / "films" / "a.mp4"), *options, *film)
    assert done.exit_code == 0, done.output
    assert [name for name in ("t.csv", "t.png", "t.mp4") if f"{tmp_path / name}" not in done.output] == []
    head, *rows = (tmp_path / "t.csv").read_text().splitlines()
    assert head.startswith("source,track,subject,from_s") and len(rows) == 2 and ",Biden," in rows[1]
    assert (tmp_path / "t.png").read_bytes().startswith(b"\x89PNG") and len(
        list(read(tmp_path / "t.mp4"))
    ) == 40
    assert len(lines((tmp_path / "t.jsonl").read_text())) == 3
    assert watch(folder, str(folder / "films" / "a.mp4"), *options).exit_code == 0
    assert isinstance(watch(folder, str(folder / "films" / "a.mp4"), *film[:2]).exception, StoreError)


def test_a_folder_is_watched_film_by_film(folder: Path) -> None:
    """A broken one among them is told of, and the rest go on; with --strict it counts as a failure."""
    broken, few = folder / "films" / "c.mp4", folder / "few"
    broken.write_bytes(b"\0\0\0\x18ftypmp42" + bytes(100))
    few.mkdir()
    for name in ("b.mp4", "c.mp4"):
        shutil.copy(folder / "films" / name, few / name)
    try:
        done = watch(folder, str(folder / "films"), "--json", "-")
        assert done.exit_code == 0, done.output
        counted = [line for line in lines(done.stdout) if "counts" in line]
        assert [Path(line["source"]).name for line in counted] == ["a.mp4", "b.mp4", "c.mp4"]
        assert [line["counts"]["named"] for line in counted] == [2, 0, 0]
        assert counted[2]["error"]["type"] == "BadAnswer" and "c.mp4" in done.stderr
        assert watch(folder, str(few), "--strict").exit_code == 1
        assert isinstance(watch(folder, str(broken)).exception, BadAnswer)
        for option in (["--draw", "x.mp4"], ["--timeline", "x.png"], ["--show"]):
            assert isinstance(watch(folder, str(folder / "films"), *option).exception, UsageError)
    finally:
        broken.unlink()


def test_a_film_in_a_cameras_place(folder: Path, tmp_path: Path) -> None:
    """Is told of as it goes, and drawn as it comes; a busy machine sees a part of it."""
    target = tmp_path / "live.mp4"
    done = watch(folder, f"camera:{folder / 'films' / 'a.mp4'}", "--draw", str(target))
    assert done.exit_code == 0, done.output
    assert re.search(r" s: (Obama|Biden|somebody unknown)", done.output)
    assert f"wrote {target}" in done.output
    assert len(list(read(target))) > 3


def test_a_camera_that_is_none(folder: Path) -> None:
    """Is named, with the way to give a film instead."""
    done = watch(folder, "camera:/dev/null")
    assert isinstance(done.exception, Unreachable) and "camera:FILE" in str(done.exception)


def test_a_gallery_that_is_not_there_is_not_made(folder: Path, tmp_path: Path) -> None:
    """StoreError, and no file."""
    done = CliRunner().invoke(
        app, ["watch", str(folder / "films" / "a.mp4"), "--gallery", f"sqlite:{tmp_path / 'no.db'}"]
    )
    assert isinstance(done.exception, StoreError) and not (tmp_path / "no.db").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a window needs no DISPLAY")
def test_a_window_that_cannot_be_opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Says what else to do."""
    monkeypatch.setenv("DISPLAY", "nowhere:99")
    done = watch(folder, str(folder / "films" / "b.mp4"), "--show")
    assert isinstance(done.exception, UsageError) and "--draw" in str(done.exception)


def test_a_film_or_timeline_of_another_kind_is_refused_at_once(folder: Path) -> None:
    """What is written is MP4 and PNG, and a name that says otherwise is told before the film is watched."""
    for option in (["--draw", "x.avi"], ["--timeline", "x.txt"]):
        done = watch(folder, str(folder / "films" / "a.mp4"), *option)
        assert isinstance(done.exception, UsageError) and "let the name end in" in str(done.exception)
