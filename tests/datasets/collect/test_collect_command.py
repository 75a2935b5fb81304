from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result
from collect_site import Site, jpeg
from test_collect_browser import CHROMIUM, needs_browser
from test_collect_here import film, photos  # noqa: F401  the fixture
from typer.testing import CliRunner

from lineament.cli.main import app
from lineament.datasets.opening import open_dataset
from lineament.errors import ConfigError, UsageError
from lineament.io import camera, video


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["dataset", "collect", *map(str, arguments)], catch_exceptions=True)


@pytest.fixture
def names(tmp_path: Path) -> Path:
    path = tmp_path / "names.txt"
    path.write_text("Ada Lovelace\ngrace\n", encoding="utf-8")
    return path


def test_a_folder_becomes_a_data_set_that_says_what_it_is_for(names: Path, tmp_path: Path) -> None:
    """One JSON line a picture and one for the whole; the table counts; a second run adds nothing."""
    root = photos(tmp_path / "in")
    (root / "grace" / "text.jpg").write_text("no picture", encoding="utf-8")
    arguments = (names, "--out", tmp_path / "out", "--source", "folder", "--from", root, "--per-subject", 3)
    done = run(*arguments, "--purpose", "a test", "--json", tmp_path / "answer.jsonl")
    assert done.exit_code == 0, done.output
    *pictures, summary = map(
        json.loads, (tmp_path / "answer.jsonl").read_text(encoding="utf-8").splitlines()
    )
    assert [p["outcome"] for p in pictures].count("kept") == 4
    assert {p["error"]["type"] for p in pictures if p["error"]} == {"UnsupportedFormat"}
    assert summary["outcomes"] == {"kept": 4, "UnsupportedFormat": 1} and summary["short"] == {"grace": 1}
    assert "4 photos kept, 1 refused; people with too few: 1" in done.output
    assert "stranger" in done.output
    step = open_dataset(tmp_path / "out").steps[-1]
    assert (step["purpose"], step["names"]) == ("a test", ["Ada Lovelace", "grace"])
    again = run(*arguments, "--purpose", "a test", "--strict")
    assert again.exit_code == 0 and "0 photos kept, 0 refused" in again.output


def test_photos_that_are_too_many_are_told(names: Path, tmp_path: Path) -> None:
    """--per-subject leaves photos out, and the command says how many and whose."""
    arguments = (names, "--out", tmp_path / "out", "--source", "folder", "--from", photos(tmp_path / "in"))
    done = run(*arguments, "--per-subject", 2, "--purpose", "a test", "--json", tmp_path / "answer.jsonl")
    assert done.exit_code == 0, done.output
    assert "left out: 1 more photo of 'Ada Lovelace'" in done.output
    summary = json.loads((tmp_path / "answer.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    assert summary["passed_over"] == {"more than --per-subject": 1}


def test_thousands_of_other_folders_are_told_in_short(names: Path, tmp_path: Path) -> None:
    """The first ten folders of people whom the list does not name, and how many more there are."""
    root = photos(tmp_path / "in")
    for number in range(40):
        (root / f"other{number:02}").mkdir()
        (root / f"other{number:02}" / "a.jpg").write_bytes(jpeg(number))
    arguments = (names, "--out", tmp_path / "out", "--source", "folder", "--from", root)
    done = run(*arguments, "--purpose", "a test")
    assert done.exit_code == 0, done.output
    assert done.output.count("whom the list does not name") == 10
    assert "... and 31 more like it" in done.output


def test_refusals_count_with_strict(names: Path, tmp_path: Path) -> None:
    """--strict turns any refusal into exit status 1."""
    flat = tmp_path / "flat"
    flat.mkdir()
    (flat / "a.jpg").write_bytes(jpeg(1)[:-300])
    arguments = (
        "--source",
        "folder",
        "--from",
        flat,
        "--subject",
        "grace",
        "--purpose",
        "a test",
        "--strict",
    )
    assert run(names, "--out", tmp_path / "out", *arguments).exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("--purpose", " "), UsageError),
        (("--purpose", "x", "--source", "folder"), UsageError),
        (("--purpose", "x", "--source", "folder", "--from", ".", "--subject", "nobody"), UsageError),
        (("--purpose", "x", "--api", "everything"), ConfigError),
        (("--purpose", "x", "--contact", "a\nX-Injected: 1"), UsageError),
    ],
)
def test_wrong_calls_are_named_and_leave_no_data_set(
    names: Path, tmp_path: Path, arguments: tuple[str, ...], error: type[Exception]
) -> None:
    """No purpose, no files, nobody of that name, no such interface, a header smuggled in."""
    done = run(names, "--out", tmp_path / "out", *arguments)
    assert isinstance(done.exception, error)
    assert not (tmp_path / "out" / "manifest.jsonl").exists()


