"""Letters on pictures: a font of this system that has the glyphs of a text, or the news that none has.

Pillow draws an empty box for a character that its font lacks, and says nothing. So the fonts' own tables of
characters are read, those of the system in turn where the built-in one falls short. Scripts whose letters
join, stack or run from right to left are drawn only where Pillow can shape them (Raqm with FriBiDi).
"""

from __future__ import annotations

import importlib.util
import os
import struct
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from PIL import ImageDraw, ImageFont, features

from lineament.errors import ConfigError
from lineament.io.names import visible

Colour = tuple[int, int, int]

SIMPLE = (
    "LATIN",
    "GREEK",
    "CYRILLIC",
    "ARMENIAN",
    "GEORGIAN",
    "CJK",
    "HIRAGANA",
    "KATAKANA",
    "KATAKANA-HIRAGANA",
    "HANGUL",
    "BOPOMOFO",
    "ETHIOPIC",
    "CHEROKEE",
    "FULLWIDTH",
    "HALFWIDTH",
    "IDEOGRAPHIC",
    "YI",
    "MICRO",
    "FEMININE",
    "MASCULINE",
    "MODIFIER",
)
"""First words of the Unicode names of letters that need no shaping."""

_PLACEHOLDERS = ("lastresort", "adobeblank", "notdef", "tofu")
_STYLED = (
    "bold",
    "italic",
    "oblique",
    "mono",
    "condensed",
    "light",
    "thin",
    "black",
    "serif",
    "display",
    "math",
)
_SUFFIXES = (".ttf", ".otf", ".ttc", ".otc")
_MOST_TABLE = 1 << 22


@dataclass(frozen=True, slots=True, eq=False)
class Letters:
    """A text to draw, in parts from left to right, each with a font that has its glyphs."""

    parts: tuple[tuple[str, ImageFont.FreeTypeFont], ...]

    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the ink about the start of the baseline."""
        x, boxes = 0.0, []
        for text, font in self.parts:
            left, top, right, bottom = font.getbbox(text, anchor="ls")
            boxes.append((x + left, top, x + right, bottom))
            x += font.getlength(text)
        lows, highs = zip(*((b[:2], b[2:]) for b in boxes), strict=True)
        return (*(min(v) for v in zip(*lows, strict=True)), *(max(v) for v in zip(*highs, strict=True)))

    def draw(self, draw: ImageDraw.ImageDraw, start_xy: tuple[float, float], fill: Colour) -> None:
        """Write the text with the start of its baseline at a place."""
        x, y = start_xy
        for text, font in self.parts:
            draw.text((x, y), text, font=font, fill=fill, anchor="ls")
            x += font.getlength(text)


def letters(text: str, size: int) -> Letters | None:
    """How to draw a text at ``size`` pixels; None when no font here draws all of it rightly.

    Characters that cannot be seen, or that turn others round, are drawn as escapes.
    """
    text = visible(unicodedata.normalize("NFC", text))
    whole = _font_for(text, size)
    if whole is not None:
        return Letters(((text, whole),))
    # A font for one script may lack the digits of the similarity behind a name.
    name, space, last = text.rpartition(" ")
    parts = [(name + space, _font_for(name, size)), (last, _font_for(last, size))]
    fonts = [(part, font) for part, font in parts if font is not None]
    return Letters(tuple(fonts)) if space and len(fonts) == len(parts) else None


def legible(labels: Sequence[str]) -> tuple[str, ...]:
    """Each label, or its number from 1 where no font here draws it: a reader needs the numbers' legend."""
    return tuple(
        label if letters(label, _ANY_SIZE) is not None else str(i) for i, label in enumerate(labels, 1)
    )


def legible_letters(text: str, number: int, size: int) -> Letters:
    """How to draw a text, or its number where no font here draws it."""
    found = letters(text, size) or letters(str(number), size)
    if found is None:
        raise ConfigError("this Pillow was built without FreeType, so it writes nothing on pictures")
    return found


_ANY_SIZE = 16


