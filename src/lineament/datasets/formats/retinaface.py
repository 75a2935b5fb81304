"""RetinaFace's ``label.txt``: ``# PATH``, and a line a face of WIDER FACE with five landmarks.

Layout as in https://github.com/biubug6/Pytorch_Retinaface: ``train/images/...`` and ``train/label.txt``. A
face is ``x y w h``, then five times ``x y flag``, then a quality; landmarks of -1 were not labelled. Lists
of boxes alone (its ``val``) have only the first four.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lineament.datasets.formats import formats
from lineament.datasets.formats._boxes import ReadOnly
from lineament.datasets.formats._expected import Expected
from lineament.datasets.formats._files import files_below, locate, read_text, relative, sniff
from lineament.datasets.formats._labelled import BoxConfig, LabelledFace, LabelledPicture
from lineament.datasets.formats._layout import split_among, split_of
from lineament.datasets.formats._problems import Problems
from lineament.errors import LabelFileError
from lineament.io.left_out import is_picture_name
from lineament.io.manifest import Points


@formats.register("retinaface", BoxConfig)
class RetinaFace(ReadOnly):
    """One list a split."""

    name = "retinaface"
    rank = 25
    expects = Expected(
        "a label.txt with '# PATH' and a line a face, beside images/",
        "It comes with the RetinaFace labels of WIDER FACE; for pictures of one's own take labelme",
    )

    def files(self, source: Path) -> list[Path]:
        """Text files that begin with ``# PATH`` of a picture."""
        files = [source] if source.is_file() else files_below(source, [".txt"], limit=200)
        return [file for file in files if file.suffix.lower() == ".txt" and _looks_right(file)]

    def pictures(self, file: Path, root: Path, problems: Problems) -> Iterator[LabelledPicture]:
        """Every picture of the list."""
        folders = file.parent.relative_to(root).parts if file.is_relative_to(root) else ()
        split = split_of(file.stem) or split_among(folders)
        bases = [file.parent / "images", file.parent, root, root / "images"]
        for name, faces in _entries(file, relative(file, root), problems):
            path = locate(name, root, bases, problems, relative(file, root), split, faces=len(faces))
            if path is not None:
                yield LabelledPicture(path, tuple(faces), split=split)


def _looks_right(file: Path) -> bool:
    first = sniff(file, 4096).lstrip().partition("\n")[0]
    return first.startswith("#") and is_picture_name(first.strip())


def _entries(file: Path, where: str, problems: Problems) -> Iterator[tuple[str, list[LabelledFace]]]:
    name: str | None = None
    faces: list[LabelledFace] = []
    for number, line in enumerate(read_text(file, problems=problems).splitlines(), 1):
        if line.startswith("#"):
            if name is not None:
                yield name, faces
            name, faces = line[1:].strip(), []
        elif line.strip():
            if name is None:
                raise LabelFileError(f"{where}, line {number}: a face before any '# PATH'")
            faces.append(_face(line, problems, f"{where}, line {number}"))
    if name is not None:
        yield name, faces


def _face(line: str, problems: Problems, where: str) -> LabelledFace:
    try:
        values = [float(field) for field in line.split()]
    except ValueError:
        values = []
    if len(values) != 4 and len(values) not in (19, 20):
        raise LabelFileError(f"{where}: a face has 4, 19 or 20 numbers: {line.strip()[:60]!r}")
    x, y, w, h = values[:4]
    landmarks: Points | None = None
    if len(values) > 4:
        points = tuple((values[at], values[at + 1]) for at in range(4, 19, 3))
        missing = sum(min(point) < 0 for point in points)
        if not missing:
            landmarks = points
        elif missing < len(points):
            problems.add("not_taken: incomplete landmarks", where)
    return LabelledFace((x, y, x + w, y + h), landmarks=landmarks)
