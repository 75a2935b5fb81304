"""The 1:1 protocol on pictures: every picture once, every failure counted."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from lineament.analyzer import Analyzer
from lineament.errors import InsufficientData, UsageError
from lineament.evaluation import verification
from lineament.evaluation.capture import Captures, Failure, rate_key
from lineament.evaluation.pairs import PairList, read_pairs
from lineament.registry import detectors
from lineament.types import Faces, Image, ModelId

SAMPLES = Path(__file__).parents[2] / "samples"
MODEL = ModelId("test", "0" * 64)


def _pairs(tmp_path: Path, rows: Sequence[tuple[int, str, str, int]]) -> PairList:
    path = tmp_path / "pairs.csv"
    path.write_text("fold,image1,image2,same\n" + "".join(f"{f},{a},{b},{s}\n" for f, a, b, s in rows))
    return read_pairs(path)


ROWS = [
    (1, "obama_2012_portrait.jpg", "obama_2010_white_house.jpg", 1),
    (1, "obama_2012_portrait.jpg", "biden_2013_portrait.jpg", 0),
    (2, "biden_2013_portrait.jpg", "biden_2010_white_house.jpg", 1),
    (2, "obama_2010_white_house.jpg", "collins_nasa.png", 0),
]


class CountingDetector:
    """A real detector that remembers which pictures it was given."""

    gives_landmarks = True

    def __init__(self) -> None:
        self._detector = detectors.create("yunet")
        self.seen: list[str] = []

    def detect(self, images: Sequence[Image]) -> list[Faces]:
        self.seen += [image.source for image in images]
        return self._detector.detect(images)


def test_sample_photos_are_told_apart_and_each_is_analysed_once(tmp_path: Path) -> None:
    """Real photos through the real pipeline: no error, and no picture is analysed twice."""
    detector = CountingDetector()
    with Analyzer(detector, quality=False, workers=1) as analyzer:
        found = verification.evaluate(_pairs(tmp_path, ROWS), SAMPLES, analyzer).to_json()
    assert sorted(detector.seen) == sorted({str(SAMPLES / name) for row in ROWS for name in row[1:3]})
    assert found["pairs"] == 4
    assert found["failures_to_acquire"] == 0
    assert (found["accuracy"]["value"], found["auc"], found["eer"]["value"]) == (1.0, 1.0, 0.0)
    assert set(found["fnmr_at_fmr"]) == {"1e-2", "1e-3"}
    assert found["model"].startswith("light@")


def test_missing_damaged_and_faceless_pictures_are_failures_to_acquire(tmp_path: Path) -> None:
    """Each is counted and named with its reason; its pairs are errors in the accuracy."""
    for row in ROWS:
        for name in row[1:3]:
            shutil.copy(SAMPLES / name, tmp_path / name)
    (tmp_path / "obama_2010_white_house.jpg").unlink()
    (tmp_path / "collins_nasa.png").write_text("not a picture")
    with Analyzer(quality=False, workers=1) as analyzer:
        report = verification.evaluate(_pairs(tmp_path, ROWS), tmp_path, analyzer)
    found = report.to_json()
    assert {f["type"] for f in found["failures"]} == {"PictureNotFound", "UnsupportedFormat"}
    assert found["failures_to_acquire"] == 2
    assert found["pairs_with_failures"] == 2
    assert found["accuracy"]["value"] == 0.5
    # 1 of 2 mated pairs failed: a non-match at any threshold. The failed non-mated pair is rejected.
    assert found["fnmr_at_fmr"]["1e-2"]["value"] == 0.5
    assert report.roc.fmr.max() == 0.5


def test_nothing_to_compare_is_refused(tmp_path: Path) -> None:
    """No folder, none of the pictures, only one kind of pair."""
    listed = _pairs(tmp_path, ROWS)
    with Analyzer(quality=False, workers=1) as analyzer:
        with pytest.raises(UsageError, match="no folder of images"):
            verification.evaluate(listed, tmp_path / "none", analyzer)
        with pytest.raises(UsageError, match="none of the 5 pictures"):
            verification.evaluate(listed, tmp_path, analyzer)
        with pytest.raises(InsufficientData, match="only mated ones"):
            verification.evaluate(_pairs(tmp_path, [ROWS[0], ROWS[2]]), SAMPLES, analyzer)


def _synthetic(tmp_path: Path, folds: int = 4) -> tuple[PairList, Captures]:
    """60 people of 3 photos; pairs in folds; noisy embeddings, two of them failures to acquire."""
    rng = np.random.default_rng(0)
    rows = []
    for k in range(240):
        a, b = rng.choice(60, 2, replace=False)
        i, j = rng.choice(3, 2, replace=False)
        same = k % 2
        rows.append((k % folds + 1, f"p{a}/{i}.jpg", f"p{a if same else b}/{j}.jpg", same))
    listed = _pairs(tmp_path, rows)
    centres = rng.normal(size=(60, 24))
    vectors = centres[listed.subjects] + 0.9 * rng.normal(size=(len(listed.pictures), 24))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[[3, 50]] = np.nan
    failures = tuple(Failure(listed.pictures[i], "NoFaceFound", "", False) for i in (3, 50))
    return listed, Captures(vectors.astype(np.float32), failures, MODEL)


def test_rates_at_a_target_follow_from_the_listed_pairs_alone(tmp_path: Path) -> None:
    """FNMR at FMR 1e-2, counted by hand, with failures as non-matches."""
    listed, captures = _synthetic(tmp_path)
    report = verification.score(listed, captures)
    rows = captures.embeddings
    scores = np.array([rows[a] @ rows[b] for a, b in zip(listed.first, listed.second, strict=True)])
    scores[np.isnan(scores)] = -np.inf
    threshold = np.sort(scores[~listed.same])[::-1][1]  # floor(0.01 * 120) = 1 may match
    want = np.mean(scores[listed.same] <= threshold)
    assert report.to_json()["fnmr_at_fmr"]["1e-2"]["value"] == want
    point = report.to_json()["operating_points"]["1e-2"]
    assert (point["supported"], point["needs"], point["has"]) == (False, 3000, 120)
    assert point["fnmr"]["low"] <= want <= point["fnmr"]["high"]


def test_all_comparisons_hold_only_supported_rates(tmp_path: Path) -> None:
    """150 or so pictures make some 10,000 comparisons: enough for 1e-2 (3,000), not for 1e-3 (30,000)."""
    report = verification.score(*_synthetic(tmp_path))
    found = report.to_json()["all_comparisons"]
    assert list(found["fnmr_at_fmr"]) == list(found["operating_points"]) == ["1e-1", "1e-2"]
    assert list(found["unsupported"]) == ["1e-3", "1e-4", "1e-5", "1e-6"]
    assert found["unsupported"]["1e-3"].startswith("FMR 0.001 needs 30,000 non-mated comparisons, you have")


def test_a_single_fold_has_no_accuracy_but_all_the_rest(tmp_path: Path) -> None:
    """Accuracy is null; rates do not need folds."""
    found = verification.score(*_synthetic(tmp_path, folds=1)).to_json()
    assert found["accuracy"] is None
    assert found["accuracy_se"] is None
    assert 0 < found["eer"]["low"] < found["eer"]["value"] < found["eer"]["high"] < 0.5


@pytest.mark.parametrize(
    ("rate", "key"), [(1e-2, "1e-2"), (3e-3, "3e-3"), (0.1, "1e-1"), (2.5e-4, "2.5e-4"), (1e-10, "1e-10")]
)
def test_rates_as_keys(rate: float, key: str) -> None:
    """0.01 is written 1e-2, as the output promises."""
    assert rate_key(rate) == key
