"""`evaluate detection`: every labelled face and every picture accounted for, from any label format."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage
from typer.testing import CliRunner

from lineament.cli.evaluate import app
from lineament.datasets.exporting import export_labels
from lineament.datasets.importing.labels import import_labels
from lineament.errors import InsufficientData, UsageError
from lineament.evaluation import detection
from lineament.evaluation.detection_errors import errors_of, write_errors
from lineament.evaluation.page import render
from lineament.evaluation.record import EvaluationRecord
from lineament.evaluation.truths import read_truths
from lineament.io import images
from lineament.registry import detectors
from lineament.types import Faces

SAMPLES = Path(__file__).parents[2] / "samples"
NAMES = ("obama_2009_congress.jpg", "biden_2010_white_house.jpg", "collins_nasa.png")
FAR = (2.0, 3.0, 42.0, 63.0)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sample photos, shrunk for speed."""
    folder = tmp_path_factory.mktemp("photos")
    for name in NAMES:
        with PillowImage.open(SAMPLES / name) as picture:
            small = picture.convert("RGB")
            small.thumbnail((480, 480))
            small.save(folder / name)
    return folder


@pytest.fixture(scope="module")
def found(photos: Path) -> dict[str, Faces]:
    """What YuNet finds at its own threshold, once for the module: these stand in for hand-made labels."""
    detector = detectors.create("yunet:score=0.6")
    pictures = [images.load(photos / name) for name in NAMES]
    return dict(zip(NAMES, detector.detect(pictures), strict=True))


@pytest.fixture
def labelled(tmp_path: Path, photos: Path, found: dict[str, Faces]) -> Path:
    """Three sample photos with COCO labels: what YuNet finds, and one far box in each that nobody finds."""
    root = tmp_path / "set"
    (root / "photos").mkdir(parents=True)
    pictures, annotations = [], []
    for number, (name, faces) in enumerate(found.items(), 1):
        shutil.copy(photos / name, root / "photos" / name)
        pictures.append({"id": number, "file_name": name})
        boxes = [(box, {"pose": "frontal"}) for box in faces.boxes.tolist()] + [(FAR, {"pose": "none"})]
        for (x1, y1, x2, y2), labels in boxes:
            entry = {"id": len(annotations) + 1, "image_id": number, "category_id": 1, "iscrowd": 0}
            annotations.append(entry | {"bbox": [x1, y1, x2 - x1, y2 - y1], **labels})
    document = {"images": pictures, "annotations": annotations, "categories": [{"id": 1, "name": "face"}]}
    (root / "labels.json").write_text(json.dumps(document))
    return root


def _run(root: Path, *options: str) -> dict[str, object]:
    command = ["detection", "--images", str(root / "photos"), "--labels", str(root / "labels.json")]
    run = CliRunner().invoke(app, [*command, "--json", "-", *options])
    assert run.exit_code == 0, run.output
    (line,) = run.stdout.splitlines()
    return json.loads(line)


def test_the_command_writes_rates_with_interval_and_n(labelled: Path, found: dict[str, Faces]) -> None:
    """Promised keys; recall and precision are those of the planted labels at the detector's own score."""
    record = _run(labelled)
    faces = sum(map(len, found.values()))
    assert (record["pictures"], record["truths"]) == (3, faces + 3)
    for key in ("map50", "map50_95", "precision", "recall", "f1"):
        assert set(record[key]) == {"value", "low", "high", "n"}
        assert record[key]["low"] <= record[key]["value"] <= record[key]["high"]
    assert record["recall"]["value"] == pytest.approx(faces / (faces + 3))
    assert (record["precision"]["value"], record["score"]) == (1.0, pytest.approx(0.6))
    assert record["by_label"]["pose"]["none"]["value"] == 0.0
    assert record["by_label"]["pose"]["frontal"]["value"] == 1.0


def test_the_score_lowered_for_average_precision_changes_no_sure_face(
    photos: Path, found: dict[str, Faces]
) -> None:
    """Detections at or above the detector's own threshold stay when it is lowered to be measured."""
    opened = detection.open_detector("yunet")
    assert (opened.score, opened.lowest) == (0.6, detection.LOWEST_SCORE)
    for name, sure in found.items():
        (everything,) = opened.detector.detect([images.load(photos / name)])
        kept = everything[everything.scores >= 0.6]
        np.testing.assert_allclose(kept.boxes, sure.boxes, atol=1e-3)
        np.testing.assert_allclose(kept.scores, sure.scores, atol=1e-6)


def test_small_faces_are_ignored_not_missed(labelled: Path, found: dict[str, Faces]) -> None:
    """--min-side takes truths by their shorter side; those ignored are counted apart."""
    record = _run(labelled, "--min-side", "41")
    boxes = np.concatenate([f.boxes for f in found.values()])
    small = int(((boxes[:, 2:] - boxes[:, :2]).min(axis=1) < 41).sum()) + 3
    assert record["truths_ignored"] == small
    assert record["truths"] == len(boxes) + 3 - small
    assert record["recall"]["value"] == 1.0


