"""Boxes and landmarks follow the pixels exactly, draws repeat, only training rows get copies."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineament.datasets.augment.geometric import Crop, Rotate, Zoom, crop, flip, rotate
from lineament.datasets.augment.inside import Inside
from lineament.datasets.augment.materialise import Materialised, materialise
from lineament.datasets.augment.photometric import Blur, Brightness, Contrast, Exposure, Gamma, Noise
from lineament.datasets.augment.pipeline import DEFAULT, STEPS, Pipeline
from lineament.datasets.augment.sheet import sheet
from lineament.datasets.augment.view import Step, View
from lineament.datasets.opening import open_dataset
from lineament.errors import ConfigError, InvalidArray, ManifestError, SplitError, UnknownName
from lineament.io import images
from lineament.io.manifest import Manifest, ManifestRow
from lineament.types import Float32, UInt8

SAMPLES = Path(__file__).parents[2] / "samples"
W, H = 140, 110
POINTS = np.array([[52, 45], [88.5, 44], [70, 58.25], [57, 74], [84, 73.5]], np.float32)
BOX = np.array([40, 30, 100, 86], np.float32)


def dots(points: Float32 = POINTS, size_wh: tuple[int, int] = (W, H)) -> UInt8:
    """Five soft dots of different height on black, centred exactly on ``points``."""
    y, x = np.mgrid[: size_wh[1], : size_wh[0]] + 0.5
    bumps = [
        (250 - 30 * i) * np.exp(-((x - px) ** 2 + (y - py) ** 2) / 8) for i, (px, py) in enumerate(points)
    ]
    grey = np.rint(np.max(bumps, axis=0)).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def view() -> View:
    return View.of(dots(), BOX[None], POINTS[None])


def centroid(pixels: UInt8, near: Float32, radius: float = 7) -> Float32:
    """Where the dot near a point really is, as the mean of its light."""
    y, x = np.mgrid[: pixels.shape[0], : pixels.shape[1]] + 0.5
    light = pixels[..., 0] * ((x - near[0]) ** 2 + (y - near[1]) ** 2 < radius**2)
    assert light.max() > 60, "no dot where the landmark says"
    return np.array([(x * light).sum(), (y * light).sum()]) / light.sum()


def assert_dots_follow(changed: View, tolerance: float = 0.35) -> None:
    w, h = changed.size_wh
    seen = 0
    heights = []
    for x, y in changed.landmarks[0]:
        if 9 < x < w - 9 and 9 < y < h - 9:
            np.testing.assert_allclose(centroid(changed.pixels, np.array([x, y])), [x, y], atol=tolerance)
            seen += 1
        heights.append(changed.pixels[min(max(int(y), 0), h - 1), min(max(int(x), 0), w - 1), 0])
    assert seen >= 1


coordinates = st.floats(0, 128, width=32)


@given(
    st.lists(st.tuples(coordinates, coordinates), min_size=5, max_size=5),
    st.integers(1, 128),
    st.integers(1, 40),
)
def test_flipping_twice_is_the_identity(points: list[tuple[float, float]], w: int, h: int) -> None:
    """Twice mirrored: pixels to the bit, coordinates to float32 rounding at the picture's width."""
    pixels = np.random.default_rng(w * h).integers(0, 256, (h, w, 3), np.uint8)
    corners = np.sort(np.array(points[:2], np.float32), axis=0).reshape(1, 4)
    before = View.of(pixels, corners, np.array([points], np.float32))
    after = flip(flip(before))
    np.testing.assert_array_equal(after.pixels, before.pixels)
    np.testing.assert_allclose(after.boxes, before.boxes, atol=1e-4)
    np.testing.assert_allclose(after.landmarks, before.landmarks, atol=1e-4)


def test_flipping_swaps_left_and_right() -> None:
    """The right eye of the mirrored picture is where the mirrored left eye is; boxes stay upright."""
    changed = flip(view())
    np.testing.assert_allclose(changed.landmarks[0, 0], [W - POINTS[1, 0], POINTS[1, 1]])
    np.testing.assert_allclose(changed.landmarks[0, 4], [W - POINTS[3, 0], POINTS[3, 1]])
    np.testing.assert_allclose(changed.boxes[0], [W - 100, 30, W - 40, 86])
    # The dots differ in height: the one under the new right eye is the old left eye's.
    x, y = changed.landmarks[0, 0]
    assert abs(int(changed.pixels[int(y), int(x), 0]) - 220) < 12