def test_a_purpose_must_be_stated(names: Path, tmp_path: Path) -> None:
    """The option has no default."""
    assert run(names, "--out", tmp_path / "out").exit_code == 2


@needs_browser
def test_the_command_never_asks_this_machine(names: Path, tmp_path: Path, site: Site) -> None:
    """Whatever a page description says: a site of one's own is named on the command line, or not asked."""
    page = tmp_path / "local.toml"
    page.write_text(f"name='x'\nurl='{site.url}/?q={{query}}'\nresult='a'\n", encoding="utf-8")
    sandbox = () if CHROMIUM.sandbox else ("--no-sandbox",)
    done = run(
        names, "--out", tmp_path / "out", "--purpose", "x", "--source", "browser", "--page", page, *sandbox,
        "--json", tmp_path / "answer.jsonl", "--workers", 1,
    )  # fmt: skip
    assert done.exit_code == 1, done.output
    first = json.loads((tmp_path / "answer.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert first["error"]["type"] == "ForbiddenUrl"
    assert "2 ForbiddenUrl (search), the first search" in done.output
    assert not site.asked


def test_videos_lie_in_folders_by_name(names: Path, tmp_path: Path, film: Path) -> None:  # noqa: F811
    """A folder a person here too; who has none is told."""
    (tmp_path / "videos" / "grace").mkdir(parents=True)
    (tmp_path / "videos" / "grace" / "a.mp4").write_bytes(film.read_bytes())
    done = run(
        names, "--out", tmp_path / "out", "--purpose", "x", "--source", "video",
        "--from", tmp_path / "videos", "--per-subject", 2,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert {row.subject for row in open_dataset(tmp_path / "out")} == {"grace"}
    assert "passed over, by kind" in done.output and "NoFaceFound" in done.output
    assert "no folder for 'Ada Lovelace'" in done.output


def test_a_mistyped_name_is_told_with_the_folder_that_is_meant(tmp_path: Path) -> None:
    """A name without a folder, beside a folder without that name: the nearest is offered."""
    (tmp_path / "photos" / "Jacques_Chirac").mkdir(parents=True)
    (tmp_path / "photos" / "Jacques_Chirac" / "a.jpg").write_bytes(jpeg(1))
    (tmp_path / "names.txt").write_text("Jaques_Chirac\n", encoding="utf-8")
    done = run(
        tmp_path / "names.txt", "--out", tmp_path / "out", "--purpose", "x", "--source", "folder",
        "--from", tmp_path / "photos",
    )  # fmt: skip
    assert "did you mean" in done.output and "Chirac'?" in done.output, done.output


def test_a_sitting_runs_from_the_command_line(
    names: Path,
    tmp_path: Path,
    film: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Frames of a film come in a camera's place; with nobody at the keyboard it goes on, and requests and
    counts go to stderr."""
    monkeypatch.setattr(camera, "camera_frames", lambda *_: video.frames(film))
    done = run(
        names, "--out", tmp_path / "out", "--purpose", "x", "--source", "camera", "--per-subject", 1,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "2 photos kept" in done.output and "grace: 1/1" in done.stderr
    assert "look into the camera, then press Enter (nobody at the keyboard: going on)" in done.stderr
