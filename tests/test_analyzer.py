"""The analyzer: one outcome a picture, in order, whatever the picture; the same faces however it is run."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from lineament.analyzer import Analyzer, central_face
from lineament.errors import (
    ConfigError,
    CorruptPicture,
    EmptyPicture,
    InsufficientData,
    LineamentError,
    NoFaceFound,
    NoLandmarks,
    PictureNotFound,
    UnknownName,
    UnsupportedFormat,
)
from lineament.io import images
from lineament.types import AttributeScores, Faces, Float32, Image, ModelId, Outcome, Status, UInt8

SAMPLES = sorted(p for p in (Path(__file__).parents[1] / "samples").iterdir() if p.suffix != ".md")


class FixedDetector:
    """Finds a face of fixed place and shape in pictures that are not black."""

    gives_landmarks = True

    def __init__(self) -> None:
        self.calls: list[int] = []

    def detect(self, images: Sequence[Image]) -> list[Faces]:
        self.calls.append(len(images))
        return [self._one(image) for image in images]

    def _one(self, image: Image) -> Faces:
        if not image.pixels.any():
            return Faces.none()
        w, h = image.size_wh
        points = np.array([[[0.35, 0.4], [0.65, 0.4], [0.5, 0.55], [0.4, 0.7], [0.6, 0.7]]]) * [w, h]
        box = np.array([[0.2 * w, 0.2 * h, 0.8 * w, 0.8 * h]])
        return Faces(box.astype(np.float32), np.ones(1, np.float32), points.astype(np.float32))


class MeanColour:
    """Embeds a crop as its mean colour, so an embedding tells which picture it came from."""

    model = ModelId("mean-colour", "0" * 64)
    dimension = 3
    crop_size = 32

    def embed(self, crops: UInt8) -> Float32:
        return crops.astype(np.float32).mean(axis=(1, 2)) + 1


class Brightness:
    """The attribute of being light or dark."""

    names = ("brightness",)

    def predict(self, images: Sequence[Image], faces: Sequence[Faces]) -> list[dict[str, AttributeScores]]:
        answers = []
        for image, found in zip(images, faces, strict=True):
            light = np.full(len(found), image.pixels.mean() / 255, np.float32)
            labels = tuple("light" if v > 0.5 else "dark" for v in light)
            probabilities = np.stack([1 - light, light], axis=1)
            scores = AttributeScores("brightness", labels, ("dark", "light"), probabilities)
            answers.append({"brightness": scores})
        return answers


def plain(value: int, size: int = 64, source: str = "<memory>") -> Image:
    return Image(np.full((size, size, 3), value, np.uint8), source=source)


def quick(**settings: object) -> Analyzer:
    given = {"detector": FixedDetector(), "embedder": MeanColour(), "quality": False, **settings}
    return Analyzer(**given)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def real() -> Iterator[Analyzer]:
    with Analyzer() as analyzer:
        yield analyzer


def test_every_picture_ends_once_in_order(real: Analyzer, tmp_path: Path) -> None:
    """Good, bad and missing pictures mixed: as many outcomes as sources, in order, each named."""
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("not a picture")
    (tmp_path / "cut.jpg").write_bytes(SAMPLES[0].read_bytes()[:2000])
    sources = [
        SAMPLES[0],
        tmp_path / "missing.jpg",
        str(SAMPLES[1]),
        tmp_path / "empty.jpg",
        tmp_path / "text.jpg",
        SAMPLES[2].read_bytes(),
        tmp_path / "cut.jpg",
        plain(90, source="grey"),
        images.load(SAMPLES[3]),
    ]
    outcomes = list(real.analyze(sources))
    errors = [type(o.error) for o in outcomes]
    nothing = type(None)
    assert errors == [
        nothing,
        PictureNotFound,
        nothing,
        EmptyPicture,
        UnsupportedFormat,
        nothing,
        CorruptPicture,
        nothing,
        nothing,
    ]
    ok, no_face, refused = Status.OK, Status.NO_FACE, Status.REFUSED
    expected = [ok, refused, ok, refused, refused, ok, refused, no_face, ok]
    assert [o.status for o in outcomes] == expected
    assert [o.source for o in outcomes[:5]] == [str(s) for s in sources[:5]]
    assert outcomes[7].source == "grey"


def test_same_subject_is_nearer_than_another(real: Analyzer) -> None:
    """On the samples every mated pair is more similar than every non-mated one."""
    faces = {p.stem: central_face(o).embedding for p, o in zip(SAMPLES, real.analyze(SAMPLES), strict=True)}
    mated, other = [], []
    for a, first in faces.items():
        for b, second in faces.items():
            if a < b:
                assert first is not None
                assert second is not None
                same = a.split("_")[0] == b.split("_")[0]
                (mated if same else other).append(first.similarity(second))
    assert min(mated) > max(other)


def test_workers_and_batches_do_not_matter(real: Analyzer) -> None:
    """One thread and single pictures give the faces that many threads and batches give."""
    with Analyzer(workers=1, batch_size=1) as single:
        for a, b in zip(real.analyze(SAMPLES * 3), single.analyze(SAMPLES * 3), strict=True):
            np.testing.assert_array_equal(a.faces.boxes, b.faces.boxes)
            assert a.faces.embeddings is not None
            assert b.faces.embeddings is not None
            np.testing.assert_allclose(a.faces.embeddings, b.faces.embeddings, atol=1e-4)


def test_columns_are_complete(real: Analyzer) -> None:
    """Embeddings are unit vectors of the named model, lengths and quality stand beside them."""
    faces = real.analyze_one(SAMPLES[0]).faces
    assert faces.embeddings is not None
    assert faces.embedding_lengths is not None
    assert faces.quality is not None
    np.testing.assert_allclose(np.linalg.norm(faces.embeddings, axis=1), 1, atol=1e-5)
    assert (faces.embedding_lengths > 2).all()
    assert faces.model == real.model
    assert faces.quality[0].embedding_length == pytest.approx(float(faces.embedding_lengths[0]))


def test_faces_are_in_pixels_of_the_file(real: Analyzer) -> None:
    """A picture decoded at reduced size reports boxes, landmarks and size of the full one."""
    full = images.load(SAMPLES[0])
    small = images.load(SAMPLES[0], min_side=400)
    assert small.scale > 1
    a, b = real.analyze([full, small])
    assert b.size_wh == a.size_wh == full.size_wh
    assert a.faces.landmarks is not None
    assert b.faces.landmarks is not None
    eyes = np.linalg.norm(a.faces.landmarks[0, 1] - a.faces.landmarks[0, 0])
    np.testing.assert_allclose(b.faces.boxes[0], a.faces.boxes[0], atol=0.2 * eyes)
    np.testing.assert_allclose(b.faces.landmarks[0], a.faces.landmarks[0], atol=0.1 * eyes)


@pytest.mark.parametrize("keep", [False, True])
def test_pixels_are_kept_on_request_only(keep: bool) -> None:
    """Outcomes hold the pixels when asked to, also of pictures without a face."""
    with quick(keep_images=keep) as analyzer:
        outcomes = list(analyzer.analyze([plain(9), plain(0)]))
    assert [o.image is not None for o in outcomes] == [keep, keep]


def test_embeddings_go_to_their_own_pictures() -> None:
    """Crops of many pictures embedded in one call come back to the right picture, through gaps."""
    values = [0 if i % 3 == 0 else 10 + i for i in range(100)]
    with quick(workers=3, batch_size=7) as analyzer:
        outcomes = list(analyzer.analyze(plain(v, source=str(v)) for v in values))
    assert [o.source for o in outcomes] == [str(v) for v in values]
    for value, outcome in zip(values, outcomes, strict=True):
        if value == 0:
            assert outcome.status is Status.NO_FACE
        else:
            assert outcome.faces.embedding_lengths is not None
            assert outcome.faces.embedding_lengths[0] == pytest.approx((value + 1) * 3**0.5, rel=1e-3)


def test_memory_is_bounded() -> None:
    """Sources are read only a few batches ahead of the outcomes taken, however many there are."""
    taken = 0

    def endless() -> Iterator[Image]:
        nonlocal taken
        while True:
            taken += 1
            yield plain(50)

    with quick(workers=2, batch_size=4) as analyzer:
        stream = analyzer.analyze(endless())
        for read in range(1, 101):
            next(stream)
            assert taken <= read + 4 * (2 + 3)
        stream.close()


def test_short_lists_are_spread_over_the_workers() -> None:
    """Sixteen pictures and two workers make eight batches of two, not two of eight."""
    detector = FixedDetector()
    with quick(detector=detector, workers=2, batch_size=8) as analyzer:
        list(analyzer.analyze([plain(9)] * 16))
    assert detector.calls == [2] * 8


def test_a_refused_picture_does_not_take_its_batch_along() -> None:
    """A detector that refuses one picture of a batch refuses that one only."""

    class Picky(FixedDetector):
        def detect(self, images: Sequence[Image]) -> list[Faces]:
            if any(i.source == "bad" for i in images):
                raise CorruptPicture("this one")
            return super().detect(images)

    with quick(detector=Picky(), workers=1) as analyzer:
        pictures = [plain(9, source="bad" if i == 2 else str(i)) for i in range(5)]
        outcomes = list(analyzer.analyze(pictures))
    assert [o.status for o in outcomes] == [Status.REFUSED if i == 2 else Status.OK for i in range(5)]


@pytest.mark.parametrize("part", ["detector", "embedder", "attribute"])
def test_programming_errors_are_raised_and_name_the_picture(part: str) -> None:
    """A bug is not a property of the picture: it is raised, with the picture in its notes."""

    class Broken(FixedDetector, MeanColour, Brightness):
        def detect(self, images: Sequence[Image]) -> list[Faces]:
            raise ZeroDivisionError

        def embed(self, crops: UInt8) -> Float32:
            raise ZeroDivisionError

        def predict(
            self, images: Sequence[Image], faces: Sequence[Faces]
        ) -> list[dict[str, AttributeScores]]:
            raise ZeroDivisionError

    settings = {"attributes": [Broken()]} if part == "attribute" else {part: Broken()}
    with quick(**settings) as analyzer, pytest.raises(ZeroDivisionError) as caught:
        list(analyzer.analyze([plain(9, source="the-picture")]))
    assert any("the-picture" in note for note in caught.value.__notes__)


def test_coinciding_landmarks_are_refused_by_name() -> None:
    """A face that cannot be aligned ends in a named error, not in a crash."""

    class Point(FixedDetector):
        def _one(self, image: Image) -> Faces:
            return super()._one(image).with_columns(landmarks=np.full((1, 5, 2), 7, np.float32))

    with quick(detector=Point()) as analyzer:
        outcome = analyzer.analyze_one(plain(9))
    assert outcome.status is Status.REFUSED
    assert isinstance(outcome.error, NoLandmarks)


def test_attributes_are_columns() -> None:
    """Each classifier adds one column, also when pictures without faces lie between."""
    with quick(attributes=[Brightness()]) as analyzer:
        light, empty, dark = analyzer.analyze([plain(250), plain(0), plain(20)])
    assert light.faces[0].attributes == {"brightness": "light"}
    assert dark.faces[0].attributes == {"brightness": "dark"}
    assert empty.status is Status.NO_FACE


def test_outcomes_of_a_source_are_handed_on() -> None:
    """A video or folder that yields refusals keeps their place in the order."""
    refusal = Outcome.refused("frame 2", CorruptPicture("damaged"))
    with quick() as analyzer:
        outcomes = list(analyzer.analyze([plain(9), refusal, plain(9)]))
    assert outcomes[1] is refusal
    assert [o.status for o in outcomes] == [Status.OK, Status.REFUSED, Status.OK]


def test_without_embedder_or_quality() -> None:
    """Detection alone leaves the other columns empty."""
    with quick(embedder=None) as analyzer:
        faces = analyzer.analyze_one(plain(9)).faces
    assert faces.embeddings is faces.quality is faces.model is None
    assert analyzer.model is None


def test_several_threads_share_an_analyzer() -> None:
    """Calls from several threads at once each get their own outcomes, in order."""
    wrong: list[int] = []
    with quick(workers=2, batch_size=3) as analyzer:

        def use(number: int) -> None:
            names = [f"{number}-{i}" for i in range(30)]
            found = [o.source for o in analyzer.analyze(plain(9, source=n) for n in names)]
            if found != names:
                wrong.append(number)

        threads = [threading.Thread(target=use, args=(n,)) for n in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong


def test_usable_after_close_and_after_a_broken_off_stream() -> None:
    """Leaving a stream early, or closing, does not spoil later calls."""
    analyzer = quick()
    next(analyzer.analyze([plain(9)] * 50))
    analyzer.close()
    assert len(list(analyzer.analyze([plain(9)] * 5))) == 5
    analyzer.close()


def test_central_face() -> None:
    """The subject is the large face nearest the centre; without faces the reason is raised."""
    boxes = np.array([[0, 0, 20, 20], [38, 42, 58, 62], [80, 80, 99, 99]], np.float32)
    faces = Faces(boxes, np.float32([0.9, 0.8, 0.7]))
    outcome = Outcome("x", Status.OK, (100, 100), faces)
    np.testing.assert_array_equal(central_face(outcome).box, boxes[1])
    with pytest.raises(NoFaceFound):
        central_face(Outcome("x", Status.NO_FACE, (100, 100)))
    with pytest.raises(CorruptPicture):
        central_face(Outcome.refused("x", CorruptPicture("damaged")))


def test_boxes_alone_get_landmarks_when_they_are_needed() -> None:
    """A detector without landmarks is given some for embedding, and left alone for detection only."""
    with Analyzer("haar") as analyzer:
        faces = central_face(analyzer.analyze_one(SAMPLES[1]))
    assert faces.landmarks is not None
    assert faces.embedding is not None
    with Analyzer("haar", embedder=None, quality=False) as analyzer:
        assert central_face(analyzer.analyze_one(SAMPLES[1])).landmarks is None


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"detector": "yunett"}, UnknownName),
        ({"embedder": "nosuch"}, UnknownName),
        ({"attributes": ["shoe size"]}, UnknownName),
        ({"precision": "fats"}, ConfigError),
        ({"workers": 0}, ConfigError),
        ({"batch_size": 0}, ConfigError),
    ],
)
def test_wrong_settings_are_refused_at_once(
    settings: dict[str, object], error: type[LineamentError]
) -> None:
    """A misspelt name or impossible number fails when the analyzer is made."""
    with pytest.raises(error):
        quick(**settings)


def test_verify_needs_a_measured_threshold() -> None:
    """A model without a card cannot decide: there is no threshold to decide by."""
    with quick() as analyzer, pytest.raises(InsufficientData, match="lineament calibrate"):
        analyzer.verify(plain(9), plain(9))
