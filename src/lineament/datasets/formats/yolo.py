"""YOLO: ``data.yaml`` and one text file a picture, ``class cx cy w h`` as shares of the upright picture.

Layout as in https://docs.ultralytics.com/datasets/detect/: a label file stands where its picture stands,
``images`` in the path read as ``labels``; a picture without one holds no face. ``kpt_shape: [5, 2 or 3]``
adds landmarks. Ultralytics turns pictures by their EXIF orientation before it uses labels, and so do we
(https://github.com/ultralytics/yolov5/issues/405). Also read: ``classes.txt`` with label files beside the
pictures, as labelImg writes them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from lineament.datasets.formats import formats
from lineament.datasets.formats._files import (
    locate,
    new_text,
    pictures_below,
    read_text,
    relative,
)
from lineament.datasets.formats._labelled import (
    FACE,
    Frame,
    LabelledFace,
    LabelledPicture,
    numbered,
    split_name,
)
from lineament.datasets.formats._naming import FolderNames, portable, portable_path
from lineament.datasets.formats._problems import Problems
from lineament.errors import LabelFileError
from lineament.io.manifest import ManifestRow, Points

_MAX_YAML = 2**20
_SETTINGS = {"path", "names", "nc", "kpt_shape", "flip_idx", "download", "roboflow", "yaml_file"}
_UNSPLIT = "unsplit"


@dataclass(frozen=True, slots=True)
class YoloConfig:
    """``landmarks``: write five keypoints a face. ``frame``: which picture shares refer to."""

    landmarks: bool = False
    frame: Frame = "auto"


@formats.register("yolo", YoloConfig)
class Yolo:
    """Shares of the picture in text files."""

    located = True
    unique_stems = True
    importable = True
    rank = 21

    def __init__(self, config: YoloConfig) -> None:
        self.frame = config.frame
        self.landmarks = config.landmarks
        self.classes: Mapping[int, str] = {}

    def matches(self, source: Path) -> bool:
        """Whether there is a YAML file with class names, or a ``classes.txt``."""
        return data_file(source) is not None or (source / "classes.txt").is_file()

    def read(self, source: Path, root: Path, problems: Problems) -> Iterator[LabelledPicture]:
        """Every picture of every split."""
        file = data_file(source)
        if file is not None:
            self.classes = class_names(load_settings(file), relative(file, root))
            yield from read_data(file, root, problems)
        elif (source / "classes.txt").is_file():
            names = dict(enumerate(read_text(source / "classes.txt", max_bytes=_MAX_YAML).split("\n")))
            names = {number: name.strip() for number, name in names.items() if name.strip()}
            self.classes = names
            for picture in pictures_below(source):
                yield _picture(picture, root, None, names, 0, problems)
        else:
            raise LabelFileError(f"{source}: holds neither data.yaml nor classes.txt")

    def destinations(self, rows: Sequence[ManifestRow], folders: FolderNames) -> list[str | None]:
        """``images/SPLIT/PATH``, any other ``images`` left out: readers exchange one for ``labels``."""
        return [f"images/{_folder(row.split)}/{_without_images(row.path)}" for row in rows]

    def write(self, pictures: Sequence[LabelledPicture], folder: Path) -> None:
        """``data.yaml``, and ``labels`` beside ``images``. Boxes are clipped: YOLO refuses others."""
        splits = {p.split: f"images/{_folder(p.split)}" for p in pictures}
        write_data(pictures, folder, splits, landmarks=self.landmarks, classes=self.classes)


def data_file(source: Path) -> Path | None:
    """The YAML file that names classes and splits, if the folder (or file) is one of YOLO."""
    if source.is_file():
        return source if source.suffix.lower() in (".yaml", ".yml") and settings_in(source) else None
    for file in [source / "data.yaml", *sorted(source.glob("*.y*ml"))]:
        if file.is_file() and settings_in(file):
            return file
    return None


def settings_in(file: Path) -> dict[str, Any] | None:
    """The same, None when the file is no data file."""
    try:
        return load_settings(file)
    except LabelFileError:
        return None


def load_settings(file: Path) -> dict[str, Any]:
    """The mapping in a data file; raises `LabelFileError` when it names no classes."""
    import yaml

    try:
        values = yaml.safe_load(read_text(file, max_bytes=_MAX_YAML))
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise LabelFileError(f"{file.name}: not YAML: {error}") from None
    if not isinstance(values, dict) or not isinstance(values.get("names"), list | dict):
        raise LabelFileError(f"{file.name}: names no classes")
    return values


def read_data(file: Path, root: Path, problems: Problems) -> Iterator[LabelledPicture]:
    """Every picture that a data file leads to."""
    settings = load_settings(file)
    names = class_names(settings, relative(file, root))
    points = _points_shape(settings, problems, relative(file, root))
    for key, value in settings.items():
        if key in _SETTINGS or value is None or not (_is_split(key) or _leads_on(value, file)):
            continue
        split = None if key == _UNSPLIT else split_name(str(key)) or str(key)
        for entry in value if isinstance(value, list) else [value]:
            if not isinstance(entry, str):
                problems.add(f"not_taken: {key}", relative(file, root))
                continue
            for picture in _listed(entry, settings.get("path"), file, root, problems):
                yield _picture(picture, root, split, names, points, problems)


def class_names(settings: Mapping[str, Any], where: str) -> dict[int, str]:
    """The names of classes by number; raises `LabelFileError` for one that is no plain name."""
    given = settings["names"]
    names: dict[int, str] = {}
    for number, name in given.items() if isinstance(given, dict) else enumerate(given):
        # Aliases in YAML can make a nested value that is endless as text, so only plain ones are taken.
        if not isinstance(name, str | int | float) or not str(number).isdecimal():
            raise LabelFileError(f"{where}: class {number!r} has no plain name")
        names[int(number)] = str(name)
    return names


def _is_split(key: object) -> bool:
    return isinstance(key, str) and (key == _UNSPLIT or split_name(key) is not None)


def _leads_on(value: object, file: Path) -> bool:
    """Whether some other setting is a split of the user's own: a folder of pictures."""
    if (
        not isinstance(value, str)
        or "\0" in value
        or ".." in Path(value).parts
        or Path(value).is_absolute()
    ):
        return False
    return len(value) < 250 and (file.parent / value).is_dir()


