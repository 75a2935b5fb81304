"""What a caller may hand over: one source is one source, and what is none is refused by its name."""

from __future__ import annotations

import codecs
import io
import mmap
import os
import sys
import tempfile
import types
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as pillow

import lineament
from lineament.analyzer import Analyzer
from lineament.config import several
from lineament.errors import (
    ConfigError,
    CorruptPicture,
    InvalidArray,
    NotAPicture,
    PictureError,
    PictureUnreadable,
    UsageError,
)
from lineament.explain.impostors import Crowd, nearest
from lineament.io import images, inputs, sources
from lineament.records import Bound, Changes, Record, Where
from lineament.registry import detectors, embedders
from lineament.stores import open_store
from lineament.types import AttributeScores, Faces, Image, ModelId, Outcome, Status

PHOTO = Path(__file__).parents[1] / "samples" / "obama_2012_portrait.jpg"
DATA = PHOTO.read_bytes()
PIXELS = np.full((40, 40, 3), 90, np.uint8)


class OneFace:
    """Finds one face in every picture."""

    gives_landmarks = False

    def detect(self, images: Sequence[Image]) -> list[Faces]:
        return [Faces(np.array([[1, 1, 9, 9]], np.float32), np.ones(1, np.float32)) for _ in images]


class Age:
    """The same age for everybody."""

    names = ("age",)

    def predict(self, images: Sequence[Image], faces: Sequence[Faces]) -> list[dict[str, AttributeScores]]:
        none = np.zeros((1, 0), np.float32)
        return [{"age": AttributeScores("age", (40.0,), (), none)} for _ in images]


@pytest.fixture(scope="module")
def analyzer() -> Iterator[Analyzer]:
    with Analyzer(OneFace(), embedder=None, quality=False, workers=2, batch_size=4) as one:
        yield one


class Dribble(io.RawIOBase):
    """A pipe: never more than 1000 bytes at once, and no way back."""

    def __init__(self) -> None:
        self.rest = io.BytesIO(DATA)

    def read(self, size: int = -1) -> bytes:
        return self.rest.read(min(size, 1000) if size >= 0 else 1000)


class BytesPath:
    """A path of bytes, as the system calls of Linux give it."""

    def __fspath__(self) -> bytes:
        return os.fsencode(PHOTO)


class OnlyRead:
    """The least that a stream can be: botocore's and urllib3's bodies."""

    def __init__(self) -> None:
        self.rest = io.BytesIO(DATA)

    def read(self, size: int) -> bytes:
        return self.rest.read(size)


def entry() -> os.DirEntry[str]:
    with os.scandir(PHOTO.parent) as found:
        return next(e for e in found if e.name == PHOTO.name)


def written() -> io.BytesIO:
    """A buffer that was just written: it stands at its end."""
    out = io.BytesIO()
    out.write(DATA)
    return out


def spooled() -> Any:
    file = tempfile.SpooledTemporaryFile()  # noqa: SIM115
    file.write(DATA)
    file.seek(0)
    return file


def zipped() -> Any:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.jpg", DATA)
    return zipfile.ZipFile(out).open("a.jpg")


def mapped() -> mmap.mmap:
    with PHOTO.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


ONE: dict[str, Callable[[], Any]] = {
    "str": lambda: str(PHOTO),
    "Path": lambda: PHOTO,
    "np.str_": lambda: np.str_(PHOTO),
    "DirEntry": entry,
    "a path of bytes": BytesPath,
    "bytes": lambda: DATA,
    "bytearray": lambda: bytearray(DATA),
    "memoryview": lambda: memoryview(DATA),
    "a view of an array": lambda: memoryview(np.frombuffer(DATA, np.uint8)),
    "file": lambda: PHOTO.open("rb"),
    "file without buffer": lambda: PHOTO.open("rb", buffering=0),
    "BytesIO": lambda: io.BytesIO(DATA),
    "BytesIO just written": written,
    "a spooled file": spooled,
    "a member of a zip": zipped,
    "mmap": mapped,
    "a pipe": Dribble,
    "a stream of one method": OnlyRead,
    "Image": lambda: images.load(PHOTO),
    "PIL picture": lambda: pillow.open(PHOTO),
    "PIL picture, loaded": lambda: pillow.open(PHOTO).copy(),
}


