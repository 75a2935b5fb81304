"""Versions of one photo are known by their rows and names, stay together, and are a leak where not."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from test_splits import SHARES, row
from typer.testing import CliRunner

from lineament.cli.main import app
from lineament.datasets.audit.leaks import find_leaks
from lineament.datasets.grouping.source_names import source_of
from lineament.datasets.grouping.versions import versions
from lineament.datasets.splitting.splits import Plan, split
from lineament.errors import SplitError
from lineament.io import images
from lineament.io.manifest import Manifest, Provenance

HEX = "0123456789abcdef0123456789abcdef"
UUID = "1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed"


def at(*paths: str, subject: str | None = None) -> Manifest:
    return Manifest(tuple(row(path, subject, path=path) for path in paths))


def together(manifest: Manifest) -> list[set[str]]:
    return [set(group) for group in versions(manifest).sure]


@pytest.mark.parametrize(
    "paths",
    [
        (f"train/a_jpg.rf.{HEX}.jpg", f"valid/a_jpg.rf.{HEX[::-1]}.jpg"),  # Roboflow, over its splits
        ("x/IMG_1_JPG.rf.Ab3dEf6hIj9.jpg", "x/IMG_1_JPG.rf.Zb3dEf6hIj9.jpg"),  # its shorter hashes
        (f"a_png.rf.{HEX}.jpg", "a.png"),  # beside the original
        ("Ann/a.jpg", ".augmented/Ann/a.jpg-0001.jpg", ".augmented/Ann/a.jpg-0002.jpg"),  # our own
        (f"train/a.jpg-0001_jpg.rf.{HEX}.jpg", f"valid/a_jpg.rf.{HEX}.jpg"),  # our own, exported
        ("0123456789abcdef0123-0001.jpg", "0123456789abcdef0123-0002.jpg"),  # our own, of a long name
        (f"in_original_a.png_{UUID}.png", f"in_original_a.png_{UUID[::-1]}.png"),  # Augmentor
        ("a.jpg", "a_aug_3.jpg"),  # numbered, beside the original
        ("a.jpg", "a-aug3.png", "a aug 4.png"),
        ("a.jpg", "a_flip.jpg", "a_rot90_blur.jpg"),
        ("a.jpg", "flip_a.jpg", "aug_0_a.jpg"),  # in front
        ("a_flipped.jpg", "a_rotated_-15.jpg"),  # siblings, by clear words
        ("a_hflip.jpg", "a_brightness_0.5.jpg", "a_augmented_2.jpg"),
        ("a.jpg", "a - Copy.jpg"),
        ("train/a.jpg", "val/a_mirror.jpg"),
    ],
)
def test_names_tell_versions_of_one_photo(paths: tuple[str, ...]) -> None:
    """Pictures whose names a tool made of one name are one photo's, whatever split's folder they lie in."""
    manifest = at(*paths, "b.jpg", "c/1.jpg", "d/1.jpg")
    assert together(manifest) == [set(paths)]


def test_repeated_numbers_make_aug_sure() -> None:
    """``_aug_1`` may be the first of August; the same numbers behind several names are a tool's."""
    names = [f"{name}_aug_{i}.jpg" for name in ("a", "b") for i in range(3)]
    assert together(at(*names)) == [set(names[:3]), set(names[3:])]
    alone = versions(at("trip_aug_14.jpg", "trip_aug_15.jpg"))
    assert not alone.sure and len(alone.unsure) == 1 and alone.unsure_pictures == 2


@pytest.mark.parametrize(
    "paths",
    [
        ("Macy_Gray/Macy_Gray_0001.jpg", "Macy_Gray/Macy_Gray_0002.jpg"),  # a name, not a tool
        ("Ann_0001.jpg", "Ann_0002.jpg", "Bob_0001.jpg"),
        ("IMG_0001.jpg", "IMG_0002.jpg", "IMG_0003.jpg"),
        ("a/0001.jpg", "b/0001.jpg"),
        ("beach_dark.jpg", "beach_large.jpg"),  # perhaps, and perhaps not
        ("2020-01-01.jpg", "2020-01-02.jpg"),
        ("flip.jpg", "flip_1.jpg", "crop.jpg"),
        ("photo (1).jpg", "photo (2).jpg"),
    ],
)
def test_names_that_say_nothing_join_nothing(paths: tuple[str, ...]) -> None:
    """Numbers, people's names and words that mean something else group no pictures."""
    assert together(at(*paths)) == []


def test_a_name_counts_in_its_persons_folder() -> None:
    """Everybody has a ``1.jpg``: a version of one person's is no other's, unless a tool states it."""
    rows = [
        row(f"{who}/{name}", who, path=f"{who}/{name}")
        for who in ("Ann", "Bob")
        for name in ("1.jpg", "1_flip.jpg")
    ]
    assert together(Manifest(tuple(rows))) == [
        {"Ann/1.jpg", "Ann/1_flip.jpg"},
        {"Bob/1.jpg", "Bob/1_flip.jpg"},
    ]
    stated = [row(f"s{i}", who, labels={"source_name": "1.jpg"}) for i, who in enumerate(("Ann", "Bob"))]
    assert together(Manifest(tuple(stated))) == [{"s0", "s1"}]


