"""A threshold from one's own people: chosen on some, measured on others, kept with where it came from."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lineament.errors import ConfigError, InsufficientData, ModelMismatch
from lineament.evaluation.calibration import SAME_DATA, Plan, calibrate, choose, held_out_rows
from lineament.evaluation.capture import Captures
from lineament.evaluation.enough_people import explained_for_both
from lineament.evaluation.people import LabelledPictures
from lineament.io import calibration_file
from lineament.io.calibration_file import Calibration
from lineament.scoring import operating_points, similarity, verification
from lineament.types import ModelId

MODEL = ModelId("mine", "ab" * 32)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[LabelledPictures, Captures]:
    """200 people of 4 pictures (empty files: only their bytes count here), 3 failures to acquire."""
    folder = tmp_path_factory.mktemp("people")
    rng = np.random.default_rng(0)
    owner = np.repeat(np.arange(200), 4)
    vectors = rng.normal(size=(200, 24))[owner] + 0.55 * rng.normal(size=(800, 24))
    vectors = similarity.normalise(vectors.astype(np.float32))
    vectors[[5, 90, 300]] = np.nan
    names = [f"p{o:03d}/{k % 4}.jpg" for k, o in enumerate(owner)]
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(name.encode())
    people = LabelledPictures(
        pictures=tuple(folder / name for name in names),
        names=tuple(names),
        subjects=tuple(f"p{o:03d}" for o in owner),
        boxes=(None,) * 800,
        title="mine",
    )
    return people, Captures(vectors, (), MODEL)


def test_threshold_is_chosen_on_some_people_and_measured_on_others(
    data: tuple[LabelledPictures, Captures],
) -> None:
    """Nobody is on both sides, and the rates are those of the held-out people at that threshold."""
    people, captures = data
    found = calibrate(people, captures, Plan(1e-2))
    out = held_out_rows(people.subjects, 0.3, 0)
    names = np.array(people.subjects)
    assert not set(names[out]) & set(names[~out])
    assert len(set(names[out])) == 60
    [want] = operating_points.from_samples(captures.embeddings[~out], names[~out], (1e-2,))
    assert found.threshold.value == want.threshold
    i, j = np.triu_indices(int(out.sum()), 1)
    scores = similarity.paired(captures.embeddings[out][i], captures.embeddings[out][j])
    same = names[out][i] == names[out][j]
    measured = found.record["measured"]
    assert measured["fnmr"]["value"] == verification.fnmr(scores[same], want.threshold)
    assert measured["fmr"]["value"] == pytest.approx(
        verification.fmr(scores[~same], want.threshold), abs=1e-4
    )
    assert (measured["fnmr"]["n"], measured["subjects"]) == (same.sum(), 60)
    assert not found.record["same_data"]


def test_changing_the_held_out_people_leaves_the_threshold_as_it_was(
    data: tuple[LabelledPictures, Captures],
) -> None:
    """The threshold never sees them."""
    people, captures = data
    out = held_out_rows(people.subjects, 0.3, 0)
    changed = captures.embeddings.copy()
    changed[out] = changed[out][::-1]
    before = calibrate(people, captures, Plan(1e-2))
    after = calibrate(people, replace(captures, embeddings=changed), Plan(1e-2))
    assert after.threshold.value == before.threshold.value
    assert after.record["measured"] != before.record["measured"]


def test_without_a_part_held_out_the_record_says_so_in_capitals(
    data: tuple[LabelledPictures, Captures],
) -> None:
    """Chosen and measured on the same people: allowed, and told."""
    found = calibrate(*data, Plan(1e-2, hold_out=0))
    assert found.record["same_data"]
    assert found.record["chosen_and_measured"] == SAME_DATA
    assert found.record["probability_check"]["checked_on"] == SAME_DATA
    assert found.threshold.subjects == 200


def test_calibrate_chooses_what_the_cards_were_made_with(data: tuple[LabelledPictures, Captures]) -> None:
    """`choose`, which benchmarks/thresholds.py prints the cards from, gives calibrate's threshold."""
    people, captures = data
    whole = calibrate(people, captures, Plan(1e-2, hold_out=0)).threshold
    [(card, _)] = choose(captures.embeddings, people.subjects, (1e-2,), MODEL, whole.measured_on)
    assert card == whole


def test_a_target_that_the_comparisons_cannot_support_is_refused(
    data: tuple[LabelledPictures, Captures],
) -> None:
    """140 people of 4 pictures make 155,680 comparisons: not enough for 1e-4; searches run out sooner."""
    with pytest.raises(InsufficientData, match=r"FMR 0\.0001 needs 300,000 .* you have 155,680"):
        calibrate(*data, Plan(1e-4))
    with pytest.raises(InsufficientData, match=r"FPIR 0\.01 needs 3,000 non-mated searches, you have 280"):
        calibrate(*data, Plan(1e-2, "FPIR"))


