"""A folder or archive of somebody else is walked in bounds, by whichever command it is given to."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lineament.datasets.formats._files import files_below, pictures_below
from lineament.datasets.formats._layout import label_files
from lineament.datasets.importing.labels import import_labels
from lineament.datasets.opening import from_people
from lineament.errors import FolderRefused, LineamentError
from lineament.io import sources, video, walking

SAMPLE = next((Path(__file__).resolve().parents[2] / "samples").glob("*.jpg"))

WALKS: dict[str, Callable[[Path], Any]] = {
    "pictures": lambda folder: list(sources.expand([folder])),
    "people": sources.people,
    "a data set": from_people,
    "label files": lambda folder: list(label_files(folder)),
    "files of a format": lambda folder: files_below(folder, (".txt",)),
    "pictures of labels": lambda folder: list(pictures_below(folder)),
    "videos": video.find,
    "import": import_labels,
}

COMMANDS = {
    "detect": ["detect", "{}"],
    "analyze": ["analyze", "{}"],
    "identify": ["gallery", "identify", "{}", "--gallery", "memory:"],
    "enrol": ["gallery", "enrol", "{}", "--gallery", "memory:"],
    "audit": ["dataset", "audit", "{}", "--out", "{dir}/a.html"],
    "import": ["dataset", "import", "{}"],
    "extract": ["dataset", "extract", "{}", "{dir}/crops"],
    "evaluate": ["evaluate", "identification", "--images", "{}"],
    "calibrate": ["calibrate", "{}", "--target-fmr", "0.1"],
}


def deep(root: Path, levels: int) -> Path:
    """A picture, a label and a video that many folders down."""
    inner = root
    for _ in range(levels):
        inner = inner / "f"
    inner.mkdir(parents=True)
    shutil.copy(SAMPLE, inner / "a.jpg")
    (inner / "a.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    (inner / "a.mp4").touch()
    return root


@pytest.mark.parametrize("what", WALKS)
def test_too_deep(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders deeper than a path can name are refused by name, with the bound."""
    monkeypatch.setattr(walking, "MAX_DEPTH", 40)
    with pytest.raises(FolderRefused, match="40 folders deep"):
        WALKS[what](deep(tmp_path / "set", 42))


@pytest.mark.parametrize("what", ["pictures", "label files", "files of a format", "videos"])
def test_deep_ones_are_walked(what: str, tmp_path: Path) -> None:
    """Beyond what an archive may hold."""
    assert len(list(WALKS[what](deep(tmp_path / "set", 100)))) == 1


@pytest.mark.parametrize("what", WALKS)
def test_too_many(what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More entries than a folder may hold are refused by name, with the bound."""
    monkeypatch.setattr(walking, "MAX_ENTRIES", 5)
    folder = deep(tmp_path / "set", 1)
    for number in range(6):
        (folder / "f" / f"{number}.bin").touch()
    with pytest.raises(FolderRefused, match="more than 5 files"):
        WALKS[what](folder)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_name_the_bound(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command that walks a folder ends in the named error, never in a traceback or without an end."""
    from lineament.cli.commands import app

    monkeypatch.setattr(walking, "MAX_DEPTH", 40)
    folder = deep(tmp_path / "set", 42)
    told = [word.replace("{dir}", str(tmp_path)).replace("{}", str(folder)) for word in COMMANDS[command]]
    assert isinstance(CliRunner().invoke(app, told).exception, FolderRefused)


@pytest.mark.parametrize("command", COMMANDS)
def test_an_archive_is_not_walked(command: str, tmp_path: Path) -> None:
    """An archive is unpacked by `dataset import` only; others refuse it."""
    from lineament.cli.commands import app

    archive = tmp_path / "set.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.write(SAMPLE, "ann/a.jpg")
    told = [word.replace("{dir}", str(tmp_path)).replace("{}", str(archive)) for word in COMMANDS[command]]
    ended = CliRunner().invoke(app, told).exception
    assert ended is None or isinstance(ended, LineamentError), ended


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    """A folder that holds links to itself is walked once."""
    folder = deep(tmp_path / "set", 2)
    for number in range(5):
        (folder / f"again{number}").symlink_to(folder)
        (folder / "f" / f"up{number}").symlink_to(folder)
    listing = sources.expand([folder])
    assert len(list(listing)) == 1
    assert listing.repeated == 10