@settings(deadline=None, max_examples=40)
@given(st.floats(-180, 180))
def test_dots_follow_rotation(angle: float) -> None:
    """Turned by any angle, each landmark stays on its dot within a third of a pixel."""
    assert_dots_follow(rotate(view(), angle))


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**31), st.sampled_from(["crop:low=0.5", "zoom:high=40", "crop:size=96,low=0.6"]))
def test_dots_follow_crops(seed: int, spec: str) -> None:
    """Cut and enlarged, each landmark in sight stays on its dot."""
    assert_dots_follow(Pipeline([spec], seed=seed)(dots(), BOX[None], POINTS[None], key="a"), 0.5)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**31))
def test_dots_follow_a_whole_pipeline(seed: int) -> None:
    """Through several geometric steps in a row nothing drifts."""
    pipeline = Pipeline(["flip", "rotate:15", "zoom:high=20", "crop:low=0.8", "rotate:10"], seed=seed)
    assert_dots_follow(pipeline(dots(), BOX[None], POINTS[None], key="a"), 0.8)


def test_a_turned_box_encloses_what_it_held() -> None:
    """A turned face's box is the smallest upright one around its turned corners, cut to the picture."""
    changed = rotate(view(), 90)
    middle = np.array([W / 2, H / 2])
    corners = (np.array([[40, 30], [100, 86]]) - middle) @ np.array([[0, -1], [1, 0]]) + middle
    expected = [*corners.min(0), *corners.max(0)]
    np.testing.assert_allclose(changed.boxes[0], np.clip(expected, 0, [W, H, W, H]), atol=1e-3)
    inside = rotate(view(), 33)
    low, high = inside.boxes[0, :2], inside.boxes[0, 2:]
    assert (inside.landmarks[0] >= low).all() and (inside.landmarks[0] <= high).all()


def test_a_quarter_turn_is_the_picture_turned() -> None:
    """Against an independent rendering: a quarter turn of a square is np.rot90 to the level."""
    pixels = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    turned = rotate(View.of(pixels), 90).pixels
    np.testing.assert_array_equal(turned, np.rot90(pixels))


def test_a_whole_crop_is_the_identity() -> None:
    """Cutting everything at the same size changes no pixel and no coordinate."""
    changed = crop(view(), (0, 0, W, H), (W, H))
    np.testing.assert_array_equal(changed.pixels, dots())
    np.testing.assert_allclose(changed.boxes[0], BOX)
    np.testing.assert_allclose(changed.landmarks[0], POINTS)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**31), st.sampled_from([Zoom(0, 60, 0.5), Crop(0.2, 0.6, 1.5, 0, 0.5)]))
def test_crops_keep_the_face_in_sight(seed: int, step: Step) -> None:
    """At least the stated share of every box, or of the part if that is smaller, stays in sight."""
    before = view()
    changed = step(before, np.random.default_rng(seed))
    sx = np.linalg.norm(changed.landmarks[0, 1] - changed.landmarks[0, 0])
    box = changed.boxes[0]
    assert sx > 0 and box[2] > box[0] and box[3] > box[1]
    moved = (changed.landmarks[0].astype(float), POINTS.astype(float))
    scale = [np.ptp(moved[0][:, k]) / np.ptp(moved[1][:, k]) for k in (0, 1)]
    whole = (BOX[2] - BOX[0]) * scale[0] * (BOX[3] - BOX[1]) * scale[1]
    assert (box[2] - box[0]) * (box[3] - box[1]) >= 0.5 * min(whole, W * H) - 1


@pytest.mark.parametrize("step", [Brightness(), Contrast(), Gamma(), Exposure(), Blur(), Noise()])
def test_grey_level_steps_move_nothing(step: Step) -> None:
    """They change levels, keep the size and every coordinate, and leave the picture given untouched."""
    pixels = images.load(SAMPLES / "biden_2013_portrait.jpg", min_side=100).pixels[:200, :160]
    before = View.of(pixels.copy(), BOX[None], POINTS[None])
    changed = step(before, np.random.default_rng(5))
    assert changed.pixels.dtype == np.uint8 and changed.pixels.shape == pixels.shape
    assert (changed.pixels != pixels).any()
    np.testing.assert_array_equal(before.pixels, pixels)
    np.testing.assert_array_equal(changed.boxes, before.boxes)
    np.testing.assert_array_equal(changed.landmarks, before.landmarks)


