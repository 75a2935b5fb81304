"""Copies of one picture that make mated comparisons are counted and told, and nothing else is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from lineament.cli.main import app
from lineament.datasets.opening import open_dataset
from lineament.evaluation.capture import Captures
from lineament.evaluation.near_copies import RepeatedPictures, near_copies, repeated_pictures
from lineament.evaluation.people import open_people
from lineament.io import images
from lineament.types import ModelId, UInt8

SAMPLES = Path(__file__).parents[2] / "samples"
PHOTOS = ("obama_2009_congress", "obama_2010_white_house", "obama_2012_portrait")

MAKE: dict[str, tuple[Callable[[UInt8], UInt8], str, int]] = {
    "thumbnail": (lambda p: _resized(p, 0.12), "jpg", 85),
    "medium": (lambda p: _resized(p, 0.5), "jpg", 92),
    "enlarged": (lambda p: _resized(p, 1.6), "jpg", 92),
    "recompressed": (lambda p: p, "jpg", 30),
    "another format": (lambda p: p, "png", 95),
    "mirrored": (lambda p: np.ascontiguousarray(p[:, ::-1]), "jpg", 90),
    "cropped": (lambda p: np.ascontiguousarray(p[: len(p) * 96 // 100]), "jpg", 90),
    "brighter": (lambda p: np.clip(p * 1.15 + 5, 0, 255).astype(np.uint8), "jpg", 90),
    "grey": (lambda p: np.repeat(p.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8), "jpg", 90),
}


def _resized(pixels: UInt8, factor: float) -> UInt8:
    return np.asarray(
        cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8
    )


def _photo(name: str) -> UInt8:
    return images.load(next(SAMPLES.glob(f"{name}.*"))).pixels


def _captures(count: int, alike: float = 0.9) -> Captures:
    """Embeddings as near to each other as photos of one person can be."""
    rng = np.random.default_rng(1)
    vectors = np.full((count, 128), 1.0) + rng.normal(0, np.sqrt(1 / alike - 1), (count, 128))
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return Captures(unit.astype(np.float32), (), ModelId("test", "0" * 64))


@pytest.mark.parametrize("kind", list(MAKE))
def test_every_kind_of_copy_is_counted(tmp_path: Path, kind: str) -> None:
    """Of three photos of a person and a copy of one the copy is found, whatever made it; photos that are
    only of the same person are no copies, however near their embeddings are."""
    (tmp_path / "Obama").mkdir()
    for name in PHOTOS:
        images.save(tmp_path / "Obama" / f"{name}.jpg", _photo(name), quality=92)
    change, suffix, quality = MAKE[kind]
    images.save(tmp_path / "Obama" / f"a copy.{suffix}", change(_photo(PHOTOS[0])), quality=quality)
    people = open_people(tmp_path)
    found = near_copies(people, _captures(len(people)), workers=1)
    assert found.to_json() == {
        "pictures": 1,
        "groups": 1,
        "mated_comparisons": 1,
        "of_mated_comparisons": 6,
        "without_copies": 3,
    }
    assert "1 of 6 mated comparisons" in (found.warning() or "")


def test_only_pictures_near_another_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures with far embeddings, failures and other people cost nothing, and nothing is warned of."""
    for who in ("a", "b"):
        (tmp_path / who).mkdir()
        for name in PHOTOS[:2]:
            images.save(tmp_path / who / f"{name}.jpg", _photo(name), quality=90)
    people = open_people(tmp_path)
    monkeypatch.setattr(images, "load", lambda *_a, **_k: pytest.fail("a picture was read"))
    far = _captures(4, alike=0.5)
    found = near_copies(people, far, workers=1)
    assert found.warning() is None and found.mated == found.distinct == 2
    near = _captures(4)
    near.embeddings[1::2] = np.nan
    assert near_copies(people, near, workers=1).mated == 0


