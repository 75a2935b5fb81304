"""Apple's CreateML: a JSON list of pictures, boxes as centre, width and height in pixels.

Format as in https://developer.apple.com/documentation/createml/building-an-object-detector-data-source:
every entry has ``image`` (older: ``imagefilename``) and ``annotations`` of ``label`` and ``coordinates``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lineament.datasets.formats import formats
from lineament.datasets.formats._boxes import ReadOnly
from lineament.datasets.formats._expected import Expected
from lineament.datasets.formats._files import load_json, locate, relative
from lineament.datasets.formats._labelled import BoxConfig, LabelledFace, LabelledPicture, split_in
from lineament.datasets.formats._outlines import numbers
from lineament.datasets.formats._problems import Problems
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

    def pictures(self, file: Path, root: Path, problems: Problems) -> Iterator[LabelledPicture]:
        """Every entry of the list."""
        data, where, split = load_json(file), relative(file, root), split_in(file)
        bases = [file.parent, file.parent / "images", root, root / "images"]
        for number, entry in enumerate(data if isinstance(data, list) else [data]):
            name = entry.get("image", entry.get("imagefilename")) if isinstance(entry, dict) else None
            if not isinstance(name, str):
                raise LabelFileError(f"{where}: entry {number} names no image")
            faces, lost = _faces(entry.get("annotations"), problems, f"{where}: {name}")
            path = locate(name, root, bases, problems, where, split, faces=len(faces))
            if path is not None:
                yield LabelledPicture(path, tuple(faces), lost=tuple(lost), split=split)


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