@pytest.mark.parametrize("kind", ONE)
def test_one_source_is_one_source(analyzer: Analyzer, kind: str) -> None:
    """In every form one source alone is one outcome, the same as in a list, and `load` takes it too."""
    wanted = images.load(PHOTO)
    (alone,) = analyzer.analyze(ONE[kind](), digests=True)
    (listed,) = analyzer.analyze([ONE[kind]()], digests=True)
    for outcome in (alone, listed, analyzer.analyze_one(ONE[kind]())):
        assert outcome.status is Status.OK and outcome.size_wh == wanted.size_wh
    loaded = lineament.load(ONE[kind]())
    if "PIL" in kind:  # another JPEG decoder
        assert np.abs(loaded.pixels.astype(int) - wanted.pixels).max() <= 2
    else:
        assert alone.digest == listed.digest == loaded.digest() == wanted.digest()


def test_a_source_is_named_by_its_file_or_its_place(analyzer: Analyzer) -> None:
    """A path or an open file gives the outcome its name, whatever has none its position."""
    given = [str(PHOTO), PHOTO.open("rb"), pillow.open(PHOTO), BytesPath(), DATA, io.BytesIO(DATA), None]
    names = [o.source for o in analyzer.analyze(given)]
    assert names == [str(PHOTO)] * 4 + ["<picture 4>", "<picture 5>", "<picture 6>"]


class Table:
    """A data frame: iterating it gives the names of its columns."""

    columns = ("path",)
    shape = (1, 1)

    def __array__(self) -> Any:
        return np.array([[str(PHOTO)]])

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)


class Column:
    """A column of a table with types of its own, as Polars has."""

    def __init__(self, values: Sequence[Any]) -> None:
        self.values, self.shape, self.dtype = values, (len(values),), "String"

    def __array__(self) -> Any:
        return np.array(self.values)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.values)


class Tensor:
    """An array of another library on another device: it can be asked for its shape only."""

    shape = (3, 40, 40)

    def __dlpack__(self) -> Any:
        raise RuntimeError

    def __iter__(self) -> Any:
        raise AssertionError("nobody may look into it")


class Upload:
    """A stream whose read is asynchronous, as in web frameworks."""

    filename = "a.jpg"

    async def read(self, size: int = -1) -> bytes:
        return DATA


class NotReady(io.RawIOBase):
    """A non-blocking stream that has nothing yet."""

    def read(self, size: int = -1) -> bytes | None:
        return None


class Broken(io.RawIOBase):
    """A stream that breaks off."""

    def read(self, size: int = -1) -> bytes:
        raise ConnectionError("connection reset")


def closed() -> Any:
    with PHOTO.open("rb") as file:
        return file


def closed_picture() -> Any:
    with pillow.open(PHOTO) as picture:
        return picture


def write_only() -> Any:
    return open(os.devnull, "wb")  # noqa: PTH123