def test_levels_by_hand() -> None:
    """Brightness adds, contrast keeps the mean, gamma keeps the ends, exposure scales linear light."""
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    many = [np.random.default_rng(seed) for seed in range(200)]
    for rng in many:
        added = Brightness(0.1)(View.of(ramp), rng).pixels[0, 60:190, 0].astype(int) - np.arange(60, 190)
        assert np.ptp(added) <= 1 and abs(added).max() <= 26
        assert abs(Contrast(0.3)(View.of(ramp), rng).pixels.mean() - 127.5) < 1
        bent = Gamma(2)(View.of(ramp), rng).pixels[0, :, 0]
        assert bent[0] == 0 and bent[255] == 255 and (np.diff(bent.astype(int)) >= 0).all()
    # Level 188 is 0.5029 of linear light; 16 % more is 0.5834, level 201; 16 % less 0.4225, level 174.
    lit = [int(Exposure(16)(View.of(ramp), rng).pixels[0, 188, 0]) for rng in many]
    assert min(lit) in (174, 175) and max(lit) in (200, 201)


def test_noise_has_the_stated_spread() -> None:
    """The deviation of the difference never passes sigma, and comes near it."""
    grey = np.full((100, 100, 3), 128, np.uint8)
    spreads = [
        (Noise(10)(View.of(grey), np.random.default_rng(s)).pixels.astype(float) - 128).std()
        for s in range(60)
    ]
    assert 8.5 < max(spreads) < 10.4


@pytest.mark.parametrize("name", sorted(set(STEPS) - {"normalise"}))
def test_inside_changes_nothing_outside(name: str) -> None:
    """A step inside the box leaves the box and every pixel outside as they were."""
    pixels = np.random.default_rng(2).integers(0, 256, (H, W, 3), np.uint8)
    spec = {"flip": "inside:flip:1"}.get(name, f"inside:{name}")
    changed = Pipeline([spec])(pixels, BOX[None], POINTS[None], key="a")
    outside = np.ones((H, W), bool)
    outside[30:86, 40:100] = False
    np.testing.assert_array_equal(changed.pixels[outside], pixels[outside])
    np.testing.assert_array_equal(changed.boxes[0], BOX)
    assert (changed.pixels != pixels).any()


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**31))
def test_landmarks_follow_inside_the_box(seed: int) -> None:
    """Turned or mirrored inside its box, a face's landmarks move with its pixels."""
    box = np.array([[20.3, 8.4, 121.6, 102.2]], np.float32)
    step = Inside(Rotate(15))
    assert_dots_follow(step(View.of(dots(), box, POINTS[None]), np.random.default_rng(seed)))
    once = Pipeline(["inside:flip:1"])(dots(), box, POINTS[None], key="a")
    assert_dots_follow(once)
    twice = Pipeline(["inside:flip:1"])(once.pixels, once.boxes, once.landmarks, key="a")
    np.testing.assert_allclose(twice.landmarks[0], POINTS, atol=1e-4)
    np.testing.assert_array_equal(twice.pixels, dots())


def test_inside_refuses_a_change_of_size() -> None:
    """A part of another size does not fit back into its box."""
    with pytest.raises(ConfigError, match="size"):
        Pipeline(["inside:crop:size=20"])(dots(), BOX[None], POINTS[None], key="a")


def test_draws_depend_on_seed_key_and_epoch_alone() -> None:
    """The same three give the same bits in any order; another one of them gives others."""
    pixels = dots()
    keys = [(seed, key, epoch) for seed in (0, 1) for key in "ab" for epoch in (0, 1)]

    def run(order: list[tuple[int, str, int]]) -> dict[tuple[int, str, int], bytes]:
        pipelines = {seed: Pipeline(DEFAULT, seed=seed) for seed in (0, 1)}
        return {
            (seed, key, epoch): pipelines[seed](pixels, key=key, epoch=epoch).pixels.tobytes()
            for seed, key, epoch in order
        }

    forwards, backwards = run(keys), run(keys[::-1])
    assert forwards == backwards
    assert len(set(forwards.values())) == len(keys)