def test_a_rate_that_the_held_out_people_cannot_support_is_bounded_not_printed(
    data: tuple[LabelledPictures, Captures],
) -> None:
    """60 people make 28,320 comparisons: FMR 1e-3 is null there, with what it needs and an upper bound."""
    measured = calibrate(*data, Plan(1e-3)).record["measured"]
    assert measured["fmr"] is None
    assert measured["unsupported"]["fmr"].startswith(
        "FMR 0.001 needs 30,000 non-mated comparisons, you have 28,"
    )
    assert 0 < measured["at_most"]["fmr"] < 0.05


def test_too_few_people_are_refused_whatever_the_number_of_pictures() -> None:
    """20 people of 40 pictures make 304,000 comparisons, but say next to nothing about other people."""
    rng = np.random.default_rng(1)
    owner = np.repeat(np.arange(20), 40)
    vectors = similarity.normalise(rng.normal(size=(800, 16)).astype(np.float32))
    with pytest.raises(InsufficientData, match="needs 30 people to choose it on, you have 20"):
        choose(vectors, owner, (1e-2,), MODEL, "few")


def test_a_probability_is_refused_with_too_few_people(data: tuple[LabelledPictures, Captures]) -> None:
    """With a tenth of 200 people held out there are 20 to check it on: no curve, and the reason."""
    found = calibrate(*data, Plan(1e-2, hold_out=0.1))
    assert found.probability is None
    assert "needs 30 people with several pictures" in found.record["probability_check"]["refused"]


@pytest.mark.parametrize("method", ["logistic", "isotonic"])
def test_probability_is_checked_on_people_it_was_not_fitted_to(
    data: tuple[LabelledPictures, Captures], method: str
) -> None:
    """Expected calibration error and Brier score come from the held-out people."""
    people, captures = data
    found = calibrate(people, captures, Plan(1e-2, method=method))  # type: ignore[arg-type]
    check = found.record["probability_check"]
    assert check["expected_calibration_error"] < 0.05
    assert check["brier"] < 0.1
    out = held_out_rows(people.subjects, 0.3, 0)
    shuffled = captures.embeddings.copy()
    shuffled[out] = shuffled[out][np.random.default_rng(2).permutation(int(out.sum()))]
    again = calibrate(people, replace(captures, embeddings=shuffled), Plan(1e-2, method=method))  # type: ignore[arg-type]
    assert found.probability is not None
    assert again.probability is not None
    x = np.linspace(-1, 1, 20)
    np.testing.assert_array_equal(again.probability(x), found.probability(x))
    assert (
        again.record["probability_check"]["expected_calibration_error"]
        > check["expected_calibration_error"]
    )


def test_a_threshold_for_searches_knows_the_gallery_it_was_measured_for(
    data: tuple[LabelledPictures, Captures],
) -> None:
    """FPIR: the strangers that chose it and those that measured it are different people."""
    people, captures = data
    found = calibrate(people, captures, Plan(0.1, "FPIR", hold_back=150, hold_out=0.2))
    assert (found.threshold.kind, found.threshold.enrolled) == ("FPIR", 50)
    assert found.threshold.rate <= 0.1
    assert (found.record["chosen_on"]["subjects"], found.record["measured"]["subjects"]) == (120, 30)
    assert found.record["measured"]["fnir"]["n"] == 150


def test_the_data_digest_follows_pictures_names_and_people(
    data: tuple[LabelledPictures, Captures], tmp_path: Path
) -> None:
    """Other bytes, another name or another person give another digest; another order does not."""
    people, _ = data
    first = people[:8]
    assert first.digest() == people[list(range(8))[::-1]].digest()
    moved = replace(first, subjects=("p001", *first.subjects[1:]))
    other = tmp_path / "x.jpg"
    other.write_bytes(b"other")
    changed = replace(first, pictures=(other, *first.pictures[1:]))
    assert len({first.digest(), moved.digest(), changed.digest()}) == 3


def test_a_calibration_file_gives_back_what_was_written(
    data: tuple[LabelledPictures, Captures], tmp_path: Path
) -> None:
    """Threshold, curve and record, with the model's whole digest and the data's."""
    found = calibrate(*data, Plan(1e-2), {"detector": "d", "embedder": "e", "precision": "exact"})
    calibration_file.save(tmp_path / "deep" / "t.json", found)
    again = calibration_file.load(tmp_path / "deep" / "t.json")
    assert again.threshold == found.threshold
    assert again.threshold.model == MODEL
    assert again.threshold.measured_on.endswith("d + e, exact")
    assert again.record["data"]["sha256"] == data[0].digest()
    assert again.probability is not None
    with pytest.raises(ModelMismatch):
        again.threshold.model.require(ModelId("mine", "cd" * 32))


