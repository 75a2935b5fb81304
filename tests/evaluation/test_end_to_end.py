"""End to end: every labelled face ends in one way, and the shares add up to one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from lineament.analyzer import Analyzer
from lineament.cli.main import app
from lineament.errors import ConfigError, InsufficientData, SplitError, UsageError
from lineament.evaluation.end_to_end import EndToEnd, evaluate, match
from lineament.evaluation.record import EvaluationRecord
from lineament.evaluation.trained_on import LeakCheck, require_unseen, runs_of
from lineament.geometry.crop_style import CropStyle
from lineament.io import images
from lineament.io.digests import sha256_of
from lineament.io.manifest import Box, Manifest, ManifestRow
from lineament.types import Faces, Image, Outcome, Status
from tiny_models import COLOURS, people_run, several_run, variant

SAMPLES = Path(__file__).resolve().parents[2] / "samples"


class Squares:
    """Finds the plain squares of `draw`: whatever is brighter than the ground, in columns of 60 pixels."""

    gives_landmarks = True

    def detect(self, pictures: Sequence[Image]) -> list[Faces]:
        found = []
        for picture in pictures:
            bright = picture.pixels.max(axis=2) > 150
            boxes = []
            for x in range(0, bright.shape[1], 60):
                rows, columns = np.nonzero(bright[:, x : x + 60])
                if len(rows):
                    box = (columns.min() + x, rows.min(), columns.max() + x + 1, rows.max() + 1)
                    boxes.append(box)
            n = len(boxes)
            points = np.zeros((n, 5, 2), np.float32)
            found.append(Faces(np.reshape(boxes, (n, 4)), np.linspace(0.9, 0.5, n), landmarks=points))
        return found


def box(place: int) -> tuple[float, float, float, float]:
    """Where the square of a column is."""
    return (60.0 * place + 10, 30.0, 60.0 * place + 50, 70.0)


def draw(path: Path, colours: Sequence[str | None]) -> str:
    """A dark picture with a bright square a column; None leaves the column dark. Returns its SHA-256."""
    pixels = np.full((100, 60 * len(colours), 3), 60, np.uint8)
    for place, colour in enumerate(colours):
        if colour is not None:
            x1, y1, x2, y2 = map(int, box(place))
            pixels[y1:y2, x1:x2] = 200 * np.eye(3, dtype=np.uint8)[COLOURS.index(colour)]
    images.save(path, pixels)
    return sha256_of(path)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    tight = CropStyle(32, margin=0.0)
    variant(people_run(tmp_path_factory), folder / "people", crop=tight)
    variant(several_run(tmp_path_factory), folder / "level", crop=tight)
    return folder


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Each kind of ending, known by how it was drawn."""
    folder = tmp_path_factory.mktemp("photos")
    rows: list[ManifestRow] = []

    def photo(name: str, colours: Sequence[str | None], *faces: tuple[str | None, Box | None]) -> None:
        digest = draw(folder / name, colours)
        for number, (subject, where) in enumerate(faces):
            labels = {"level": 200 / 3} if where else {}
            row = ManifestRow(f"{name}-{number}", name, digest, subject=subject, split="test")
            rows.append(replace(row, box=where, labels=labels))

    photo("both.png", ["red", "blue"], ("red", box(0)), ("blue", box(1)))
    photo("confused.png", ["red"], ("green", box(0)))
    photo("one_missing.png", ["red", None], ("red", box(0)), ("green", box(1)))
    photo("elsewhere.png", ["green", None], ("green", box(1)))
    photo("alone.png", ["blue"], ("blue", None))
    photo("dark.png", [None], ("red", None))
    photo("crowd.png", ["red", "green"], ("red", None), ("green", None))
    photo("stranger.png", ["red"], ("violet", box(0)))
    photo("bystander.png", ["green", "blue"], ("green", box(0)), (None, box(1)))
    (folder / "broken.png").write_bytes(b"no picture")
    rows.append(ManifestRow("broken", "broken.png", "0" * 64, subject="red", split="test"))
    rows.append(ManifestRow("learned", "both.png", "0" * 64, subject="red", split="train"))
    rows.append(
        ManifestRow("faceless", "gone.png", "0" * 64, subject="red", split="test", outcome="no_face")
    )
    return Manifest(tuple(rows), folder=folder)


