"""All comparisons of a folder or manifest: what is supported is printed, everything is accounted for."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PictureFile

from lineament.analyzer import Analyzer
from lineament.embedders._mirrored import Mirrored
from lineament.errors import ConfigError, InsufficientData, UsageError
from lineament.evaluation import all_comparisons, templates, verification
from lineament.evaluation.capture import Captures, capture, rate_key
from lineament.evaluation.people import LabelledPictures, open_people
from lineament.io.manifest import Manifest, ManifestRow
from lineament.scoring import similarity
from lineament.scoring.templates import fuse
from lineament.types import Interval, ModelId, Threshold

SAMPLES = Path(__file__).parents[2] / "samples"
MODEL = ModelId("test", "0" * 64)


@pytest.fixture(scope="module")
def analyzer() -> Analyzer:
    return Analyzer(quality=False, workers=1)


def synthetic(people: int, each: int, failing: tuple[int, ...] = ()) -> tuple[LabelledPictures, Captures]:
    rng = np.random.default_rng(0)
    owner = np.repeat(np.arange(people), each)
    vectors = rng.normal(size=(people, 24))[owner] + 0.6 * rng.normal(size=(len(owner), 24))
    vectors = similarity.normalise(vectors.astype(np.float32))
    vectors[list(failing)] = np.nan
    paths = tuple(Path(f"{o}/{k}.jpg") for k, o in enumerate(owner))
    names = tuple(path.as_posix() for path in paths)
    labelled = LabelledPictures(paths, names, tuple(map(str, owner)), (None,) * len(owner), "synthetic")
    return labelled, Captures(vectors, (), MODEL)


def test_every_rate_that_the_comparisons_support_and_the_needs_of_all_others() -> None:
    """79,600 non-mated comparisons carry FMR 1e-1 to 1e-3 (30,000), and not 1e-4 (300,000)."""
    found = all_comparisons.score(*synthetic(200, 2)).to_json()
    assert found["non_mated_comparisons"] == 79_600
    assert list(found["fnmr_at_fmr"]) == ["1e-1", "1e-2", "1e-3"]
    assert list(found["unsupported"]) == ["1e-4", "1e-5", "1e-6"]
    assert found["unsupported"]["1e-4"] == "FMR 0.0001 needs 300,000 non-mated comparisons, you have 79,600"
    for rate in found["fnmr_at_fmr"].values():
        assert set(rate) == {"value", "low", "high", "n"}
        assert rate["low"] <= rate["value"] <= rate["high"]
        assert rate["n"] == found["mated_comparisons"] == 200
    assert set(found["eer"]) == {"value", "low", "high", "n"}
    assert sum(found["histogram"]["non_mated"]) == 79_600


def test_the_output_says_that_threshold_and_rates_are_of_the_same_comparisons() -> None:
    """Unless it was chosen elsewhere: then both rates stand beside it."""
    people, captures = synthetic(100, 2)
    plain = all_comparisons.score(people, captures).to_json()
    assert plain["thresholds_chosen_on"] == "the thresholds were chosen on these very comparisons"
    assert plain["at_other_threshold"] is None
    other = Threshold(0.4, MODEL, 1e-2, "elsewhere", 0.01, Interval(0, 1), 10, 5)
    found = all_comparisons.score(people, captures, threshold=other).to_json()["at_other_threshold"]
    i, j = np.triu_indices(200, 1)
    scores = similarity.paired(captures.embeddings[i], captures.embeddings[j])
    same = np.array(people.subjects)[i] == np.array(people.subjects)[j]
    assert found["fmr"]["value"] == np.mean(scores[~same] >= 0.4)
    assert found["fnmr"]["value"] == np.mean(scores[same] < 0.4)


def test_counts_by_person_add_up_to_every_false_non_match_rate() -> None:
    """Also at a threshold from elsewhere: what `evaluate compare` pairs is what the figure says."""
    people, captures = synthetic(100, 2)
    other = Threshold(0.4, MODEL, 1e-2, "elsewhere", 0.01, Interval(0, 1), 10, 5)
    report = all_comparisons.score(people, captures, threshold=other)
    kept = report.clusters()
    rates = {f"fnmr_at_fmr.{rate_key(point.target_rate)}": point.fnmr.rate for point in report.points}
    assert report.elsewhere is not None
    rates["at_other_threshold.fnmr"] = report.elsewhere.fnmr
    assert set(kept) == set(rates)
    for name, rate in rates.items():
        wrong, whole = np.array(list(kept[name].values())).sum(axis=0)
        assert (wrong, whole) == (pytest.approx(rate.value * rate.n), rate.n)


def test_failures_to_acquire_count_as_non_matches() -> None:
    """Five failed pictures of five people: each misses its mate, and every comparison stays counted."""
    whole = all_comparisons.score(*synthetic(100, 2)).to_json()
    found = all_comparisons.score(*synthetic(100, 2, failing=(0, 2, 4, 6, 8))).to_json()
    assert found["non_mated_comparisons"] == whole["non_mated_comparisons"]
    assert found["fnmr_at_fmr"]["1e-1"]["n"] == 100
    assert found["fnmr_at_fmr"]["1e-1"]["value"] >= whole["fnmr_at_fmr"]["1e-1"]["value"] + 0.04


def test_people_with_one_picture_each_have_no_false_non_match_rate() -> None:
    """Refused by name."""
    with pytest.raises(InsufficientData, match="two samples"):
        all_comparisons.score(*synthetic(50, 1))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "people"
    for path in SAMPLES.iterdir():
        if path.suffix != ".md":
            (root / path.name.split("_")[0]).mkdir(parents=True, exist_ok=True)
            shutil.copy(path, root / path.name.split("_")[0] / path.name)
    (root / "nobody").mkdir()
    (root / "loose.jpg").write_bytes(b"x")
    (root / "notes.txt").write_text("x")
    return root


def test_what_a_folder_holds_besides_is_counted(folder: Path, analyzer: Analyzer) -> None:
    """An empty person, a picture without a person, a file that is none, a picture without a face."""
    (folder / "obama" / "broken.jpg").write_bytes(b"no picture")
    people = open_people(folder)
    found = all_comparisons.evaluate(people, analyzer).to_json()
    assert found["people_without_pictures"] == 1
    assert found["pictures_without_person"] == 1
    assert found["files_left_out"] == 1
    assert found["pictures"] == 7
    assert [f["type"] for f in found["failures"]] == ["UnsupportedFormat"]
    assert found["fnmr_at_fmr"] == {}
    assert found["unsupported"]["1e-1"].startswith("FMR 0.1 needs 300 non-mated comparisons, you have ")


def test_a_manifest_says_which_face_and_which_split(tmp_path: Path, analyzer: Analyzer) -> None:
    """Two rows of one group photo are two people, told apart by their boxes; other rows are counted."""
    group = PictureFile.new("RGB", (800, 500))
    for k, name in enumerate(("obama_2012_portrait.jpg", "biden_2013_portrait.jpg")):
        with PictureFile.open(SAMPLES / name) as portrait:
            group.paste(portrait.convert("RGB").resize((400, 500)), (400 * k, 0))
    group.save(tmp_path / "group.png")
    shutil.copy(SAMPLES / "obama_2012_portrait.jpg", tmp_path)
    [outcome] = analyzer.analyze([str(tmp_path / "group.png")])
    assert len(outcome.faces) == 2
    first, second = (tuple(float(v) for v in outcome.faces.boxes[k]) for k in (0, 1))
    rows = [
        ManifestRow("a", "group.png", "0", subject="a", split="test", box=first),
        ManifestRow("b", "group.png", "0", subject="b", split="test", box=second),
        ManifestRow("c", "group.png", "0", subject="c", split="test", box=(0.0, 0.0, 3.0, 3.0)),
        ManifestRow("d", "obama_2012_portrait.jpg", "0", subject="d", split="train"),
        ManifestRow("e", "obama_2012_portrait.jpg", "0", split="test"),
        ManifestRow("f", "obama_2012_portrait.jpg", "0", subject="f", split="test", outcome="no_face"),
    ]
    Manifest(tuple(rows)).save(tmp_path / "manifest.jsonl")
    people = open_people(tmp_path, "test")
    assert people.subjects == ("a", "b", "c")
    assert (people.elsewhere, people.loose, people.unusable) == (1, 1, 1)
    found = capture(analyzer, people.pictures, None, people.boxes)
    for row in (0, 1):
        np.testing.assert_array_equal(found.embeddings[row], outcome.faces[row].embedding.vector)
    assert [f.type for f in found.failures] == ["NoFaceFound"]
    with pytest.raises(UsageError, match="splits: test, train"):
        open_people(tmp_path, "val")


def test_mirrored_embeddings_are_another_system(analyzer: Analyzer) -> None:
    """The sum with the mirror image: symmetric under mirroring, and under another model's name."""
    assert analyzer.embedder is not None
    mirrored = Mirrored(analyzer.embedder)
    crops = np.random.default_rng(0).integers(0, 255, (2, 112, 112, 3), np.uint8)
    both = mirrored.embed(crops)
    np.testing.assert_allclose(mirrored.embed(np.ascontiguousarray(crops[:, :, ::-1])), both, atol=1e-3)
    want = analyzer.embedder.embed(crops) + analyzer.embedder.embed(np.ascontiguousarray(crops[:, :, ::-1]))
    np.testing.assert_allclose(both, want, atol=1e-3)
    assert mirrored.model != analyzer.embedder.model


