"""The data file of a YOLO set: ``data.yaml``, or ``obj.data`` as darknet and CVAT write it.

It names the classes and leads to the pictures of each split. Paths in it are often those of another
machine (Colab, Kaggle, a Windows drive): then the longest tail that is here is used.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lineament.datasets.formats._files import locate, pictures_below, read_text, relative, sniff
from lineament.datasets.formats._labelled import split_name
from lineament.datasets.formats._layout import split_of
from lineament.datasets.formats._problems import Problems
from lineament.documents import MAX_YAML_BYTES, Malformed, yaml_of
from lineament.errors import LabelFileError
from lineament.io.left_out import is_picture_name

MAX_BYTES = MAX_YAML_BYTES
SETTINGS = {"path", "names", "nc", "kpt_shape", "flip_idx", "download", "roboflow", "yaml_file"}
UNSPLIT = "unsplit"
_NAMES = re.compile(r"^[^\S\n]*[\"']?names[\"']?\s*:", re.MULTILINE)
_COUNT = re.compile(r"^[^\S\n]*[\"']?nc[\"']?\s*:", re.MULTILINE)
_SPLITS = re.compile(r"^[^\S\n]*[\"']?(train|val|valid|test)[\"']?\s*:", re.MULTILINE)
_DARKNET = re.compile(r"^[^\S\n]*(train|valid|names)\s*=", re.MULTILINE)
_VAL = re.compile(r"(?<![^/])(val|valid|validation)(?![^/])")
_YAML = (".yaml", ".yml")


def data_file(source: Path) -> Path | None:
    """The data file of a folder, or ``source`` if it is one. It may turn out to be broken."""
    if source.is_file():
        return source if _looks_right(source) else None
    first = [source / f"{name}{suffix}" for name in ("data", "dataset") for suffix in _YAML]
    others = sorted(p for p in source.glob("*") if p.suffix.lower() in (*_YAML, ".data"))
    found = [file for file in [*first, *others] if file.is_file() and _looks_right(file)]
    if not found:
        # Some keep it in a folder of its own, such as config/; two would be two data sets.
        below = sorted(p for p in source.glob("*/*") if p.suffix.lower() in (*_YAML, ".data"))
        found = [file for file in below if file.is_file() and _looks_right(file)]
        found = found if len(found) == 1 else []
    return next(iter(found), None)


def _looks_right(file: Path) -> bool:
    suffix, text = file.suffix.lower(), sniff(file)
    if suffix == ".data":
        return bool(_DARKNET.search(text))
    if suffix not in _YAML:
        return False
    named = _NAMES.search(text) or (_COUNT.search(text) and _SPLITS.search(text))
    return bool(named or (file.stem == "data" and text.strip()))


def load_settings(file: Path, problems: Problems | None = None) -> dict[str, Any]:
    """The mapping in a data file; raises `LabelFileError` that names the line."""
    if file.suffix.lower() == ".data":
        lines = (line.partition("=") for line in read_text(file, max_bytes=MAX_BYTES).splitlines())
        return {key.strip(): value.strip() for key, equals, value in lines if equals}
    try:
        values = yaml_of(read_text(file, max_bytes=MAX_BYTES, problems=problems))
    except Malformed as error:
        raise LabelFileError(f"{file.name}, {error}") from None
    if not isinstance(values, dict):
        raise LabelFileError(f"{file.name}: holds no settings, such as train: and names:")
    return values


def class_names(
    settings: Mapping[str, Any], file: Path, root: Path, problems: Problems
) -> dict[int, str] | None:
    """Number to name; None, and counted, where the numbers have to do. Raises `LabelFileError`."""
    given, where = settings.get("names"), relative(file, root)
    if isinstance(given, str) and given.strip():
        for place in _places(given, None, file, root):
            if (root / place).is_file():
                return names_in(root / place, problems)
        if settings.get("nc") in (1, "1") and "." not in given and "/" not in given:
            return {0: given}
        problems.add("class_names_missing", f"{where}: names: {given}: no such file")
        return None
    if not isinstance(given, list | dict) or not given:
        if given:
            raise LabelFileError(f"{where}: names: is {given!r}, neither a list nor a mapping")
        problems.add("class_names_missing", where)
        return None
    names: dict[int, str] = {}
    for number, name in given.items() if isinstance(given, dict) else enumerate(given):
        # Aliases in YAML can make a nested value that is endless as text, so only plain ones are taken.
        if not isinstance(name, str | int | float) or not str(number).isdecimal():
            raise LabelFileError(f"{where}: class {number!r} has no plain name")
        names[int(number)] = str(name)
    return names


def names_in(file: Path, problems: Problems) -> dict[int, str]:
    """Classes from a file of one a line, numbered from 0."""
    lines = read_text(file, max_bytes=MAX_BYTES, problems=problems).split("\n")
    return {number: line.strip() for number, line in enumerate(lines) if line.strip()}


def keypoints(settings: Mapping[str, Any], file: str) -> tuple[int, int] | None:
    """How many keypoints a label has, and numbers each; raises `LabelFileError`."""
    shape = settings.get("kpt_shape")
    if shape is None:
        return None
    plain = isinstance(shape, list) and len(shape) == 2 and all(isinstance(v, int) for v in shape)
    if plain and 0 < shape[0] < 10_000 and shape[1] in (2, 3):
        return shape[0], shape[1]
    raise LabelFileError(f"{file}: kpt_shape: is {str(shape)[:60]}, not [points, 2 or 3]")


def pictures_of(
    settings: Mapping[str, Any], file: Path, root: Path, problems: Problems
) -> Iterator[tuple[str | None, Path]] | None:
    """Split and path of every picture; None when the file leads to no pictures at all.

    Raises `LabelFileError` naming the paths tried when none of them is here.
    """
    wanted: list[tuple[str, str | None, str]] = []
    for key, value in settings.items():
        if key in SETTINGS or value is None or not (_is_split(key) or _leads_on(value, file)):
            continue
        split = None if key == UNSPLIT else split_name(str(key)) or str(key)
        for entry in value if isinstance(value, list) else [value]:
            if isinstance(entry, str) and entry.strip() and len(entry) < 4096:
                wanted.append((str(key), split, entry.strip()))
            else:
                problems.add(f"not_taken: {key}", relative(file, root))
    if not wanted:
        return None
    base = settings.get("path")
    places = [(split, entry, _place(entry, base, file, root)) for _, split, entry in wanted]
    if all(place is None for _, _, place in places):
        where = relative(file, root)
        tried = "; ".join(f"{key}: {_full(entry, base)}" for key, _, entry in wanted[:3])
        raise LabelFileError(f"{where}: none of its paths is here, nor any end of them: {tried}")
    return _listed(places, file, root, problems)


def _listed(
    places: list[tuple[str | None, str, str | None]], file: Path, root: Path, problems: Problems
) -> Iterator[tuple[str | None, Path]]:
    for split, entry, found in places:
        if found is None:
            problems.add("missing_folder", f"{relative(file, root)}: {entry}")
            continue
        place = root / found
        if place.is_dir():
            yield from ((split, picture) for picture in pictures_below(place))
        elif is_picture_name(place.name):
            yield split, place
        else:
            for line in read_text(place, problems=problems).split("\n"):
                if line.strip():
                    inner = locate(line.strip(), root, [file.parent, place.parent], problems, found)
                    if inner is not None:
                        yield split, root / inner


def _is_split(key: object) -> bool:
    return isinstance(key, str) and (key == UNSPLIT or split_name(key) is not None)


def _leads_on(value: object, file: Path) -> bool:
    """Whether some other setting is a split of the user's own: a folder of pictures."""
    if not isinstance(value, str) or "\0" in value:
        return False
    if ".." in Path(value).parts or Path(value).is_absolute():
        return False
    return len(value) < 250 and (file.parent / value).is_dir()


