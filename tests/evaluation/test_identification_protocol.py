"""The 1:N protocol: a split that anybody can repeat, and every picture in exactly one place."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from lineament.analyzer import Analyzer
from lineament.errors import ConfigError, InsufficientData, UsageError
from lineament.evaluation import identification
from lineament.evaluation.capture import Captures, Failure
from lineament.evaluation.gallery_split import GallerySplit, split
from lineament.types import ModelId

SAMPLES = Path(__file__).parents[2] / "samples"
ROOT = Path("people")
MODEL = ModelId("test", "0" * 64)


def _people(*counts: int) -> list[tuple[str, list[str]]]:
    return [(f"p{i}", [str(ROOT / f"p{i}" / f"{k}.jpg") for k in range(n)]) for i, n in enumerate(counts)]


def _parts(found: GallerySplit) -> tuple[set[str], set[str], set[str]]:
    def names(rows: object) -> set[str]:
        return {found.pictures[i] for i in np.asarray(rows).ravel()}

    return names([i for rows in found.enrolled for i in rows]), names(found.mated), names(found.nonmated)


@pytest.mark.parametrize("gallery_photos", [1, 2])
def test_every_picture_is_in_exactly_one_part(gallery_photos: int) -> None:
    """Enrolled, mated and non-mated photos are disjoint and together are all photos."""
    people = _people(1, 2, 3, 5, 1, 4, 2, 8, 1, 3)
    found = split(people, ROOT, gallery_photos=gallery_photos)
    parts = _parts(found)
    everything = {photo for _, photos in people for photo in photos}
    assert set.union(*parts) == everything
    assert sum(len(p) for p in parts) == len(everything) == len(found.pictures)
    for rows, mate in zip(found.mated, found.mates, strict=True):
        person = Path(found.pictures[rows]).parent
        assert {Path(found.pictures[i]).parent for i in found.enrolled[mate]} == {person}


def test_nobody_held_back_is_enrolled() -> None:
    """The share held back is of people, and all their photos are non-mated probes."""
    found = split(_people(*[3] * 20), ROOT, hold_back=0.25)
    assert len(set(found.strangers)) == 5
    assert len(found.nonmated) == 15
    enrolled, mated, strangers = ({Path(p).parent for p in part} for part in _parts(found))
    assert not strangers & (enrolled | mated)
    assert len(found.enrolled) == 15


def test_the_split_follows_from_the_seed_and_the_names_alone() -> None:
    """The order people and photos come in changes nothing; another seed does."""
    people = _people(*[4] * 12)
    shuffled = [(name, photos[::-1]) for name, photos in people[::-1]]
    assert _parts(split(people, ROOT)) == _parts(split(shuffled, ROOT))
    assert _parts(split(people, ROOT)) != _parts(split(people, ROOT, seed=1))


def test_a_person_with_one_photo_is_enrolled_or_a_stranger() -> None:
    """One photo cannot be both enrolled and probe, so it is never a mated probe."""
    people = _people(*[1] * 8, 2, 2, 2, 2)
    _, mated, _ = _parts(split(people, ROOT))
    assert not {Path(p).parent.name for p in mated} & {f"p{i}" for i in range(8)}


def test_splits_that_cannot_be_made_are_refused() -> None:
    """Too few people, no probe left, shares out of range; empty folders are counted."""
    with pytest.raises(InsufficientData, match="2 people, you have 1"):
        split(_people(3, 0), ROOT)
    with pytest.raises(InsufficientData, match="no mated probe"):
        split(_people(1, 1, 1), ROOT)
    for share in (0.0, 1.0, -1.0, float("nan")):
        with pytest.raises(ConfigError):
            split(_people(3, 3), ROOT, hold_back=share)
    assert split(_people(3, 3, 0), ROOT).empty == 1


def _synthetic(people: int = 400, each: int = 4, noise: float = 0.25) -> tuple[GallerySplit, np.ndarray]:
    parts = split(_people(*[each] * people), ROOT, hold_back=0.5)
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(people, 32))
    owner = np.array([int(Path(p).parent.name[1:]) for p in parts.pictures])
    vectors = centres[owner] + noise * 4 * rng.normal(size=(len(owner), 32))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return parts, vectors.astype(np.float32)


def test_rates_are_those_counted_by_hand() -> None:
    """FPIR stays at or below its target, FNIR and rank-1 equal a plain loop over the searches."""
    parts, vectors = _synthetic()
    report = identification.score(parts, Captures(vectors, (), MODEL))
    gallery = vectors[[rows[0] for rows in parts.enrolled]]
    threshold = report.threshold
    assert threshold is not None
    assert (threshold.kind, threshold.target_rate) == ("FPIR", 0.1)
    false_positives = np.mean([(vectors[i] @ gallery.T >= threshold.value).any() for i in parts.nonmated])
    assert false_positives == report.points[0].fpir.value <= 0.1
    first = missed = 0
    for probe, mate in zip(parts.mated, parts.mates, strict=True):
        scores = vectors[probe] @ gallery.T
        won = int(scores.argmax()) == mate
        first += won
        missed += not (won and scores[mate] >= threshold.value)
    found = report.to_json()
    assert found["rank1"]["value"] == first / len(parts.mated)
    assert found["fnir_at_fpir"]["1e-1"]["value"] == missed / len(parts.mated)
    assert 0 < found["rank1"]["value"] < 1


def test_rates_the_strangers_cannot_support_are_null_with_a_reason() -> None:
    """800 non-mated searches carry 1e-1 but not 1e-2, 3e-3 or 1e-3."""
    parts, vectors = _synthetic()
    found = identification.score(parts, Captures(vectors, (), MODEL)).to_json()
    assert found["fnir_at_fpir"]["1e-1"] is not None
    assert [k for k, v in found["fnir_at_fpir"].items() if v is None] == ["1e-2", "3e-3", "1e-3"]
    assert found["unsupported"]["1e-2"] == "FPIR 0.01 needs 3,000 non-mated searches, you have 800"


def test_failures_are_misses_for_mated_probes_and_silence_for_strangers() -> None:
    """A failed photo for the gallery loses all its person's probes; a failed stranger returns nobody."""
    parts, vectors = _synthetic(noise=0.02)
    whole = identification.score(parts, Captures(vectors, (), MODEL)).to_json()
    assert whole["rank1"]["value"] == 1
    broken = vectors.copy()
    broken[parts.enrolled[0][0]] = np.nan
    broken[parts.nonmated[0]] = np.nan
    failures = (Failure("a", "NoFaceFound", "", False), Failure("b", "NoFaceFound", "", False))
    report = identification.score(parts, Captures(broken, failures, MODEL))
    found = report.to_json()
    assert found["mated_probes"] == whole["mated_probes"]
    assert found["rank1"]["value"] == pytest.approx(1 - 3 / whole["mated_probes"])
    assert (found["failures_to_enrol"], found["enrolled"]) == (1, whole["enrolled"] - 1)
    assert np.isneginf(report.nonmated_top).sum() == 1


