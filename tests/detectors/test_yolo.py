"""The yolo detector: its contract, its decoding, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yolo_network
from test_contract import OnSamples

from lineament.analyzer import Analyzer
from lineament.detectors.yolo import decode
from lineament.errors import CardMismatch, ConfigError, DigestMismatch
from lineament.geometry.letterbox import Placement, letterbox
from lineament.io.trained import TrainedCard
from lineament.protocols import Detector
from lineament.registry import detectors
from lineament.testing.detector_contract import DetectorContract
from lineament.types import Image

NOWHERE = Placement((1.0, 1.0), (0.0, 0.0))


@pytest.fixture(scope="session")
def reddish(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("yolo") / "run"
    yolo_network.write(folder)
    return folder


@pytest.fixture(scope="session")
def pointed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("yolo") / "run"
    yolo_network.write(folder, classes=("face", "mask"), keypoints=True)
    return folder


class TestYolo(OnSamples):
    @pytest.fixture(scope="class")
    @classmethod
    def detector(cls, reddish: Path) -> Detector:
        return detectors.create(f"yolo:model={reddish},nms=0.3")


class TestYoloInBatches(OnSamples):
    @pytest.fixture(scope="class")
    @classmethod
    def detector(cls, reddish: Path) -> Detector:
        return detectors.create(f"yolo:model={reddish},nms=0.3,batch=4")


class TestYoloWithLandmarks(DetectorContract):
    """Several classes, and landmarks."""

    @pytest.fixture(scope="class")
    @classmethod
    def detector(cls, pointed: Path) -> Detector:
        return detectors.create(f"yolo:model={pointed},nms=0.3,across_classes=yes")

    @pytest.fixture(scope="class")
    @classmethod
    def portraits(cls) -> list[Image]:
        return [red_square((200, 150), (40, 40, 90, 90)), red_square((90, 240), (10, 100, 60, 160))]


def red_square(size_wh: tuple[int, int], box: tuple[int, int, int, int]) -> Image:
    pixels = np.full((size_wh[1], size_wh[0], 3), 100, np.uint8)
    pixels[box[1] : box[3], box[0] : box[2], 0] = 255
    return Image(pixels)


def answer(*rows: list[float]) -> np.ndarray:
    return np.array(rows, np.float32).T


def test_boxes_return_to_the_picture(reddish: Path) -> None:
    """A box found in the square is given in the pixels of a picture of any shape and size."""
    detector = detectors.create("yolo", model=str(reddish), score=0.9)
    image = red_square((512, 256), (256, 128, 384, 256))  # at 128 px: one cell of the second row from below
    (faces,) = detector.detect([image])
    assert len(faces) == 1
    # The cell's middle is at (80, 80) of the square, the picture begins 32 px from its top and is 4 times
    # as large; the box is 1.5 cells wide and ends at the picture's edge.
    np.testing.assert_allclose(faces.boxes[0], [224, 96, 416, 256], atol=0.01)


def test_letterbox_and_back() -> None:
    """Points go to the square and back without moving; the bars are grey, the picture is in the middle."""
    pixels = np.zeros((30, 101, 3), np.uint8)
    square, placement = letterbox(pixels, 64)
    assert square.shape == (64, 64, 3)
    assert (square[0] == 114).all() and (square[32] == 0).all()
    points = np.array([[0, 0], [101, 30], [50.5, 15]], np.float32)
    np.testing.assert_allclose(placement.to_square(points)[2], [32, 32], atol=0.6)
    np.testing.assert_allclose(placement.to_picture(placement.to_square(points)), points, atol=1e-4)


def test_suppression_is_within_a_class() -> None:
    """Two boxes at one place stay when their classes differ, and one stays when they do not."""
    two = answer([50, 50, 20, 20, 0.9, 0.1], [50, 50, 20, 20, 0.2, 0.8], [51, 50, 20, 20, 0.7, 0.1])
    faces = decode(two, ("face", "mask"), NOWHERE, (100, 100), score=0.5, nms_iou=0.5, top_k=10)
    assert faces.attributes["class"].values == ("face", "mask")
    np.testing.assert_allclose(faces.scores, [0.9, 0.8])
    np.testing.assert_allclose(faces.attributes["class"].probabilities, [[0.9, 0.1], [0.2, 0.8]])
    faces = decode(
        two, ("face", "mask"), NOWHERE, (100, 100), score=0.5, nms_iou=0.5, top_k=10, across_classes=True
    )
    assert faces.attributes["class"].values == ("face",)


def test_what_is_no_box_is_left_out() -> None:
    """NaN, infinity, boxes without area or outside the picture give no face and no error."""
    rows = answer(
        [np.nan, 5, 4, 4, 0.9], [5, 5, np.inf, 4, 0.9], [5, 5, 0, 4, 0.9], [5, 5, -3, 4, 0.9],
        [300, 5, 4, 4, 0.9], [5, 5, 4, 4, 0.6],
    )  # fmt: skip
    faces = decode(rows, ("face",), NOWHERE, (100, 100), score=0.5, nms_iou=0.5, top_k=10)
    np.testing.assert_allclose(faces.boxes, [[3, 3, 7, 7]])
    assert not faces.attributes and faces.landmarks is None


def test_top_k_and_score() -> None:
    """Only the best candidates are considered, and those at the score itself count."""
    rows = answer([10, 10, 4, 4, 0.5], [30, 30, 4, 4, 0.75], [60, 60, 4, 4, 0.25])
    assert len(decode(rows, ("face",), NOWHERE, (99, 99), score=0.25, nms_iou=0.5, top_k=9)) == 3
    faces = decode(rows, ("face",), NOWHERE, (99, 99), score=0.25, nms_iou=0.5, top_k=1)
    np.testing.assert_allclose(faces.scores, [0.75])


def test_score_comes_from_the_card(tmp_path: Path, reddish: Path) -> None:
    """Without a setting the card's score holds, which was chosen on the validation split."""
    yolo_network.write(tmp_path / "run", measured={"score": 0.999})
    image = red_square((128, 128), (32, 32, 64, 64))
    image.pixels[32:64, 32:64, 0] = 145
    detect = {"ours": f"yolo:model={tmp_path / 'run'}", "other": f"yolo:model={reddish}"}
    found = {name: len(detectors.create(spec).detect([image])[0]) for name, spec in detect.items()}
    assert found == {"ours": 0, "other": 1}


