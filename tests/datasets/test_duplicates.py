"""Duplicates: every kind of copy is found, photos that are merely alike are not, the best one stays."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from sample_people import empty, photo
from typer.testing import CliRunner

from lineament.datasets.cleaning import duplicates
from lineament.datasets.cleaning.clean import CleanSettings, clean
from lineament.datasets.cleaning.duplicates import CONFIRMED, Pair, Print, find_duplicates, groups, propose
from lineament.datasets.cleaning.glances import Fit, Surroundings, outline
from lineament.datasets.cleaning.proposals import Proposal
from lineament.datasets.cleaning.same_picture import lay_out, look_at, overlay, perceptual_hashes
from lineament.datasets.opening import open_dataset
from lineament.geometry.alignment import ARCFACE_112
from lineament.io import images
from lineament.types import Float32, UInt8

NAMES = ("obama_2012_portrait", "obama_2009_congress", "biden_2013_portrait", "collins_nasa")


def copies(pixels: UInt8) -> dict[str, UInt8]:
    """The picture resized, compressed hard, mirrored, cropped by 5 %, darkened, and several of these."""
    h, w = pixels.shape[:2]
    cropped = pixels[h // 20 :, : w - w // 20]
    squeezed = images.load(images.encode_jpeg(pixels, quality=25)).pixels
    mirrored = np.ascontiguousarray(pixels[:, ::-1])
    return {
        "resized": np.asarray(
            cv2.resize(pixels, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8
        ),
        "recompressed": squeezed,
        "mirrored": mirrored,
        "cropped": np.ascontiguousarray(cropped),
        "darker": np.asarray(pixels * 0.7 + 10, np.uint8),
        "mirrored and cropped": np.ascontiguousarray(mirrored[h // 20 :, w // 20 :]),
    }


def glance(
    a: UInt8, b: UInt8, a_face: Float32 | None = None, b_face: Float32 | None = None, least: float = -1.0
) -> Fit | None:
    """How the second lies on the first at a glance, by its edges or by its face; None where it does not."""
    first, second = lay_out(a, a_face), lay_out(b, b_face)
    other, around = look_at(second), Surroundings(look_at(first))
    near = around.nearest(lambda _i: other, outline(other)[None], least=least, most=1)
    return near[0][1] if near else None


@pytest.mark.parametrize("name", NAMES)
def test_copies_lie_on_their_original(name: str) -> None:
    """Every copy passes at a glance and correlates as one picture in full, and mirroring is told."""
    original = photo(name, 300)
    for kind, copy in copies(original).items():
        fit = glance(original, copy, least=0.9)
        assert fit is not None, kind
        assert overlay(lay_out(original), lay_out(copy), fit) >= CONFIRMED, kind
        assert fit.mirrored == kind.startswith("mirrored"), kind


def test_different_photos_do_not() -> None:
    """Another photo of the person or of somebody else is far at a glance, or does not lie on it at all;
    laid over each other all the same, they stay below what confirms a copy."""
    pictures = {name: photo(name, 300) for name in (*NAMES, "obama_2010_white_house")}
    for name, original in pictures.items():
        for other in [*(picture for key, picture in pictures.items() if key != name), empty()]:
            fit = glance(original, other)
            assert fit is None or fit.score < CONFIRMED - 0.2
            assert overlay(lay_out(original), lay_out(other), Fit(0, np.eye(3))) < CONFIRMED - 0.2


@pytest.mark.parametrize("turn_deg", [0.0, 2.0])
@pytest.mark.parametrize("zoom", [1.0, 1.05])
@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.03, -0.02)])
def test_a_glance_finds_the_map_itself(turn_deg: float, zoom: float, shift: tuple[float, float]) -> None:
    """Of a picture that was shifted, turned and zoomed a little the map is found to half a pixel of 100."""
    original = photo("obama_2012_portrait", 300)
    h, w = original.shape[:2]
    turn = cv2.getRotationMatrix2D(((w - 1) / 2, (h - 1) / 2), turn_deg, zoom)
    turn[:, 2] += np.array(shift) * (w, h)
    moved = np.asarray(cv2.warpAffine(original, turn, (w, h), borderMode=cv2.BORDER_REFLECT), np.uint8)
    fit = glance(original, moved)
    assert fit is not None and fit.score > 0.9 and not fit.mirrored
    scale = np.diag([w, h, 1.0])
    whole = np.eye(3)
    whole[:2, :2] = turn[:, :2]
    whole[:2, 2] = shift
    expected = np.linalg.inv(scale) @ whole @ scale
    expected[:2, 2] = shift
    corners = np.array([[-0.4, -0.4, 1], [0.4, -0.4, 1], [0.4, 0.4, 1], [-0.4, 0.4, 1.0]]).T
    assert np.abs((fit.where - expected) @ corners)[:2].max() < 0.005


def test_a_glance_at_the_face_finds_a_close_cut() -> None:
    """A cut that the edges no longer fit is laid face on face, where both faces are known."""
    whole = photo("obama_2012_portrait", 300)
    points = ARCFACE_112 * 1.2 + (50, 20)
    part, moved = np.ascontiguousarray(whole[15:200, 30:220]), points - (30, 15)
    assert glance(whole, part, points, moved, least=0.85) is not None
    assert glance(whole, part, least=0.85) is None


def test_a_picture_without_detail_is_a_copy_of_nothing() -> None:
    """Flat pictures have no detail to correlate: they lie on nothing, and the search still ends."""
    flat = np.full((64, 64, 3), 120, np.uint8)
    assert glance(flat, flat) is None
    assert glance(flat, photo("collins_nasa", 64)) is None
    assert glance(photo("collins_nasa", 64), flat) is None


def test_the_mirror_hash_is_the_hash_of_the_mirror() -> None:
    """The second hash of a picture is the first of its mirror image, and the other way round."""
    pixels = photo("collins_nasa", 256)
    plain, mirrored = perceptual_hashes(pixels)
    assert perceptual_hashes(np.ascontiguousarray(pixels[:, ::-1])) == (mirrored, plain)
    assert plain != mirrored


def test_landmarks_are_continuous_pixels() -> None:
    """Those of a picture twice as large are twice as large: both are laid out alike, to 1/20 pixel."""
    picture = photo("obama_2012_portrait", 120)
    points = ARCFACE_112 * 0.6 + 20
    double = np.asarray(cv2.resize(picture, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR), np.uint8)
    part = np.s_[32:96, 32:96]
    first = lay_out(picture, points).grey[part].astype(np.float32)
    second = lay_out(double, points * 2).grey[part].astype(np.float32)
    window = cv2.createHanningWindow((64, 64), cv2.CV_32F)
    (dx, dy), _ = cv2.phaseCorrelate(first, second, window)
    assert abs(dx) < 0.05 and abs(dy) < 0.05


def test_a_copy_near_by_its_mirror_image_is_compared() -> None:
    """Where hash and vector are far, the vector of the mirror image makes two pictures candidates."""
    rng = np.random.default_rng(8)
    picture = rng.integers(0, 255, (64, 64, 3), np.uint8)
    plain, turned = np.eye(2, dtype=np.float32)
    other_hashes = ((0, 0), (2**32 - 1, 2**32 - 1))
    found = []
    for mirrored in (None, turned):
        one = Print("a", "x", "a", "a", other_hashes[0], (64, 64), plain, mirrored=mirrored)
        other = Print("b", "x", "b", "b", other_hashes[1], (64, 64), turned, mirrored=mirrored)
        found.append(find_duplicates([one, other], lambda _i: (lay_out(picture),)))
    assert [len(pairs) for pairs in found] == [0, 1]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[Proposal]:
    """Two subjects' photos with copies beside them, and one of the copies under the wrong name."""
    folder = tmp_path_factory.mktemp("copies")
    for name in NAMES:
        subject = name.partition("_")[0]
        (folder / subject).mkdir(exist_ok=True)
        original = photo(name, 300)
        images.save(folder / subject / f"{name}.png", original)
        if name == "obama_2012_portrait":
            for kind, copy in copies(original).items():
                images.save(folder / subject / f"{kind}.jpg", copy, quality=90)
            images.save(folder / subject / "other metadata.png", original)
            images.save(folder / subject / "another.jpg", photo("obama_2010_white_house", 300))
    images.save(folder / "biden" / "borrowed.jpg", copies(photo("collins_nasa", 300))["recompressed"])
    return list(clean(open_dataset(folder), CleanSettings(checks=("duplicates",)), workers=2).proposals)


