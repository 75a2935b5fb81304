"""Files that torch saved, read as data: nothing of the file is called, imported or built.

Such a file is a zip archive with a pickle, and a pickle is a program that can call anything. Its
instructions are followed here, but what it would call or build becomes a `Made`: a name, the arguments,
and the state it was given. Only tensors are understood; their numbers lie within the bounds of the file.
"""

from __future__ import annotations

import pickletools
import struct
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from lineament.errors import WeightsMismatch

_MAX_FILE = 4 * 2**30
_MAX_PICKLE = 16 * 2**20
_DTYPES = {
    "FloatStorage": "f4",
    "HalfStorage": "f2",
    "DoubleStorage": "f8",
    "LongStorage": "i8",
    "IntStorage": "i4",
    "ShortStorage": "i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
    "BFloat16Storage": "bf16",
}


@dataclass(frozen=True, slots=True)
class Named:
    """Something of a module that the pickle names."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(slots=True, eq=False)
class Made:
    """What a call or a class would have made: ``what`` it names, its arguments, state, and items."""

    what: Named
    arguments: tuple[Any, ...]
    state: Any = None
    items: dict[Any, Any] = field(default_factory=dict)

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute of the state, such as the modules and numbers of a layer."""
        state = self.state if isinstance(self.state, Mapping) else {}
        return state.get(name, default)


class _Mark:
    """The place on the stack where a list begins."""


@dataclass(frozen=True, slots=True)
class _Storage:
    """Numbers of the archive: the file's key, their type and count."""

    key: str
    dtype: str
    count: int


def read(path: Path) -> Any:
    """What a file of ``torch.save`` holds: dicts, lists, numbers, texts, arrays for tensors, `Made` else.

    Raises `WeightsMismatch` for files that are damaged, too large, of torch before 1.6, or no such files.
    """
    try:
        if path.stat().st_size > _MAX_FILE:
            raise WeightsMismatch(f"{path}: more than {_MAX_FILE >> 30} GiB")
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            return _Reader(path, archive).read()
    except OSError as error:
        raise WeightsMismatch(f"{path}: cannot be read: {error.strerror or error}") from None
    except zipfile.BadZipFile:
        raise WeightsMismatch(
            f"{path}: no zip archive; if torch before 1.6 saved it, save it again with a newer one"
        ) from None
    except (
        ValueError,
        KeyError,
        IndexError,
        TypeError,
        struct.error,
        RecursionError,
        MemoryError,
    ) as error:
        raise WeightsMismatch(f"{path}: damaged or not saved by torch ({type(error).__name__})") from None


class _Reader:
    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self.path, self.archive = path, archive
        pickles = [name for name in archive.namelist() if name.split("/")[1:] == ["data.pkl"]]
        if len(pickles) != 1:
            raise WeightsMismatch(
                f"{path}: a zip archive, but torch did not save it: no data.pkl in a folder"
            )
        self.pickle, self.folder = pickles[0], pickles[0].split("/")[0]
        if f"{self.folder}/byteorder" in archive.namelist() and self._bytes("byteorder", 16) != b"little":
            raise WeightsMismatch(f"{path}: saved on a machine with another order of bytes")
        self.arrays: dict[str, NDArray[Any]] = {}

    def read(self) -> Any:
        with self.archive.open(self.pickle) as file:
            data = file.read(_MAX_PICKLE + 1)
        if len(data) > _MAX_PICKLE:
            raise WeightsMismatch(f"{self.path}: its pickle is larger than {_MAX_PICKLE >> 20} MiB")
        return _followed(data, self._storage, self._made)

    def _bytes(self, member: str, limit: int) -> bytes:
        info = self.archive.getinfo(f"{self.folder}/{member}")
        if info.file_size > limit or info.compress_type != zipfile.ZIP_STORED:
            raise WeightsMismatch(f"{self.path}: {member} is larger than announced, or compressed")
        file: IO[bytes]
        with self.archive.open(info) as file:
            return file.read(limit + 1)

    def _storage(self, given: Any) -> _Storage:
        kind, named, key, _, count = given
        if kind != "storage" or not isinstance(named, Named) or named.name not in _DTYPES:
            raise WeightsMismatch(f"{self.path}: holds numbers of the unknown kind {str(named)[:80]}")
        return _Storage(str(key), _DTYPES[named.name], int(count))

    def _made(self, made: Made) -> Any:
        """A tensor for what would make one; everything else stays what it is."""
        what = str(made.what)
        if what in ("torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor"):
            storage, offset, size, stride = made.arguments[:4]
            return self._tensor(storage, offset, size, stride)
        if what == "torch._utils._rebuild_parameter":
            return made.arguments[0]
        if what == "collections.OrderedDict" and not made.arguments:
            return {}
        if what in ("torch.Size", "builtins.set", "__builtin__.set") and len(made.arguments) == 1:
            return made.arguments[0]
        return made

    def _tensor(
        self, storage: _Storage, offset: int, size: tuple[int, ...], stride: tuple[int, ...]
    ) -> NDArray[Any]:
        if not isinstance(storage, _Storage) or len(size) != len(stride):
            raise ValueError("no tensor")
        numbers = self._numbers(storage)
        last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
        bounded = all(n >= 0 and step >= 0 for n, step in zip(size, stride, strict=True)) and offset >= 0
        if not bounded or (0 not in size and last >= len(numbers)) or int(np.prod(size)) > len(numbers):
            raise ValueError("a tensor beyond its numbers")
        item = numbers.itemsize
        return np.lib.stride_tricks.as_strided(
            numbers[offset:], tuple(size), tuple(step * item for step in stride), writeable=False
        )

    def _numbers(self, storage: _Storage) -> NDArray[Any]:
        if storage.key not in self.arrays:
            wide = 2 if storage.dtype == "bf16" else np.dtype(storage.dtype).itemsize
            data = self._bytes(f"data/{storage.key}", storage.count * wide)
            if len(data) != storage.count * wide:
                raise ValueError("numbers are missing")
            if storage.dtype == "bf16":
                upper = np.frombuffer(data, "<u2").astype(np.uint32) << 16
                self.arrays[storage.key] = upper.view(np.float32)
            else:
                self.arrays[storage.key] = np.frombuffer(data, np.dtype(storage.dtype).newbyteorder("<"))
        return self.arrays[storage.key]


