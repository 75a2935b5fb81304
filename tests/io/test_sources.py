"""Folder walks: a fixed order, nothing hidden, no way to hang or run in circles."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hostile.pictures import OK, make_hostile_folder
from lineament.errors import PictureError, UsageError
from lineament.io import images, sources


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_files_are_passed_on_whatever_they_are(tmp_path: Path) -> None:
    """What the user names is never left out: `load` refuses it by name instead."""
    touch(tmp_path, "notes.txt")
    os.mkfifo(tmp_path / "fifo")
    named = [str(tmp_path / name) for name in ("notes.txt", "fifo", "missing.jpg")] + [
        "",
        "a\0b",
        "./x.jpg",
    ]
    listing = sources.expand(named)
    assert list(listing) == named
    assert not listing.left_out.total()


def test_folders_are_walked_in_one_order(tmp_path: Path) -> None:
    """Sorted by name at every level, so two runs, machines and file systems agree."""
    touch(tmp_path, "b/2.jpg", "b/10.PNG", "a.jpg", "c.webp", "b/a/z.avif", "A.tiff", "\u00e9.jpg")
    found = [os.path.relpath(path, tmp_path) for path in sources.expand([tmp_path])]
    assert found == ["A.tiff", "a.jpg", "b/10.PNG", "b/2.jpg", "b/a/z.avif", "c.webp", "\u00e9.jpg"]


def test_what_a_walk_leaves_out_is_counted(tmp_path: Path) -> None:
    """Files of other suffixes and names that begin with a dot: left out, and counted."""
    touch(tmp_path, "a.jpg", "notes.txt", "README", ".hidden.jpg", ".thumbs/x.jpg", "sub/labels.csv")
    listing = sources.expand([tmp_path])
    assert len(list(listing)) == 1
    assert (listing.left_out.others, listing.left_out.passed_over) == (4, 1)  # .thumbs is a system's
    assert len(list(listing)) == 1, "a listing can be read again"
    assert listing.left_out.total() == 5


def test_loops_of_links_end(tmp_path: Path) -> None:
    """Each real folder is walked once, however many links lead to it."""
    touch(tmp_path, "a/1.jpg")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "b").symlink_to(tmp_path / "a")
    listing = sources.expand([tmp_path])
    assert [os.path.relpath(path, tmp_path) for path in listing] == ["a/1.jpg"]
    assert listing.repeated == 2


def test_a_diamond_of_links_does_not_explode(tmp_path: Path) -> None:
    """Thirty folders, each linking the next one twice, would be a thousand million paths."""
    for level in range(30):
        folder = tmp_path / f"level{level}"
        folder.mkdir()
        if level:
            for twin in "xy":
                (tmp_path / f"level{level - 1}" / twin).symlink_to(folder)
    touch(tmp_path, "level29/1.jpg")
    assert len(list(sources.expand([tmp_path / "level0"]))) == 1


def test_deep_folders_are_walked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Depth is bounded by the system's path length, not by Python's stack."""
    monkeypatch.chdir(tmp_path)
    folders = ["/".join(["d"] * depth) for depth in range(1, 1_501)]
    for folder in folders:
        Path(folder).mkdir()
    picture = f"{folders[-1]}/1.jpg"
    Path(picture).write_bytes(b"x")
    try:
        assert list(sources.expand(["d"])) == [picture]
    finally:  # one by one: the removal of whole trees recurses
        Path(picture).unlink()
        for folder in reversed(folders):
            Path(folder).rmdir()


def test_a_folder_that_cannot_be_read_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It becomes a refusal with a name instead of vanishing."""
    touch(tmp_path, "a/1.jpg", "b/2.jpg")
    real = os.listdir

    def refuse(path: str) -> list[str]:
        if path.endswith("a"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "listdir", refuse)
    found = list(sources.expand([tmp_path]))
    assert found == [str(tmp_path / "a"), str(tmp_path / "b" / "2.jpg")]
    with pytest.raises(PictureError):
        images.load(found[0])


def test_names_that_are_not_text_survive(tmp_path: Path) -> None:
    """A file name of bytes that are no UTF-8 is found, and can be opened by what was found."""
    name = os.fsencode(tmp_path) + b"/\xff\xfe.jpg"
    try:
        descriptor = os.open(name, os.O_CREAT | os.O_WRONLY)
    except OSError:
        pytest.skip("this file system takes only UTF-8 names")
    os.close(descriptor)
    (found,) = sources.expand([tmp_path])
    assert os.fsencode(found) == name


def test_the_hostile_folder_is_walked_to_its_end(tmp_path: Path) -> None:
    """Every entry of the hostile folder is yielded or counted, and each ends as it must."""
    expected = make_hostile_folder(tmp_path)
    listing = sources.expand([tmp_path])
    found = {os.path.basename(path): path for path in listing}  # noqa: PTH119
    absent = set(expected) - set(found)
    assert absent == {"missing.jpg", "folder.jpg", "jpeg_named.txt", "no_suffix"}
    assert listing.left_out.total() == 2  # folder.jpg is a folder, and empty
    assert listing.left_out.pictures == {"no suffix": 1}
    for name, path in found.items():
        try:
            images.load(path)
            ending = OK
        except PictureError as error:
            ending = type(error).__name__
        assert ending == expected[name], name


def test_people_are_folders(tmp_path: Path) -> None:
    """A sub-folder's name is the subject, exactly; pictures that belong to nobody are told."""
    composed, decomposed = "Zo\u00eb", "Zoe\u0308"
    touch(
        tmp_path,
        f"{composed}/1.jpg",
        f"{decomposed}/1.jpg",
        "=cmd|x/b.png",
        "=cmd|x/a.png",
        "=cmd|x/sub/c.png",
    )
    touch(tmp_path, "loose.jpg", "readme.txt", "Nobody/notes.txt", ".git/x.jpg")
    found = sources.people(tmp_path)
    assert [(name, len(files)) for name, files in found] == [
        ("=cmd|x", 3),
        ("Nobody", 0),
        (decomposed, 1),
        (composed, 1),
    ]
    assert found.loose == [str(tmp_path / "loose.jpg")]
    assert found.left_out.total() == 3


@pytest.mark.parametrize("name", ["missing", "file.jpg", "a\0b"])
def test_people_need_a_folder(tmp_path: Path, name: str) -> None:
    """A folder of people that is none is a wrong call, not an empty gallery."""
    touch(tmp_path, "file.jpg")
    with pytest.raises(UsageError, match="folder"):
        sources.people(str(tmp_path / name))
