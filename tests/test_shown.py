"""What is printed ends in logs: nothing that may hold a template shows its numbers."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
import re
import typing
from collections.abc import Iterator
from types import UnionType
from typing import Any

import numpy as np
import pytest

import lineament
from lineament.records import Record
from lineament.shown import shown
from lineament.types import Embedding, Face, Faces, Image, ModelId, Outcome, Status

VECTOR = np.full(64, 0.125, np.float32)
SECRET = "0.125"
MODEL = ModelId("m", "0" * 64)
FACES = Faces(
    boxes=np.array([[1, 2, 3, 4]], np.float32),
    scores=np.ones(1, np.float32),
    embeddings=VECTOR[None],
    embedding_lengths=np.array([7.0], np.float32),
    model=MODEL,
)
PICTURE = Image(np.full((20, 30, 3), 77, np.uint8), "a.jpg")
HOLDERS = {
    Embedding: Embedding(VECTOR, MODEL),
    Faces: FACES,
    Face: FACES[0],
    Outcome: Outcome("a.jpg", Status.OK, (30, 20), FACES, image=PICTURE),
    Record: Record("id", "Ann", VECTOR),
    Image: PICTURE,
}


def dataclasses_of_the_package() -> Iterator[type]:
    """Every dataclass of every module but the command line's."""
    for info in pkgutil.walk_packages(lineament.__path__, "lineament."):
        if not info.name.startswith(("lineament.cli", "lineament.__main__", "lineament.catalog")):
            for thing in vars(importlib.import_module(info.name)).values():
                if (
                    inspect.isclass(thing)
                    and dataclasses.is_dataclass(thing)
                    and thing.__module__ == info.name
                ):
                    yield thing


def could_hold(kind: type) -> bool:
    """Whether a field's type names what a template may lie in."""
    named = " ".join(str(f.type) for f in dataclasses.fields(kind))
    return bool(re.search(r"Float32|float32|Tensor|\b(Embedding|Faces?|Outcome|Record)\b(?!er)", named))


def filled(kind: Any, hint: Any) -> Any:
    """A value of the hinted type that holds a template wherever it can."""
    if kind in HOLDERS:
        return HOLDERS[kind]
    if dataclasses.is_dataclass(kind):
        return instance(kind) if could_hold(kind) else None
    origin, inside = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, UnionType):
        found = [filled(one, one) for one in inside]
        return next((one for one in found if one is not None), None)
    if origin is np.ndarray or "Tensor" in str(hint):
        return VECTOR
    if origin is tuple:
        return tuple(filled(one, one) for one in inside if one is not Ellipsis)
    if origin is list:
        return [filled(inside[0], inside[0])]
    if origin is not None and len(inside) == 2:  # mappings
        return {"Ann": filled(inside[1], inside[1])}
    return "Ann" if hint is str else None


def instance(kind: Any) -> Any:
    """An instance without its checks, every field filled."""
    one = object.__new__(kind)
    module = vars(importlib.import_module(kind.__module__))
    for field in dataclasses.fields(kind):
        hint = eval(field.type, dict(module)) if isinstance(field.type, str) else field.type
        object.__setattr__(one, field.name, filled(hint, hint))
    return one


KINDS = [kind for kind in dataclasses_of_the_package() if could_hold(kind)]


def test_many_kinds_are_tried() -> None:
    """The walk finds the classes that it is there for."""
    assert len(KINDS) > 25 and set(HOLDERS) - {Image} <= set(KINDS)


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: f"{k.__module__}.{k.__name__}")
def test_no_repr_shows_a_template(kind: type) -> None:
    """Whatever can hold a template, alone or deep inside, shows no number of it in any way of printing."""
    one = HOLDERS.get(kind) or instance(kind)
    for text in (repr(one), str(one), f"{one}", f"{one!r}", repr([one]), repr({"Ann": one})):
        assert SECRET not in text, text
        assert len(text) < 3000


def test_what_is_shown_is_of_use() -> None:
    """Short words tell what the thing is: its size, source, score and model."""
    assert repr(PICTURE) == "Image(30x20, source='a.jpg')"
    assert repr(HOLDERS[Embedding]) == "Embedding(64 numbers of m@000000000000)"
    assert repr(FACES) == "Faces(1: boxes, scores, embeddings, embedding_lengths, model)"
    wanted = "Face(box=(1.0, 2.0, 3.0, 4.0), score=1.000, Embedding(64 numbers of m@000000000000))"
    assert repr(FACES[0]) == wanted
    assert repr(HOLDERS[Record]).startswith("Record(id='id', subject='Ann', vector=<float32 (64,)>, kind=")
    assert repr(HOLDERS[Outcome]).startswith(
        "Outcome(source='a.jpg', status=<Status.OK: 'ok'>, size_wh=(30, 20)"
    )


def test_arrays_bytes_and_long_sequences_are_told_by_their_size() -> None:
    """Arrays by type and shape, at any depth; files by their bytes; what is unset not at all."""

    @dataclasses.dataclass
    class Thing:
        deep: Any
        data: bytes = b"1234"
        many: tuple[int, ...] = tuple(range(9))
        unset: Any = None

        __repr__ = shown

    told = repr(Thing({"Ann": [VECTOR, 3]}))
    assert told == "Thing(deep={'Ann': (<float32 (64,)>, 3)}, data=<4 bytes>, many=<9 items>)"