_CONSTANTS: Mapping[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_SET": list,
    "EMPTY_TUPLE": tuple,
    "MARK": _Mark,
}
_TEXTS_AND_NUMBERS = frozenset(
    (
        *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "UNICODE", "BINSTRING", "SHORT_BINSTRING"),
        *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BINFLOAT", "FLOAT"),
        *("BININT", "BININT1", "BININT2", "INT", "LONG", "LONG1", "LONG4"),
    )
)
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_NAMELESS = frozenset({"PROTO", "FRAME"})


def _followed(data: bytes, storage: Callable[[Any], Any], made: Callable[[Made], Any]) -> Any:
    """The value a pickle ends in. Sets become lists; raises `ValueError` for other instructions."""
    stack: list[Any] = []
    memo: dict[Any, Any] = {}
    for code, argument, _ in pickletools.genops(data):
        name = code.name
        if name in _NAMELESS:
            continue
        if name in _CONSTANTS:
            stack.append(_CONSTANTS[name]())
        elif name in _TEXTS_AND_NUMBERS:
            stack.append(argument)
        elif name in ("BINPUT", "LONG_BINPUT", "PUT"):
            memo[argument] = stack[-1]
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET", "GET"):
            stack.append(memo[argument])
        elif name in _TUPLES:
            stack[-_TUPLES[name] :] = [tuple(stack[-_TUPLES[name] :])]
        elif name in ("TUPLE", "LIST", "DICT", "FROZENSET"):
            items = _since_mark(stack)
            stack.append(
                tuple(items) if name == "TUPLE" else _pairs(items) if name == "DICT" else list(items)
            )
        elif name in ("SETITEM", "SETITEMS"):
            items = _since_mark(stack) if name == "SETITEMS" else [stack.pop(-2), stack.pop()]
            target = stack[-1]
            (target.items if isinstance(target, Made) else target).update(_pairs(items))
        elif name in ("APPEND", "APPENDS", "ADDITEMS"):
            items = [stack.pop()] if name == "APPEND" else _since_mark(stack)
            if isinstance(stack[-1], list):
                stack[-1].extend(items)
        elif name == "GLOBAL":
            module, _, attribute = str(argument).partition(" ")
            stack.append(Named(module, attribute))
        elif name == "STACK_GLOBAL":
            attribute, module = stack.pop(), stack.pop()
            stack.append(Named(str(module), str(attribute)))
        elif name in ("REDUCE", "NEWOBJ"):
            arguments, what = stack.pop(), stack.pop()
            if not isinstance(what, Named) or not isinstance(arguments, tuple):
                raise ValueError("a call of what has no name")
            stack.append(made(Made(what, arguments)))
        elif name == "BUILD":
            state = stack.pop()
            if isinstance(stack[-1], Made):
                stack[-1].state = state
        elif name == "BINPERSID":
            stack.append(storage(stack.pop()))
        elif name == "STOP":
            return stack.pop()
        else:
            raise ValueError(f"the instruction {name}")
    raise ValueError("no end")


def _since_mark(stack: list[Any]) -> list[Any]:
    place = next(i for i in range(len(stack) - 1, -1, -1) if isinstance(stack[i], _Mark))
    items = stack[place + 1 :]
    del stack[place:]
    return items


def _pairs(items: list[Any]) -> dict[Any, Any]:
    return {_hashable(key): value for key, value in zip(items[::2], items[1::2], strict=True)}


def _hashable(key: Any) -> Any:
    hash(key)
    return key