@pytest.fixture(scope="module")
def with_thumbnails(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three people, four photos, each in four sizes as photo managers make them."""
    folder = tmp_path_factory.mktemp("thumbnails")
    for name in ("obama_2009_congress", "obama_2010_white_house", "biden_2013_portrait", "collins_nasa"):
        own = folder / name.partition("_")[0]
        own.mkdir(exist_ok=True)
        pixels = _photo(name)
        for side in (240, 320, 640, 1200):
            small = _resized(pixels, side / max(pixels.shape))
            images.save(own / f"{name}_{side}.jpg", small, quality=88)
    return folder


@pytest.mark.parametrize(
    "command",
    [
        ["evaluate", "verification", "--all"],
        ["evaluate", "identification", "--hold-back", "2", "--images"],
        ["evaluate", "quality", "--pairs", "99", "--images"],
    ],
)
def test_the_commands_warn(with_thumbnails: Path, command: list[str]) -> None:
    """Each command over people says how many comparisons copies make, in words and in the JSON, unless told
    not to look."""
    run = CliRunner().invoke(app, [*command, str(with_thumbnails), "--json", "-"])
    lines = [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]
    assert run.exit_code == 0, run.output
    assert lines[0]["near_copies"]["mated_comparisons"] == 24
    assert lines[0]["near_copies"]["without_copies"] == 1
    assert "warning: 24 of 40 mated comparisons" in run.stderr
    silent = CliRunner().invoke(app, [*command, str(with_thumbnails), "--json", "-", "--no-near"])
    assert json.loads(silent.stdout.splitlines()[0])["near_copies"] is None
    assert "warning" not in silent.stderr


def test_the_pairs_of_a_list_are_judged(with_thumbnails: Path, tmp_path: Path) -> None:
    """Of listed pairs those that are made count: copies among the mated ones are told, others are not."""
    lines = [
        "1,obama/obama_2009_congress_240.jpg,obama/obama_2009_congress_640.jpg,1",
        "1,obama/obama_2009_congress_240.jpg,obama/obama_2010_white_house_640.jpg,1",
        "1,obama/obama_2009_congress_640.jpg,obama/obama_2010_white_house_1200.jpg,1",
        "1,biden/biden_2013_portrait_640.jpg,collins/collins_nasa_640.jpg,0",
        "1,obama/obama_2009_congress_640.jpg,collins/collins_nasa_1200.jpg,0",
    ]
    listed = tmp_path / "pairs.csv"
    listed.write_text("fold,image1,image2,same\n" + "\n".join(lines) + "\n")
    command = ["evaluate", "verification", "--pairs", str(listed), "--images", str(with_thumbnails)]
    run = CliRunner().invoke(app, [*command, "--json", "-"])
    assert run.exit_code == 0, run.output
    found = json.loads(run.stdout.splitlines()[0])["near_copies"]
    assert found["mated_comparisons"] == 1 and found["of_mated_comparisons"] == 3
    assert found["without_copies"] == 1
    assert "warning: 1 of 3 mated comparisons" in run.stderr


@pytest.mark.parametrize("side", [64, 96, 160])
def test_tiny_thumbnails_are_found_without_their_embedding(tmp_path: Path, side: int) -> None:
    """A thumbnail too small for a near embedding is found by its size and shape; another photo of the
    person, as small, is none."""
    (tmp_path / "Obama").mkdir()
    for name in PHOTOS[:2]:
        images.save(tmp_path / "Obama" / f"{name}.jpg", _photo(name), quality=92)
    for name, other in (("thumb", PHOTOS[0]), ("tiny", PHOTOS[2])):
        pixels = _photo(other)
        small = _resized(pixels, side / min(pixels.shape[:2]))
        images.save(tmp_path / "Obama" / f"{name}.jpg", small, quality=85)
    people = open_people(tmp_path)
    found = near_copies(people, _captures(len(people), alike=0.3), workers=1)
    assert (found.pictures, found.between, found.mated) == (1, 1, 6)


def test_repeated_pictures_need_no_people(with_thumbnails: Path) -> None:
    """Where no persons are compared the copies are counted among all pictures of the split."""
    manifest = open_dataset(with_thumbnails)
    assert repeated_pictures(manifest, None) == RepeatedPictures(12, 4)
    assert repeated_pictures(manifest, "test") == RepeatedPictures(0, 0)