def test_templates_are_means_of_unit_embeddings() -> None:
    """Failed pictures are left out; a template of failures alone is one."""
    rows = similarity.normalise(np.random.default_rng(1).normal(size=(4, 8)).astype(np.float32))
    rows[3] = np.nan
    found = fuse(rows, [(0, 1), (2, 3), (3,)])
    mean = rows[0] + rows[1]
    np.testing.assert_allclose(found[0], mean / np.linalg.norm(mean), rtol=1e-6)
    np.testing.assert_allclose(found[1], rows[2], rtol=1e-6)
    assert np.isnan(found[2]).all()


def test_frames_of_one_medium_are_averaged_first() -> None:
    """Three frames of one video and a photo: the photo weighs one half, not a quarter; failed frames go."""
    rows = similarity.normalise(np.random.default_rng(2).normal(size=(5, 8)).astype(np.float32))
    rows[4] = np.nan
    found = fuse(rows, [(0, 1, 2, 3, 4)], [(7, 7, 7, 9, 7)])
    mean = rows[:3].mean(axis=0) + rows[3]
    np.testing.assert_allclose(found[0], mean / np.linalg.norm(mean), rtol=1e-6)
    flat = fuse(rows, [(0, 1, 2, 3, 4)])
    assert not np.allclose(found, flat, atol=1e-3)
    alone = fuse(rows, [(0, 1, 2, 3)], [(0, 1, 2, 3)])
    np.testing.assert_allclose(alone, flat, rtol=1e-6)


