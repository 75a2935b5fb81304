"""Names that every file system can hold, and no two of which meet there."""

from __future__ import annotations

import hashlib
import unicodedata

_MAX_BYTES = 200
"""Of one name; file systems stop at 255, and a suffix may follow."""


def portable(name: str) -> str:
    """A name for one file or folder: separators, control characters and a leading dot become ``%XX``.

    Most names stay as they are. It cannot be undone with certainty: what changed is in the loss report.
    """
    text = "".join(_escaped(c) for c in name)
    if not text or text.startswith("."):
        text = f"%2E{text[1:]}" if text else "%"
    data = text.encode("utf-8", "replace")
    if len(data) > _MAX_BYTES:
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:12]
        text = f"{data[: _MAX_BYTES - 13].decode('utf-8', 'ignore')}~{digest}"
    return text


def portable_path(path: str) -> str:
    """The same for every part of a relative path, the last keeping its suffix."""
    return "/".join(_part(part) for part in path.split("/") if part not in ("", "."))


def _part(part: str) -> str:
    stem, dot, suffix = part.rpartition(".")
    if dot and stem and len(suffix) <= 8:
        return f"{portable(stem)}.{portable(suffix) if suffix else ''}"
    return portable(part)


def _escaped(character: str) -> str:
    if character in "/\\" or unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp"):
        return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))
    return character


def folded(name: str) -> str:
    """Equal for names that a file system may take for one: case and Unicode form do not count."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


class Names:
    """Hands out names; a second name that folds to one handed out before gets ``~2``."""

    def __init__(self, *, unique_stems: bool = False) -> None:
        self._taken: dict[str, str] = {}
        self._unique_stems = unique_stems

    def take(self, wanted: str) -> str:
        """The wanted path, or the nearest one that is free."""
        stem, dot, suffix = wanted.rpartition(".")
        if not dot or "/" in suffix:
            stem, suffix = wanted, ""
        tail, number, name = f".{suffix}" if suffix else "", 1, wanted
        while folded(self._key(name)) in self._taken:
            number += 1
            name = f"{stem}~{number}{tail}"
        self._taken[folded(self._key(name))] = name
        return name

    def _key(self, name: str) -> str:
        stem, dot, suffix = name.rpartition(".")
        return stem if self._unique_stems and dot and "/" not in suffix else name


class FolderNames:
    """One folder name a text, such as a subject: never one folder for two of them."""

    def __init__(self) -> None:
        self._names = Names()
        self._of: dict[str, str] = {}

    def of(self, text: str) -> str:
        """The folder of this text, the same every time."""
        if text not in self._of:
            self._of[text] = self._names.take(portable(text))
        return self._of[text]
