"""Duplicates: every kind of copy is found, photos that are merely alike are not, the best one stays."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from sample_people import empty, photo

from lineament.datasets import duplicates, same_picture
from lineament.datasets.clean import CleanSettings, clean
from lineament.datasets.duplicates import CONFIRMED, Pair, Print, find_duplicates, groups, propose
from lineament.datasets.opening import open_dataset
from lineament.datasets.proposals import Proposal
from lineament.datasets.same_picture import glance, may_be_one, overlay, perceptual_hashes
from lineament.geometry.alignment import ARCFACE_112
from lineament.io import images
from lineament.types import UInt8

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


@pytest.mark.parametrize("name", NAMES)
def test_copies_lie_on_their_original(name: str) -> None:
    """Every copy correlates as one picture, and mirroring is told."""
    original = photo(name, 300)
    for kind, copy in copies(original).items():
        score, mirrored = overlay(original, copy)
        assert score >= CONFIRMED, kind
        assert mirrored == kind.startswith("mirrored"), kind


def test_different_photos_of_one_person_do_not() -> None:
    """Another photo of the person, or the same face in another light and place, stays below."""
    first = photo("obama_2012_portrait", 300)
    for other in ("obama_2009_congress", "obama_2010_white_house"):
        assert overlay(first, photo(other, 300))[0] < CONFIRMED - 0.2
    assert overlay(first, empty())[0] < CONFIRMED - 0.2


def test_copies_pass_at_a_glance_and_other_photos_do_not() -> None:
    """The cheap comparison before the thorough one lets every copy through, and no different photo."""
    pictures = {name: photo(name, 300) for name in NAMES}
    for name, original in pictures.items():
        seen = glance(original)
        for kind, copy in copies(original).items():
            assert may_be_one(seen, glance(copy)), (name, kind)
        others = [glance(other) for key, other in pictures.items() if key != name] + [glance(empty())]
        assert not any(may_be_one(seen, other) for other in others)


def test_a_glance_at_the_face_finds_a_close_cut() -> None:
    """A cut that the edges no longer fit is laid face on face, where both faces are known."""
    whole = photo("obama_2012_portrait", 300)
    points = ARCFACE_112 * 1.2 + (50, 20)
    part, moved = np.ascontiguousarray(whole[15:200, 30:220]), points - (30, 15)
    assert may_be_one(glance(whole, points), glance(part, moved))
    assert not may_be_one(glance(whole, points), glance(part))


def test_a_picture_without_detail_equals_itself() -> None:
    """Flat pictures have no detail to correlate; the comparison still ends, the same both ways."""
    flat = np.full((64, 64, 3), 120, np.uint8)
    assert overlay(flat, flat) == overlay(flat, flat)
    assert -1 <= overlay(flat, photo("collins_nasa", 64))[0] <= 1


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
    first = same_picture._laid_out(picture, points)[0][part]
    second = same_picture._laid_out(double, points * 2)[0][part]
    window = cv2.createHanningWindow((64, 64), cv2.CV_32F)
    (dx, dy), _ = cv2.phaseCorrelate(first, second, window)
    assert abs(dx) < 0.05 and abs(dy) < 0.05


def test_a_copy_near_by_its_mirror_image_is_compared() -> None:
    """Where hash and vector are far, the vector of the mirror image makes two pictures candidates."""
    rng = np.random.default_rng(8)
    picture = rng.integers(0, 255, (64, 64, 3), np.uint8)
    plain, turned = np.eye(2, dtype=np.float32)
    compared: list[int] = []
    for mirrored in (None, turned):
        one = Print("a", "x", "a", "a", (0, 0), (64, 64), plain, mirrored=mirrored)
        other = Print("b", "x", "b", "b", (2**32 - 1, 2**32 - 1), (64, 64), turned, mirrored=mirrored)
        compared.append(0)

        def count(number: int) -> None:
            compared[-1] += number

        find_duplicates([one, other], lambda _i: picture, advance=count)
    assert compared == [0, 1]


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
    """Of pictures that are all near each other each is compared with a bounded number, not with all."""
    monkeypatch.setattr(duplicates, "_MOST_CANDIDATES", 2)
    like = [Print(f"a/{i}.jpg", "a", "", str(i), (7, 9), (50, 50)) for i in range(20)]
    calls: list[int] = []
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 255, (50, 50, 3), np.uint8) for _ in range(20)]
    assert find_duplicates(like, lambda i: noise[i], workers=1, advance=calls.append) == []
    assert 20 <= len(calls) <= 2 * 20


def test_a_folder_of_exact_copies_keeps_one(tmp_path: Path) -> None:
    """Any number of byte-equal files leaves one, the first by name, and compares nothing by pixels."""
    (tmp_path / "a").mkdir()
    for number in range(5):
        images.save(tmp_path / "a" / f"{number}.png", photo("collins_nasa", 200))
    done = clean(open_dataset(tmp_path), CleanSettings(checks=("duplicates",)))
    assert [p.path for p in done.proposals] == [f"a/{n}.png" for n in range(1, 5)]
    assert {p.of for p in done.proposals} == {"a/0.png"}