def test_no_face_left_to_count_is_a_named_error(labelled: Path) -> None:
    """A minimum that ignores everything gives no figure."""
    truths = read_truths(labelled / "photos", labelled / "labels.json")
    with pytest.raises(InsufficientData, match="none of the"):
        detection.compare(truths, [Faces.none()] * 3, score=0.5, min_side=1e6)


def test_every_face_of_a_picture_that_cannot_be_read_is_missed(
    labelled: Path, found: dict[str, Faces]
) -> None:
    """A damaged picture keeps its labels as truths and is named; --strict ends with 1."""
    (labelled / "photos" / NAMES[0]).write_bytes(b"no picture at all")
    record = _run(labelled)
    faces = sum(map(len, found.values()))
    assert (record["pictures"], record["truths"]) == (3, faces + 3)
    assert record["recall"]["value"] == pytest.approx((faces - len(found[NAMES[0]])) / (faces + 3))
    (failure,) = record["failures"]
    assert (Path(failure["source"]).name, failure["type"]) == (NAMES[0], "UnsupportedFormat")
    command = ["--images", str(labelled / "photos"), "--labels", str(labelled / "labels.json"), "--strict"]
    assert CliRunner().invoke(app, ["detection", *command]).exit_code == 1


def test_every_face_of_a_missing_picture_is_missed(labelled: Path, found: dict[str, Faces]) -> None:
    """A picture that the labels name and that is not there is told, and its faces count."""
    (labelled / "photos" / NAMES[1]).unlink()
    record = _run(labelled)
    gone = len(found[NAMES[1]]) + 1
    faces = sum(map(len, found.values()))
    assert (record["pictures"], record["faces_of_missing_pictures"]) == (2, gone)
    assert record["truths"] == faces + 3
    assert record["recall"]["value"] == pytest.approx((faces + 1 - gone) / (faces + 3))


def test_pictures_without_labels_and_with_useless_ones_are_counted_and_left_out(labelled: Path) -> None:
    """What nobody labelled is no evidence; what was labelled wrongly is named."""
    shutil.copy(SAMPLES / NAMES[2], labelled / "photos" / "another.png")
    document = json.loads((labelled / "labels.json").read_text())
    document["annotations"] = [a for a in document["annotations"] if a["image_id"] != 3]
    document["annotations"].append({"id": 999, "image_id": 3, "category_id": 1, "bbox": [5, 5, 0, 0]})
    (labelled / "labels.json").write_text(json.dumps(document))
    truths = read_truths(labelled / "photos", labelled / "labels.json")
    assert (len(truths.pictures), truths.unlabelled) == (2, 1)
    ((path, reason),) = truths.unusable.items()
    assert (Path(path).name, "1 box" in reason) == (NAMES[2], True)


def test_crowds_and_marked_faces_are_ignored(labelled: Path) -> None:
    """iscrowd, and VOC's and WIDER's words for faces that do not count."""
    document = json.loads((labelled / "labels.json").read_text())
    for entry, mark in zip(document["annotations"], ("iscrowd", "difficult", "invalid"), strict=False):
        entry[mark] = 1
    (labelled / "labels.json").write_text(json.dumps(document))
    truths = read_truths(labelled / "photos", labelled / "labels.json")
    flags = [(one.crowd.sum(), one.ignored.sum()) for one in truths.pictures]
    assert (sum(f[0] for f in flags), sum(f[1] for f in flags)) == (1, 2)


@pytest.mark.parametrize("name", ["yolo", "voc", "labelme", "wider", "csv"])
def test_labels_of_any_format_give_the_same_truths(labelled: Path, tmp_path: Path, name: str) -> None:
    """Exported and read back, every box is where it was (within WIDER's and VOC's whole pixels)."""
    shutil.copy(labelled / "labels.json", labelled / "photos" / "labels.json")
    export_labels(import_labels(labelled / "photos", "coco").manifest, tmp_path / name, name)
    plain = read_truths(labelled / "photos", labelled / "labels.json")
    other = read_truths(tmp_path / name, tmp_path / name)
    assert len(other.pictures) == 3
    by_name = {Path(one.path).stem: one for one in other.pictures}
    for one in plain.pictures:
        theirs = by_name[Path(one.path).stem].boxes
        order = [np.lexsort(boxes.T[::-1]) for boxes in (one.boxes, theirs)]
        np.testing.assert_allclose(one.boxes[order[0]], theirs[order[1]], atol=1.01)


def test_wider_levels_come_from_labels_where_faces_carry_them(labelled: Path) -> None:
    """A label ``level`` decides; without it the height does, and the answer says which."""
    plain = _run(labelled)
    assert (plain["wider_levels_by"], set(plain["wider"])) == ("height", {"easy", "medium", "hard"})
    document = json.loads((labelled / "labels.json").read_text())
    for entry in document["annotations"]:
        entry["level"] = "easy" if entry["pose"] == "frontal" else "hard"
    (labelled / "labels.json").write_text(json.dumps(document))
    record = _run(labelled)
    assert record["wider_levels_by"] == "label"
    assert record["wider"]["easy"]["value"] == 1.0
    assert record["wider"]["hard"]["n"] == record["wider"]["easy"]["n"] + 3


