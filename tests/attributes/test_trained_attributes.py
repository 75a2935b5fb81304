"""Trained networks in the analyzer: the face cut as its card says, all faces in one batch, in order."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lineament.analyzer import Analyzer
from lineament.attributes.trained import Trained, TrainedConfig, open_classifiers, softmax
from lineament.errors import CardMismatch, ConfigError, DigestMismatch, NoLandmarks
from lineament.geometry.crop_style import CropStyle
from lineament.io import images
from lineament.registry import attributes, detectors
from lineament.types import AttributeScores, Faces, Image, Status
from tiny_models import COLOURS, people_run, several_run, variant

SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return people_run(tmp_path_factory)


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of two heads, for aligned faces."""
    target = tmp_path_factory.mktemp("runs") / "several"
    return variant(several_run(tmp_path_factory), target, crop=CropStyle(48, align=True))


@pytest.fixture(scope="module")
def found() -> tuple[list[Image], list[Faces]]:
    """Two photos with a face each, and one whose face was turned upside down."""
    names = ("obama_2012_portrait.jpg", "collins_nasa.png")
    pictures = [images.load(SAMPLES / name) for name in names]
    pictures.append(Image(np.ascontiguousarray(pictures[1].pixels[::-1, ::-1])))
    with Analyzer("retry:yunet", None, quality=False) as analyzer:
        return pictures, [outcome.faces for outcome in analyzer.analyze(pictures)]


def coloured(*colours: str) -> tuple[Image, Faces]:
    """A grey picture with a plain square of each colour, a box on each."""
    pixels = np.full((100, 60 * len(colours), 3), 90, np.uint8)
    boxes = []
    for i, colour in enumerate(colours):
        x = 60 * i + 10
        pixels[30:70, x : x + 40] = 200 * np.eye(3, dtype=np.uint8)[COLOURS.index(colour)]
        boxes.append((x, 30, x + 40, 70))
    return Image(pixels), Faces(np.array(boxes), np.ones(len(boxes)))


def test_a_classifier_answers_under_subject_for_each_face(people: Path) -> None:
    """Each face gets its own answer, in order, over pictures with several, no and one face."""
    classifier = attributes.create(str(people))
    assert classifier.names == ("subject",)
    cases = [coloured("red", "blue"), (coloured("red")[0], Faces.none()), coloured("green")]
    answers = classifier.predict(*map(list, zip(*cases, strict=True)))
    assert [a["subject"].values for a in answers] == [("red", "blue"), (), ("green",)]
    scores = answers[0]["subject"]
    assert scores.classes == COLOURS and np.allclose(scores.probabilities.sum(axis=1), 1)
    assert scores.probability(1) == scores.probabilities[1, 2] > 0.5


def test_batches_do_not_mix_faces(people: Path) -> None:
    """More faces than fit a batch answer as each alone."""
    classifier = attributes.create(str(people))
    colours = [COLOURS[i * i % 3] for i in range(71)]
    image, faces = coloured(*colours)
    together = classifier.predict([image], [faces])[0]["subject"]
    assert list(together.values) == colours
    alone = classifier.predict([image], [faces[40:41]])[0]["subject"]
    assert np.allclose(together.probabilities[40], alone.probabilities[0], atol=1e-6)


def test_the_network_sees_the_crop_its_card_describes(
    several: Path, found: tuple[list[Image], list[Faces]]
) -> None:
    """Aligned by the card's style and shrunk to its size, also in a picture lying on its head.

    The oracle cuts with the style alone, averages areas, and takes means in NumPy.
    """
    answers = attributes.create(str(several)).predict(*found)
    for image, faces, answer in zip(*found, answers, strict=True):
        style = CropStyle(48, align=True)
        assert faces.landmarks is not None
        crop = style.cut(image.pixels, style.transform(faces.boxes[0], faces.landmarks[0], 0)).astype(float)
        means = crop.reshape(-1, 3).mean(axis=0)
        assert answer["level"].values[0] == pytest.approx(means.mean(), abs=0.5)
        expected = softmax(np.array([20 * means / 255], np.float32))
        assert np.allclose(answer["tint"].probabilities[0], expected, atol=0.02)
        assert answer["level"].classes == () and answer["level"].probability(0) is None


def test_a_turned_face_is_turned_upright_for_a_crop_about_its_box(
    tmp_path: Path, several: Path, found: tuple[list[Image], list[Faces]]
) -> None:
    """The same photo upright and on its head gives the same answer."""
    variant(several, tmp_path / "upright", crop=CropStyle(64, margin=0.1))
    pictures, faces = found
    assert faces[2].attempts is not None and abs(faces[2].attempts[0].rotation_deg) == 180
    upright, turned = attributes.create(str(tmp_path / "upright")).predict(pictures[1:], faces[1:])
    assert upright["level"].values[0] == pytest.approx(float(turned["level"].values[0]), abs=3)


def test_alignment_without_landmarks_is_a_named_error(several: Path, people: Path) -> None:
    """An aligning model refuses boxes alone, and points that all coincide; a box-cutting one takes both."""
    image, faces = coloured("green")
    heap = faces.with_columns(landmarks=np.full((1, 5, 2), 7))
    for bad in (faces, heap):
        with pytest.raises(NoLandmarks):
            attributes.create(str(several)).predict([image], [bad])
        assert attributes.create(str(people)).predict([image], [bad])[0]["subject"].values == ("green",)


