"""What names of folders and files mean in data sets of any kind: splits, structure, documents, labels."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from lineament.datasets.formats._labelled import split_name
from lineament.io.left_out import is_system
from lineament.io.own_files import (
    ANSWERS,
    CALIBRATION,
    DECISIONS,
    ERROR_TABLE,
    EVALUATION,
    MANIFEST,
    PAGE,
    PROPOSALS,
)
from lineament.io.walking import walk

LABEL_SUFFIXES = frozenset(
    """.txt .xml .json .jsonl .ndjson .geojson .csv .tsv .yaml .yml .names .labels .data .mat .pbtxt
    .tfrecord .record .parquet .arff .pts .xlsx .xls .ods .html .npy .sqlite .sqlite3 .manifest .lst .rec
    .idx .xmi .odgt""".split()  # noqa: SIM905
)
_STRUCTURE = frozenset(
    """image images img imgs picture pictures photo photos jpegimages jpeg jpg png frames label labels
    labeled labelled unlabeled unlabelled query gallery annotation annotations annots annos
    segmentationclass segmentationobject imagesets masks data dataset datasets unsplit""".split()  # noqa: SIM905
)
_QUALIFIERS = frozenset(("set", "sets", "obj", "split", "part", "subset", "raw", "all"))
_TOOLS = frozenset(
    """anno bounding txt txts xml xmls json jsons yolo voc coco pascal darknet labelimg labelme bbox bboxes
    box boxes gt face faces detection""".split()  # noqa: SIM905
)
# README.roboflow.txt and the like say nothing of single pictures, LFW's lists name people and comparisons.
_DOCUMENT = re.compile(
    r"(readme|read_me|licen[cs]e|copying|notice|citation|cite|credit|attribution|authors|change|version|about"
    r"|requirements|terms|sha\d|md5|checksum)[^/]*\.(txt|html)"
    r"|((mis)?matchpairs|pairs|people)(dev\w*|[_-]\d+|_\w*train|_\w*test)?\.(txt|csv)"
    r"|lfw[_-]?(all)?names\.(txt|csv)|(manifest|proposals|review)\.jsonl",
    re.IGNORECASE,
)
_OWN_KINDS = (MANIFEST, ANSWERS, PROPOSALS, DECISIONS, CALIBRATION, EVALUATION, PAGE, ERROR_TABLE)
_OWN_SUFFIXES = frozenset((".json", ".jsonl", ".html", ".csv"))
_TAKEOUT = re.compile(
    rb'"photoTakenTime"\s*:|\A\s*\{\s*"title"\s*:\s*"[^"]*"\s*(,\s*"(description|access)"|\})'
)


def passed_over(name: str) -> bool:
    """Whether a system or a program put this file or folder here, or it is hidden."""
    return name.startswith(".") or is_system(name)


def words(name: str) -> list[str]:
    """The words in a name, in small letters."""
    return re.findall(r"[^\W\d_]+", name.lower())


def split_of(name: str) -> str | None:
    """train, val or test for a folder of that purpose: ``Train``, ``train2017``, ``images_train``."""
    found = words(name)
    splits = {split_name(word) for word in found} - {None}
    plain = all(split_name(w) or w in _STRUCTURE or w in _QUALIFIERS or w in _TOOLS for w in found)
    return splits.pop() if len(splits) == 1 and plain else None


def split_among(folders: Iterable[str]) -> str | None:
    """The split that the nearest of these folders is of."""
    return next((split for name in reversed(list(folders)) if (split := split_of(name))), None)


def is_structure(name: str) -> bool:
    """Whether a folder's name is part of a layout (a split, ``images``, ``labels``), never a person."""
    found = words(name)
    if any(w in _TOOLS for w in found) and split_of(name) is not None:
        return True
    if split_of(name) is not None or any(word in _STRUCTURE for word in found):
        return all(split_name(w) or w in _STRUCTURE | _QUALIFIERS for w in found)
    return False


def meaning(folders: Iterable[str]) -> tuple[str, ...]:
    """Folders without those that only say which kind of file is inside; splits by their usual names."""
    kept = []
    for name in folders:
        found = words(name)
        if (split := split_of(name)) is not None:
            kept.append(split)
        elif not found or not all(w in _STRUCTURE | _QUALIFIERS | _TOOLS for w in found):
            kept.append(name.casefold())
    return tuple(kept)


def is_label_name(name: str) -> bool:
    """Whether a file of that name may hold labels; documents that come with data sets do not."""
    suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122
    return suffix in LABEL_SUFFIXES and not _DOCUMENT.fullmatch(name)


def label_files(folder: Path) -> Iterator[Path]:
    """Every file below a folder that may hold labels, sorted within its folder."""
    for base, folders, names in walk(folder):
        folders[:] = sorted(name for name in folders if not passed_over(name))
        for name in sorted(names):
            file = Path(base) / name
            if not passed_over(name) and is_label_name(name) and not says_nothing_of_faces(file):
                yield file


def says_nothing_of_faces(file: Path) -> bool:
    """Whether a step of ours wrote the file, or it is what Google Takeout tells of a photo or an album."""
    suffix = file.suffix.lower()
    try:
        if suffix not in _OWN_SUFFIXES or not file.stat().st_size:
            return False
        if suffix == ".json":
            with file.open("rb") as opened:
                head = opened.read(2**16)
            if _TAKEOUT.search(head) and b'"people"' not in head:
                return True
        return any(kind.known(file) for kind in _OWN_KINDS)
    except (OSError, ValueError):
        return False