def _full(entry: str, base: object) -> str:
    return f"{base}/{entry}" if isinstance(base, str) and not _parts(entry)[1] else entry


def _parts(text: str) -> tuple[list[str], bool]:
    """The folders of a path, without those that lead up, and whether it starts at a root."""
    plain = text.replace("\\", "/")
    far = re.match(r"([A-Za-z]:|/|~|[a-z]+://)", plain) is not None
    plain = re.sub(r"^([A-Za-z]:|~|[a-z]+://)", "", plain)
    parts = [part for part in plain.split("/") if part not in ("", ".", "..")]
    while parts and "*" in parts[-1]:  # images/*.jpg
        parts.pop()
    return parts, far


def _places(entry: str, base: object, file: Path, root: Path) -> Iterator[str]:
    """Where a path of the data file may lead below ``root``, the longest tail first."""
    parts, far = _parts(entry)
    if not far and isinstance(base, str):
        parts = [*_parts(base)[0], *parts]
    if "\0" in entry:
        return
    if not parts:
        yield relative(file.parent, root)
    folders = [folder for folder in (file.parent, *file.parent.parents) if folder.is_relative_to(root)]
    for at in range(len(parts)):
        # Without its "train" the path of a split would be the folder of them all.
        if at and split_of(parts[at - 1]) and not any(map(split_of, parts[at:])):
            return
        for folder in folders:
            yield "/".join((*folder.relative_to(root).parts, *parts[at:]))


def _place(entry: str, base: object, file: Path, root: Path) -> str | None:
    for place in _places(entry, base, file, root):
        for spelt in dict.fromkeys((place, *(_VAL.sub(other, place) for other in ("val", "valid")))):
            try:
                if (root / spelt).exists():
                    return spelt
            except (OSError, ValueError):
                continue
    return None