def _listed(entry: str, base: object, file: Path, root: Path, problems: Problems) -> Iterator[Path]:
    """The pictures of one split: a folder, or a text file with a path a line."""
    bases = [file.parent]
    if isinstance(base, str) and not Path(base).is_absolute() and ".." not in Path(base).parts:
        bases.insert(0, file.parent / base)
    # Roboflow writes ../train/images and means train/images.
    entry = entry.replace("\\", "/").rstrip("/")
    while entry.startswith(("../", "./")):
        entry = entry.partition("/")[2]
    found = locate(entry, root, bases, problems, relative(file, root))
    if found is None:
        return
    place = root / found
    if place.is_dir():
        yield from pictures_below(place)
        return
    for line in read_text(place).splitlines():
        if line.strip():
            inner = locate(line.strip(), root, [*bases, place.parent], problems, found)
            if inner is not None:
                yield root / inner


def _picture(
    picture: Path, root: Path, split: str | None, names: Mapping[int, str], points: int, problems: Problems
) -> LabelledPicture:
    path, broken = relative(picture, root), None
    faces: tuple[LabelledFace, ...] = ()
    label = _label_file(picture, root)
    if label is not None:
        try:
            faces = tuple(_faces(label, names, points, problems, relative(label, root)))
        except LabelFileError as error:
            broken = str(error)
    return LabelledPicture(path, faces, split=split, normalised=True, broken=broken)


def _label_file(picture: Path, root: Path) -> Path | None:
    parts = list(picture.relative_to(root).parts)
    if "images" in parts[:-1]:
        last = len(parts) - 2 - parts[-2::-1].index("images")
        moved = root.joinpath(*parts[:last], "labels", *parts[last + 1 :]).with_suffix(".txt")
        if moved.is_file():
            return moved
    beside = picture.with_suffix(".txt")
    return beside if beside.is_file() else None


