"""A manifest is enrolled row by row: exact names, as reviewed, each row's own face; outputs never go in."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from lineament.analyzer import Analyzer
from lineament.cli.main import app
from lineament.datasets.extraction.extract import extract
from lineament.datasets.extraction.extract_photo import ExtractSettings
from lineament.datasets.opening import open_dataset
from lineament.datasets.reviewing.decisions import DecisionLog, decision
from lineament.errors import NoFaceFound, SeveralFaces, SplitError, UsageError
from lineament.gallery.gallery import Gallery
from lineament.geometry.crop_style import CropStyle
from lineament.io import images, sources
from lineament.io.manifest import Manifest, ManifestRow
from lineament.io.own_files import COPY, CROP, DRAWING, SHEET
from lineament.plots import canvas
from lineament.stores.memory import MemoryLedger
from lineament.types import Image, UInt8

SAMPLES = Path(__file__).parents[2] / "samples"


def photo(name: str, height: int = 420) -> UInt8:
    import cv2

    pixels = images.load(next(SAMPLES.glob(f"{name}.*"))).pixels
    width = round(pixels.shape[1] * height / pixels.shape[0])
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def cheek_by_cheek() -> UInt8:
    """Two faces of one size, so near that a generous crop of one shows both, Obama's on the left."""
    import cv2

    cut = []
    for name in ("obama_2012_portrait", "biden_2013_portrait"):
        pixels = photo(name)
        x0, y0, x1, y1 = Analyzer("yunet", None, quality=False).analyze_one(Image(pixels)).faces.boxes[0]
        w, h = x1 - x0, y1 - y0
        part = pixels[max(0, int(y0 - h / 2)) : int(y1 + h / 2), int(x0 - 0.15 * w) : int(x1 + 0.15 * w)]
        cut.append(cv2.resize(part, (220, 420), interpolation=cv2.INTER_AREA))
    return np.asarray(np.concatenate(cut, axis=1), np.uint8)


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generous crops of a group and of a stranger under a name that is not his."""
    root = tmp_path_factory.mktemp("data")
    group = cheek_by_cheek()
    for name, pixels in {
        "George W. Öbama/a.jpg": photo("obama_2012_portrait"),
        "George W. Öbama/b.jpg": photo("obama_2009_congress"),
        "George W. Öbama/group.jpg": group,
        "George W. Öbama/stranger.jpg": photo("collins_nasa"),
        "Biden/a.jpg": photo("biden_2013_portrait"),
    }.items():
        (root / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        images.save(root / "photos" / name, pixels, quality=95)
    wide = ExtractSettings(style=CropStyle(size=420, margin=1.2))
    extract(open_dataset(root / "photos"), root / "crops", wide, workers=1)
    return root / "crops"


def enrol(*arguments: object, gallery: Path) -> tuple[int, list[dict[str, object]], str]:
    command = ["gallery", "enrol", *map(str, arguments), "--gallery", f"sqlite:{gallery}", "--json", "-"]
    done = CliRunner().invoke(app, command)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return done.exit_code, [line for line in lines if "subject" in line], done.output


def test_an_extraction_is_enrolled_as_reviewed(crops: Path, tmp_path: Path) -> None:
    """The folder's manifest counts, not its files: names to the letter, each crop's own face whoever looks
    into it, what review removed never, and the sheet that lies there is no photo."""
    manifest = Manifest.load(crops / "manifest.jsonl")
    assert len(manifest) == 5
    several = [
        row for row in manifest if len(Analyzer(quality=False).analyze_one(crops / row.path).faces) > 1
    ]
    assert several, "the crops show more than one face, or this proves nothing"
    [stranger] = (row for row in manifest if "stranger" in row.path)
    log = DecisionLog(crops / "review.jsonl")
    log.append([decision(stranger, "remove")])
    try:
        code, lines, text = enrol(crops, gallery=tmp_path / "a.db")
    finally:
        (crops / "review.jsonl").unlink()
    assert code == 0 and "not enrolled: 1 row removed by review" in text
    assert sorted(str(line["subject"]) for line in lines) == ["Biden"] + 3 * ["George W. Öbama"]
    assert {line["outcome"] for line in lines} == {"ok"}, lines
    assert not any("contact_sheet" in str(line) or "stranger" in str(line) for line in lines)
    reviewed = replace(manifest, rows=tuple(row for row in manifest if row is not stranger))
    steps = (*manifest.steps, {"step": "review", "removed": 1})
    replace(reviewed, steps=steps).save(crops / "reviewed.jsonl")
    code, lines, text = enrol(crops / "reviewed.jsonl", gallery=tmp_path / "b.db")
    assert code == 0 and len(lines) == 4 and "not enrolled: 1 row removed by review" in text


def test_a_crop_without_its_manifest_is_of_its_central_face(crops: Path, tmp_path: Path) -> None:
    """Crops moved elsewhere, sheet and all: each is of the face it was made for, and the sheet is passed
    over and counted."""
    folder = tmp_path / "moved"
    for file in crops.rglob("*.jpg"):
        (folder / file.relative_to(crops)).parent.mkdir(parents=True, exist_ok=True)
        (folder / file.relative_to(crops)).write_bytes(file.read_bytes())
    code, lines, text = enrol(folder, "--allow", "other-subject", gallery=tmp_path / "a.db")
    assert code == 0 and len(lines) == 5 and {line["outcome"] for line in lines} == {"ok"}
    assert "1 picture that lineament drew" in text


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """A group photo with two rows, and one picture each of splits and outcomes."""
    folder = tmp_path_factory.mktemp("labelled")
    group = cheek_by_cheek()
    images.save(folder / "group.jpg", group, quality=95)
    images.save(folder / "one.jpg", photo("collins_nasa"), quality=95)
    faces = Analyzer().analyze_one(Image(group)).faces
    assert len(faces) == 2 and faces.landmarks is not None
    rows = []
    for who, i in zip(("Obama", "Biden"), np.argsort(faces.boxes[:, 0]).tolist(), strict=True):
        box = tuple(float(v) for v in faces.boxes[i])
        points = tuple((float(x), float(y)) for x, y in faces.landmarks[i])
        rows.append(
            ManifestRow(who, "group.jpg", "1", subject=who, box=box, landmarks=points, split="train")  # type: ignore[arg-type]
        )
    rows += [
        ManifestRow("c", "one.jpg", "2", subject="Collins", split="test"),
        ManifestRow("n", "one.jpg", "2", subject="Collins", outcome="no_face"),
        ManifestRow("x", "one.jpg", "2"),
        ManifestRow("z", "one.jpg", "2", subject="Collins", step="augment", parent="c"),
    ]
    return Manifest(tuple(rows), folder=folder)


@pytest.mark.parametrize("landmarks", [True, False])
def test_each_row_is_its_own_face(labelled: Manifest, landmarks: bool) -> None:
    """Of a group photo every row gets its face, with landmarks without a look, else the one in its box;
    others are left out and counted, and only the splits asked for."""
    manifest = labelled
    if not landmarks:
        manifest = replace(labelled, rows=tuple(replace(row, landmarks=None) for row in labelled))
    with Gallery(MemoryLedger()) as gallery:
        done = list(gallery.enrol_manifest(manifest, splits=["train"]))
        assert [one.error for one in done] == [None, None]
        for one in done:
            [own] = (row.box for row in labelled if row.id == one.subject)
            assert one.taken is not None and one.taken.box == pytest.approx(own, abs=3)
        assert {name for name, _ in gallery.subjects()} == {"Obama", "Biden"}
        again = list(gallery.enrol_manifest(manifest))
        assert [type(one.error).__name__ for one in again if one.subject != "Collins"] == 2 * [
            "AlreadyEnrolled"
        ]
        assert [one.subject for one in again if one.error is None] == ["Collins"]
        with pytest.raises(SplitError, match=r"'val'.*test, train"):
            list(gallery.enrol_manifest(manifest, splits=["val"]))
        with pytest.raises(UsageError, match="augmented copies"):
            rows = tuple(row for row in manifest if row.id in "nxz")
            list(gallery.enrol_manifest(replace(manifest, rows=rows)))


def test_doubt_and_absence_are_refused(labelled: Manifest) -> None:
    """A box about two faces or none, and a picture of several without a box, are named refusals."""
    group = [row for row in labelled if row.path == "group.jpg"]
    boxes = np.array([row.box for row in group])
    both = (*boxes[:, :2].min(axis=0).tolist(), *boxes[:, 2:].max(axis=0).tolist())
    cases = {"both": both, "none": (0.0, 380.0, 30.0, 419.0), "free": None}
    rows = [
        replace(group[0], id=name, subject=name, box=box, landmarks=None) for name, box in cases.items()
    ]
    with Gallery(MemoryLedger()) as gallery:
        errors = {}
        for row in rows:
            [one] = gallery.enrol_manifest(replace(labelled, rows=(row,)))
            errors[one.subject] = type(one.error)
    assert errors["none"] is NoFaceFound and errors["free"] is SeveralFaces
    assert errors["both"] is SeveralFaces


def test_options_that_make_no_sense_are_refused(crops: Path, tmp_path: Path) -> None:
    """A manifest names its people; splits are a manifest's."""
    for arguments in (
        (crops, "--subject", "Anna"),
        (crops, "--largest"),
        (crops / "Biden", "--split", "train"),
    ):
        code, lines, _ = enrol(*arguments, gallery=tmp_path / "a.db")
        assert code != 0 and not lines
    assert not (tmp_path / "a.db").exists()


