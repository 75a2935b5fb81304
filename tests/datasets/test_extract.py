"""Photos to crops: every photo ends counted, the right face is taken, and no interruption shows."""

from __future__ import annotations

import json
import subprocess
import sys
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_people import empty, people, photo
from typer.testing import CliRunner

from lineament.analyzer import Analyzer, central_face
from lineament.cli.main import app
from lineament.datasets.belonging.choosing import choose
from lineament.datasets.belonging.consensus import Agreement, consensus
from lineament.datasets.belonging.sightings import Sighting
from lineament.datasets.extraction import extract as extraction
from lineament.datasets.extraction.crop_names import crop_stems, folded, inside
from lineament.datasets.extraction.extract import Extraction, ExtractSettings, extract
from lineament.datasets.opening import open_dataset
from lineament.datasets.splitting.splits import Plan, parse_shares, split
from lineament.errors import ConfigError, ManifestError, OutputError, UsageError
from lineament.geometry.alignment import ARCFACE_112
from lineament.geometry.crop_style import CropStyle
from lineament.io import images
from lineament.io.manifest import Manifest, ManifestRow
from lineament.types import Outcome, Status

SAME = Agreement(0.36, 0.42)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return people(tmp_path_factory.mktemp("photos"))


@pytest.fixture(scope="module")
def done(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Extraction:
    return extract(open_dataset(photos), tmp_path_factory.mktemp("out"), workers=2)


@pytest.fixture(scope="module")
def analyzer() -> Iterable[Analyzer]:
    with Analyzer(workers=1) as made:
        yield made


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_every_photo_is_counted_once(done: Extraction) -> None:
    """Photos = those with a face + undetected + refused, and the lists name the photos they count."""
    assert (done.photos, done.faces, done.undetected, done.refused) == (9, 7, 1, 1)
    out = done.manifest.folder
    assert (out / "undetected.txt").read_text() == "Collins/none.jpg\n"
    assert (out / "refused.txt").read_text().startswith("Biden/broken.jpg\tCorruptPicture: ")


def test_crops_lie_in_the_folders_of_their_photos(photos: Path, done: Extraction) -> None:
    """A crop has its photo's folder and name, its row the photo's id and subject."""
    source = {row.id: row for row in open_dataset(photos)}
    manifest = Manifest.load(done.manifest.folder / "manifest.jsonl")
    assert sorted(row.path for row in manifest) == [
        "Biden/a.jpg", "Biden/b.jpg", "Collins/a.jpg",
        "Obama/a.jpg", "Obama/b.jpg", "Obama/c.jpg", "Obama/group.jpg",
    ]  # fmt: skip
    for row in manifest:
        assert row.parent is not None
        parent = source[row.parent]
        assert Path(parent.path).with_suffix(".jpg").as_posix() == row.path
        assert row.subject == parent.subject
        crop = images.load(manifest.file(row))
        assert crop.size_wh == row.size_wh == (256, 256)


def test_box_and_landmarks_of_a_row_fit_its_crop(done: Extraction, analyzer: Analyzer) -> None:
    """A detector sees the face in the crop where the row says it is."""
    for row in done.manifest:
        face = central_face(analyzer.analyze_one(done.manifest.file(row)))
        assert face.landmarks is not None
        assert np.abs(face.landmarks - np.array(row.landmarks)).max() < 10


def test_of_several_faces_the_subjects_is_taken(done: Extraction, analyzer: Analyzer) -> None:
    """In a group the face is taken that agrees with the subject's other photos, not the larger or first."""
    rows = {row.path: row for row in done.manifest}
    group = rows["Obama/group.jpg"]
    assert group.labels["chosen_by"] == "consensus"
    face = [
        central_face(analyzer.analyze_one(done.manifest.file(rows[path]))).embedding
        for path in ("Obama/group.jpg", "Obama/b.jpg", "Biden/a.jpg")
    ]
    assert face[0] is not None and face[1] is not None and face[2] is not None
    assert face[0].similarity(face[1]) > 0.5
    assert face[0].similarity(face[2]) < 0.3


def test_all_faces_are_numbered(photos: Path, tmp_path: Path, analyzer: Analyzer) -> None:
    """With all faces a group gives one crop a face, and no two share a name."""
    manifest = open_dataset(photos)
    group = [row for row in manifest if row.path == "Obama/group.jpg"]
    source = Manifest(tuple(group), manifest.steps, manifest.folder)
    result = extract(source, tmp_path / "out", ExtractSettings(faces="all"))
    found = len(analyzer.analyze_one(photos / "Obama" / "group.jpg").faces)
    assert found >= 2
    wanted = [f"Obama/group-face{number + 1}.jpg" for number in range(found)]
    assert sorted(row.path for row in result.manifest) == wanted
    assert (result.photos, result.faces) == (1, found)


def test_a_given_box_picks_the_face(photos: Path, tmp_path: Path, analyzer: Analyzer) -> None:
    """Rows with boxes get the face in their own box, each with its own subject; where none is found in it,
    the box itself is cut, and that is told."""
    image = images.load(photos / "Obama" / "group.jpg")
    faces = sorted(analyzer.analyze_one(image).faces, key=lambda face: float(face.box[3] - face.box[1]))
    left, right = faces[-2:]
    rows = [
        ManifestRow(name, "Obama/group.jpg", "0" * 64, subject=name, box=tuple(map(float, box)))  # type: ignore[arg-type]
        for name, box in (("l", left.box), ("r", right.box), ("nobody", (0.0, 0.0, 20.0, 20.0)))
    ]
    result = extract(Manifest(tuple(rows), (), photos), tmp_path / "out")
    by = {row.subject: row.labels["chosen_by"] for row in result.manifest}
    assert by == {"l": "box", "r": "box", "nobody": "label"}
    assert (result.photos, result.faces, result.undetected, result.from_labels) == (1, 3, 0, 1)


@pytest.mark.parametrize("faces", ["one", "all"])
@pytest.mark.parametrize("from_boxes", [False, True])
@pytest.mark.parametrize("named", [False, True])
def test_crops_of_one_photo_belong_together(
    tmp_path: Path, faces: Literal["one", "all"], from_boxes: bool, named: bool
) -> None:
    """All crops of a photo stay in one split, whatever row of it they were cut for; and crops of crops."""
    photos, rng, rows = tmp_path / "photos", np.random.default_rng(3), []
    for n in range(6):
        pixels = rng.integers(0, 256, (120, 300, 3), np.uint8)
        images.save(photos / f"{n}.png", pixels)
        for face in range(3):
            left = 100.0 * face
            rows.append(
                ManifestRow(
                    f"{n}-{face}",
                    f"{n}.png",
                    str(n),
                    box=(left + 10, 10, left + 90, 90),
                    subject=f"p{face}" if named else None,
                )
            )
    first = extract(
        Manifest(tuple(rows), folder=photos),
        tmp_path / "crops",
        ExtractSettings(faces=faces, from_boxes=from_boxes),
    ).manifest
    again = extract(first, tmp_path / "again", ExtractSettings(from_boxes=True)).manifest
    for crops in (first, again):
        assert len(crops) == 18
        done = split(crops, Plan(parse_shares("50/50"), exact=True))
        assert done.groups == 6
        places = {row.path.split("-")[0]: set[str | None]() for row in crops}
        for row in done.manifest:
            places[row.path.split("-")[0]].add(row.split)
        assert all(len(held) == 1 for held in places.values())


def test_turned_photos_give_upright_crops(tmp_path: Path, analyzer: Analyzer) -> None:
    """A photo that only retries can read gives a crop in which the face is upright."""
    (tmp_path / "photos" / "Obama").mkdir(parents=True)
    pixels = photo("obama_2012_portrait")
    h, w = pixels.shape[:2]
    turn = cv2.getRotationMatrix2D((w / 2, h / 2), 60, 0.7)
    turned = cv2.warpAffine(pixels, turn, (w, h), borderMode=cv2.BORDER_REPLICATE)
    images.save(tmp_path / "photos" / "Obama" / "a.jpg", np.asarray(turned, np.uint8))
    source = open_dataset(tmp_path / "photos")
    result = extract(source, tmp_path / "out", ExtractSettings(rotate=15))
    assert result.faces == 1
    (row,) = result.manifest
    eyes = np.array(row.landmarks)[:2]
    tilt = np.degrees(np.arctan2(*(eyes[1] - eyes[0])[::-1]))
    assert abs(tilt) < 15
    assert analyzer.analyze_one(result.manifest.file(row)).status is Status.OK


def test_aligned_crops_meet_the_template(photos: Path, tmp_path: Path) -> None:
    """Alignment brings the landmarks to the ArcFace template, scaled to the crop."""
    result = extract(
        open_dataset(photos), tmp_path / "out", ExtractSettings(style=CropStyle(112, align=True))
    )
    off = [np.abs(np.array(row.landmarks) - ARCFACE_112).mean() for row in result.manifest]
    assert len(off) == 7 and max(off) < 6


def test_large_photos_are_read_small_and_whole_where_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large photo of a large face is decoded at reduced size; one with a small face is searched whole."""
    large = cv2.resize(photo("obama_2012_portrait", 1100), None, fx=2.6, fy=2.6)
    small = np.zeros((2000, 2400, 3), np.uint8)
    small[900:1100, 1100:1260] = photo("obama_2012_portrait", 200)[:, :160]
    (tmp_path / "photos" / "a").mkdir(parents=True)
    images.save(tmp_path / "photos" / "a" / "large.jpg", np.asarray(large, np.uint8))
    images.save(tmp_path / "photos" / "a" / "small.jpg", small)
    scales: dict[str, list[float]] = {}
    analyze_one = Analyzer.analyze_one

    def watched(self: Analyzer, source: object) -> Outcome:
        outcome = analyze_one(self, source)  # type: ignore[arg-type]
        assert outcome.image is not None
        scales.setdefault(Path(outcome.source).name, []).append(outcome.image.scale)
        return outcome

    monkeypatch.setattr(Analyzer, "analyze_one", watched)
    result = extract(open_dataset(tmp_path / "photos"), tmp_path / "out", workers=1)
    assert result.faces == 2
    assert len(scales["large.jpg"]) == 1 and scales["large.jpg"][0] > 2
    assert scales["small.jpg"][-1] == 1 < scales["small.jpg"][0]


@pytest.mark.slow
def test_kills_leave_no_trace(photos: Path, done: Extraction, tmp_path: Path) -> None:
    """Killed again and again, in the middle of a file, a run ends byte for byte like one left alone."""
    script = Path(__file__).with_name("killed_extract.py")
    out = tmp_path / "out"

    def run(writes: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(script), str(photos), str(out), str(writes)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    for writes in (2, 8, 3):  # in the third crop, in a list after all crops, in the manifest
        killed = run(writes)
        assert killed.returncode == -9, killed.stderr
        assert not (out / "manifest.jsonl").exists()
    last = run(0)
    assert last.returncode == 0, last.stderr
    assert int(last.stdout) == 9
    assert bytes_of(out) == bytes_of(done.manifest.folder)


def test_a_damaged_crop_is_made_again(photos: Path, done: Extraction, tmp_path: Path) -> None:
    """Resuming trusts no file that is not what was written: power may fail where a kill does not."""

    class Stop(Exception):
        pass

    def stop_at_the_end(count: int) -> None:
        nonlocal left
        left -= count
        if left == 0:
            raise Stop

    left, out = 9, tmp_path / "out"
    with pytest.raises(Stop):
        extract(open_dataset(photos), out, workers=1, advance=stop_at_the_end)
    (out / "Obama" / "a.jpg").write_bytes(b"")
    result = extract(open_dataset(photos), out, workers=1)
    assert result.resumed == 8  # of 9
    assert bytes_of(out) == bytes_of(done.manifest.folder)


def test_a_finished_folder_is_left_alone(photos: Path, done: Extraction) -> None:
    """Run again, nothing is done twice; other settings are refused rather than mixed in."""
    before = bytes_of(done.manifest.folder)
    again = extract(open_dataset(photos), done.manifest.folder)
    assert again.to_json() == {**done.to_json(), "resumed": 9}
    with pytest.raises(UsageError, match="other photos or settings"):
        extract(open_dataset(photos), done.manifest.folder, ExtractSettings(style=CropStyle(128)))
    assert bytes_of(done.manifest.folder) == before


def test_photos_and_other_files_are_never_written_over(photos: Path, tmp_path: Path) -> None:
    """The output may not lie in the photos, nor the photos in it, nor may it hold anything else."""
    for out in (photos, photos / "crops", photos.parent):
        with pytest.raises(UsageError, match="inside the other"):
            extract(open_dataset(photos), out)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="not empty"):
        extract(open_dataset(photos), tmp_path)
    assert bytes_of(tmp_path).keys() <= {"notes.txt", ".extract.lock"}


def test_a_full_disk_ends_in_a_named_error(
    photos: Path, done: Extraction, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the disk refuses, the run stops by name, and goes on to the same end once there is room."""
    save, calls = images.save, 0

    def full(path: Path, pixels: images.UInt8, **how: Any) -> None:
        nonlocal calls
        calls += 1
        if calls > 3:
            raise OSError(28, "No space left on device")
        save(path, pixels, **how)

    monkeypatch.setattr(extraction.images, "save", full)
    with pytest.raises(OutputError, match="No space left on device"):
        extract(open_dataset(photos), tmp_path / "out", workers=1)
    monkeypatch.undo()
    extract(open_dataset(photos), tmp_path / "out", workers=1)
    assert bytes_of(tmp_path / "out") == bytes_of(done.manifest.folder)


folders = st.lists(st.sampled_from(["Ann", "ann", "é", "e\u0301", "x.jpg"]), min_size=1, max_size=2)
names = st.sampled_from(["x.jpg", "X.JPG", "x.png", "x.jpg.png", "x", "x-2.jpg"])
paths = st.lists(st.builds("{}/{}".format, folders.map("/".join), names), unique=True, max_size=8)


@given(paths)
def test_crop_names_never_meet(photos: list[str]) -> None:
    """No two crops share a path where case and Unicode form are ignored; order plays no part."""
    stems = crop_stems(photos)
    assert len({folded(stem) for stem in stems.values()}) == len(photos)
    assert crop_stems(reversed(photos)) == stems
    for path, stem in stems.items():
        assert Path(path).parent == Path(stem).parent


def test_strange_names_stay_inside(tmp_path: Path) -> None:
    """Names too long for a crop are shortened, result files cannot be taken, links cannot lead outside."""
    (stem,) = crop_stems(["a/" + "é" * 125 + ".jpg"]).values()
    assert len(f"{Path(stem).name}-face12.jpg".encode()) <= 255
    with pytest.raises(ManifestError, match=r"undetected\.txt"):
        crop_stems(["undetected.txt/x.jpg"])
    outside, out = tmp_path / "outside", tmp_path / "out"
    outside.mkdir()
    out.mkdir()
    (out / "Ann").symlink_to(outside)
    with pytest.raises(ManifestError, match="does not lie below"):
        inside(out, "Ann/x.jpg")
    with pytest.raises(ManifestError, match="does not lie below"):
        inside(out, "../x.jpg")


def test_twin_folders_and_odd_names_are_told(tmp_path: Path) -> None:
    """Folders that differ by Unicode form keep apart and are named; a newline in a list is escaped."""
    twins = [unicodedata.normalize(form, "Zoë") for form in ("NFC", "NFD")]
    for name in twins:
        (tmp_path / "photos" / name).mkdir(parents=True)
        images.save(tmp_path / "photos" / name / "a.jpg", photo("collins_nasa", 256))
    if len(list((tmp_path / "photos").iterdir())) == 1:
        pytest.skip("this file system keeps no two Unicode forms apart")
    images.save(tmp_path / "photos" / twins[0] / "line\nbreak.jpg", empty())
    result = extract(open_dataset(tmp_path / "photos"), tmp_path / "out")
    assert result.twins == (tuple(sorted(twins)),)
    assert {row.subject for row in result.manifest} == set(twins)
    assert (tmp_path / "out" / "undetected.txt").read_text() == f"{twins[0]}/line\\x0abreak.jpg\n"


def seen(*faces: tuple[list[float], tuple[float, float]]) -> Sighting:
    """Faces with given embeddings, squares of 10 px at given corners of a 100 x 100 picture."""
    rows = []
    for vector, (x, y) in faces:
        points = [x + 3, y + 3, x + 7, y + 3, x + 5, y + 5, x + 3, y + 8, x + 7, y + 8]
        rows.append([x, y, x + 10, y + 10, 0.9, *points, 0.8, 0.0, *vector])
    return Sighting(Status.OK, np.array(rows, np.float32), (100, 100))


A, B, C, D = (list(map(float, row)) for row in np.eye(4))


def test_without_a_consensus_the_central_face_is_taken() -> None:
    """Where a subject's photos agree on nobody, and where nobody in a photo agrees, the centre decides."""
    central, aside = (45.0, 45.0), (5.0, 5.0)
    rows = [[ManifestRow(str(i), f"s/{i}.jpg", "0" * 64, subject="s")] for i in range(3)]
    nobody = [seen((A, aside), (B, central)), seen((C, aside), (D, central))]
    chosen = choose(rows[:2], nobody, SAME, every=False)
    assert [(c[0].face, c[0].by) for c in chosen] == [(1, "center"), (1, "center")]
    agreeing = [seen((A, aside), (B, central)), seen((C, aside), (D, central)), seen((A, aside))]
    chosen = choose(rows, agreeing, SAME, every=False)
    assert [(c[0].face, c[0].by) for c in chosen] == [(0, "consensus"), (1, "center"), (0, "only")]


def test_consensus_is_of_photos_not_of_faces() -> None:
    """Two like faces in one photo do not agree with each other; a photo speaks once."""
    twice = [np.array([A, A], np.float32), np.array([B], np.float32)]
    assert consensus(twice, SAME) is None
    agreed = consensus([*twice, np.array([C, B], np.float32)], SAME)
    assert agreed is not None
    assert (agreed.members, agreed.faces) == ((1, 2), (0, 1))


def test_a_sighting_survives_the_journal() -> None:
    """What is kept in the journal comes back the same to the bit."""
    before = seen((A, (1.1, 2.3)), (D, (7.7, 0.1)))
    after = Sighting.from_json(json.loads(json.dumps(before.to_json())))
    assert np.array_equal(after.table, before.table) and after.size_wh == before.size_wh
    assert np.array_equal(after.embeddings, before.embeddings)


def test_a_manifest_option_must_make_sense() -> None:
    """Settings outside of their range are refused by name."""
    with pytest.raises(ConfigError, match="size"):
        CropStyle(size=8)
    with pytest.raises(ConfigError, match="faces"):
        ExtractSettings(faces="some")  # type: ignore[arg-type]


def test_the_command_prints_the_counts(photos: Path, tmp_path: Path) -> None:
    """`--json` gives photos, faces, undetected and refused; `--strict` turns a refusal into status 1."""
    arguments = ["dataset", "extract", str(photos), str(tmp_path / "out"), "--json", "-", "--strict"]
    answer = CliRunner().invoke(app, [*arguments, "--size", "96"])
    assert answer.exit_code == 1
    counts = json.loads(answer.stdout)
    assert {k: counts[k] for k in ("photos", "faces", "undetected", "refused")} == {
        "photos": 9, "faces": 7, "undetected": 1, "refused": 1,
    }  # fmt: skip
