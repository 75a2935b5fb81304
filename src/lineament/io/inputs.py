"""One source is one source, and each is a picture or refused by name: what a caller may hand over.

A source is a path, the bytes of a file, an open binary file, an `Image` or a PIL picture. Whatever else is
given where pictures are wanted ends in `NotAPicture`, which names it and the call that was meant.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

import numpy as np

from lineament.errors import InvalidArray, NotAPicture, PictureUnreadable, UsageError
from lineament.io.reading import STDIN
from lineament.shown import shown
from lineament.types import Faces, Image, Outcome, UInt8

if TYPE_CHECKING:
    from PIL.Image import Image as PillowPicture

Source: TypeAlias = (
    "str | os.PathLike[str] | os.PathLike[bytes] | bytes | bytearray | memoryview | BinaryIO | Image"
    " | PillowPicture"
)

_READABLE = 'a path, the bytes of a file, a file opened with "rb", an Image or a PIL picture'
_ARRAY_SIGNS = ("__array_interface__", "__array__", "__cuda_array_interface__", "__dlpack__")


@dataclass(frozen=True, slots=True)
class Held:
    """One source, safe to be worked on later by another thread: a path, the bytes of a file, or an `Image`.

    ``name`` is the path, or the name of the file that was open; None for bytes.
    """

    content: str | bytes | Image
    name: str | None

    __repr__ = shown

    @property
    def nbytes(self) -> int:
        """How much memory it holds on to."""
        if isinstance(self.content, Image):
            return self.content.pixels.nbytes
        return len(self.content) if isinstance(self.content, bytes) else 0


def is_one(given: Any) -> bool:
    """Whether this is a single source, right or wrong, and not a collection of them."""
    plain = (str, os.PathLike, bytes, bytearray, memoryview, Image, Outcome, Mapping)
    if isinstance(given, (*plain, type)) or _is_pillow(given) or hasattr(given, "read"):
        return True
    if _is_array(given):
        return not _lists_sources(given)
    return not isinstance(given, Iterable) and not hasattr(given, "__getitem__")


def each(given: Any) -> Iterable[Any]:
    """The sources given: the collection itself, or a list of the one."""
    return [given] if is_one(given) else given


def pictures(given: Any) -> list[Image]:
    """The pictures of a batch; one `Image` is a batch of one. Raises `UsageError` for what is none."""
    batch = list(each(given))
    for number, one in enumerate(batch):
        if not isinstance(one, Image):
            raise UsageError(
                f"picture {number} of the batch is no Image but {type(one).__name__}: lineament.load gives "
                'one of a file, Image.from_array(array, order="bgr") of an array'
            )
    return batch


def crops(given: Any, size: int, whose: str) -> UInt8:
    """Aligned crops for an embedder, uint8 ``(N, S, S, 3)``; raises `InvalidArray` naming the embedder."""
    array = np.asarray(given)
    if array.dtype != np.uint8 or array.ndim != 4 or array.shape[1:] != (size, size, 3):
        advice = ": give one crop as a batch of one, crop[None]" if array.shape == (size, size, 3) else ""
        raise InvalidArray(
            f"{whose}: expected uint8 (N, {size}, {size}, 3) crops, got {array.dtype} {array.shape}{advice}"
        )
    return array


def found_in(given: Any) -> list[Faces]:
    """The faces of each picture of a batch; one `Faces` is a batch of one."""
    return [given] if isinstance(given, Faces) else list(given)


def name_of(source: Any) -> str | None:
    """The path, or the name of the file that is open, None where a source has none."""
    if isinstance(source, Held | Image):
        return source.name if isinstance(source, Held) else source.source
    if isinstance(source, str | os.PathLike):
        path = os.fsdecode(source)
        return "<stdin>" if path == STDIN else path
    name: Any = None
    if _is_pillow(source):
        name = getattr(source, "filename", None)
    elif hasattr(source, "read"):
        name = getattr(source, "name", None)
    return os.fsdecode(name) or None if isinstance(name, str | bytes | os.PathLike) else None


def hold(source: Any, max_bytes: int) -> Held:
    """Take a source over now, while its file is open and its pixels are what they were when it was given.

    A stream is read to its end, but for no more than ``max_bytes`` and one; one that stands at its end is
    rewound, because it was just written or was given twice. Raises `PictureError`.
    """
    if isinstance(source, Held):
        return source
    if isinstance(source, Image):
        return Held(source, source.source)
    if isinstance(source, str | os.PathLike):
        return Held(os.fsdecode(source), name_of(source))
    if isinstance(source, bytes | bytearray | memoryview):
        return Held(bytes(source), None)
    if _is_pillow(source):
        return Held(Image.from_pil(source), name_of(source))
    if hasattr(source, "read"):
        return Held(_read(source, max_bytes + 1), name_of(source))
    raise NotAPicture(_advice(source))


def _is_pillow(given: Any) -> bool:
    # Whoever holds a PIL picture has imported it; another thread may be in the middle of its first import.
    kind = getattr(sys.modules.get("PIL.Image"), "Image", None)
    return kind is not None and isinstance(given, kind)


def _is_array(given: Any) -> bool:
    return any(hasattr(given, sign) for sign in _ARRAY_SIGNS)


def _lists_sources(array: Any) -> bool:
    """Whether an array or a column of a table lists paths or other sources, and is no pixels."""
    if len(getattr(array, "shape", ())) != 1 or not isinstance(array, Iterable):
        return False
    kind = getattr(getattr(array, "dtype", None), "kind", None)
    if kind is not None:
        return kind in "OSUT"
    first = next(iter(array), None)  # a library with types of its own (Polars)
    return isinstance(first, str | os.PathLike | bytes | Image) or _is_pillow(first)


def _read(stream: Any, most: int) -> bytes:
    if getattr(stream, "closed", False) is True:
        raise PictureUnreadable("the file was closed before it was read: give it while it is open")
    if isinstance(stream, io.TextIOBase):
        raise NotAPicture(_TEXT)
    try:
        data = _all(stream, most)
        if not data and _rewound(stream):
            data = _all(stream, most)
    except NotAPicture:
        raise
    except Exception as error:  # a stream that fails is a bad source, not an error of the program
        words = str(error) or type(error).__name__
        raise PictureUnreadable(f"the stream cannot be read: {words}") from None
    return data


def _rewound(stream: Any) -> bool:
    """Whether a stream stood behind its bytes and could be set back to the first."""
    try:
        return bool(stream.tell()) and stream.seek(0) == 0
    except (AttributeError, OSError):
        return False


_TEXT = 'a file opened as text, whose bytes are lost: open it with "rb" (of sys.stdin: sys.stdin.buffer)'


def _all(stream: Any, most: int) -> bytes:
    """To the end: pipes, sockets and unbuffered files answer with fewer bytes than asked for."""
    data = bytearray()
    while len(data) < most:
        part = stream.read(most - len(data))
        if isinstance(part, str):
            raise NotAPicture(_TEXT)
        if hasattr(part, "close") and hasattr(part, "send"):
            part.close()
            raise NotAPicture("an asynchronous stream: give what `await stream.read()` gives")
        if not isinstance(part, bytes | bytearray | memoryview):
            raise NotAPicture(f"its read() gives {type(part).__name__} instead of bytes")
        if not len(part):
            break
        data += part
    return bytes(data)


def _advice(source: Any) -> str:
    kind = type(source).__name__
    if source is None:
        return f"None is no picture (OpenCV gives it for a file that it cannot read): give {_READABLE}"
    if isinstance(source, Outcome):
        return "an Outcome is no picture: its pixels, where they were kept, are outcome.image"
    if hasattr(source, "columns"):
        return f"a table ({kind}) is no picture: give its column of paths"
    if isinstance(source, Mapping):
        return f"a {kind} is no picture: give its values"
    if _is_array(source):
        return f"{_array_words(source)}: {_array_advice(source)}"
    if isinstance(source, Iterable):
        return f"a {kind} among the pictures is no picture: give one flat list"
    return f"{kind} is no picture: give {_READABLE}"


def _array_words(array: Any) -> str:
    shape = tuple(getattr(array, "shape", ()))
    return f"a bare array ({type(array).__name__} of shape {shape}) does not say what its numbers mean"


def _array_advice(array: Any) -> str:
    shape = getattr(array, "shape", ())
    if len(shape) == 1:
        return "give array.tobytes() if these are the bytes of a file"
    call = 'Image.from_array(array, order="bgr") for one of OpenCV, order="rgb" for most others'
    return f"make an Image of each of its pictures with {call}" if len(shape) > 3 else f"give {call}"