def test_several_gallery_photos_are_fused_over_those_that_gave_a_face() -> None:
    """A template is the mean direction; one failed photo of two leaves the other."""
    parts = split(_people(3, 3, 3), ROOT, gallery_photos=2)
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(9, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    first, second = parts.enrolled[0]
    vectors[second] = np.nan
    vectors[parts.mated[0]] = vectors[first]
    report = identification.score(parts, Captures(vectors, (), MODEL))
    assert report.mated.mate[0] == pytest.approx(1)
    assert report.failures_to_enrol == 0


def test_sample_photos_in_folders(tmp_path: Path) -> None:
    """Real photos through the real pipeline: every file of the folder is accounted for."""
    for path in SAMPLES.iterdir():
        if path.suffix != ".md":
            person = tmp_path / path.name.split("_")[0]
            person.mkdir(exist_ok=True)
            shutil.copy(path, person / path.name)
    (tmp_path / "obama" / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    (tmp_path / "nobody").mkdir()
    shutil.copy(SAMPLES / "collins_nasa.png", tmp_path / "loose.png")
    (tmp_path / "notes.txt").write_text("x")
    with Analyzer(quality=False, workers=1) as analyzer:
        found = identification.evaluate(tmp_path, analyzer, hold_back=0.3).to_json()
    assert found["pictures"] == 7
    parts = len(found["failures"]), found["people_without_pictures"], found["pictures_without_person"]
    assert parts == (1, 1, 1)
    assert found["files_left_out"] == 1
    assert found["threshold"] is None
    assert found["at_other_threshold"]["threshold"]["target_rate"] == 1e-3
    assert found["enrolled"] + found["failures_to_enrol"] == 2
    with pytest.raises(UsageError), Analyzer(quality=False, workers=1) as analyzer:
        identification.evaluate(tmp_path / "none", analyzer)
