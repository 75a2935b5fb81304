"""Which label file and which class names belong to a picture of a YOLO set, in the layouts of many tools.

Labels stand where the picture stands with ``images`` read as ``labels``, beside the picture, or in another
folder of their own (labelImg). Classes stand in the data file or in ``classes.txt``, ``obj.names``,
``_darknet.labels`` or Label Studio's ``notes.json`` of the same folder or one above.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from lineament.datasets.formats._files import files_below, pictures_below, read_json, relative, sniff
from lineament.datasets.formats._labelled import LabelledPicture
from lineament.datasets.formats._layout import is_label_name, split_among
from lineament.datasets.formats._partners import Partners
from lineament.datasets.formats._problems import Problems
from lineament.datasets.formats._yolo_data import names_in
from lineament.datasets.formats._yolo_lines import Meaning, faces_in, looks_like_labels
from lineament.errors import LabelFileError

_CLASS_FILES = (
    "classes.txt",
    "_classes.txt",
    "class_names.txt",
    "predefined_classes.txt",
    "labels.txt",
    "names.txt",
    "obj.names",
    "_darknet.labels",
)
_CLASS_SUFFIXES = (".names", ".labels")
_LOOKED_AT = 50

Names = Mapping[int, str] | None


class Labels:
    """The label files of a set and what they lead to; ``folder`` is where its files lie."""

    def __init__(self, folder: Path, root: Path, problems: Problems) -> None:
        self.folder, self.root, self.problems = folder, root, problems
        self.files = [file for file in files_below(folder, [".txt"]) if is_label_name(file.name)]
        self._partners = Partners(folder, self.files)
        self._names: dict[Path, Names] = {}
        self.used: set[Path] = set()

    def of(self, picture: Path) -> Path | None:
        """The label file of a picture."""
        return _where_expected(picture, self.root) or self._partners.of(picture)

    def names_for(self, file: Path) -> Names:
        """Classes from the nearest file of them; None, and counted, where there is none."""
        for folder in [file.parent, *file.parent.parents]:
            names = self._names_in(folder)
            if names is not None:
                return names
            if folder in (self.folder, self.root):
                break
        for folder in (self.folder, self.folder / "labels"):
            if (names := self._names_in(folder)) is not None:
                return names
        if not self.problems["class_names_missing"]:
            self.problems.add("class_names_missing", relative(file, self.root))
        return None

    def _names_in(self, folder: Path) -> Names:
        if folder not in self._names:
            file = class_file(folder)
            notes = folder / "notes.json"
            self._names[folder] = names_in(file, self.problems) if file else _names_in_notes(notes)
        return self._names[folder]

    def picture(
        self, picture: Path, label: Path | None, split: str | None, names: Names, meaning: Meaning
    ) -> LabelledPicture:
        """A picture with its faces; a label file that cannot be read refuses it."""
        path = relative(picture, self.root)
        if label is None:
            return LabelledPicture(path, split=split, normalised=True, assumed=True)
        self.used.add(label.resolve())
        try:
            where = relative(label, self.root)
            faces = faces_in(label, names, meaning, self.problems, where)
        except LabelFileError as error:
            return LabelledPicture(path, split=split, normalised=True, broken=str(error))
        return LabelledPicture(path, faces, split=split, normalised=True)

    def count_unused(self) -> None:
        """Count label files of pictures that are not there."""
        for file in self.files:
            if (
                file.resolve() not in self.used
                and not is_class_file(file)
                and looks_like_labels(sniff(file))
            ):
                self.problems.add("label_without_picture", relative(file, self.root))


def class_file(folder: Path) -> Path | None:
    """The file of class names in a folder."""
    try:
        files = sorted(p for p in folder.iterdir() if is_class_file(p))
    except OSError:
        return None
    return next(iter(files), None)


def is_class_file(file: Path) -> bool:
    """Whether a file names classes, one a line."""
    name = file.name.lower()
    if name not in _CLASS_FILES and not name.endswith(_CLASS_SUFFIXES):
        return False
    lines = [line for line in sniff(file).splitlines() if line.strip()]
    return bool(lines) and all(len(line.split()) < 5 and not line.startswith("#") for line in lines)


def _names_in_notes(file: Path) -> Names:
    """Classes as Label Studio keeps them beside YOLO labels."""
    if not file.is_file():
        return None
    try:
        entries = read_json(file, max_bytes=2**20).get("categories")
    except LabelFileError:
        return None
    if not isinstance(entries, list):
        return None
    return {
        entry["id"]: entry["name"]
        for entry in entries
        if isinstance(entry, dict)
        and isinstance(entry.get("id"), int)
        and isinstance(entry.get("name"), str)
    } or None


def looks_like_folders(folder: Path) -> bool:
    """Whether pictures have label files of this kind, without a data file to say so."""
    texts = [f for f in files_below(folder, [".txt"], limit=4 * _LOOKED_AT) if is_label_name(f.name)]
    texts = [f for f in texts if not is_class_file(f)][:_LOOKED_AT]
    filled = [(f, text) for f in texts if (text := sniff(f)).strip()]
    if not filled:
        # Label files may all be empty: pictures without faces, of classes that are named.
        return bool(texts) and class_file(folder) is not None
    good = [file for file, text in filled if looks_like_labels(text)]
    if not good:
        return False
    stems = {stem for picture in pictures_below(folder) for stem in (picture.stem, picture.name)}
    paired = [file for file, _ in filled if file.stem in stems]
    return any(file.stem in stems for file in good) and 2 * len(good) >= len(paired)


def pictures_in_folders(folder: Path) -> Iterator[tuple[str | None, Path]]:
    """Split and path of every picture, the split from its folders."""
    for picture in pictures_below(folder):
        yield split_among(picture.relative_to(folder).parent.parts), picture


def _where_expected(picture: Path, root: Path) -> Path | None:
    parts = list(picture.relative_to(root).parts)
    if "images" in parts[:-1]:
        last = len(parts) - 2 - parts[-2::-1].index("images")
        moved = root.joinpath(*parts[:last], "labels", *parts[last + 1 :]).with_suffix(".txt")
        if moved.is_file():
            return moved
    beside = picture.with_suffix(".txt")
    return beside if beside.is_file() else None
