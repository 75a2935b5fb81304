"""Links in somebody else's data set: nothing outside its folder is read, shown or copied unasked."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from label_sets import picture_bytes

from lineament.datasets.exporting import export_labels
from lineament.datasets.importing.labels import import_dataset, import_labels
from lineament.datasets.opening import from_people
from lineament.errors import LabelFileError, LineamentError, PictureOutside
from lineament.io.manifest import Manifest, ManifestRow
from lineament.plots.thumbnails import Thumbnails, sheet

SECRET = b"-----BEGIN OPENSSH PRIVATE KEY-----"


def coco(folder: Path) -> None:
    names = sorted(p.name for p in (folder / "images").iterdir())
    document = {
        "images": [{"id": n, "file_name": name, "width": 40, "height": 24} for n, name in enumerate(names)],
        "annotations": [
            {"id": n, "image_id": n, "category_id": 1, "bbox": [1, 2, 10, 10]} for n in range(len(names))
        ],
        "categories": [{"id": 1, "name": "face"}],
    }
    (folder / "coco.json").write_text(json.dumps(document))


def link(place: Path, target: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(target)


WAYS: dict[str, Callable[[Path, Path], None]] = {
    "a link to a file": lambda root, out: link(root / "images/x.jpg", out / "key"),
    "a link to a picture": lambda root, out: link(root / "images/x.jpg", out / "photo.jpg"),
    "a relative link": lambda root, out: link(
        root / "images/x.jpg", Path(os.path.relpath(out / "photo.jpg", root / "images"))
    ),
    "a link to a link": lambda root, out: (
        link(root / "hop", out / "photo.jpg"), link(root / "images/x.jpg", root / "hop")
    ),  # type: ignore[dict-item, return-value]
    "a link through a folder": lambda root, out: (
        link(root / "deep", out), link(root / "images/x.jpg", root / "deep" / "photo.jpg")
    ),  # type: ignore[dict-item, return-value]
    "a neighbour whose name begins alike": lambda root, out: link(
        root / "images/x.jpg", Path(str(root) + "-private") / "photo.jpg"
    ),
}  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data set with one honest picture, and a folder of secrets beside it."""
    folder = tmp_path / "set"
    (folder / "images").mkdir(parents=True)
    (folder / "images" / "a.jpg").write_bytes(picture_bytes(0))
    for name in ("out", "set-private"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "key").write_bytes(SECRET)
        (tmp_path / name / "photo.jpg").write_bytes(picture_bytes(1))
    return folder


def contents(folder: Path) -> set[bytes]:
    return {path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("way", WAYS)
def test_a_picture_that_a_link_leads_out_is_refused_unread(way: str, root: Path, tmp_path: Path) -> None:
    """Its row says why and holds no digest; with --out neither its bytes nor a link to them arrive, and the
    others do."""
    WAYS[way](root, tmp_path / "out")
    coco(root)
    path, found = import_dataset(root, out=tmp_path / "copy")
    rows = {row.path: row for row in Manifest.load(path)}
    assert rows["images/x.jpg"].outcome == "refused" and rows["images/x.jpg"].sha256 == ""
    assert (rows["images/x.jpg"].error or "").startswith("PictureOutside") and "--follow-links" in str(rows)
    assert rows["images/a.jpg"].outcome == "ok" and found.problems["picture_outside"] == 1
    assert (tmp_path / "copy" / "images" / "a.jpg").read_bytes() == picture_bytes(0)
    assert not {SECRET, picture_bytes(1)} & contents(tmp_path / "copy")
    assert not os.path.lexists(tmp_path / "copy" / "images" / "x.jpg")


@pytest.mark.parametrize("way", WAYS)
def test_links_are_followed_where_the_user_says_so(way: str, root: Path, tmp_path: Path) -> None:
    """The manifest's step records it; a file that is no picture is refused all the same, never copied."""
    WAYS[way](root, tmp_path / "out")
    coco(root)
    path, found = import_dataset(root, out=tmp_path / "copy", follow_links=True)
    manifest = Manifest.load(path)
    assert manifest.follows_links and not found.problems["picture_outside"]
    there = contents(tmp_path / "copy")
    assert SECRET not in there and (picture_bytes(1) in there) == (way != "a link to a file")
    assert not (tmp_path / "copy" / "images" / "x.jpg").is_symlink()


@pytest.mark.parametrize("way", WAYS)
def test_nothing_outside_is_shown_or_exported(way: str, root: Path, tmp_path: Path) -> None:
    """A manifest that came along may claim anything: thumbnails and exports look where it leads."""
    WAYS[way](root, tmp_path / "out")
    rows = tuple(ManifestRow(name, f"images/{name}.jpg", "", split="train", subject="a") for name in "ax")
    manifest = Manifest(rows, ({"step": "import"},), root)
    thumbnails = Thumbnails(manifest)
    assert thumbnails.get(rows[0])
    with pytest.raises(PictureOutside):
        thumbnails.get(rows[1])
    grey = Manifest((replace(rows[1], path="images/none.jpg"),), (), root)
    assert sheet(manifest, rows[1:], {}) == sheet(grey, grey.rows, {})
    done = export_labels(manifest, tmp_path / "copy", "imagefolder")
    assert done.problems["picture_outside"] == 1
    assert not {SECRET, picture_bytes(1)} & contents(tmp_path / "copy")


@pytest.mark.parametrize("target", ["/", "..", "out", "set-private", "/proc"])
def test_folders_outside_are_not_walked(target: str, root: Path, tmp_path: Path) -> None:
    """A link to the whole disk costs nothing and names nothing that is there; it is counted."""
    (root / "labels").mkdir()
    (root / "labels" / "a.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    (root / "images" / "more").symlink_to(tmp_path / target)
    found = import_labels(root, "yolo")
    assert {row.path for row in found.manifest} == {"images/a.jpg"}
    assert found.problems["folder_outside"] == 1
    assert "key" not in json.dumps(found.problems.to_json()) and "photo" not in json.dumps(
        found.problems.to_json()
    )


@pytest.mark.parametrize("follow", [False, True])
def test_label_files_outside_are_not_read(follow: bool, root: Path, tmp_path: Path) -> None:
    """What they hold could come out as names; a label file that the user names may be a link."""
    coco(root)
    (root / "coco.json").rename(tmp_path / "out" / "real.json")
    (root / "coco.json").symlink_to(tmp_path / "out" / "real.json")
    if follow:
        assert len(import_labels(root, "coco", follow_links=True).manifest) == 1
        assert len(import_labels(root / "coco.json", "coco").manifest) == 1
        return
    with pytest.raises(LabelFileError, match="a link leads it out"):
        import_labels(root, "coco")
    with pytest.raises(LineamentError):
        import_labels(root)


def test_links_inside_are_links_as_ever(root: Path, tmp_path: Path) -> None:
    """Also where the data set itself is reached by a link, and with the names of its parents in the way."""
    (root / "images" / "b.jpg").symlink_to("../images/a.jpg")
    coco(root)
    (tmp_path / "way").symlink_to(root)
    for place in (root, tmp_path / "way", root / "images" / ".."):
        found = import_labels(place)
        assert not found.problems["picture_outside"] and not any(row.error for row in found.manifest)


def test_photos_of_ones_own_may_lie_anywhere(root: Path, tmp_path: Path) -> None:
    """A folder a person is the user's own walk: its links are followed, as `detect` follows them."""
    link(tmp_path / "people" / "Ada", root / "images")
    manifest = from_people(tmp_path / "people")
    assert [row.path for row in manifest] == ["Ada/a.jpg"]
    assert Thumbnails(manifest).get(manifest.rows[0])
