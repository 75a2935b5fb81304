"""``lineament cluster`` and ``lineament album`` on the sample photos, from unsorted photos to a subject."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lineament.cli.main import app
from lineament.gallery.gallery import Gallery

SAMPLES = Path(__file__).resolve().parents[2] / "samples"


def lines(*words: object) -> list[dict[str, Any]]:
    """What a command that ends well prints as JSON."""
    result = CliRunner().invoke(app, [*map(str, words), "--json", "-"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def said(*words: object) -> str:
    result = CliRunner().invoke(app, [*map(str, words)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sample photos and their album; copy it to change it."""
    folder = tmp_path_factory.mktemp("collection")
    shutil.copytree(SAMPLES, folder / "photos")
    lines("cluster", folder / "photos", "--album", folder / "album")
    return folder


@pytest.fixture
def album(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made / "album", tmp_path / "album"))


def by_person(found: list[dict[str, Any]]) -> dict[str, set[str | None]]:
    people: dict[str, set[str | None]] = {}
    for line in found:
        if "path" in line:
            people.setdefault(Path(line["path"]).name.split("_")[0], set()).add(line["cluster"])
    return people


def test_the_samples_are_grouped_by_person(made: Path) -> None:
    """Each of two people is one cluster, and who is in one photo only is in none: null."""
    people = by_person(lines("album", "show", made / "album"))
    assert len(people["obama"]) == len(people["biden"]) == 1
    assert people["obama"] != people["biden"]
    assert people["collins"] == {None}


def test_photos_stay_as_they_are(made: Path) -> None:
    """Nothing in the folder of photos is changed, moved or added."""
    for photo in SAMPLES.iterdir():
        assert (made / "photos" / photo.name).read_bytes() == photo.read_bytes()
    assert len(list((made / "photos").iterdir())) == len(list(SAMPLES.iterdir()))


def test_without_an_album_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Grouping alone prints a line a face, with where it is, and writes no file."""
    monkeypatch.chdir(tmp_path)
    names = ("biden_2010_white_house.jpg", "biden_2013_portrait.jpg", "collins_nasa.png")
    found = lines("cluster", "--no-ages", *(SAMPLES / name for name in names))
    assert [line["cluster"] for line in found] == ["p1", "p1", None]
    assert all(line["face"] == 1 and len(line["box"]) == 4 for line in found)
    assert list(tmp_path.iterdir()) == []


def test_corrections_at_the_terminal(album: Path) -> None:
    """Each correction is told with what it changed and how to take it back; the history shows it."""
    faces = {Path(line["path"]).name: line["id"] for line in lines("album", "show", album)}
    biden, collins = faces["biden_2010_white_house.jpg"], faces["collins_nasa.png"]
    assert "album undo" in said("album", "different", album, biden, faces["biden_2013_portrait.jpg"])
    said("album", "undo", album)
    said("album", "same", album, biden, collins)
    assert by_person(lines("album", "show", album))["collins"] != {None}
    said("album", "mixed", album, lines("album", "show", album, collins)[0]["cluster"])
    said("album", "not-a-face", album, collins)
    said("album", "ignore", album, faces["obama_2012_portrait.jpg"])
    kinds = [(line["kind"], line["undone"]) for line in lines("album", "history", album)]
    assert kinds == [
        ("different", True),
        ("same", False),
        ("mixed", False),
        ("not-a-face", False),
        ("ignore", False),
    ]
    shown = {line["id"]: line for line in lines("album", "show", album)}
    assert shown[collins]["status"] == "not-a-face"
    assert shown[faces["obama_2012_portrait.jpg"]]["ignored"]
    assert "taken back" in said("album", "history", album)


def test_a_named_cluster_becomes_a_subject(album: Path, tmp_path: Path) -> None:
    """With --enrol the faces of a cluster are enrolled under its name; given again, nothing is added."""
    people = f"sqlite:{tmp_path / 'people.db'}"
    [cluster] = by_person(lines("album", "show", album))["biden"]
    for _ in range(2):
        said("album", "name", album, cluster, "Joe", "--enrol", "--gallery", people)
        with Gallery(people, create=False) as gallery:
            assert gallery.subjects() == [("Joe", 2)]
    assert [line["kind"] for line in lines("album", "history", album)] == ["name"]


def test_the_page_shows_faces_and_commands(album: Path, tmp_path: Path) -> None:
    """The page needs nothing else: pictures inside, each face's number, and a name as text."""
    [cluster] = by_person(lines("album", "show", album))["obama"]
    said("album", "name", album, cluster, "<b>Barack</b>")
    said("album", "page", album, "--out", tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert page.count('src="data:image/jpeg;base64,') == 6
    assert "&lt;b&gt;Barack&lt;/b&gt;" in page
    assert "<b>Barack" not in page
    assert "lineament album same" in page
    assert "http" not in page.replace("http-equiv", "")


def test_forgetting_asks_first(album: Path) -> None:
    """Where nobody can be asked, forgetting takes --yes; then the person's faces are gone."""
    [cluster] = by_person(lines("album", "show", album))["obama"]
    result = CliRunner().invoke(app, ["album", "forget", str(album), str(cluster)])
    assert result.exit_code != 0
    assert len(lines("album", "show", album)) == 6
    assert lines("album", "forget", album, cluster, "--yes") == [{"forgotten": 3}]
    assert len(lines("album", "show", album)) == 3
