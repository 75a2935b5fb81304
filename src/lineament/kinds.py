"""What boxes are of: most sets label faces, some heads, persons or bodies, and those are not called faces.

A class is taken for one of faces (``happy``, ``mask``, ``Ann``) unless a word of its name says that it is
another part or the whole of a person: ``head``, ``Human head``, ``head_with_helmet``, ``pedestrian``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from lineament.counting import quantity

FACE = "face"
"""The class of a box that nothing else is known of."""
CLASS = "class"
"""The label that holds any other class, and the attribute by which a detector tells it."""
NO_GROUP = frozenset({"iscrowd", "ignore", "ignored", "difficult", "invalid", "source_name"})
"""Labels that say what is to be done with a box, or where it comes from, and not what it shows."""

_ONE_OF = {
    "head": "heads",
    "person": "persons",
    "body": "bodies",
    "pedestrian": "pedestrians",
    "torso": "torsos",
    "hand": "hands",
    "human": "humans",
}
_HEAD = ("kopf", "köpfe", "cabeza", "cabezas", "cabeça", "tête", "têtes", "голова", "головы", "头", "人头")
_OTHERS = {*_HEAD, *_ONE_OF, *_ONE_OF.values(), "people", "fullbody", "upperbody"}
_FACES = {"face", "faces", "facial"}
_PLAIN = {word: one for one, many in _ONE_OF.items() for word in (one, many)}
_PLAIN |= {"people": "person", **dict.fromkeys(_HEAD, "head")}


def is_face(kind: str) -> bool:
    """Whether boxes of a class are of faces."""
    words = set(_words(kind))
    return not words & _OTHERS or (bool(words & _FACES) and "or" not in words)


def found_by(detector: object) -> tuple[str, ...]:
    """The classes that a detector finds, under any wrappers; faces where it does not say."""
    while (base := getattr(detector, "base", None)) is not None:
        detector = base
    return tuple(getattr(detector, "classes", ())) or (FACE,)


def tells_class(kinds: Sequence[str]) -> bool:
    """Whether a box of one of these classes has to say of which: several, or one that is not of faces."""
    return len(kinds) > 1 or not all(map(is_face, kinds))


def alike(kinds: Iterable[str], others: Iterable[str]) -> set[str]:
    """Those of the classes that any of the others means too, by its name or by what it is called."""
    others = list(others)
    called = {_called(kind) for kind in others} - {None}
    return {kind for kind in kinds if kind in others or _called(kind) in called}


def noun(kinds: Iterable[str], count: int = 2) -> str:
    """What boxes of these classes are called together: face, heads, boxes."""
    called = {_called(kind) for kind in kinds} or {FACE}
    if len(called) > 1 or (one := called.pop()) is None:
        return "box" if count == 1 else "boxes"
    return one if count == 1 else _ONE_OF.get(one, f"{one}s")


def counted(boxes: Mapping[str, int]) -> str:
    """Numbers of boxes by class in words: ``12 faces``, ``3 faces and 25 heads``."""
    totals: dict[str | None, int] = {}
    for kind, count in boxes.items():
        called = _called(kind)
        totals[called or kind] = totals.get(called or kind, 0) + count
    told = []
    for name, count in sorted(totals.items(), key=lambda item: (item[0] != FACE, str(item[0]))):
        known = name == FACE or name in _ONE_OF
        told.append(
            f"{count:,} {noun([str(name)], count)}" if known else f"{quantity(count, 'box')} of {name}"
        )
    return " and ".join([", ".join(told[:-1]), told[-1]] if len(told) > 1 else told) or "0 faces"


def _called(kind: str) -> str | None:
    """The word for one box of a class; None where the class is of neither faces nor a plain other thing."""
    if is_face(kind):
        return FACE
    plain = [_PLAIN[word] for word in _words(kind) if word in _PLAIN and word not in ("human", "humans")]
    return plain[0] if len(set(plain)) == 1 else None if plain else _PLAIN.get(kind.casefold())


def _words(kind: str) -> list[str]:
    return re.findall(r"[^\W\d_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", kind).lower())