def test_what_lineament_drew_is_never_read_again(tmp_path: Path) -> None:
    """Sheets, drawings and plots in a folder are passed over by every walk, and counted; crops and copies
    are pictures to work on, a file that is named is read, and a pipe is not waited for."""
    pixels = np.zeros((40, 40, 3), np.uint8)
    (tmp_path / "Ann").mkdir()
    for folder in (tmp_path, tmp_path / "Ann"):
        for name, kind in (
            ("sheet.jpg", SHEET),
            ("drawn.png", DRAWING),
            ("crop.jpg", CROP),
            ("copy.png", COPY),
        ):
            images.save(folder / name, pixels, kind=kind)
        images.save(folder / "photo.jpg", pixels)
    plot(tmp_path / "Ann" / "plot.png")
    os.mkfifo(tmp_path / "pipe.jpg")
    listing = sources.expand([tmp_path / "Ann"])
    assert [Path(path).name for path in listing] == ["copy.png", "crop.jpg", "photo.jpg"]
    assert (listing.left_out.own, listing.left_out.total()) == (3, 3)
    assert "3 pictures that lineament drew" in listing.left_out.sentences()[0]
    people = sources.people(tmp_path)
    assert [Path(path).name for path in people.loose][:3] == ["copy.png", "crop.jpg", "photo.jpg"]
    assert people.left_out.own == 5 and people[0][0] == "Ann" and len(people[0][1]) == 3
    named = [str(tmp_path / "sheet.jpg")]
    assert list(sources.expand(named)) == named


def plot(path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure()
    figure.subplots().plot([0, 1], [0, 1])
    canvas.save(figure, path)