@pytest.mark.parametrize(
    "damage",
    [
        lambda v: v.pop("threshold"),
        lambda v: v.update(lineament_calibration=99),
        lambda v: v["threshold"].update(value="0.4"),
        lambda v: v["threshold"].update(value=float("nan")),
        lambda v: v["threshold"].update(value=True),
        lambda v: v["threshold"].update(kind="XYZ"),
        lambda v: v["threshold"]["interval"].pop("low"),
        lambda v: v["probability"].update(method="magic"),
        lambda v: v.update(record=None),
    ],
)
def test_a_damaged_calibration_file_is_refused_by_name(
    data: tuple[LabelledPictures, Captures], tmp_path: Path, damage: object
) -> None:
    """Missing or ill-typed values never become a decision."""
    path = tmp_path / "t.json"
    calibration_file.save(path, calibrate(*data, Plan(1e-2)))
    values = json.loads(path.read_text())
    damage(values)  # type: ignore[operator]
    path.write_text(json.dumps(values))
    with pytest.raises(ConfigError):
        calibration_file.load(path)


def test_what_is_no_calibration_file_is_refused(tmp_path: Path) -> None:
    """Missing, not JSON, JSON of something else."""
    for text in (None, "hello", "[]", "{}", "[" * 100_000):
        path = tmp_path / "t.json"
        if text is not None:
            path.write_text(text)
        with pytest.raises(ConfigError):
            calibration_file.load(path)


def test_a_calibration_without_a_curve_is_one_too(
    data: tuple[LabelledPictures, Captures], tmp_path: Path
) -> None:
    """The probability may be left out."""
    found = calibrate(*data, Plan(1e-2, method=None))
    assert isinstance(found, Calibration)
    calibration_file.save(tmp_path / "t.json", found)
    assert calibration_file.load(tmp_path / "t.json").probability is None


def _few(people: int, photos: int) -> tuple[LabelledPictures, Captures]:
    """So many people with so many photos each, all of them seen."""
    names = [f"person {i}" for i in range(people) for _ in range(photos)]
    paths = tuple(Path(f"{name}-{i}.jpg") for i, name in enumerate(names))
    vectors = similarity.normalise(
        np.random.default_rng(7).normal(size=(len(names), 128)).astype(np.float32)
    )
    boxes = (None,) * len(names)
    labelled = LabelledPictures(paths, tuple(map(str, paths)), tuple(names), boxes, "few")
    return labelled, Captures(vectors, (), MODEL)


@pytest.mark.parametrize(
    ("people", "photos", "plan", "said"),
    [
        (6, 4, Plan(1e-2), "you have 4: of 6 people with photos, 2 are held out .*0.3.*, 4 are left"),
        (6, 4, Plan(0.05, "FPIR"), "you have 2: of 6 .*, 3 are kept out .*, 1 is held out .*, 2 are left"),
        (20, 3, Plan(0.1, hold_out=0.0), "you have 20: of 20 people with photos, 20 are left"),
        (
            50,
            2,
            Plan(1e-3),
            "needs 30,000 non-mated comparisons, .*: of 50 people with photos, 15 are held",
        ),
        (40, 2, Plan(0.1, "FPIR", hold_back=10), "you have 7: .* 10 are kept out .*hold back more"),
        (90, 2, Plan(0.01, "FPIR"), "needs 3,000 non-mated searches, .*: of 90 people"),
    ],
)
def test_a_refusal_tells_the_arithmetic_and_numbers_that_are_enough(
    people: int, photos: int, plan: Plan, said: str
) -> None:
    """Who is held out and kept back is counted down to what is left; so many people with so many photos as
    it asks for are enough, and one person fewer is not."""
    with pytest.raises(InsufficientData, match=said) as refused:
        calibrate(*_few(people, photos), plan)
    wanted = re.search(r"bring ([\d,]+) people with (\d+) photos", str(refused.value))
    if wanted is None:
        return
    count, each = int(wanted[1].replace(",", "")), int(wanted[2])
    calibrate(*_few(count, each), replace(plan, method=None))
    with pytest.raises(InsufficientData):
        calibrate(*_few(count - 1, each), replace(plan, method=None))


@pytest.mark.parametrize(("hold_out", "wanted"), [(0.3, 100), (0.5, 60), (0.8, 150), (0.0, 30)])
def test_a_refused_probability_tells_how_many_people_it_takes(hold_out: float, wanted: int) -> None:
    """So many people with two photos each have `FEWEST` in both parts."""
    plan = Plan(0.1, hold_out=hold_out)
    told = calibrate(*_few(120, 2), replace(plan, hold_out=0.1)).record["probability_check"]["refused"]
    assert "120 of 120 people have several" in told and "bring 300" in told
    assert f"bring {wanted}" in explained_for_both(["a"], hold_out)
    enough = calibrate(*_few(wanted, 2), plan)
    assert enough.probability is not None