def _faces(
    file: Path, names: Mapping[int, str], points: int, problems: Problems, where: str
) -> Iterator[LabelledFace]:
    for number, line in enumerate(read_text(file).splitlines(), 1):
        fields = line.split()
        if not fields:
            continue
        try:
            index, values = int(float(fields[0])), [float(field) for field in fields[1:]]
        except (ValueError, OverflowError):
            raise LabelFileError(f"{where}, line {number}: not numbers") from None
        if index not in names:
            problems.add("unknown_class", f"{where}, line {number}")
        landmarks: Points | None = None
        if len(values) == 4 + 5 * points and points:
            landmarks = _landmarks(values[4:], points, problems, f"{where}, line {number}")
        elif len(values) != 4:
            if len(values) < 6 or len(values) % 2:
                raise LabelFileError(f"{where}, line {number}: {len(values)} numbers after the class")
            problems.add("polygon_to_box", f"{where}, line {number}")
            values = _around(values)
        cx, cy, w, h = values[:4]
        yield LabelledFace(
            (cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2), names.get(index, str(index)), landmarks
        )


def _around(values: Sequence[float]) -> list[float]:
    xs, ys = values[::2], values[1::2]
    if not all(map(math.isfinite, values)):
        return [math.nan] * 4
    return [(min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2, max(xs) - min(xs), max(ys) - min(ys)]


def _points_shape(settings: Mapping[str, Any], problems: Problems, where: str) -> int:
    """Numbers a landmark has in a label file: 2, 3, or 0 when there are no five landmarks."""
    shape = settings.get("kpt_shape")
    if shape is None:
        return 0
    if isinstance(shape, list) and len(shape) == 2 and shape[0] == 5 and shape[1] in (2, 3):
        return int(shape[1])
    problems.add("not_taken: keypoints that are not five", where)
    return 0


def _landmarks(values: Sequence[float], each: int, problems: Problems, where: str) -> Points | None:
    groups = [values[i : i + each] for i in range(0, len(values), each)]
    hidden = [group for group in groups if (group[2] == 0 if each == 3 else group[0] == group[1] == 0)]
    if hidden:
        if len(hidden) < len(groups):
            problems.add("not_taken: incomplete landmarks", where)
        return None
    return tuple((group[0], group[1]) for group in groups)


def _without_images(path: str) -> str:
    *folders, name = portable_path(path).split("/")
    return "/".join([*(part for part in folders if part != "images"), name])


def _folder(split: str | None) -> str:
    return _UNSPLIT if split is None else portable(split)


def write_data(
    pictures: Sequence[LabelledPicture],
    folder: Path,
    splits: Mapping[str | None, str],
    *,
    landmarks: bool = False,
    classes: Mapping[int, str] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> None:
    """Label files and ``data.yaml``, in which each split leads to its folder of pictures.

    ``classes`` keep their numbers; others come after them.
    """
    import yaml

    kinds = numbered(pictures, classes or {})
    for picture in pictures:
        assert picture.size_wh is not None
        parts = list(PurePosixPath(picture.path).parts)
        parts[parts.index("images")] = "labels"
        lines = [_line(face, picture.size_wh, kinds.get(face.kind, 0), landmarks) for face in picture.faces]
        with new_text(folder.joinpath(*parts).with_suffix(".txt")) as out:
            out.writelines(lines)
    settings: dict[str, Any] = {}
    for split, place in splits.items():
        key = _UNSPLIT if split is None else split
        settings[f"{key}_" if key in _SETTINGS else key] = place
    settings |= {"nc": len(kinds), "names": {number: kind for kind, number in kinds.items()} or {0: FACE}}
    if landmarks:
        # Mirroring swaps the eyes and the corners of the mouth.
        settings |= {"kpt_shape": [5, 3], "flip_idx": [1, 0, 2, 4, 3]}
    with new_text(folder / "data.yaml") as out:
        yaml.safe_dump({**settings, **(extra or {})}, out, sort_keys=False, allow_unicode=True)


def _line(face: LabelledFace, size_wh: tuple[int, int], kind: int, landmarks: bool) -> str:
    width, height = size_wh
    x1, x2 = (min(max(x, 0.0), width) / width for x in face.box[::2])
    y1, y2 = (min(max(y, 0.0), height) / height for y in face.box[1::2])
    numbers = [(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1]
    if landmarks:
        inside = face.landmarks is not None and all(
            0 <= x <= width and 0 <= y <= height for x, y in face.landmarks
        )
        for x, y in face.landmarks if face.landmarks is not None and inside else [(0.0, 0.0)] * 5:
            numbers += [x / width, y / height, 2.0 if inside else 0.0]
    return " ".join([str(kind), *(repr(float(n)) for n in numbers)]) + "\n"
