"""One source is one source: a single picture given where several may be is taken as that one."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from lineament.types import Image, Outcome


def is_one(given: Any) -> bool:
    """Whether this is a single picture, in whatever form, and not a collection of pictures.

    A path, the bytes of a file, an open stream, an `Image`, an `Outcome`, an array, a PIL picture, and
    None, which is what OpenCV gives for a file that it cannot read.
    """
    if given is None or isinstance(given, (str, os.PathLike, bytes, bytearray, memoryview, Image, Outcome)):
        return True
    # A PIL picture and an array are told by what they offer: neither library need be imported for it.
    return any(hasattr(given, name) for name in ("read", "getexif", "__array_interface__"))


def each(given: Any) -> Iterable[Any]:
    """The pictures given: the collection itself, or a list of the one."""
    return [given] if is_one(given) else given
