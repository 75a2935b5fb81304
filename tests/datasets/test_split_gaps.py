"""What a split lacks is told after splitting, whatever the method: faces, people, classes."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from lineament.cli.main import app
from lineament.datasets.splitting.reporting import SplitDecision
from lineament.datasets.splitting.splits import Plan, Split, split, summary
from lineament.errors import SplitError
from lineament.io import images
from lineament.io.manifest import Manifest, ManifestRow

THREE = {"train": 0.7, "val": 0.15, "test": 0.15}
TWO = {"train": 0.85, "val": 0.15}


def row(name: str, **more: object) -> ManifestRow:
    digest = hashlib.sha256(name.encode()).hexdigest()
    return ManifestRow(**{"id": name, "path": f"{name}.jpg", "sha256": digest} | more)  # type: ignore[arg-type]


def faces(count: int, name: str = "face", **more: object) -> list[ManifestRow]:
    return [row(f"{name} {i}", **more) for i in range(count)]


def empties(count: int, **more: object) -> list[ManifestRow]:
    return [row(f"empty {i}", outcome="no_face", **more) for i in range(count)]


def gaps(result: Split, *kinds: str) -> list[SplitDecision]:
    return [one for one in result.decisions if one.kind in kinds]


def without_faces(result: Split) -> list[str]:
    splits = {one.split for one in result.manifest if one.split}
    return sorted(splits - {one.split for one in result.manifest if one.outcome == "ok"})


FILM = faces(15)
TOGETHER = [{one.id for one in FILM}]
SAME_FILE = [replace(one, sha256="0" * 64) for one in FILM]


@pytest.mark.parametrize(
    ("rows", "groups", "plan", "way"),
    [
        (FILM + empties(12), TOGETHER, Plan(THREE, exact=True), "one group of pictures.*other sittings"),
        (FILM + empties(12), TOGETHER, Plan(TWO, exact=True), "one group of pictures.*other sittings"),
        (SAME_FILE + empties(12), [], Plan(THREE, exact=True), "one group of pictures.*other sittings"),
        (
            [replace(one, parent="photo") for one in FILM] + empties(12),
            [],
            Plan({"a": 0.5, "b": 0.5}, exact=True),
            "one group of pictures.*other sittings",
        ),
        (faces(2) + empties(40), [], Plan(THREE, exact=True), "2 pictures have a face; add more"),
        (faces(3) + empties(90), [], Plan(THREE), "--exact gives"),
        (faces(20, split="train") + empties(5, split="val"), [], Plan(TWO), "--resplit shares"),
        (faces(20, split="train") + empties(5, split="test"), [], Plan(THREE), "--resplit shares"),
        (
            [*FILM, *faces(9, "other", subject="Ann"), *empties(9)],
            [{one.id for one in FILM} | {f"other {i}" for i in range(9)}],
            Plan(TWO, by="subject", exact=True),
            "one group of pictures.*other sittings",
        ),
    ],
    ids=[
        "a film",
        "two splits",
        "equal files",
        "crops of one photo, names of one's own",
        "two faces",
        "by chance",
        "a given val",
        "a given test",
        "people apart",
    ],
)
def test_every_split_without_a_face_is_told(
    rows: Sequence[ManifestRow], groups: Sequence[set[str]], plan: Plan, way: str
) -> None:
    """A split with pictures but none with a face is a warning with what helps, however it came to be;
    splits with a face have none, and the JSON holds the same sentences."""
    for seed in range(60):
        result = split(Manifest(tuple(rows)), replace(plan, seed=seed), groups)
        if bare := without_faces(result):
            break
    else:
        pytest.fail("no seed left a split without a face")
    told = gaps(result, "no_face")
    assert sorted(one.numbers["split"] for one in told) == bare
    for one in told:
        held = {r.path for r in result.manifest if r.split == one.numbers["split"]}
        assert one.numbers["pictures"] == len(held) and "none with a face" in one.text
        assert one.text.startswith("warning: ")
        assert re.search(way, one.text), one.text
    assert set(summary(result)["warnings"]) >= {one.text.removeprefix("warning: ") for one in told}


def test_faces_in_every_split_are_no_warning() -> None:
    """Nothing is said where every split holds a face, nor of pictures without a label."""
    result = split(Manifest((*faces(60), *empties(20))), Plan(THREE, exact=True))
    assert not without_faces(result) and not summary(result)["warnings"]


def test_data_without_any_face_say_so_once() -> None:
    """One warning, not one a split."""
    (told,) = gaps(split(Manifest(tuple(empties(30))), Plan(THREE, exact=True)), "no_faces", "no_face")
    assert told.kind == "no_faces" and told.numbers == {"pictures": 30}


def test_an_error_does_not_lead_into_the_next_gap() -> None:
    """Where --exact fills a split with pictures of nobody only, the error that names it says so; one film
    alone is told that photos are missing, not to ask for fewer splits."""
    rows = [*FILM, *empties(3)]
    for seed in range(60):
        try:
            split(Manifest(tuple(rows)), Plan(THREE, seed=seed), TOGETHER)
        except SplitError as error:
            text = str(error)
            if "--exact gives" in text:
                assert "val and test none with a face" in text and "other sittings" in text
                break
    else:
        pytest.fail("no seed left a split empty")
    with pytest.raises(
        SplitError, match=r"15 pictures with a face make one group.*other sittings"
    ) as alone:
        split(Manifest(tuple(FILM)), Plan(TWO), TOGETHER)
    assert "fewer" not in str(alone.value)


@pytest.mark.parametrize(
    ("labels", "absent"),
    [
        ([{"class": "face"}] * 30 + [{"class": "hat"}], 1),
        ([{"emotion": name} for name in ["glad"] * 20 + ["sad"] * 20 + ["calm"]], 1),
        ([{"glasses": value} for value in [0] * 40 + [1]], 1),
        ([{"pose": name} for name in ["front", "left"] * 20] + [{"pose": "up"}, {"pose": "down"}], 2),
        ([{"class": f"kind {i // 2}"} for i in range(60)], None),
    ],
    ids=["a class of boxes", "an emotion", "a number", "two of four", "many classes"],
)
def test_a_class_that_a_split_lacks_is_told(labels: list[dict[str, object]], absent: int | None) -> None:
    """A value of a label that other splits have, and this one has not, is named with the split."""
    rows = tuple(row(f"{i}", labels=one) for i, one in enumerate(labels))
    result = split(Manifest(rows), Plan(TWO, exact=True))
    (name,) = labels[0]
    every = {str(one.labels[name]) for one in rows}
    for part in TWO:
        there = {str(one.labels[name]) for one in result.manifest if one.split == part}
        told = [one for one in gaps(result, "no_class") if one.numbers["split"] == part]
        assert [one.numbers["values"] for one in told] == ([sorted(every - there)] if every - there else [])
    found = gaps(result, "no_class")
    assert found and (absent is None or sum(len(one.numbers["values"]) for one in found) == absent)


def test_labels_that_are_no_classes_are_left_alone() -> None:
    """Ages, sources and marks of boxes are not looked for in every split."""
    labels = [{"age": i, "source_name": f"{i}.jpg", "difficult": int(i == 0)} for i in range(40)]
    rows = tuple(row(f"{i}", labels=one) for i, one in enumerate(labels))
    assert not summary(split(Manifest(rows), Plan(TWO, exact=True)))["warnings"]


def test_one_person_alone_is_told_where_people_are_kept_apart() -> None:
    """With --by subject a split of one person cannot be used to tell people apart."""
    rows = tuple(row(f"{who} {i}", subject=f"person {who}") for who in range(4) for i in range(3))
    result = split(Manifest(rows), Plan({"train": 0.75, "val": 0.25}, by="subject", exact=True))
    (told,) = gaps(result, "alone")
    assert told.numbers == {"split": "val", "subjects": 1}


def test_the_command_warns_on_its_lines_and_in_its_json(tmp_path: Path) -> None:
    """A film and some pictures of nobody: the command ends well, and says what val and test lack."""
    rng = np.random.default_rng(3)
    still = rng.integers(0, 255, (64, 64, 3)).astype(np.uint8)
    rows = []
    for i in range(12):
        frame = still.copy()
        frame[:2, :2] = i
        images.save(tmp_path / f"f{i}.png", frame)
        rows.append(row(f"f{i}", path=f"f{i}.png", box=(10.0, 10.0, 40.0, 40.0)))
    for i in range(8):
        images.save(tmp_path / f"e{i}.png", rng.integers(0, 255, (64, 64, 3)).astype(np.uint8))
        rows.append(row(f"e{i}", path=f"e{i}.png", outcome="no_face"))
    Manifest(tuple(rows)).save(tmp_path / "manifest.jsonl")
    command = ["dataset", "split", str(tmp_path), "70/15/15", "--exact"]
    run = CliRunner().invoke(app, command)
    assert run.exit_code == 0, run.output
    assert "warning: val holds" in run.output and "warning: test holds" in run.output
    assert "12 pictures with a face make one group" in run.output
    again = CliRunner().invoke(app, [*command, "--json", "-"])
    answer = json.loads(next(line for line in again.output.splitlines() if line.startswith("{")))
    assert [text.split()[0] for text in answer["warnings"]] == ["val", "test"]


def test_a_split_without_an_empty_picture_is_told() -> None:
    """Where enough pictures show nobody for every split to have one, a split without any is a warning that
    names what helps; where there are too few, or all have some, there is none."""
    rows = faces(60) + empties(4)
    for seed in range(60):
        result = split(Manifest(tuple(rows)), Plan(TWO, seed=seed))
        empty = {one.split for one in result.manifest if one.outcome == "no_face"}
        if empty == {"train"}:
            break
    else:
        pytest.fail("no seed left val without an empty picture")
    [told] = gaps(result, "no_empty")
    assert told.numbers == {"split": "val"} and "--exact gives it some" in told.text
    assert gaps(split(Manifest(tuple(rows)), Plan(TWO, exact=True)), "no_empty") == []
    assert gaps(split(Manifest((*faces(60), *empties(1))), Plan(TWO)), "no_empty") == []
