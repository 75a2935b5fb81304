"""WIDER FACE text: a path, a count, and a line a face: ``x y w h`` and six attributes.

As in the readme of http://shuoyang1213.me/WIDERFACE/: blur, expression, illumination, invalid, occlusion
and pose become labels. A picture of count 0 is followed by one line of zeros in the published files; both
that and none are read. Written boxes are whole pixels, as there; an attribute that is no number is written
as 0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from lineament.counting import quantity
from lineament.datasets.formats import formats
from lineament.datasets.formats._boxes import Boxes
from lineament.datasets.formats._expected import Expected
from lineament.datasets.formats._files import files_below, locate, new_text, read_text, relative, sniff
from lineament.datasets.formats._labelled import BoxConfig, LabelledFace, LabelledPicture, split_in
from lineament.datasets.formats._naming import FolderNames, portable, portable_path
from lineament.datasets.formats._problems import Problems
from lineament.errors import LabelFileError
from lineament.io.left_out import is_picture_name
from lineament.io.manifest import ManifestRow

_ATTRIBUTES = ("blur", "expression", "illumination", "invalid", "occlusion", "pose")
_NUMBERS = re.compile(r"\s*-?[\d.]+(\s+-?[\d.]+){3,}\s*")
_LIST = re.compile(r"wider_face_(?P<split>.+)_bbx_gt\.txt")
_UNSPLIT = "unsplit"


@formats.register("wider", BoxConfig)
class Wider(Boxes):
    """``wider_face_split/wider_face_SPLIT_bbx_gt.txt`` and ``WIDER_SPLIT/images``."""

    rank = 24
    expects = Expected(
        "a list as wider_face_train_bbx_gt.txt, beside the pictures or in wider_face_split/",
        "It comes with WIDER FACE; for pictures of one's own take labelme",
    )

    def matches(self, source: Path) -> bool:
        """Whether a text file is a list of boxes in this form."""
        return bool(_files(source))

    def read(self, source: Path, root: Path, problems: Problems) -> Iterator[LabelledPicture]:
        """Every picture of every list."""
        files = _files(source)
        folder = source if source.is_dir() else source.parent
        for file in files:
            named = _LIST.fullmatch(file.name)
            split = named["split"] if named else split_in(file)
            bases = [folder, folder / "images", file.parent, file.parent / "images"]
            if split is not None:
                inner = f"WIDER_{split}/images"
                bases = [folder / inner, file.parent.parent / inner, *bases]
            bases = [base for base in bases if base == root or root in base.parents]
            split = None if split == _UNSPLIT else split
            for name, faces in _entries(file, relative(file, root)):
                path = locate(name, root, bases, problems, relative(file, root), split, faces=len(faces))
                if path is not None:
                    yield LabelledPicture(path, tuple(faces), split=split)

    def destinations(self, rows: Sequence[ManifestRow], folders: FolderNames) -> list[str | None]:
        """``WIDER_SPLIT/images/PATH``."""
        return [f"WIDER_{_name(row.split)}/images/{portable_path(row.path)}" for row in rows]

    def write(self, pictures: Sequence[LabelledPicture], folder: Path) -> None:
        """One list a split."""
        for split in sorted({p.split for p in pictures}, key=lambda s: s or ""):
            file = folder / "wider_face_split" / f"wider_face_{_name(split)}_bbx_gt.txt"
            with new_text(file) as out:
                for picture in pictures:
                    if picture.split == split:
                        out.write(_block(picture))


def _name(split: str | None) -> str:
    return _UNSPLIT if split is None else portable(split)


def _files(source: Path) -> list[Path]:
    candidates = [source] if source.is_file() else []
    if source.is_dir():
        candidates = files_below(source, ["_bbx_gt.txt"]) or files_below(source, [".txt"], limit=50)
    return [file for file in candidates if file.suffix.lower() == ".txt" and _looks_right(file)]


def _looks_right(file: Path) -> bool:
    """Whether the first lines hold a picture's name, a count and a line of numbers, one below the other."""
    lines = [line for line in sniff(file, 8192).splitlines()[:50] if line.strip()]
    for name, count, *rest in zip(lines, lines[1:], [*lines[2:], ""], strict=False):
        if is_picture_name(name.strip()) and count.strip().isdecimal():
            return count.strip() == "0" or _NUMBERS.fullmatch(rest[0]) is not None
    return False


def _entries(file: Path, where: str) -> Iterator[tuple[str, list[LabelledFace]]]:
    lines = [line.removesuffix("\r") for line in read_text(file).split("\n")]
    at = 0
    while at < len(lines):
        name = lines[at].strip()
        if not name:
            at += 1
            continue
        try:
            count = int(lines[at + 1])
        except (IndexError, ValueError):
            raise LabelFileError(f"{where}, line {at + 2}: expected how many faces follow") from None
        at += 2
        if count < 0 or at + count > len(lines):
            raise LabelFileError(f"{where}, line {at}: {quantity(count, 'face')}, but fewer lines follow")
        faces = [_face(lines[n], f"{where}, line {n + 1}") for n in range(at, at + count)]
        at += count
        if count == 0 and at < len(lines) and _is_zeros(lines[at]):
            at += 1
        yield name, faces


def _is_zeros(line: str) -> bool:
    fields = line.split()
    return len(fields) >= 4 and set(fields) == {"0"} and not is_picture_name(line)


def _face(line: str, where: str) -> LabelledFace:
    try:
        values = [float(field) for field in line.split()]
        x, y, w, h = values[:4]
    except ValueError:
        raise LabelFileError(f"{where}: not a box in numbers") from None
    labels: dict[str, str | float] = dict(zip(_ATTRIBUTES, values[4:], strict=False))
    return LabelledFace((x, y, x + w, y + h), labels=labels)


def _block(picture: LabelledPicture) -> str:
    inner = PurePosixPath(*PurePosixPath(picture.path).parts[2:])
    lines = [inner.as_posix(), str(len(picture.faces))]
    for face in picture.faces:
        x1, y1, x2, y2 = (round(v) for v in face.box)
        numbers = [x1, y1, max(x2 - x1, 1), max(y2 - y1, 1)]
        for name in _ATTRIBUTES:
            value = face.labels.get(name)
            numbers.append(int(value) if isinstance(value, float | int) else 0)
        lines.append(" ".join(map(str, numbers)))
    if not picture.faces:
        lines.append(" ".join(["0"] * 10))
    return "\n".join(lines) + "\n"