def judged(photos: Manifest, model: Path, attribute: str = "subject") -> EndToEnd:
    with Analyzer(Squares(), None, [str(model)], quality=False) as analyzer:
        return evaluate(photos, analyzer, attribute, split="test")


def test_every_face_ends_as_it_was_drawn(photos: Manifest, runs: Path) -> None:
    """Right, wrong, missed, refused, of an unknown class, not to be placed: each face by its drawing."""
    found = judged(photos, runs / "people")
    assert {face.row: face.ending for face in found.faces} == {
        "both.png-0": "right",
        "both.png-1": "right",
        "confused.png-0": "wrong",
        "one_missing.png-0": "right",
        "one_missing.png-1": "missed",
        "elsewhere.png-0": "missed",
        "alone.png-0": "right",
        "dark.png-0": "missed",
        "crowd.png-0": "not_placed",
        "crowd.png-1": "not_placed",
        "stranger.png-0": "unknown_class",
        "bystander.png-0": "right",
        "broken": "refused",
    }
    assert found.confusions() == {("green", "red"): 1}
    assert found.pictures == {"total": 10, "ok": 8, "no_face": 1, "refused": 1}
    assert (found.unlabelled, found.elsewhere, found.unusable) == (1, 1, 1)


def test_the_shares_of_all_endings_add_up_to_one(photos: Manifest, runs: Path) -> None:
    """Accuracy, errors, misses and refusals are shares of the same faces, each with its interval."""
    record = judged(photos, runs / "people").to_json()
    parts = ("end_to_end_accuracy", "classification_errors", "detection_misses", "refused")
    assert [round(record[name]["value"] * 10) for name in parts] == [5, 1, 3, 1]
    assert all(record[name]["n"] == 10 for name in parts)
    assert all(record[n]["low"] <= record[n]["value"] <= record[n]["high"] for n in parts)
    assert record["accuracy_of_detected"] | {"low": 0, "high": 0} == {
        "value": pytest.approx(5 / 6),
        "low": 0,
        "high": 0,
        "n": 6,
    }
    assert sum(record["faces"].values()) == record["labelled_faces"] == 13
    json.dumps(record, allow_nan=False)


def test_detections_that_are_no_labelled_face_are_counted(photos: Manifest, runs: Path) -> None:
    """A face found beside the labelled place is extra; one in a picture without boxes may be anybody."""
    record = judged(photos, runs / "people").to_json()
    # Of the six pictures whose faces all have boxes, only elsewhere.png shows one in another place.
    assert record["false_detections"]["value"] == pytest.approx(1 / 8)
    assert record["false_detections"]["n"] == 8


def test_a_number_is_judged_by_its_error(photos: Manifest, runs: Path) -> None:
    """The mean absolute error of the detected, and the share that was detected; no accuracy."""
    record = judged(photos, runs / "level", "level").to_json()
    assert "end_to_end_accuracy" not in record
    assert record["mean_absolute_error"]["value"] < 3  # 200 / 3 but for the crop's edge
    assert record["detected"]["value"] == pytest.approx(7 / 9)
    assert record["detection_misses"]["value"] == pytest.approx(2 / 9)


def test_a_detection_serves_one_truth_only() -> None:
    """Each truth has one detection at most, and all together fit best, whatever the scores; one more stays
    extra."""
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [30, 0, 40, 10]], np.float32)
    seen = Outcome("x", Status.OK, (50, 10), Faces(boxes, np.array([0.6, 0.9, 0.3])))
    rows = [ManifestRow(str(i), "x", "", box=b) for i, b in enumerate([(0, 0, 10, 10), (0, 0, 9, 10)])]
    chosen, overlap = match(seen, rows, 0.5)
    assert chosen.tolist() == [0, 1]
    assert overlap.tolist() == pytest.approx([1, 80 / 110])
    assert match(seen, rows, 0.95)[0].tolist() == [0, -1]


def test_what_was_trained_on_is_not_evaluated(photos: Manifest, runs: Path, tmp_path: Path) -> None:
    """The same file, the same row, or a photo whose crop was trained on is refused; others are not."""
    photo = photos.rows[0]
    other = ManifestRow("crop", "crop.png", "f" * 64, split="train", parent=photo.id)
    for leaking in (photo, other):
        held = ManifestRow("held", "held.png", "e" * 64, split="test")
        trained = Manifest((replace(leaking, split="val"), held))
        folder = tmp_path / leaking.id
        trained.save(folder / "manifest.jsonl")
        with (
            Analyzer(Squares(), None, [str(runs / "people")], quality=False) as analyzer,
            pytest.raises(SplitError, match="1 of the pictures were used to train"),
        ):
            evaluate(photos, analyzer, split="test", runs=[folder])
    tested = Manifest((replace(other, split="test"),))
    tested.save(tmp_path / "clean" / "manifest.jsonl")
    assert require_unseen(photos, tmp_path / "clean") == LeakCheck(0, 0)


