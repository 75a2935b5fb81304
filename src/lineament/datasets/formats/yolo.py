"""YOLO: one text file a picture, ``class cx cy w h`` as shares of the upright picture, and ``data.yaml``.

Layout as in https://docs.ultralytics.com/datasets/detect/: a label file stands where its picture stands,
``images`` in the path read as ``labels``; a picture without one holds no face, unless ``empty=false`` says
that nobody has looked at it. ``kpt_shape: [5, 2 or 3]``
adds landmarks. Ultralytics turns pictures by their EXIF orientation before it uses labels, and so do we
(https://github.com/ultralytics/yolov5/issues/405). Also read: sets without a data file, as labelImg, Label
Studio and Roboflow's darknet export leave them, and ``obj.data`` as CVAT writes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from lineament.counting import quantity
from lineament.datasets.formats import formats
from lineament.datasets.formats._boxes import Boxes
from lineament.datasets.formats._expected import EXPORTED, Expected
from lineament.datasets.formats._files import new_text, relative
from lineament.datasets.formats._labelled import BoxConfig, LabelledFace, LabelledPicture, numbered
from lineament.datasets.formats._naming import FolderNames, portable, portable_path
from lineament.datasets.formats._problems import Problems
from lineament.datasets.formats._yolo_data import (
    SETTINGS,
    UNSPLIT,
    class_names,
    data_file,
    keypoints,
    load_settings,
    pictures_of,
)
from lineament.datasets.formats._yolo_folders import Labels, looks_like_folders, pictures_in_folders
from lineament.datasets.formats._yolo_lines import meaning_of
from lineament.errors import LabelFileError
from lineament.io.manifest import ManifestRow
from lineament.kinds import FACE


@dataclass(frozen=True, slots=True)
class YoloConfig(BoxConfig):
    """``landmarks``: write five keypoints a face."""

    landmarks: bool = False


@formats.register("yolo", YoloConfig)
class Yolo(Boxes):
    """Shares of the picture in text files."""

    unique_stems = True
    rank = 21
    expects = Expected(
        "a .txt beside each picture, or in labels/ for images/, and data.yaml",
        EXPORTED.format("YOLO"),
    )

    def __init__(self, config: YoloConfig) -> None:
        super().__init__(config)
        self.landmarks = config.landmarks

    def matches(self, source: Path) -> bool:
        """Whether there is a data file, or label files of this kind."""
        return data_file(source) is not None or (source.is_dir() and looks_like_folders(source))

    def read(self, source: Path, root: Path, problems: Problems) -> Iterator[LabelledPicture]:
        """Every picture of every split."""
        names: dict[int, str] = {}
        self.classes = names
        yield from read_set(source, root, problems, names, empty=self.empty is not False)

    def destinations(self, rows: Sequence[ManifestRow], folders: FolderNames) -> list[str | None]:
        """``images/SPLIT/PATH``, any other ``images`` left out: readers exchange one for ``labels``."""
        return [f"images/{_folder(row.split)}/{_without_images(row.path)}" for row in rows]

    def write(self, pictures: Sequence[LabelledPicture], folder: Path) -> None:
        """``data.yaml``, and ``labels`` beside ``images``. Boxes are clipped: YOLO refuses others."""
        splits = {p.split: f"images/{_folder(p.split)}" for p in pictures}
        write_data(pictures, folder, splits, landmarks=self.landmarks, classes=self.classes)


def read_set(
    source: Path, root: Path, problems: Problems, classes: dict[int, str], *, empty: bool = True
) -> Iterator[LabelledPicture]:
    """Every picture that a data file leads to, or of the folder where there is none.

    ``classes`` receives their names by number. Pictures without a label file are left out unless ``empty``.
    Raises `LabelFileError` when the data file is broken, leads
    nowhere, or no picture has labels.
    """
    file = data_file(source)
    if file is None and not source.is_dir():
        raise LabelFileError(f"{source}: neither a folder nor a data file such as data.yaml")
    settings: Mapping[str, Any] = {} if file is None else load_settings(file, problems)
    folder = source if file is None else file.parent
    where = None if file is None else relative(file, root)
    pictures = None if file is None else pictures_of(settings, file, root, problems)
    labels = Labels(folder, root, problems)
    members = [
        (split, picture, labels.of(picture)) for split, picture in pictures or pictures_in_folders(folder)
    ]
    files = [label for _, _, label in members if label is not None]
    if members and not files:
        raise LabelFileError(
            f"{where or folder}: none of its {quantity(len(members), 'picture')} has a label file (.txt), "
            f"neither beside it nor in labels/ or another folder here. {Yolo.expects.made}"
        )
    meaning = meaning_of(files, keypoints(settings, where or ""))
    names = class_names(settings, file, root, problems) if file and "names" in settings else None
    classes.update(names or {})
    for split, picture, label in members:
        if label is None and not empty:
            continue
        known: Mapping[int, str] | None = names
        if label is not None and "names" not in settings:
            known = labels.names_for(label)
            classes.update(known if known and not classes else {})
        yield labels.picture(picture, label, split, known, meaning)
    labels.count_unused()


def _without_images(path: str) -> str:
    *folders, name = portable_path(path).split("/")
    return "/".join([*(part for part in folders if part != "images"), name])


def _folder(split: str | None) -> str:
    return UNSPLIT if split is None else portable(split)


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
        key = UNSPLIT if split is None else split
        settings[f"{key}_" if key in SETTINGS else key] = place
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