def test_appending_a_step_keeps_the_earlier_draws() -> None:
    """Each step has its own stream."""
    one = Pipeline(["rotate:20"])(dots(), BOX[None], POINTS[None], key="a")
    two = Pipeline(["rotate:20", "noise"])(dots(), BOX[None], POINTS[None], key="a")
    np.testing.assert_array_equal(one.landmarks, two.landmarks)


def test_normalised_floats() -> None:
    """Normalise ends the pipeline with float32; without it levels go to [0, 1]."""
    pipeline = Pipeline(["flip:0", "normalise"])
    floats = pipeline.floats(pipeline(dots(), key="a"))
    assert floats.dtype == np.float32 and floats.shape == (H, W, 3)
    np.testing.assert_allclose(floats, dots() / 127.5 - 1, atol=1e-6)
    plain = Pipeline([])
    assert plain.floats(plain(dots(), key="a")).max() == pytest.approx(dots().max() / 255)


def test_missing_boxes_and_landmarks_stay_missing() -> None:
    """A face with neither stays NaN through every step, and pictures without faces work."""
    unknown = np.array([BOX, [np.nan] * 4], np.float32)
    changed = Pipeline([*DEFAULT, "crop", "inside:blur"])(dots(), unknown, key="a")
    assert np.isnan(changed.boxes[1]).all() and np.isnan(changed.landmarks).all()
    assert not np.isnan(changed.boxes[0]).any()
    assert len(Pipeline(DEFAULT)(dots(), key="a").boxes) == 0


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ("flop", UnknownName),
        ("inside:flop", UnknownName),
        ("rotate:deg=nan", ConfigError),
        ("rotate:x=1", ConfigError),
        ("rotate:20,border=green", ConfigError),
        ("flip:2", ConfigError),
        ("zoom:50,high=10", ConfigError),
        ("crop:low=0", ConfigError),
        ("noise:-1", ConfigError),
        ("normalise:std=0", ConfigError),
        ("inside:normalise", ConfigError),
        ("gamma:0.5", ConfigError),
    ],
)
def test_bad_steps_are_refused(spec: str, error: type[Exception]) -> None:
    """A step that does not exist or cannot be meant is a named error, before any picture is touched."""
    with pytest.raises(error):
        Pipeline([spec])


def test_bad_arrays_are_refused() -> None:
    """Shapes that do not fit together are a named error."""
    with pytest.raises(InvalidArray):
        View.of(dots(), np.zeros((2, 4)), np.zeros((1, 5, 2)))
    with pytest.raises(InvalidArray):
        View.of(np.zeros((4, 4), np.uint8))
    with pytest.raises(ConfigError):
        Pipeline(["normalise", "flip"])


@pytest.fixture
def data(tmp_path: Path) -> Manifest:
    """Two subjects, small copies of the samples, the last picture of each for testing."""
    rows = []
    for i, name in enumerate(sorted(p.name for p in SAMPLES.glob("[bo]*.jpg"))):
        pixels = images.load(SAMPLES / name, min_side=60).pixels
        file = tmp_path / name.split("_")[0] / name
        file.parent.mkdir(exist_ok=True)
        images.save(file, pixels)
        h, w = pixels.shape[:2]
        rows.append(
            ManifestRow(
                f"row{i}",
                f"{file.parent.name}/{name}",
                hashlib.sha256(file.read_bytes()).hexdigest(),
                size_wh=(w, h),
                subject=file.parent.name,
                split="test" if "2013" in name or "2012" in name else "train",
                box=(w * 0.2, h * 0.2, w * 0.8, h * 0.8),
                landmarks=tuple((w * (0.3 + 0.1 * k), h * 0.5) for k in range(5)),
                quality=0.5,
            )
        )
    return Manifest(tuple(rows), folder=tmp_path)


def run(data: Manifest, factor: int = 4, **more: object) -> Materialised:
    return materialise(data, Pipeline(DEFAULT, seed=3), factor, **more)  # type: ignore[arg-type]