def figure_font(text: str) -> Path | None:
    """The file of a font with which matplotlib, which shapes nothing, draws a text rightly; or None."""
    text = unicodedata.normalize("NFC", text)
    wanted = frozenset(ord(c) for c in text if not _ignorable(c))
    if not _plain(text):
        return None
    # It opens the first font of a collection only.
    first = sorted(_font_files(), key=lambda path: path.name != "DejaVuSans.ttf")
    return next((p for p in first if (found := _glyphs_of(p)) and found[0].has_all(wanted)), None)


def _font_for(text: str, size: int) -> ImageFont.FreeTypeFont | None:
    wanted = frozenset(ord(c) for c in text if not _ignorable(c))
    if not _plain(text) and not (features.check("raqm") and features.check("fribidi")):
        return None
    built_in = ImageFont.load_default(size)
    if not isinstance(built_in, ImageFont.FreeTypeFont):  # Pillow without FreeType
        return None
    if _plain(text) and _built_in_glyphs().has_all(wanted):
        return built_in
    for path in _font_files():
        for index, glyphs in enumerate(_glyphs_of(path)):
            if glyphs.has_all(wanted):
                font = _opened(path, index, size)
                if font is not None and _shows(font, text):
                    return font
    return None


def _plain(text: str) -> bool:
    """Whether a text is rightly drawn letter by letter, from left to right."""
    return all(_plain_character(c) for c in text)


def _plain_character(character: str) -> bool:
    kind = unicodedata.category(character)
    if kind[0] == "M" or unicodedata.bidirectional(character) in ("R", "AL", "AN"):
        return False
    if kind[0] == "C" and not _ignorable(character):
        return False
    return kind[0] != "L" or unicodedata.name(character, "").partition(" ")[0] in SIMPLE


def _ignorable(character: str) -> bool:
    """Spaces and characters that steer shaping and have no glyph of their own."""
    code = ord(character)
    return (
        character.isspace()
        or 0x200B <= code <= 0x200F
        or 0x2060 <= code <= 0x2064
        or 0xFE00 <= code <= 0xFE0F
        or 0xE0100 <= code <= 0xE01EF
    )


def _shows(font: ImageFont.FreeTypeFont, text: str) -> bool:
    """Whether each character leaves ink: some fonts map characters to an empty or a placeholder glyph."""
    missing = _ink(font, "\U0010ffff")
    return all(
        (ink := _ink(font, c)) is not None and ink != missing
        for c in set(text)
        if not _ignorable(c) and unicodedata.category(c)[0] != "M"
    )


def _ink(font: ImageFont.FreeTypeFont, character: str) -> tuple[tuple[int, int], bytes] | None:
    mask = font.getmask(character)
    return None if mask.getbbox() is None else (mask.size, bytes(mask))


@lru_cache(maxsize=64)
def _opened(path: Path, index: int, size: int) -> ImageFont.FreeTypeFont | None:
    try:
        return ImageFont.truetype(str(path), size, index=index)
    except (OSError, ValueError):  # damaged, or bitmaps of one size only
        return None


@lru_cache(maxsize=1)
def _font_files() -> tuple[Path, ...]:
    """The font files of this system, plain upright ones first."""
    files = {path for folder in _font_folders() for path in _fonts_below(folder)}
    return tuple(sorted(files, key=lambda p: (sum(s in p.stem.lower() for s in _STYLED), p.name, str(p))))


def _font_folders() -> Iterator[Path]:
    home = Path.home()
    if sys.platform == "win32":
        yield Path(os.environ.get("WINDIR", r"C:\Windows")) / "Fonts"
        if local := os.environ.get("LOCALAPPDATA"):
            yield Path(local) / "Microsoft" / "Windows" / "Fonts"
    elif sys.platform == "darwin":
        yield from (Path("/System/Library/Fonts"), Path("/Library/Fonts"), home / "Library" / "Fonts")
    else:
        data = os.environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
        own = os.environ.get("XDG_DATA_HOME") or str(home / ".local" / "share")
        yield from (Path(folder) / "fonts" for folder in (own, *data.split(":")) if folder)
        yield home / ".fonts"
    # Matplotlib brings DejaVu Sans: Cyrillic, Greek, Hebrew, Arabic and many symbols.
    if (found := importlib.util.find_spec("matplotlib")) is not None and found.origin is not None:
        yield Path(found.origin).parent / "mpl-data" / "fonts" / "ttf"