def test_classes_and_landmarks_reach_the_analyzer(pointed: Path) -> None:
    """The analyzer takes the network like any detector: class attribute, landmarks, embedding."""
    detector = detectors.create("yolo", model=str(pointed), across_classes=True)
    assert detector.gives_landmarks
    with Analyzer(detector, "sface", workers=1) as analyzer:
        outcome = analyzer.analyze_one(red_square((160, 160), (40, 40, 80, 80)))
    face = outcome.faces[0]
    assert face.attributes["class"] in ("face", "mask")
    assert face.landmarks is not None and face.embedding is not None


def test_landmarks_for_a_network_without(reddish: Path) -> None:
    """A network without landmarks gets YuNet's or the mean face's when embeddings are wanted."""
    detector = detectors.create("yolo", model=str(reddish))
    assert not detector.gives_landmarks
    with Analyzer(detector, "sface", workers=1) as analyzer:
        outcome = analyzer.analyze_one(red_square((160, 160), (40, 40, 80, 80)))
    assert outcome.faces.landmarks is not None and outcome.faces.embeddings is not None


def test_a_wrong_input_contract_is_refused(reddish: Path, tmp_path: Path) -> None:
    """The trainer's tolerance lets no other colour order or normalisation through: boxes far outweigh
    probabilities in an answer, and hardly depend on the input."""
    pytest.importorskip("torch", reason="the tolerance is set by the training libraries")
    from lineament.training.detection.trainer import telling_tolerance
    from lineament.training.runs.folder import RunFolder

    (tmp_path / "model.onnx").write_bytes((reddish / "model.onnx").read_bytes())
    TrainedCard.load(reddish).save(tmp_path)
    card = telling_tolerance(TrainedCard.load(reddish), RunFolder(tmp_path, "detector", ""))
    card.save(tmp_path)
    detectors.create("yolo", model=str(tmp_path))
    for change in ({"colour": "BGR"}, {"mean": (60.0, 0.0, 0.0)}, {"std": (127.5,) * 3}):
        replace(card, input=replace(card.input, **change)).save(tmp_path)
        with pytest.raises(CardMismatch, match="wrong weights, colour order or normalisation"):
            detectors.create("yolo", model=str(tmp_path))


def test_refusals(tmp_path: Path) -> None:
    """No model, another job's model, a changed file, an answer of another shape: each a named error."""
    with pytest.raises(ConfigError, match="name a run folder"):
        detectors.create("yolo")
    with pytest.raises(ConfigError, match="score lies"):
        detectors.create("yolo", model="x", score=1.5)
    card = yolo_network.write(tmp_path / "run")
    replace(card, job="classifier").save(tmp_path / "run")
    with pytest.raises(ConfigError, match="for classifier, not for detection"):
        detectors.create("yolo", model=str(tmp_path / "run"))
    head = replace(card.heads[0], classes=("a", "b", "c"))
    replace(card, heads=(head,)).save(tmp_path / "run")
    with pytest.raises(CardMismatch, match="does not fit 3 classes"):
        detectors.create("yolo", model=str(tmp_path / "run"))
    replace(card, heads=(replace(head, kind="box"),)).save(tmp_path / "run")
    with pytest.raises(CardMismatch, match="no answer of YOLOv8's shape"):
        detectors.create("yolo", model=str(tmp_path / "run"))
    card.save(tmp_path / "run")
    assert isinstance(TrainedCard.load(tmp_path / "run"), TrainedCard)
    with (tmp_path / "run" / "model.onnx").open("ab") as file:
        file.write(b"\0")
    with pytest.raises(DigestMismatch):
        detectors.create("yolo", model=str(tmp_path / "run"))