def test_materialised_copies_are_rows_of_the_training_split(data: Manifest) -> None:
    """A factor of four makes four pictures of one: new files, new hashes, parent, step and labels told."""
    result = run(data)
    trained = [row for row in data if row.split == "train"]
    copies = [row for row in result.manifest if row.step == "augment"]
    assert result.made == len(copies) == 3 * len(trained) and not result.refused
    originals = {row.id: row for row in data}
    for row in copies:
        parent = originals[row.parent or ""]
        assert row.split == "train" and row.subject == parent.subject and row.quality is None
        file = result.manifest.file(row)
        assert hashlib.sha256(file.read_bytes()).hexdigest() == row.sha256
        assert images.probe(file).size_wh == row.size_wh
        assert row.box is not None and row.landmarks is not None
    assert len({row.sha256 for row in result.manifest}) == len(result.manifest)
    assert [row for row in result.manifest if row.step != "augment"] == list(data)


def test_pictures_without_a_face_get_copies_too(data: Manifest) -> None:
    """They grow by the same factor, so the balance of a detector's training stays, and it is told; those of
    other splits stay as they are."""
    rng = np.random.default_rng(0)
    empty = []
    for i in range(3):
        file = data.folder / f"empty{i}.png"
        images.save(file, rng.integers(0, 255, (50, 60, 3), np.uint8))
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        split = "test" if i == 2 else "train"
        empty.append(ManifestRow(f"empty{i}", file.name, digest, (60, 50), split=split, outcome="no_face"))
    result = run(replace(data, rows=(*data.rows, *empty)))
    faces = sum(row.split == "train" for row in data)
    assert result.before == {"with_face": faces, "without_face": 2}
    assert result.after == {"with_face": 4 * faces, "without_face": 8}
    assert result.manifest.steps[-1]["balance"] == result.to_json()["balance"]
    copies = [row for row in result.manifest if (row.parent or "").startswith("empty")]
    assert {row.outcome for row in copies} == {"no_face"} and {row.split for row in copies} == {"train"}
    assert len({row.sha256 for row in copies}) == 6 and {row.parent for row in copies} == {
        "empty0",
        "empty1",
    }
    assert all(row.box is None and (data.folder / row.path).is_file() for row in copies)


def test_repeats_become_pictures(data: Manifest) -> None:
    """A row that balancing repeats five times has, at a factor of two, ten pictures and no repeats."""
    rows = [replace(row, repeats=5) if row.id == "row1" else row for row in data]
    [one] = [row for row in rows if row.repeats == 5]
    assert one.split == "test" or one.subject
    rows = [replace(row, split="train") for row in rows]
    result = run(replace(data, rows=tuple(rows)), 2)
    assert sum(row.parent == "row1" for row in result.manifest) == 9
    assert all(row.repeats == 1 for row in result.manifest)


def test_the_same_seed_writes_the_same_bytes(data: Manifest) -> None:
    """Two runs give one manifest, byte for byte."""
    first = run(data).manifest.digest()
    shutil.rmtree(data.folder / ".augmented")
    assert run(data).manifest.digest() == first


def test_an_interrupted_run_goes_on(data: Manifest) -> None:
    """Killed after one picture, the next run makes the rest only, with the bytes of an undisturbed one."""
    whole = run(data).manifest.digest()
    shutil.rmtree(data.folder / ".augmented")
    journal = data.folder / "journal"

    class Killed(BaseException):
        pass

    def kill(_count: int) -> None:
        raise Killed

    with pytest.raises(Killed):
        run(data, journal=journal, advance=kill)
    [finished] = list((data.folder / ".augmented").iterdir())
    stamps = {file: file.stat().st_mtime_ns for file in finished.iterdir()}
    result = run(data, journal=journal)
    assert result.resumed == 3 and result.manifest.digest() == whole
    assert all(file.stat().st_mtime_ns == stamp for file, stamp in stamps.items())
    next(iter(stamps)).unlink()
    assert run(data, journal=journal).resumed == result.made - 3


def test_another_setting_is_not_resumed(data: Manifest) -> None:
    """What was made with other steps is made anew."""
    journal = data.folder / "journal"
    run(data, journal=journal)
    assert materialise(data, Pipeline(["flip"]), 4, journal=journal).resumed == 0