def test_frames_of_a_video_are_a_warning_and_an_option() -> None:
    """Frames are told by words of video in their names, people's photos never; asked to, a split keeps
    them."""
    frames = [f"{clip}_{i:04}.jpg" for clip in ("clip", "trip.mp4", "cam2_frame") for i in range(30)]
    photos = [f"Ann_Lee_{i:04}.jpg" for i in range(30)]
    cut = [row(f"f{i}", None, provenance=Provenance(url=f"file:///v.mp4#t={i}")) for i in range(3)]
    manifest = Manifest((*at(*frames, *photos, "video3/1.jpg", "video3/2.jpg", "video3/3.jpg"), *cut))
    found = versions(manifest)
    assert set(found.clips) == {"clip", "trip.mp4", "cam2_frame", "video3/", "file:///v.mp4"}
    parted = split(manifest, Plan(SHARES, seed=3))
    [told] = [one for one in parted.decisions if one.kind == "clips"]
    assert told.text.startswith("warning: 96 pictures") and "--clips" in told.text
    kept = split(manifest, Plan(SHARES, seed=3, clips=True))
    places = {one.id: one.split for one in kept.manifest}
    for clip in found.clips.values():
        assert len({places[key] for key in clip}) == 1


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32),
    exact=st.booleans(),
    sizes=st.lists(st.integers(1, 6), min_size=12, max_size=30),
    way=st.sampled_from(["label", "roboflow", "own", "ending", "parent"]),
    came=st.booleans(),
)
def test_no_source_crosses_splits(seed: int, exact: bool, sizes: list[int], way: str, came: bool) -> None:
    """Whatever the seed, the splits a set came with and what tells the source, all its versions end in one
    split, that is told, and the audit finds no leak; parted, each is one."""
    shapes = {
        "label": "v{i}-{k}.jpg",
        "roboflow": "n{i}_jpg.rf.{k:032x}.jpg",
        "own": "n{i}.jpg-{k:04}.jpg",
        "ending": "n{i}_flip_{k}.jpg",
        "parent": "v{i}-{k}.jpg",
    }
    rows = []
    for i, size in enumerate(sizes):
        for k in range(size):
            path = shapes[way].format(i=i, k=k)
            more: dict[str, object] = {"split": ("train", "val")[(i + k) % 2]} if came else {}
            if way == "label":
                more["labels"] = {"source_name": f"n{i}.png"}
            if way == "parent":
                more["parent"] = f"photo {i}"
            rows.append(row(f"{i}-{k}", f"s{(i + k) % 4}", path=path, **more))
    plan = Plan({"train": 0.6, "test": 0.4}, exact=exact, seed=seed, resplit=came)
    try:
        done = split(Manifest(tuple(rows)), plan)
    except SplitError:  # by chance one split got nothing, which is told as an error
        assume(False)
    places: dict[str, set[str | None]] = defaultdict(set)
    for one in done.manifest:
        places[one.id.split("-")[0]].add(one.split)
    assert all(len(found) == 1 for found in places.values())
    assert not find_leaks(done.manifest)
    several = sum(size > 1 for size in sizes)
    told = [one.numbers["photos"] for one in done.decisions if one.kind == "versions"]
    assert told == ([several] if several and way != "parent" else [])
    parted = Manifest(
        tuple(
            row(one.id, None, path=one.path, labels=one.labels, parent=one.parent, split=f"s{one.id[-1]}")
            for one in done.manifest
        )
    )
    kind = "same_photo" if way == "parent" else "versions"
    assert [leak.kind for leak in find_leaks(parted)] == [kind] * several


def test_versions_of_versions() -> None:
    """Tools after each other: our copy of a Roboflow version is still its photo's."""
    assert source_of(f"a_jpg.rf.{HEX}.jpg-0003.jpg") == ("a.jpg", "Roboflow")


def test_the_audit_says_what_it_did_not_check(tmp_path: Path) -> None:
    """Without the search for near-duplicates the verdict is of what was checked, in text, JSON and page;
    versions that differ beyond recognition are a leak all the same."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(12):
        for k in range(2):
            path = f"clip_{i:04}_jpg.rf.{k:032x}.jpg"
            images.save(tmp_path / path, rng.integers(0, 255, (40, 40, 3), np.uint8))
            rows.append(row(f"{i}-{k}", None, path=path, split=("train", "test")[(i + k) % 2]))
    Manifest(tuple(rows), folder=tmp_path).save(tmp_path / "parted.jsonl")
    command = ["dataset", "audit", str(tmp_path / "parted.jsonl"), "--no-experiment", "--json", "-"]
    done = CliRunner().invoke(app, [*command, "--no-near"])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    answer = json.loads(done.stdout.splitlines()[0])
    assert done.exit_code == 1 and [leak["kind"] for leak in answer["leaks"]] == ["versions"] * 12
    assert any("near-duplicates" in what for what in answer["unchecked"])
    assert any("frames" in what and "--clips" in what for what in answer["unchecked"])
    whole = [one for one in rows if one.id.endswith("-0")]
    Manifest(tuple(whole), folder=tmp_path).save(tmp_path / "whole.jsonl")
    shown = CliRunner().invoke(
        app, ["dataset", "audit", str(tmp_path / "whole.jsonl"), "--no-experiment", "--no-near"]
    )
    assert shown.exit_code == 0 and "no leak in what was checked" in shown.output
    assert "near-duplicates were not looked for" in (tmp_path / "audit.html").read_text()