def test_the_worst_misses_are_drawn_and_every_error_is_listed(labelled: Path, tmp_path: Path) -> None:
    """Worst first; the table holds one line an error, the drawing is larger than the table's box needs."""
    truths = read_truths(labelled / "photos", labelled / "labels.json")
    wrong = Faces(np.array([[50, 50, 90, 90]], np.float32), np.array([0.9], np.float32))
    report = detection.compare(truths, [Faces.none(), wrong, Faces.none()], score=0.5, resamples=5)
    errors = list(errors_of(report))
    missed = [len(one.missed) for one in errors]
    assert missed == sorted(missed, reverse=True)
    written = write_errors(report, tmp_path / "errors", most=2)
    assert [p.suffix for p in written] == [".jpg", ".jpg", ".csv"]
    with written[-1].open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert sum(row["error"] == "missed" for row in rows) == report.matches.truths
    assert [row["error"] for row in rows].count("false") == 1
    assert {row["drawing"] for row in rows} == {written[0].name, written[1].name, ""}
    for path in written[:2]:
        with PillowImage.open(path) as drawn:
            assert min(drawn.size) > 200


def test_figures_are_written_where_asked(labelled: Path, tmp_path: Path) -> None:
    """Precision over recall, F1 over score, discrete ROC."""
    _run(labelled, "--plots", str(tmp_path / "figures"))
    names = sorted(p.name for p in (tmp_path / "figures").iterdir())
    assert names == ["discrete_roc.png", "f1_by_score.png", "precision_recall.png"]


def test_nothing_there_is_wrong_usage(tmp_path: Path, labelled: Path) -> None:
    """No folder, no labels, or labels without boxes."""
    with pytest.raises(UsageError, match="no folder"):
        read_truths(tmp_path / "none", labelled / "labels.json")
    with pytest.raises(UsageError, match="no such file or folder"):
        read_truths(labelled / "photos", tmp_path / "none.json")
    photo = next((labelled / "photos").glob("*.*"))
    (tmp_path / "classes" / "ann").mkdir(parents=True)
    (tmp_path / "classes" / "ann" / photo.name).write_bytes(photo.read_bytes())
    with pytest.raises(UsageError, match="no box"):
        read_truths(tmp_path / "classes", tmp_path / "classes", "imagefolder")


def test_a_saved_record_pairs_pictures_and_names_none(labelled: Path, tmp_path: Path) -> None:
    """--save keeps recall and precision by picture under digests, and the digest of data and labels."""
    (labelled / "photos" / NAMES[0]).write_bytes(b"no picture at all")
    record = _run(labelled, "--save", str(tmp_path / "a.json"))
    text = (tmp_path / "a.json").read_text()
    assert not any(Path(name).stem in text for name in NAMES)
    kept = EvaluationRecord.load(tmp_path / "a.json")
    assert kept.figures["recall"].rate.value == record["recall"]["value"]
    for name in ("recall", "precision"):
        part, whole = np.array(list(kept.clusters[name].values())).sum(axis=0)
        assert part / whole == pytest.approx(record[name]["value"])
    assert set(kept.charts) == {"precision_recall", "f1_by_score", "discrete_roc"}
    assert kept.answer["failures"] == {"UnsupportedFormat": 1}
    assert "UnsupportedFormat" in render([kept])
    moved = json.loads((labelled / "labels.json").read_text())
    moved["annotations"][-1]["bbox"][0] += 1
    (labelled / "labels.json").write_text(json.dumps(moved))
    other = read_truths(labelled / "photos", labelled / "labels.json")
    assert other.digest != kept.protocol["data"]


@pytest.mark.parametrize("kept", [NAMES[:1], NAMES[1:2], NAMES])
def test_one_picture_is_one_trial(labelled: Path, kept: tuple[str, ...]) -> None:
    """Of one picture no interval is narrow and the output says so; of few faces no score is named; what the
    rows of WIDER FACE are is said once below the table."""
    path = labelled / "labels.json"
    labels = json.loads(path.read_text())
    labels["images"] = [one for one in labels["images"] if one["file_name"] in kept]
    numbers = {one["id"] for one in labels["images"]}
    labels["annotations"] = [one for one in labels["annotations"] if one["image_id"] in numbers]
    path.write_text(json.dumps(labels))
    command = ["detection", "--labels", str(path), "--images", str(labelled / "photos")]
    run = CliRunner().invoke(app, command)
    assert run.exit_code == 0, run.output
    assert run.output.count("WIDER FACE easy, medium, hard: average precision by that benchmark's") == 1
    assert ("warning: all of it is of one picture" in run.output) == (len(kept) == 1)
    answer = _run(labelled)
    figures: list[dict[str, float]] = [
        answer[name] for name in ("map50", "map50_95", "precision", "recall")
    ]  # type: ignore[misc]
    figures += answer["wider"].values()  # type: ignore[attr-defined]
    if len(kept) == 1:
        assert all(one["high"] - one["low"] > 0.5 for one in figures)
    best: dict[str, object] = answer["best_f1"]  # type: ignore[assignment]
    assert best["score"] is None and "needs 30 truths" in str(best["note"])