def test_the_media_column_says_which_pictures_are_of_one_medium(tmp_path: Path) -> None:
    """Equal names within a template are one medium; a blank, or another template, is one of its own."""
    (tmp_path / "t.csv").write_text(
        "template_id,subject,file,media\n1,ann,a.jpg,v\n1,ann,b.jpg,v\n1,ann,c.jpg,\n1,ann,d.jpg,\n"
        "2,bob,e.jpg,v\n"
    )
    ((first, again, third, fourth), (other,)) = templates.read_templates(tmp_path / "t.csv").media
    assert first == again
    assert len({first, third, fourth, other}) == 4


TEMPLATES = """template_id,subject,file
1,obama,obama_2012_portrait.jpg
1,obama,gone.jpg
2,obama,obama_2010_white_house.jpg
3,biden,biden_2013_portrait.jpg
4,biden,biden_2010_white_house.jpg
"""


def test_template_pairs_are_compared_template_by_template(tmp_path: Path, analyzer: Analyzer) -> None:
    """IJB's layout: mated by subject, a picture that fails leaves its template, and is listed."""
    (tmp_path / "t.csv").write_text(TEMPLATES)
    (tmp_path / "p.csv").write_text("template1,template2\n1,2\n3,4\n1,3\n2,4\n")
    known = templates.read_templates(tmp_path / "t.csv")
    listed = templates.read_template_pairs(tmp_path / "p.csv", known)
    assert listed.same.tolist() == [True, True, False, False]
    captures = templates.capture_templates(known, SAMPLES, analyzer)
    report = verification.score(listed, captures)
    assert [f.type for f in captures.failures] == ["PictureNotFound"]
    assert report.pairs_with_failures == 0
    assert report.mated.min() > report.nonmated.max()
    assert report.to_json()["accuracy"] is None


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ("template_id,subject\n1,a\n", "", "missing: file"),
        (TEMPLATES + "1,biden,x.jpg\n", "", "line 7: template '1' is of 'obama' and 'biden'"),
        (TEMPLATES + "5,x,../x.jpg\n", "", "line 7: .* does not lie in the folder"),
        (TEMPLATES, "template1,template2\n1,9\n", "line 2: no template '9'"),
        (TEMPLATES, "template1,template2\n1,1\n", "line 2: compares a template with itself"),
        (TEMPLATES, "template1,template2,fold\n1,2,x\n", "line 2: expected a whole number"),
        (TEMPLATES, "template1,template2\n", "lists no pairs"),
    ],
)
def test_template_files_at_fault_are_refused_with_the_line(
    tmp_path: Path, first: str, second: str, message: str
) -> None:
    """Every refusal names the file and, where there is one, the line."""
    (tmp_path / "t.csv").write_text(first)
    (tmp_path / "p.csv").write_text(second)
    with pytest.raises(ConfigError, match=message):
        templates.read_template_pairs(tmp_path / "p.csv", templates.read_templates(tmp_path / "t.csv"))
