"""What the name of a picture says about the picture it was made from.

Some names only one tool writes: Roboflow's ``NAME_EXT.rf.HASH``, the copies of
`lineament.datasets.augment`, those of Augmentor. Endings such as ``_flip`` and ``_aug_3`` are anybody's,
and may mean something else; whether they do, the other names tell (`lineament.datasets.grouping.versions`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from lineament.datasets.given import meaning

_EXT = r"(?:jpe?g|jfif|png|bmp|webp|tiff?|avif|heic|gif)"
_MADE = {
    # The name before upload, as Roboflow changes it.
    "Roboflow": re.compile(r"(?P<stem>.+)_(?P<ext>[A-Za-z0-9]{2,5})\.rf\.[0-9A-Za-z]{6,64}(?:\.\w+)?"),
    # The whole old name, or the row's id in place of a long one.
    "lineament": re.compile(rf"(?P<name>.+\.{_EXT}|[0-9a-f]{{20}})-\d{{4,}}\.(?:jpg|png)", re.IGNORECASE),
    "Augmentor": re.compile(rf"(?:.+_)?original_(?P<name>.+\.{_EXT})_[0-9a-f-]{{36}}\.\w+", re.IGNORECASE),
}

_CLEAR = (
    r"augmented|augmentation|flip|flipped|hflip|vflip|fliplr|flipud|mirrored|rot(?=\d)|rotated?|rotation"
    r"|blurred|brightness|brightened|darkened|grayscale|greyscale|gaussian|sheared|cutout|jitter"
    r"|colorjitter|hue|saturation|cropped"
)
_UNCLEAR = (
    r"aug|mirror|rot|blur|noise|noisy|bright|dark|contrast|gamma|gray|grey|bw|crop|zoom|zoomed|shear"
    r"|shift|shifted|scaled?|translated?|sharp|sharpen|copy|orig|original|edit|edited|small|large"
    r"|resized?|thumb|face"
)
"""Words that may be part of a name (Macy Gray) or a month."""

_WORD = rf"(?:{_CLEAR}|{_UNCLEAR})"
_NUMBERS = r"(?:[\s_-]?[+-]?\d++(?:\.\d++)?)*(?:deg)?"
# No system has names of more than 255 bytes; a manifest may hold any.
_LONGEST = 1_024
_END = re.compile(rf"(?P<stem>.+?)(?P<words>(?:[\s_.-]++{_WORD}{_NUMBERS})+)", re.IGNORECASE)
_START = re.compile(rf"(?P<words>(?:{_WORD}{_NUMBERS}[\s_.-]+)+)(?P<stem>.+)", re.IGNORECASE)
_HAS_CLEAR = re.compile(rf"[\s_.-](?:{_CLEAR}){_NUMBERS}(?=$|[\s_.-])", re.IGNORECASE)

_VIDEO = r"(?:mp4|avi|mov|mkv|webm|m4v|mpe?g|wmv|3gp|flv)"
_OF_VIDEO = re.compile(rf"(?P<clip>.+[_.-]{_VIDEO})[_.-]+(?:frame[_-]?)?\d+", re.IGNORECASE)
_NUMBERED = re.compile(r"(?P<clip>.*?)[_.\s-]*+\d++")
_MOVING = {"frame", "frames", "clip", "clips", "video", "videos", "vid", "movie", "seq", "sequence"}
_MOVING_NAMES = _MOVING | {"scene", "shot", "cam", "webcam", "cctv", "recording"}


@dataclass(frozen=True, slots=True)
class Ending:
    """A name without the words that a tool may have put behind or before it.

    ``clear`` words say so by themselves where siblings have them too; ``front`` ones stood before it.
    """

    stem: str
    words: str
    clear: bool
    front: bool = False


def source_of(name: str) -> tuple[str, str | None]:
    """The file name a picture had before tools made versions of it, and a tool that says so, if any."""
    said = None
    found = len(name) <= _LONGEST
    while found:
        found = False
        for tool, shape in _MADE.items():
            if (match := shape.fullmatch(name)) is not None:
                parts = match.groupdict()
                name = parts.get("name") or f"{parts['stem']}.{parts['ext']}"
                said, found = tool, True
    return name, said


def stem_of(name: str) -> str:
    """A file's name without the suffix of a picture."""
    return PurePosixPath(name).stem if re.fullmatch(rf".+\.{_EXT}", name, re.IGNORECASE) else name


def ending_of(stem: str) -> Ending | None:
    """What stands at the end or, failing that, at the start of a name that a tool may have put there."""
    if len(stem) > _LONGEST:
        return None
    if (end := _END.fullmatch(stem)) is not None:
        return Ending(end["stem"], end["words"].lower(), _HAS_CLEAR.search(end["words"]) is not None)
    if (start := _START.fullmatch(stem)) is not None:
        return Ending(start["stem"], start["words"].lower(), False, front=True)
    return None


def clip_of(path: str, stem: str) -> str | None:
    """The video that a numbered picture is a frame of, by the words in its name or its folder's."""
    if len(stem) > _LONGEST:
        return None
    folders = [part for part in PurePosixPath(path).parts[:-1] if not _of_layout(part)]
    if (of_video := _OF_VIDEO.fullmatch(stem)) is not None:
        return "/".join([*folders, of_video["clip"]])
    numbered = _NUMBERED.fullmatch(stem)
    if numbered is None:
        return None
    bare = not numbered["clip"] and bool(folders) and bool(_words(folders[-1]) & _MOVING)
    if not bare and not _words(numbered["clip"]) & _MOVING_NAMES:
        return None
    return "/".join([*folders, numbered["clip"]])


def _words(text: str) -> set[str]:
    return {word.lower() for word in re.split(r"[^A-Za-z]+", text)}


def _of_layout(part: str) -> bool:
    """A folder of a split or of a format's layout: it parts the frames of one video."""
    return meaning(part) in ("train", "val", "test") or part.lower() in ("images", ".augmented")