@pytest.mark.parametrize("split", ["test", "val", "all"])
def test_other_splits_are_refused(data: Manifest, split: str) -> None:
    """Copies of validation and test rows are a named error."""
    from lineament.datasets.augment.materialise import training_rows

    with pytest.raises(SplitError, match="only the split 'train'"):
        training_rows(data, split=split)


def test_an_unsplit_manifest_is_refused_unless_told(data: Manifest) -> None:
    """Without splits nobody knows what is for training; told so, all of it is."""
    unsplit = replace(data, rows=tuple(replace(row, split=None) for row in data))
    with pytest.raises(SplitError, match="split first"):
        run(unsplit)
    assert run(unsplit, 2, unsplit=True).made == len(data)
    with pytest.raises(SplitError, match="is split"):
        run(data, unsplit=True)


def test_a_picture_in_two_splits_is_refused(data: Manifest) -> None:
    """Two faces of one picture in two splits leak already: no copy is made."""
    one = next(row for row in data if row.split == "train")
    torn = replace(data, rows=(*data.rows, replace(one, id="face 2", split="test")))
    with pytest.raises(SplitError, match="several splits"):
        run(torn)


def test_augmenting_twice_is_refused(data: Manifest) -> None:
    """Copies of copies are not made unawares."""
    with pytest.raises(ManifestError, match="augmented rows already"):
        run(run(data, 2).manifest)


def test_a_damaged_picture_is_counted(data: Manifest) -> None:
    """A picture that cannot be read ends as a named refusal; all others get their copies."""
    broken = next(row for row in data if row.split == "train")
    data.file(broken).write_bytes(b"\xff\xd8\xff broken")
    result = run(data)
    assert list(result.refused) == [broken.path] and "CorruptPicture" in result.refused[broken.path]
    assert {row.parent for row in result.manifest if row.parent} == {
        row.id for row in data if row.split == "train" and row is not broken
    }


def test_faces_of_one_picture_move_together(data: Manifest) -> None:
    """Two faces of one picture give two rows of one copy."""
    one = next(row for row in data if row.split == "train")
    second = replace(one, id="second", box=(1, 1, 20, 20), landmarks=None, subject="other")
    result = run(replace(data, rows=(one, second)), 3)
    copies = [row for row in result.manifest if row.step == "augment"]
    assert len(copies) == 4 - result.out_of_view and len({row.path for row in copies}) == 2
    assert {row.parent for row in copies} == {one.id, "second"}


def test_a_full_disk_is_a_named_error(data: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the disk refuses, the error says so and the originals are untouched."""
    before = {row.id: data.file(row).read_bytes() for row in data}

    def full(*_args: object, **_more: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(images, "save", full)
    with pytest.raises(ManifestError, match="No space left"):
        run(data)
    assert {row.id: data.file(row).read_bytes() for row in data} == before


def test_the_longest_names_have_room_for_copies(data: Manifest) -> None:
    """A file name as long as the system takes does not end the run."""
    one = next(row for row in data if row.split == "train")
    long = Path(one.path).with_name("é" * 125 + ".jpg").as_posix()
    data.file(one).rename(data.folder / long)
    result = run(replace(data, rows=(replace(one, path=long),)), 2)
    [copy] = [row for row in result.manifest if row.step == "augment"]
    assert result.manifest.file(copy).is_file() and one.id in copy.path


def test_copies_are_not_taken_for_photos(data: Manifest) -> None:
    """Reading the folder again finds the photos only."""
    run(data)
    assert {row.path for row in open_dataset(data.folder)} == {row.path for row in data}


def test_normalised_pictures_are_not_written(data: Manifest) -> None:
    """Float pictures do not fit into a JPEG: refused by name, like a factor that makes nothing."""
    with pytest.raises(ConfigError, match="normalise"):
        materialise(data, Pipeline(["normalise"]), 2)
    with pytest.raises(ConfigError, match="factor"):
        run(data, 1)


def test_the_preview_shows_each_photo_and_its_copies() -> None:
    """One row a photo, the original first, all cells different."""
    picture = sheet(Pipeline(["rotate:30", "noise"]), [("a", view()), ("b", view())], copies=3, cell=100)
    assert picture.shape == (208, 416, 3)
    cells = [picture[y : y + 100, x : x + 100].tobytes() for y in (0, 104) for x in (0, 104, 208, 312)]
    assert cells[0] == cells[4] and len(set(cells)) == 7
