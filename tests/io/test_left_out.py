"""What walks leave out: files of systems are passed over, pictures of other kinds are named by it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lineament.io import heif, left_out, sources
from lineament.io.formats import SUFFIXES

SAMPLE = Path(__file__).resolve().parents[2] / "samples" / "obama_2012_portrait.jpg"

SYSTEMS = [
    "@eaDir/a.jpg/SYNOPHOTO_THUMB_XL.jpg",  # Synology
    "#recycle/a.jpg",
    "#snapshot/GMT-2026/a.jpg",
    "@Recycle/a.jpg",  # QNAP
    ".@__thumb/default.a.jpg",
    "$RECYCLE.BIN/S-1-5-21/$R1.jpg",  # Windows
    "RECYCLER/S-1-5-21/Dc1.jpg",
    "System Volume Information/a.jpg",
    "Thumbs.db",
    "ehthumbs_vista.db",
    "desktop.ini",
    "__MACOSX/ann/._1.jpg",  # Mac
    "._1.jpg",
    ".DS_Store",
    ".Trashes/501/a.jpg",
    ".AppleDouble/a.jpg",
    "lost+found/a.jpg",  # Linux, Android
    ".thumbnails/normal/a.png",
    ".Trash-1000/files/a.jpg",
    ".trash/a.jpg",
    ".picasaoriginals/a.jpg",  # programs
    "Picasa.ini",
    "Lightroom Catalog Previews.lrdata/a.jpg",
    ".ipynb_checkpoints/a-checkpoint.jpg",
    ".dtrash/a.jpg",
    ".stversions/a~20260101.jpg",
]


def put(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")


@pytest.mark.parametrize("name", SYSTEMS)
@pytest.mark.parametrize("inside", ["", "ann/", "train/ann/2024/"])
def test_files_of_systems_are_passed_over(tmp_path: Path, name: str, inside: str) -> None:
    """Wherever they lie, by any walk, they are no pictures of the user's, and are counted one by one."""
    put(tmp_path, "ann/1.jpg", "train/ann/2024/2.jpg", inside + name)
    listing = sources.expand([tmp_path])
    assert len(list(listing)) == 2
    assert (listing.left_out.passed_over, listing.left_out.total()) == (1, 1)
    people = sources.people(tmp_path)
    assert [name for name, _ in people] == ["ann", "train"]
    assert (people.left_out.passed_over, people.left_out.total(), people.loose) == (1, 1, [])


@pytest.mark.parametrize(
    "name",
    [
        "Recycle Day/1.jpg",
        "recycling.jpg",
        "thumb.jpg",
        "MACOSX/1.jpg",
        "found/1.jpg",
        "eaDir/1.jpg",
        "#1.jpg",
    ],
)
def test_names_of_users_are_not_taken_for_systems(tmp_path: Path, name: str) -> None:
    """Only whole names count; what merely resembles one is the user's."""
    put(tmp_path, name)
    assert len(list(sources.expand([tmp_path]))) == 1


def test_a_folder_of_a_system_that_is_named_is_walked(tmp_path: Path) -> None:
    """Who asks for such a folder gets it."""
    put(tmp_path, "lost+found/a.jpg")
    assert len(list(sources.expand([tmp_path / "lost+found"]))) == 1


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.CR2", "camera raw"),
        ("a.nef", "camera raw"),
        ("a.dng", "camera raw"),
        ("a.jxl", "JPEG XL"),
        ("a.JP2", "JPEG 2000"),
        ("a.psd", "Photoshop"),
        ("a.svg", "drawing"),
        ("a.tga", "other"),
    ],
)
def test_pictures_that_are_not_read_are_named_by_their_kind(tmp_path: Path, name: str, kind: str) -> None:
    """They are counted by kind, and the sentence says what helps."""
    put(tmp_path, name, "b.jpg", "notes.txt")
    listing = sources.expand([tmp_path])
    assert len(list(listing)) == 1
    assert listing.left_out.pictures == {kind: 1}
    assert listing.left_out.others == 1
    assert any(f"({kind})" in sentence for sentence in listing.left_out.sentences())


def test_a_picture_without_suffix_is_told_by_its_content(tmp_path: Path) -> None:
    """It is left out by name like all others, but as a picture; a text without suffix is none."""
    put(tmp_path, "README", "LICENSE")
    (tmp_path / "photo").write_bytes(SAMPLE.read_bytes()[:100])
    listing = sources.expand([tmp_path])
    assert list(listing) == []
    assert (listing.left_out.pictures, listing.left_out.others) == ({"no suffix": 1}, 2)


@pytest.mark.parametrize("there", [True, False])
def test_heic_is_picked_where_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    """With the extra HEIC files are pictures like others; without it they are left out, and it is named."""
    monkeypatch.setattr(heif, "available", lambda: there)
    put(tmp_path, "ann/IMG_1.HEIC", "ann/IMG_2.heif", "ann/3.jpg")
    listing = sources.expand([tmp_path])
    assert len(list(listing)) == (3 if there else 1)
    assert listing.left_out.pictures == ({} if there else {"HEIC": 2})
    assert any("lineament[heif]" in line for line in listing.left_out.sentences()) is not there


def test_a_command_gathers_each_path_once(tmp_path: Path) -> None:
    """Several walks over one folder, by several ways, count what they leave out once."""
    put(tmp_path, "ann/1.jpg", "ann/2.jxl", "@eaDir/1/a.jpg", "@eaDir/1/b.jpg", "notes.txt")
    with left_out.noticing():
        list(sources.expand([tmp_path]))
        list(sources.expand([tmp_path / "ann"]))
        sources.people(tmp_path)
        found = left_out.gathered()
    assert (found.pictures, found.passed_over) == ({"JPEG XL": 1}, 2)
    list(sources.expand([tmp_path]))
    assert not left_out.gathered().total()


def test_kinds_do_not_overlap() -> None:
    """A suffix is read or is not."""
    assert not SUFFIXES & set(left_out._UNREAD)


def test_each_answer_tells_what_is_new(tmp_path: Path) -> None:
    """Two answers of one command, and its end, share what was left out: nothing twice, nothing never.
    Another command begins anew."""
    put(tmp_path, "a/one.jxl", "b/two.jxl", "b/@eaDir/x.jpg")
    for _ in range(2):
        with left_out.noticing():
            list(sources.expand([str(tmp_path / "a")]))
            assert left_out.untold().to_json()["pictures"] == {"JPEG XL": 1}
            list(sources.expand([str(tmp_path)]))
            assert left_out.untold().to_json() == {
                "pictures": {"JPEG XL": 1},
                "passed_over": 1,
                "others": 0,
                "own": 0,
            }
            assert left_out.untold().total() == 0 and left_out.gathered().total() == 3
