"""What holds faces or names is the user's alone from its first moment, unless it is said to be shared."""

from __future__ import annotations

import os
import shutil
import stat
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from lineament.datasets.archives import unpack
from lineament.datasets.cleaning.proposals import Proposal
from lineament.datasets.exporting import export_labels
from lineament.datasets.extraction.crop_names import inside
from lineament.datasets.importing.labels import import_dataset
from lineament.datasets.opening import open_dataset
from lineament.datasets.reviewing.review import open_review
from lineament.io import images, own_files, permissions, writing
from lineament.io.journal import Journal
from lineament.io.manifest import Manifest, ManifestRow
from lineament.io.permissions import SHARED

PIXELS = np.zeros((40, 30, 3), np.uint8)


@pytest.fixture(autouse=True)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    """The loosest of umasks, or the one that a test names."""
    before = os.umask(getattr(request, "param", 0))
    yield
    os.umask(before)


def people(folder: Path) -> Path:
    (folder / "Ada").mkdir(parents=True)
    images.save(folder / "Ada" / "1.png", PIXELS)
    return folder


def manifest(out: Path) -> None:
    Manifest((ManifestRow("1", "a.jpg", "0" * 64, subject="Ada"),)).save(out / "a" / "manifest.jsonl")


def journal(out: Path) -> None:
    with Journal(out / "a" / ".journal") as opened:
        opened.record("Ada", 1)


def lines(out: Path) -> None:
    written = writing.Lines(out / "a" / "answers.jsonl", own_files.ANSWERS)
    written.write("{}" + own_files.LINE_END)
    written.close()


def picture(out: Path) -> None:
    images.save(out / "a" / "crop.jpg", PIXELS)


def page(out: Path) -> None:
    with writing.replacing(out / "a" / "page.html", own_files.PAGE) as file:
        file.write("Ada")


def decisions(out: Path) -> None:
    dataset = open_dataset(people(out.parent / "people"))
    Proposal(dataset.rows[0].path, "Ada", "remove", "not a face", 1.0)
    (dataset.folder / "proposals.jsonl").touch()
    writing.make_folder(out)
    review = open_review(dataset, log=out / "review.jsonl")
    review.decide(dataset.rows[0].id, "keep")


def unpacked(out: Path) -> None:
    with zipfile.ZipFile(out.parent / "a.zip", "w") as packed:
        packed.writestr("a/b/c.txt", "x")
        packed.writestr("d/", "")
    unpack(out.parent / "a.zip", out)


def imported(out: Path) -> None:
    import_dataset(people(out.parent / "people"), out=out)


def exported(out: Path) -> None:
    export_labels(open_dataset(people(out.parent / "people")), out, "imagefolder")


def crop_folder(out: Path) -> None:
    writing.make_folder(out)
    inside(out, "a/b/c.jpg")


WRITERS: list[Callable[[Path], None]] = [
    manifest, journal, lines, picture, page, decisions, unpacked, imported, exported, crop_folder,
]  # fmt: skip


def modes(out: Path) -> dict[str, int]:
    return {
        str(path.relative_to(out.parent)): stat.S_IMODE(path.stat().st_mode)
        for path in (out, *out.rglob("*"))
    }


@pytest.mark.parametrize("writer", WRITERS, ids=lambda writer: writer.__name__)
@pytest.mark.parametrize("umask", [0, 0o022], indirect=True, ids=oct)
def test_nobody_else_may_read_it(writer: Callable[[Path], None], tmp_path: Path) -> None:
    """Files 0600, folders 0700, the folders above them too, whatever the umask is."""
    writer(tmp_path / "out")
    found = modes(tmp_path / "out")
    assert len(found) > 1
    assert {mode & 0o077 for mode in found.values()} == {0}, found


@pytest.mark.parametrize("writer", WRITERS, ids=lambda writer: writer.__name__)
@pytest.mark.parametrize("umask", [0o007, 0o022], indirect=True, ids=oct)
def test_a_shared_folder_follows_the_umask(
    writer: Callable[[Path], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    """With the setting, files and folders get what the umask leaves, as with other programs."""
    monkeypatch.setenv(SHARED, "1")
    writer(tmp_path / "out")
    umask = os.umask(0)
    os.umask(umask)
    for path in ((tmp_path / "out"), *(tmp_path / "out").rglob("*")):
        if path.suffix == ".lock":  # empty, and to be locked by whoever reaches the folder
            continue
        wanted = (0o777 if path.is_dir() else 0o666) & ~umask
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path


@pytest.mark.parametrize("value", ["", "0", "no", "false", "2", "shared"])
def test_only_a_plain_yes_shares(value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not clearly yes keeps everything private."""
    monkeypatch.setenv(SHARED, value)
    picture(tmp_path / "out")
    assert {mode & 0o077 for mode in modes(tmp_path / "out").values()} == {0}


def test_a_half_written_file_is_as_private(tmp_path: Path) -> None:
    """Also while it is written, under its passing name, and where the writer opens it by itself."""
    with writing.target_of(tmp_path / "out", own_files.PAGE) as partial:
        assert stat.S_IMODE(partial.stat().st_mode) == 0o600
        partial.write_text("x")
    lines = writing.Lines(tmp_path / "answers", own_files.ANSWERS)
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}
    lines.close()


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o666])
def test_what_was_there_keeps_its_permissions(mode: int, tmp_path: Path) -> None:
    """A file that its owner opened to others stays open to them, and so does an empty folder."""
    path = tmp_path / "manifest.jsonl"
    Manifest(()).save(path)
    path.chmod(mode)
    Manifest(()).save(path)
    assert stat.S_IMODE(path.stat().st_mode) == mode
    (tmp_path / "out").mkdir()
    (tmp_path / "out").chmod(0o750)
    imported(tmp_path / "out")
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o750


def test_folders_that_are_there_are_left_alone(tmp_path: Path) -> None:
    """Only what is missing is made; a file in the way is told."""
    (tmp_path / "a").mkdir(mode=0o755)
    permissions.make_folders(tmp_path / "a" / "b" / "c")
    assert modes(tmp_path / "a") == {"a": 0o755, "a/b": 0o700, "a/b/c": 0o700}
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "x"):
        with pytest.raises(FileExistsError):
            permissions.make_folders(path)
    shutil.rmtree(tmp_path / "a")