def _fonts_below(folder: Path) -> Iterator[Path]:
    for where, _, names in os.walk(folder):
        for name in names:
            lower = name.lower()
            if lower.endswith(_SUFFIXES) and not any(p in lower for p in _PLACEHOLDERS):
                yield Path(where) / name


class Glyphs:
    """Which characters a font has a glyph for: the formats 4 and 12 of OpenType's ``cmap`` table."""

    def __init__(self, tables: Sequence[bytes]) -> None:
        self._tables = tables

    def has_all(self, codes: frozenset[int]) -> bool:
        """Whether there is a glyph for each code point; a damaged table has none."""
        try:
            return all(any(_glyph(table, code) for table in self._tables) for code in codes)
        except struct.error:
            return False


@lru_cache(maxsize=1)
def _built_in_glyphs() -> Glyphs:
    from io import BytesIO

    font = ImageFont.load_default(_ANY_SIZE)
    data = getattr(font, "font_bytes", b"")
    found = list(_read_glyphs(BytesIO(data))) if data else []
    return found[0] if found else Glyphs(())


@lru_cache(maxsize=256)
def _glyphs_of(path: Path) -> tuple[Glyphs, ...]:
    """Of each font of a file; none of a file that cannot be read as one."""
    try:
        with path.open("rb") as file:
            return tuple(_read_glyphs(file))
    except (OSError, struct.error, ValueError):
        return ()


def _read_glyphs(file: BinaryIO) -> Iterator[Glyphs]:
    head = file.read(12)
    starts = [0]
    if head[:4] == b"ttcf":
        count = struct.unpack(">I", head[8:12])[0]
        starts = list(struct.unpack(f">{min(count, 64)}I", file.read(4 * min(count, 64))))
    for start in starts:
        file.seek(start + 4)
        tables = struct.unpack(">H", file.read(2))[0]
        file.seek(start + 12)
        directory = file.read(16 * tables)
        entries = {directory[i : i + 4]: directory[i + 8 : i + 16] for i in range(0, len(directory), 16)}
        if b"cmap" in entries:
            offset, length = struct.unpack(">II", entries[b"cmap"])
            file.seek(offset)
            yield Glyphs(_subtables(file.read(min(length, _MOST_TABLE))))


def _subtables(cmap: bytes) -> list[bytes]:
    """The tables that map Unicode to glyphs, of formats 4 and 12."""
    count = struct.unpack(">H", cmap[2:4])[0]
    found = []
    for i in range(count):
        platform, encoding, offset = struct.unpack(">HHI", cmap[4 + 8 * i : 12 + 8 * i])
        table = cmap[offset:]
        # Windows fonts for symbols (encoding 0) map no Unicode.
        unicode = (platform == 0 and encoding != 5) or (platform == 3 and encoding in (1, 10))
        if unicode and struct.unpack(">H", table[:2])[0] in (4, 12):
            found.append(table)
    return found


def _glyph(table: bytes, code: int) -> int:
    """The glyph of a code point, 0 if there is none."""
    if struct.unpack(">H", table[:2])[0] == 12:
        groups = struct.unpack(">I", table[12:16])[0]
        low, high = 0, groups
        while low < high:
            middle = (low + high) // 2
            first, last, glyph = struct.unpack(">III", table[16 + 12 * middle : 28 + 12 * middle])
            if code > last:
                low = middle + 1
            elif code < first:
                high = middle
            else:
                return int(glyph + code - first)
        return 0
    if code > 0xFFFF:
        return 0
    double = struct.unpack(">H", table[6:8])[0]
    ends = struct.unpack(f">{double // 2}H", table[14 : 14 + double])
    for i, end in enumerate(ends):
        if code > end:
            continue
        at = 16 + double + 2 * i
        start = struct.unpack(">H", table[at : at + 2])[0]
        if code < start:
            return 0
        delta = struct.unpack(">H", table[at + double : at + double + 2])[0]
        place = at + 2 * double
        offset = struct.unpack(">H", table[place : place + 2])[0]
        if not offset:
            return int((code + delta) & 0xFFFF)
        where = place + offset + 2 * (code - start)
        glyph = struct.unpack(">H", table[where : where + 2])[0]
        return int((glyph + delta) & 0xFFFF) if glyph else 0
    return 0
