"""The whole way of a data set, collect to audit, by its commands, with planted faults."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stand_ins import PEOPLE, photo, varied
from typer.testing import CliRunner

from lineament.cli.main import app
from lineament.io import images
from lineament.io.digests import sha256_of
from lineament.io.manifest import Manifest, ManifestRow, row_id


@dataclass(frozen=True)
class Journey:
    """What each step left behind, and what it answered as JSON."""

    folder: Path
    answers: dict[str, list[dict[str, Any]]]
    names: dict[str, str]

    def manifest(self, name: str) -> Manifest:
        return Manifest.load(self.folder / name)

    def crop(self, planted: str) -> ManifestRow | None:
        """The crop of the photo that was planted as ``folder/name``."""
        found = [row for row in self.manifest("crops/manifest.jsonl") if row.parent == self.names[planted]]
        return found[0] if found else None


def _run(*words: str | Path, status: int = 0) -> list[dict[str, Any]]:
    ran = CliRunner().invoke(app, ["dataset", *map(str, words), "--json", "-"])
    assert ran.exit_code == status, (words, ran.output, ran.exception)
    return [json.loads(line) for line in ran.stdout.splitlines()]


def _plant(found: Path) -> None:
    """15 photos of two people; wrong faces, copies, a turned photo and one without a face."""
    for subject in ("Obama", "Biden"):
        (found / subject).mkdir(parents=True)
        for name in PEOPLE[subject]:
            pixels = photo(name, 600 if "white_house" in name else 420)
            for number in range(3):
                target = found / subject / f"{name}_{number}.jpg"
                images.save(target, varied(pixels, number) if number else pixels, quality=95)
    original = found / "Obama" / "obama_2012_portrait_0.jpg"
    pixels = images.load(original).pixels
    (found / "Obama" / "exact.jpg").write_bytes(original.read_bytes())
    images.save(found / "Obama" / "recompressed.jpg", pixels, quality=50)
    images.save(found / "Obama" / "mirrored.jpg", np.ascontiguousarray(pixels[:, ::-1]), quality=90)
    images.save(found / "Obama" / "wrong.jpg", photo("collins_nasa"), quality=95)
    portrait = varied(photo("biden_2013_portrait"), 3)
    images.save(found / "Obama" / "misplaced.jpg", portrait, quality=95)
    turned = np.ascontiguousarray(np.rot90(varied(photo("biden_2013_portrait"), 4)))
    images.save(found / "Biden" / "turned.jpg", turned, quality=95)
    ramp = np.linspace(40, 200, 200)[:, None, None]
    images.save(found / "Biden" / "faceless.jpg", np.broadcast_to(ramp, (200, 200, 3)).astype(np.uint8))


@pytest.fixture(scope="module")
def journey(tmp_path_factory: pytest.TempPathFactory) -> Journey:
    """One walk for all the tests of this file."""
    folder = tmp_path_factory.mktemp("journey")
    found, photos, crops = folder / "found", folder / "photos", folder / "crops"
    _plant(found)
    (folder / "names.txt").write_text("Obama\nBiden\n", encoding="utf-8")
    terms = ("--purpose", "a test", "--licence", "public domain")
    answers = {}
    steps: dict[str, tuple[str | Path, ...]] = {
        "collect": (folder / "names.txt", "--source", "folder", "--from", found, "--out", photos, *terms),
        "extract": (photos, crops, "--detector", "retry:yunet"),
        "clean": (crops, "--out", crops / "proposals.jsonl"),
        "review": (crops, "--auto", "0.8", "--apply", crops / "reviewed.jsonl"),
        "split": (crops / "reviewed.jsonl", "60/20/20", "--exact"),
        "balance": (crops / "split.jsonl", "--at-least", "1", "--subjects", "0", "--per-subject", "6"),
        "augment": (crops / "balanced.jsonl", "--factor", "3", "--preview", folder / "sheet.png"),
        "audit": (crops / "augmented.jsonl", "--out", folder / "audit.html"),
    }
    for step, words in steps.items():
        answers[step] = _run(step, *words)
    names = {}
    for row in Manifest.load(photos / "manifest.jsonl"):
        path = Path(str(row.provenance.url))
        names[f"{path.parent.name}/{path.name}"] = row.id
    return Journey(folder, answers, names)


def _proposals(journey: Journey, planted: str) -> list[dict[str, Any]]:
    crop = journey.crop(planted)
    assert crop is not None
    return [line for line in journey.answers["clean"] if line["id"] == crop.id]


def test_collecting_keeps_each_picture_once_with_its_origin(journey: Journey) -> None:
    """The byte-equal copy is refused by name; every other photo is kept with purpose and licence."""
    outcomes = journey.answers["collect"][-1]["outcomes"]
    rows = journey.manifest("photos/manifest.jsonl")
    assert outcomes == {"kept": 21, "DuplicatePicture": 1} and len(rows) == 21
    assert {(row.provenance.purpose, row.provenance.licence) for row in rows} == {
        ("a test", "public domain")
    }
    assert (
        sum(name in journey.names for name in ("Obama/exact.jpg", "Obama/obama_2012_portrait_0.jpg")) == 1
    )


def test_only_the_picture_without_a_face_is_undetected(journey: Journey) -> None:
    """Every photo with a face gives a crop, also the turned one; undetected.txt holds the other."""
    [answer] = journey.answers["extract"]
    assert (answer["photos"], answer["faces"], answer["undetected"], answer["refused"]) == (21, 20, 1, 0)
    [faceless] = [
        row
        for row in journey.manifest("photos/manifest.jsonl")
        if row.id == journey.names["Biden/faceless.jpg"]
    ]
    assert (journey.folder / "crops/undetected.txt").read_text(encoding="utf-8") == faceless.path + "\n"
    assert journey.crop("Biden/turned.jpg") is not None


def test_wrong_faces_are_proposed_and_no_right_one(journey: Journey) -> None:
    """A stranger is to be removed, a face of the other folder moved there; nobody else is accused."""
    [stranger] = _proposals(journey, "Obama/wrong.jpg")
    assert (stranger["action"], stranger["reason"]) == ("remove", "wrong person")
    [misplaced] = _proposals(journey, "Obama/misplaced.jpg")
    assert (misplaced["action"], misplaced["to"]) == ("move", "Biden")
    accused = {line["id"] for line in journey.answers["clean"] if line["reason"] == "wrong person"}
    assert accused == {stranger["id"], misplaced["id"]}


def test_copies_are_proposed_and_one_of_them_stays(journey: Journey) -> None:
    """Of original, recompressed and mirrored copy two are to be removed; no different photo is."""
    copies = {"Obama/recompressed.jpg", "Obama/mirrored.jpg"}
    copies |= journey.names.keys() & {"Obama/obama_2012_portrait_0.jpg", "Obama/exact.jpg"}
    ids = {row.id for name in copies if (row := journey.crop(name)) is not None}
    duplicates = [line for line in journey.answers["clean"] if line["reason"].endswith("duplicate")]
    assert {line["action"] for line in duplicates} == {"remove"}
    assert len(ids) == 3 and len(duplicates) == 2 and {line["id"] for line in duplicates} < ids


def test_accepted_proposals_are_applied_and_nothing_else(journey: Journey) -> None:
    """Three of twenty rows go, one changes its subject, and the manifest before stays as it was."""
    before, after = journey.manifest("crops/manifest.jsonl"), journey.manifest("crops/reviewed.jsonl")
    assert Counter(row.subject for row in before if row.outcome == "ok") == {"Obama": 13, "Biden": 7}
    assert Counter(row.subject for row in after if row.outcome == "ok") == {"Obama": 9, "Biden": 8}


def test_splits_share_no_photo_and_only_training_grows(journey: Journey) -> None:
    """Copies are of training pictures alone; validation and test are what the split made them."""
    split, grown = journey.manifest("crops/split.jsonl"), journey.manifest("crops/augmented.jsonl")
    sizes = Counter(row.split for row in split if row.outcome == "ok")
    assert sizes.total() == 17 and min(sizes[name] for name in ("train", "val", "test")) >= 2
    held = {row.id for row in split if row.split in ("val", "test")}
    assert held == {row.id for row in grown if row.split in ("val", "test")}
    copies = [row for row in grown if row.step == "augment"]
    training = {row.id for row in split if row.split == "train"}
    assert copies and {row.parent for row in copies} <= training
    samples = Counter(row.subject for row in grown if row.split == "train" for _ in range(row.repeats))
    assert samples == {"Obama": 18, "Biden": 18}
    assert images.load(journey.folder / "sheet.png").pixels.std() > 10


def test_copies_left_in_stay_in_one_split(journey: Journey) -> None:
    """Splitting what was not cleaned puts original, recompressed and mirrored copy into one split."""
    for seed in range(3):
        target = journey.folder / "crops" / f"uncleaned-{seed}.jsonl"
        _run("split", journey.folder / "crops", "60/20/20", "--seed", str(seed), "--out", target)
        rows = {row.id: row for row in Manifest.load(target)}
        names = {"Obama/recompressed.jpg", "Obama/mirrored.jpg"}
        names |= journey.names.keys() & {"Obama/obama_2012_portrait_0.jpg", "Obama/exact.jpg"}
        assert len({rows[crop.id].split for name in names if (crop := journey.crop(name))}) == 1


def test_the_audit_passes_what_does_not_leak(journey: Journey) -> None:
    """No leak, no missing file, and the page is written."""
    [answer] = journey.answers["audit"]
    assert answer["leaks"] == [] and answer["missing"] == [] and answer["near_checked"]
    assert "<html" in (journey.folder / "audit.html").read_text(encoding="utf-8")


def _moved(row: ManifestRow, folder: Path) -> ManifestRow:
    return replace(row, split="test")


def _resaved(row: ManifestRow, folder: Path) -> ManifestRow:
    images.save(folder / "leaked.jpg", images.load(folder / row.path).pixels, quality=60)
    digest = sha256_of(folder / "leaked.jpg")
    return replace(
        row, id=row_id(digest, "leaked.jpg"), path="leaked.jpg", sha256=digest, split="test", parent=None
    )


@pytest.mark.parametrize(
    ("spoil", "step", "kind"),
    [(_moved, "augment", "augmented"), (_resaved, "extract", "near_duplicate")],
    ids=["augmented copy", "training photo saved anew"],
)
def test_a_planted_leak_fails_the_audit(
    journey: Journey, spoil: Callable[[ManifestRow, Path], ManifestRow], step: str, kind: str
) -> None:
    """An augmented copy in test, or a training picture again in test under new bytes: exit status 1."""
    manifest = journey.manifest("crops/augmented.jsonl")
    row = next(row for row in manifest if row.split == "train" and row.step == step)
    new = spoil(row, manifest.folder)
    rows = {other.id: other for other in manifest} | {new.id: new}
    path = manifest.folder / f"leaky-{kind}.jsonl"
    manifest.with_rows(rows.values(), step="leak").save(path)
    page = journey.folder / f"{kind}.html"
    [answer] = _run("audit", path, "--out", page, "--no-experiment", status=1)
    assert kind in {leak["kind"] for leak in answer["leaks"]}