class TwoBoxes:
    """A detector whose every second picture has a face whose landmarks coincide."""

    gives_landmarks = True

    def detect(self, images: object) -> list[Faces]:
        points = np.array([[30, 40], [50, 40], [40, 50], [32, 60], [48, 60]], np.float32)
        box = np.array([[20, 30, 60, 70]])
        assert isinstance(images, list)
        return [
            Faces(box, np.ones(1), landmarks=(points if i.pixels[0, 0, 0] else points * 0)[None])
            for i in images
        ]


def test_a_face_that_cannot_be_aligned_refuses_its_picture_only(several: Path) -> None:
    """Of pictures analysed together, the one whose landmarks coincide ends refused by name."""
    pictures = [Image(np.full((90, 90, 3), value, np.uint8)) for value in (9, 0, 9, 9)]
    with Analyzer(TwoBoxes(), None, [str(several)], quality=False, workers=1, batch_size=4) as analyzer:
        outcomes = list(analyzer.analyze(iter(pictures)))
    assert [o.status for o in outcomes] == [Status.OK, Status.REFUSED, Status.OK, Status.OK]
    assert isinstance(outcomes[1].error, NoLandmarks)
    assert set(outcomes[0].faces.attributes) == {"tint", "level"}


def test_models_side_by_side_need_names_of_their_own(people: Path, several: Path) -> None:
    """Two answers to one name are refused, because one would be lost; a prefix tells them apart."""
    with pytest.raises(ConfigError, match="'subject' is told by 2 models"):
        Analyzer(embedder=None, attributes=[str(people), str(people)])
    with Analyzer(
        embedder=None, attributes=[str(people), f"{people}:prefix=my_", str(several), "age"]
    ) as analyzer:
        outcome = analyzer.analyze_one(SAMPLES / "collins_nasa.png")
    assert set(outcome.faces.attributes) == {"subject", "my_subject", "tint", "level", "age"}
    face = outcome.faces[0]
    assert set(face.probabilities) == {"subject", "my_subject", "tint"}
    assert face.probabilities["subject"] == max(outcome.faces.attributes["subject"].probabilities[0])


def test_only_finished_models_of_the_right_job_open(tmp_path: Path, people: Path, several: Path) -> None:
    """A folder without a card, an unreadable card, another job, another file: each is refused by name."""
    with pytest.raises(ConfigError, match="finished training"):
        attributes.create(str(tmp_path))
    (tmp_path / "card.json").write_text("{")
    with pytest.raises(ConfigError, match="Expecting property name"):
        attributes.create(str(tmp_path))
    with pytest.raises(ConfigError, match="a model for 'classifier', which is no detector"):
        detectors.create(str(people))
    with pytest.raises(ConfigError, match="a model for attributes, not for classifier"):
        open_classifiers([str(several)])
    with pytest.raises(ConfigError, match=f"--attributes {several}"):
        open_classifiers([str(several)])
    with pytest.raises(ConfigError, match=r"gender.*--attributes gender.*train classifier"):
        open_classifiers(["gender"])
    with pytest.raises(ConfigError, match="there is no folder"):
        open_classifiers(["runs/nobody"])
    variant(people, tmp_path / "vector", heads=[{"name": "vector", "kind": "embedding"}])
    with pytest.raises(ConfigError, match="kind embedding"):
        Trained(TrainedConfig(tmp_path / "vector"))
    variant(people, tmp_path / "changed")
    (tmp_path / "changed" / "model.onnx").write_bytes((several / "model.onnx").read_bytes())
    with pytest.raises(DigestMismatch):
        attributes.create(str(tmp_path / "changed"))


def test_a_card_that_lies_about_its_input_is_refused(tmp_path: Path, people: Path) -> None:
    """Another normalisation than the golden answer was made with does not open."""
    card = json.loads((people / "card.json").read_text())
    variant(people, tmp_path / "run", input=card["input"] | {"mean": [128.0, 128.0, 128.0]})
    with pytest.raises(CardMismatch):
        attributes.create(str(tmp_path / "run"))


def test_a_folder_called_like_a_model_does_not_hide_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, people: Path
) -> None:
    """A name of the library wins over a folder of that name; a path to it opens the folder."""
    (tmp_path / "haar").symlink_to(people)
    (tmp_path / "gender").symlink_to(people)
    monkeypatch.chdir(tmp_path)
    assert type(detectors.create("haar")).__name__ == "Haar"
    assert attributes.create("gender").names == ("gender",)
    assert attributes.create("./gender").names == ("subject",)


def test_softmax_of_large_logits_is_finite() -> None:
    """Logits of 1,000 neither overflow nor give NaN."""
    p = softmax(np.array([[1000, 999, -1000]], np.float32))
    assert np.isfinite(p).all() and p[0, 0] == pytest.approx(1 / (1 + np.exp(-1)), abs=1e-6)


def test_scores_keep_rows_together() -> None:
    """Picking rows of an attribute takes value and probabilities alike."""
    p = np.array([[0.9, 0.1], [0.2, 0.8]], np.float32)
    scores = AttributeScores("tint", ("red", "green"), ("red", "green"), p)
    assert scores[np.array([1])].probability(0) == pytest.approx(0.8)