def test_all_copies_are_proposed_and_nothing_else(found: list[Proposal]) -> None:
    """Each copy is to be removed in favour of the largest, best picture; a different one is left alone."""
    removed = {p.path: p for p in found if p.action == "remove"}
    kinds = ("resized", "recompressed", "mirrored", "cropped", "darker", "mirrored and cropped")
    wanted = {f"obama/{kind}.jpg" for kind in kinds}
    assert {p.path for p in found if p.reason == "exact duplicate"} == {"obama/other metadata.png"}
    assert set(removed) == wanted | {"obama/other metadata.png"}
    assert {p.of for p in removed.values()} == {"obama/obama_2012_portrait.png"}
    assert all(p.score >= CONFIRMED for p in found)


def test_one_picture_under_two_names_is_for_review(found: list[Proposal]) -> None:
    """Without anything to say whose picture it is, each of the two is for review and names the other."""
    across = {p.path: (p.subject, p.of) for p in found if p.action == "review"}
    assert across == {
        "biden/borrowed.jpg": ("biden", "collins/collins_nasa.png"),
        "collins/collins_nasa.png": ("collins", "biden/borrowed.jpg"),
    }


def prints(*subjects: str, size: int = 100) -> list[Print]:
    return [Print(f"{s}/{i}.jpg", s, "", str(i), (0, 0), (size + i, size)) for i, s in enumerate(subjects)]