BAD: dict[str, tuple[Callable[[], Any], type[PictureError], str]] = {
    "None": (lambda: None, NotAPicture, "OpenCV"),
    "int": (lambda: 5, NotAPicture, "int is no picture"),
    "float": (lambda: float("nan"), NotAPicture, "float is no picture"),
    "a class": (lambda: Image, NotAPicture, "is no picture"),
    "array": (lambda: PIXELS, NotAPicture, r'Image.from_array\(array, order="bgr"\)'),
    "grey array": (lambda: PIXELS[:, :, 0], NotAPicture, "Image.from_array"),
    "a batch of arrays": (lambda: PIXELS[None], NotAPicture, "an Image of each"),
    "an array of bytes": (lambda: np.frombuffer(DATA, np.uint8), NotAPicture, "tobytes"),
    "a tensor": (Tensor, NotAPicture, r"Tensor of shape \(3, 40, 40\)"),
    "a table": (Table, NotAPicture, "its column"),
    "dict": (lambda: {"path": str(PHOTO)}, NotAPicture, "its values"),
    "a text file": (lambda: PHOTO.open(encoding="latin-1"), NotAPicture, '"rb"'),
    "StringIO": (lambda: io.StringIO("a.jpg"), NotAPicture, '"rb"'),
    "a codec's reader": (lambda: codecs.getreader("latin-1")(io.BytesIO(DATA)), NotAPicture, '"rb"'),
    "an asynchronous stream": (Upload, NotAPicture, "await"),
    "a stream without data yet": (NotReady, NotAPicture, "NoneType instead of bytes"),
    "a stream that breaks off": (Broken, PictureUnreadable, "connection reset"),
    "a file for writing": (write_only, PictureUnreadable, "read"),
    "a closed file": (closed, PictureUnreadable, "closed"),
    "a closed PIL picture": (closed_picture, PictureUnreadable, "closed"),
    "a truncated PIL picture": (
        lambda: pillow.open(io.BytesIO(DATA[: len(DATA) // 2])),
        CorruptPicture,
        "JPEG",
    ),
    "a PIL picture of no size": (lambda: pillow.new("RGB", (0, 0)), PictureError, "no pixels"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_picture_is_one_refused_outcome_among_good_ones(analyzer: Analyzer, kind: str) -> None:
    """It never ends the run, and its error says what it is and what to do."""
    make, error, words = BAD[kind]
    good = [str(PHOTO)] * 5
    outcomes = list(analyzer.analyze([*good, make(), *good]))
    assert [o.status for o in outcomes] == [Status.OK] * 5 + [Status.REFUSED] + [Status.OK] * 5
    found = outcomes[5]
    assert isinstance(found.error, error)
    with pytest.raises(error, match=words):
        raise found.error
    with pytest.raises(error, match=words):
        lineament.load(make())
    assert type(analyzer.analyze_one(make()).error) is type(found.error)


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_picture_is_one_refused_outcome_alone(analyzer: Analyzer, kind: str) -> None:
    """Nothing is taken apart: not an array by rows, a table by columns, or a mapping by keys."""
    make, error, _ = BAD[kind]
    (outcome,) = analyzer.analyze(make())
    assert isinstance(outcome.error, error) and outcome.source in ("<picture 0>", str(PHOTO), os.devnull)


COLLECTIONS: dict[str, Callable[[], Any]] = {
    "list": lambda: [str(PHOTO), PHOTO],
    "tuple": lambda: (str(PHOTO), PHOTO),
    "generator": lambda: (p for p in (str(PHOTO), PHOTO)),
    "iterator": lambda: iter([str(PHOTO), PHOTO]),
    "the values of a mapping": {"a": str(PHOTO), "b": PHOTO}.values,
    "a set": lambda: {str(PHOTO), PHOTO},
    "an array of text": lambda: np.array([str(PHOTO)] * 2),
    "an array of objects": lambda: np.array([str(PHOTO), PHOTO], object),
    "a column of text": lambda: Column([str(PHOTO)] * 2),
    "a column of paths": lambda: Column([PHOTO, PHOTO]),
    "glob": lambda: PHOTO.parent.glob("obama_2012_p*.jpg"),
}


@pytest.mark.parametrize("kind", COLLECTIONS)
def test_a_collection_is_a_collection(analyzer: Analyzer, kind: str) -> None:
    """Whatever lists sources is taken source by source, arrays and columns of paths too."""
    outcomes = list(analyzer.analyze(COLLECTIONS[kind]()))
    assert len(outcomes) == (1 if kind == "glob" else 2)
    assert all(o.status is Status.OK for o in outcomes)


def test_a_list_within_the_list_is_refused(analyzer: Analyzer) -> None:
    """Nested lists are not flattened: whose outcomes they are would be lost."""
    (outcome,) = analyzer.analyze([[str(PHOTO)]])
    assert isinstance(outcome.error, NotAPicture) and "flat" in str(outcome.error)


@pytest.mark.parametrize("opener", [lambda: PHOTO.open("rb"), lambda: pillow.open(PHOTO)])
def test_a_generator_may_close_what_it_gave(analyzer: Analyzer, opener: Callable[[], Any]) -> None:
    """A source is taken over as it is given, before its ``with`` ends, and whoever changes it later."""

    def photos() -> Iterator[Any]:
        for _ in range(11):
            with opener() as one:
                yield one

    assert [o.status for o in analyzer.analyze(photos())] == [Status.OK] * 11


def test_one_buffer_may_be_given_again_and_again(analyzer: Analyzer) -> None:
    """A camera loop that writes into one buffer, picture or array gives each state it was in."""
    picture = pillow.new("RGB", (16, 16))

    def states() -> Iterator[Any]:
        for value in range(6):
            picture.paste((value, value, value), (0, 0, 16, 16))
            yield picture

    digests = [o.digest for o in analyzer.analyze(states(), digests=True)]
    wanted = [Image(np.full((16, 16, 3), value, np.uint8)).digest() for value in range(6)]
    assert digests == wanted


def test_what_sources_hold_in_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Large pictures in memory are handed to the workers a few at a time, not ``batch_size`` at once."""
    seen: list[int] = []
    monkeypatch.setattr("lineament.engines.batching.BYTES_A_BATCH", 3 * 40 * 40 * 3)

    class Counting(OneFace):
        def detect(self, images: Sequence[Image]) -> list[Faces]:
            seen.append(len(images))
            return super().detect(images)

    with Analyzer(Counting(), embedder=None, quality=False, workers=1, batch_size=8) as analyzer:
        assert len(list(analyzer.analyze(Image(PIXELS) for _ in range(7)))) == 7
    assert seen == [3, 3, 1]


def test_a_half_imported_pillow_is_no_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    """While one thread imports Pillow for the first time, another may ask what a source is."""
    monkeypatch.setitem(sys.modules, "PIL.Image", types.ModuleType("PIL.Image"))
    assert inputs.is_one(str(PHOTO)) and not inputs.is_one([str(PHOTO)])


def test_outcomes_are_handed_on(analyzer: Analyzer) -> None:
    """An outcome alone or among others comes out as it is; `load` says where its pixels are."""
    outcome = Outcome.refused("film.mp4", NotAPicture("no frames"))
    assert list(analyzer.analyze(outcome)) == [outcome]
    with pytest.raises(NotAPicture, match=r"outcome\.image"):
        lineament.load(outcome)  # type: ignore[arg-type]


def test_load_gives_an_image_back_and_may_name_it() -> None:
    """An `Image` is loaded already; a name given replaces its own, and nothing else changes."""
    image = Image(PIXELS, "frame", timestamp=2.0)
    assert lineament.load(image) is image
    named = images.load(image, name="other")
    assert (named.source, named.timestamp) == ("other", 2.0) and named.pixels is image.pixels


def test_a_stream_longer_than_the_limit_is_refused_early() -> None:
    """No more is read of a stream than the limit and one byte, however it dribbles."""
    stream = Dribble()
    with pytest.raises(images.PictureTooLarge):
        images.load(stream, limits=images.Limits(max_bytes=5000))  # type: ignore[arg-type]
    assert stream.rest.tell() == 5001


@pytest.mark.parametrize("name", ["yunet", "haar", "centerface", "retry:yunet"])
def test_a_detector_takes_one_picture_as_a_batch_of_one(name: str) -> None:
    """One `Image` is one; paths, arrays and batches of arrays are refused by name, not taken apart."""
    detector = detectors.create(name)
    image = images.load(PHOTO)
    (alone,), (listed,) = detector.detect(image), detector.detect([image])  # type: ignore[arg-type]
    assert len(alone) == len(listed) > 0
    for wrong in (str(PHOTO), image.pixels, image.pixels[None], [image.pixels], [image, None]):
        with pytest.raises(UsageError, match="no Image"):
            detector.detect(wrong)  # type: ignore[arg-type]


def test_an_embedder_takes_a_batch_and_says_how_one_crop_becomes_one() -> None:
    """One crop is refused by name and not taken by rows; a list of crops is a batch."""
    embedder = embedders.create("sface")
    crop = np.full((112, 112, 3), 90, np.uint8)
    assert embedder.embed([crop, crop]).shape == (2, 128)  # type: ignore[arg-type]
    with pytest.raises(InvalidArray, match=r"sface.*crop\[None\]"):
        embedder.embed(crop)
    with pytest.raises(InvalidArray, match="float64"):
        embedder.embed(crop[None] / 255)


PARTS = [
    ("detector", 5),
    ("detector", OneFace),
    ("embedder", OneFace()),
    ("attributes", [7]),
]


@pytest.mark.parametrize(("part", "given"), PARTS)
def test_a_part_that_is_none_is_refused_at_the_door(part: str, given: Any) -> None:
    """A part of the analyzer is a name, a run folder or an object that can do the step; not a class."""
    with pytest.raises(UsageError, match="give a name such as"):
        Analyzer(**{"embedder": None, "quality": False, part: given})


@pytest.mark.parametrize("part", ["detector", "embedder", "attributes"])
def test_a_run_folder_may_be_a_path(part: str, tmp_path: Path) -> None:
    """The folder of a training is taken as a `Path` as it is as text: one without a card is named."""
    with pytest.raises(ConfigError, match=r"no card\.json"):
        Analyzer(**{"embedder": None, "quality": False, part: tmp_path})


def test_one_name_is_one_name() -> None:
    """Where several names may be given, one text alone is that name and not its letters."""
    assert several("age") == ["age"] and several(("a", "b")) == ["a", "b"]
    with Analyzer(OneFace(), embedder=None, attributes=Age(), quality=False) as analyzer:
        assert analyzer.analyze_one(Image(PIXELS)).faces[0].attributes == {"age": 40.0}
    unit = np.array([1.0, 0.0], np.float32)
    store = open_store("memory:")
    store.commit(Changes(bind=Bound(ModelId("m", "0" * 64), 2)))
    store.commit(Changes(put=[Record("some-id", "Ann", unit)]))
    assert [r.id for r in store.read(Where(ids="some-id"))] == ["some-id"]
    store.commit(Changes(remove="some-id"))
    assert store.count() == 0
    crowd = Crowd(np.stack([unit, unit]), ("Anna", "Ann"), ("a.jpg", "b.jpg"), {})
    assert [i.subject for i in nearest(unit, crowd, leave_out="Anna")] == ["Ann"]
    assert [Path(p) for p in sources.expand(str(PHOTO))] == [PHOTO]
    assert inputs.is_one("a.jpg")