def test_val_may_be_measured_where_nothing_else_was_held_out(photos: Manifest, tmp_path: Path) -> None:
    """Of a training without test its val is counted as chosen on; what it learnt from stays refused."""
    first, second = photos.rows[:2]
    Manifest((replace(first, split="val"), ManifestRow("t", "t.png", "d" * 64, split="train"))).save(
        tmp_path / "run" / "manifest.jsonl"
    )
    assert require_unseen([first, second], tmp_path / "run") == LeakCheck(rows=1, chosen_on=1)
    Manifest((replace(first, split="val"), replace(second, split="train"))).save(
        tmp_path / "leaky" / "manifest.jsonl"
    )
    with pytest.raises(SplitError, match="evaluate its split val, for it has no test"):
        require_unseen([first, second], tmp_path / "leaky")


def test_run_folders_are_found_in_any_spec(runs: Path) -> None:
    """Alone, with settings, wrapped, or named in full; shipped models have none."""
    run = runs / "people"
    for spec in (f"{run}", f"{run}:prefix=my_", f"retry:{run}", f"trained:model={run},prefix=my_"):
        assert runs_of("yunet", spec, "age") == [run]
    assert runs_of("yunet", "retry:haar", "gender") == []


def test_questions_without_an_answer_have_names(photos: Manifest, runs: Path) -> None:
    """Nobody answers, no such split, no labels, words where the model says a number."""
    with Analyzer(Squares(), None, [str(runs / "level")], quality=False) as analyzer:
        with pytest.raises(ConfigError, match="no model given answers for 'subject'"):
            evaluate(photos, analyzer)
        with pytest.raises(SplitError, match="splits: test, train"):
            evaluate(photos, analyzer, "level", split="val")
        words = replace(photos, rows=tuple(replace(r, labels={"level": "high"}) for r in photos))
        with pytest.raises(ConfigError, match="labels are words"):
            evaluate(words, analyzer, "level", split="test")
        bare = replace(photos, rows=tuple(replace(r, labels={}) for r in photos))
        with pytest.raises(InsufficientData):
            evaluate(bare, analyzer, "level", split="test")


def test_the_command_on_real_photos(runs: Path, tmp_path: Path) -> None:
    """YuNet and a tiny network on the samples: all six faces are detected, all accounted for."""
    faces = sorted(p for p in SAMPLES.iterdir() if p.suffix != ".md")
    rows = [ManifestRow(p.stem, p.name, sha256_of(p), subject=COLOURS[i % 3]) for i, p in enumerate(faces)]
    for path in faces:
        (tmp_path / path.name).symlink_to(path)
    Manifest(tuple(rows)).save(tmp_path / "manifest.jsonl")
    words = ["evaluate", "end-to-end", str(tmp_path), "--classifier", str(runs / "people")]
    saved = tmp_path / "saved.json"
    files = ["--faces", str(tmp_path / "faces.jsonl"), "--save", str(saved)]
    result = CliRunner().invoke(app, [*words, "--json", "-", *files])
    assert result.exit_code == 0, result.output
    record = json.loads(result.stdout)
    assert record["pictures"] == {"total": 6, "ok": 6}
    assert record["faces"]["right"] + record["faces"]["wrong"] == 6
    lines = [json.loads(line) for line in (tmp_path / "faces.jsonl").read_text().splitlines()]
    assert {line["picture"] for line in lines} == {path.name for path in faces}
    kept = EvaluationRecord.load(saved)
    assert kept.figures["end_to_end_accuracy"].rate.value == record["end_to_end_accuracy"]["value"]
    assert kept.figures["detection_misses"].better == "low"
    assert "confusions" not in kept.answer and faces[0].name not in saved.read_text()
    table = CliRunner().invoke(app, words).stdout
    assert "detected and named right" in table and "not detected" in table
    with pytest.raises(UsageError, match="--classifier"):
        CliRunner().invoke(app, ["evaluate", "end-to-end", str(tmp_path)], catch_exceptions=False)
