"""Which tool's layout a JSON file has, told by its keys and not by how they are written or ordered."""

from __future__ import annotations

import mmap
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from lineament.datasets.formats._files import load_json
from lineament.errors import LabelFileError

_PARSED = 2**25
_COCO_KEYS = re.compile(rb'"(images|annotations|categories)"\s*:\s*\[')


def json_kind(file: Path) -> str | None:
    """coco, labelme, via, createml, supervisely, datumaro, another tool's name; None when it is unknown."""
    try:
        status = file.stat()
    except OSError:
        return None
    return _kind(file, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=4096)
def _kind(file: Path, size: int, changed: int) -> str | None:
    del changed  # part of the key: a file written anew is looked at again
    if size > _PARSED:
        return _kind_of_large(file)
    try:
        return kind_of(load_json(file))
    except LabelFileError:
        return None


def _kind_of_large(file: Path) -> str | None:
    """COCO by its keys anywhere in the file; one a picture of other formats is never that large."""
    found: set[bytes] = set()
    try:
        with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data:
            for match in _COCO_KEYS.finditer(data):
                found.add(match[1])
                if b"images" in found and len(found) > 1:
                    return "coco"
    except (OSError, ValueError):
        return None
    return None


def kind_of(data: Any) -> str | None:
    """The same for what the file holds."""
    if isinstance(data, list):
        first = data[0] if data else None
        return _kind_of_entry(first) if isinstance(first, dict) else None
    if not isinstance(data, dict):
        return None
    if isinstance(data.get("shapes"), list) and ("imagePath" in data or "imageData" in data):
        return "labelme"
    if isinstance(data.get("items"), list) and "categories" in data:
        return "datumaro"
    if isinstance(data.get("images"), list) and ({"annotations", "categories"} & data.keys()):
        return "coco"
    if isinstance(data.get("objects"), list) and isinstance(data.get("size"), dict):
        return "supervisely"
    if _is_via(data):
        return "via"
    return _kind_of_entry(data)


def _kind_of_entry(entry: Mapping[str, Any]) -> str | None:
    if isinstance(entry.get("annotations"), list) and ({"image", "imagefilename"} & entry.keys()):
        return "createml"
    if {"Labeled Data", "External ID", "data_row"} & entry.keys():
        return "Labelbox"
    if {"annotations", "completions"} & entry.keys() and "data" in entry:
        return "Label Studio's own JSON"
    regions = [one for value in entry.values() if isinstance(value, list) for one in value[:1]]
    if any(isinstance(one, dict) and "original_width" in one for one in regions):
        return "Label Studio's JSON-MIN"
    if {"label", "bbox", "image"} <= entry.keys() or "annotation_id" in entry:
        return "Label Studio's JSON-MIN"
    if {"image_id", "bbox", "score"} <= entry.keys():
        return "COCO results (detections, not labels)"
    if {"name", "labels"} <= entry.keys() or "frames" in entry:
        return "BDD100K or Scalabel"
    if "asset" in entry or "assets" in entry:
        return "VoTT"
    if "task_id" in entry and ("response" in entry or "params" in entry):
        return "Scale"
    if isinstance(entry.get("project"), dict) and {"metadata", "view"} <= entry.keys():
        return "VGG VIA 3's project; open it in VIA 2, or export it as COCO"
    if {"source-ref", "source"} & entry.keys() and any(key.endswith("-metadata") for key in entry):
        return "a manifest of AWS"
    return None


def _is_via(data: Mapping[str, Any]) -> bool:
    entries = data.get("_via_img_metadata", data)
    if not isinstance(entries, dict) or not entries:
        return False
    first = next(iter(entries.values()))
    return isinstance(first, dict) and "filename" in first and "regions" in first