def test_who_is_wrong_in_a_folder_decides_across_folders() -> None:
    """A picture in two folders that does not look like one of their people is to be removed there."""
    pair = Pair(0, 1, "near", 0.99)
    (proposal,) = propose(prints("Ann", "Bob"), [pair], {"Ann/0.jpg": 0.97, "Bob/1.jpg": 0.01})
    assert (proposal.path, proposal.action, proposal.of) == ("Ann/0.jpg", "remove", "Bob/1.jpg")
    assert proposal.score == 0.97
    assert {p.action for p in propose(prints("Ann", "Bob"), [pair], {})} == {"review"}


def test_groups_are_linked_through_any_member() -> None:
    """Pairs a-b and b-c make one group, of which one picture stays: the one with most pixels."""
    chain = [Pair(0, 1, "near", 0.95), Pair(1, 2, "near", 0.95)]
    assert groups(4, chain) == [[0, 1, 2]]
    removed = propose(prints("Ann", "Ann", "Ann", "Ann"), chain)
    assert sorted(p.path for p in removed) == ["Ann/0.jpg", "Ann/1.jpg"]


def test_many_like_pictures_cost_few_comparisons(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of frames that are all near each other each is laid over a bounded number, not over all."""
    laid = []

    def count(*args: object, **kwargs: object) -> float:
        laid.append(args)
        return 0.0

    monkeypatch.setattr(duplicates, "overlay", count)
    rng = np.random.default_rng(0)
    scene = photo("collins_nasa", 200).astype(np.int16)
    frames = [np.clip(scene + rng.integers(-9, 9, scene.shape), 0, 255).astype(np.uint8) for _ in range(24)]
    like = [Print(f"a/{i}.jpg", "a", "", str(i), (7, 9), (50, 50)) for i in range(24)]
    told: list[int] = []
    assert find_duplicates(like, lambda i: (lay_out(frames[i]),), advance=told.append) == []
    assert 24 <= len(laid) <= 24 * duplicates._MOST_OVERLAYS
    assert sum(told) == 2 * 24


@pytest.mark.parametrize("command", ["split --exact", "audit --no-experiment", "duplicates"])
def test_the_search_tells_how_far_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """Without a terminal there is a line after every tenth, up to the last step, whatever the pictures are:
    copies, look-alikes, different ones and broken ones."""
    from lineament.cli import output
    from lineament.cli.main import app

    monkeypatch.setattr(output, "_LEAST_BETWEEN_LINES", 1)
    (tmp_path / "a").mkdir()
    pixels = photo("collins_nasa", 160)
    for number in range(3):
        images.save(tmp_path / "a" / f"same{number}.png", pixels)
        images.save(tmp_path / "a" / f"cut{number}.jpg", pixels[number + 2 :, number + 1 :])
        images.save(tmp_path / "a" / f"other{number}.png", np.full((60, 60, 3), 70 * number, np.uint8))
    (tmp_path / "a" / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    run = CliRunner().invoke(app, ["dataset", *command.split(), str(tmp_path)])
    assert run.exit_code == 0, run.output
    lines = [line for line in run.output.splitlines() if output.NEAR_LABEL in line]
    counted = [line.split(" ", 3) for line in lines]
    assert len(lines) >= 8 and counted[-1][0] == counted[-1][2]
    assert counted == sorted(counted, key=lambda one: int(one[0]))


def test_a_folder_of_exact_copies_keeps_one(tmp_path: Path) -> None:
    """Any number of byte-equal files leaves one, the first by name, and compares nothing by pixels."""
    (tmp_path / "a").mkdir()
    for number in range(5):
        images.save(tmp_path / "a" / f"{number}.png", photo("collins_nasa", 200))
    done = clean(open_dataset(tmp_path), CleanSettings(checks=("duplicates",)))
    assert [p.path for p in done.proposals] == [f"a/{n}.png" for n in range(1, 5)]
    assert {p.of for p in done.proposals} == {"a/0.png"}
