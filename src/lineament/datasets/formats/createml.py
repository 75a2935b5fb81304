"""Apple's CreateML: a JSON list of pictures, boxes as centre, width and height in pixels.

Format as in https://developer.apple.com/documentation/createml/building-an-object-detector-data-source:
every entry has ``image`` (older: ``imagefilename``) and ``annotations`` of ``label`` and ``coordinates``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lineament.datasets.formats import formats
from lineament.datasets.formats._expected import Expected
from lineament.datasets.formats._files import files_below, load_json, locate, relative
from lineament.datasets.formats._json_kinds import json_kind
from lineament.datasets.formats._labelled import BoxConfig, LabelledFace, LabelledPicture, split_in
from lineament.datasets.formats._outlines import numbers
from lineament.datasets.formats._problems import Problems
from lineament.datasets.formats._read_only import ReadOnly
from lineament.errors import LabelFileError
from lineament.kinds import FACE


@formats.register("createml", BoxConfig)
class CreateMl(ReadOnly):
    """One JSON file a folder of pictures."""

    name = "createml"
    rank = 28
    expects = Expected(
        "a .json that lists pictures with annotations, as CreateML reads it",
        "Label in a tool that exports CreateML (Roboflow), and put the file beside the pictures",
    )

    def __init__(self, config: BoxConfig) -> None:
        self.frame, self.empty = config.frame, config.empty

    def matches(self, source: Path) -> bool:
        """Whether a JSON file is a list of pictures with annotations."""
        return bool(_files(source))

    def read(self, source: Path, root: Path, problems: Problems) -> Iterator[LabelledPicture]:
        """Every picture of every file."""
        files = _files(source)
        for file in files:
            data, where = load_json(file), relative(file, root)
            for number, entry in enumerate(data if isinstance(data, list) else [data]):
                name = entry.get("image", entry.get("imagefilename")) if isinstance(entry, dict) else None
                if not isinstance(name, str):
                    raise LabelFileError(f"{where}: entry {number} names no image")
                faces, lost = _faces(entry.get("annotations"), problems, f"{where}: {name}")
                bases = [file.parent, file.parent / "images", root, root / "images"]
                path = locate(name, root, bases, problems, where, split_in(file))
                if path is not None:
                    yield LabelledPicture(path, tuple(faces), lost=tuple(lost), split=split_in(file))
                elif faces:
                    problems.add("face_of_missing_picture", where, count=len(faces))


def _files(source: Path) -> list[Path]:
    files = [source] if source.is_file() else files_below(source, [".json"], limit=50)
    return [file for file in files if json_kind(file) == "createml"]


def _faces(entries: Any, problems: Problems, where: str) -> tuple[list[LabelledFace], list[str]]:
    faces: list[LabelledFace] = []
    lost: list[str] = []
    for entry in entries if isinstance(entries, list) else []:
        place = entry.get("coordinates") if isinstance(entry, dict) else None
        given = (
            [place.get(key) for key in ("x", "y", "width", "height")] if isinstance(place, dict) else None
        )
        values = numbers(given)
        if values is None:
            problems.add("box_missing", where)
            lost.append("box_missing")
            continue
        cx, cy, w, h = values
        kind = entry.get("label")
        box = (cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2)
        faces.append(LabelledFace(box, kind if isinstance(kind, str) and kind else FACE))
    return faces, lost
