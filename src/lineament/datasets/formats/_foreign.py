"""Naming the tool whose label file this is, where the file is not read here: for messages only."""

from __future__ import annotations

import csv
import re
from pathlib import Path

from lineament.datasets.formats._files import load_json, sniff
from lineament.datasets.formats._json_kinds import json_kind
from lineament.datasets.formats._yolo_lines import looks_like_labels
from lineament.errors import LabelFileError

_READ = {"coco", "labelme", "via", "createml", "supervisely", "datumaro"}
_KITTI = re.compile(r"[^\sA-Za-z]*+[A-Za-z]\S*+(\s+-?\d+(\.\d+)?){14,15}\s*")
_DOTA = re.compile(r"(-?\d+(\.\d+)?\s+){8}\S+\s+[012]\s*")
_PATH_AND_BOXES = re.compile(r"\S.*\.(jpe?g|png|bmp|webp)(\s+-?[\d.]+(,-?[\d.]+){3,4})+\s*", re.I)
_BY_SUFFIX = {
    ".tfrecord": "TFRecord",
    ".record": "TFRecord",
    ".parquet": "Parquet",
    ".mat": "MATLAB",
    ".pbtxt": "a TensorFlow label map",
    ".pts": "landmarks of 300-W",
    ".npy": "an array of numpy",
    ".sqlite": "a data base, as of AFLW",
    ".sqlite3": "a data base",
    ".rec": "records of MXNet",
    ".lst": "a list of MXNet",
    ".idx": "an index of MXNet",
    ".manifest": "a manifest of AWS",
    ".odgt": "CrowdHuman, boxes of heads and bodies; convert it to COCO or YOLO",
    ".xlsx": "an Excel sheet; save it as CSV",
    ".xls": "an Excel sheet; save it as CSV",
    ".ods": "a spreadsheet; save it as CSV",
}


_BY_LINE = {
    '"data_row"': "Labelbox",
    '"source-ref"': "a manifest of AWS",
    '"imageGcsUri"': "Google's Vertex AI",
    '"file_name"': "metadata of Hugging Face; save it as metadata.csv",
}
_ELLIPSES = re.compile(r"\S+/img_\d+\s*\n\s*\d+\s*\n(-?[\d.e+]+\s+){5}1\s", re.IGNORECASE)
_URLS = re.compile(r"\d+\s+https?://\S+(\s+-?[\d.]+){4}")
_GOOGLE = re.compile(r"(TRAIN\w*|VALID\w*|TEST|UNASSIGNED)?,?gs://", re.IGNORECASE)
_TRACKS = re.compile(r"\d+(,-?[\d.]+){5}(,[^,\n]*)*")


def looks_like(file: Path) -> str | None:
    """Whose layout the file has, or what is broken in it; None when nothing tells."""
    suffix, text = file.suffix.lower(), sniff(file)
    if not text.strip():
        return "empty"
    if suffix in _BY_SUFFIX:
        return _BY_SUFFIX[suffix]
    if suffix in (".json", ".geojson"):
        return _json(file)
    if suffix in (".ndjson", ".jsonl"):
        return next((tool for mark, tool in _BY_LINE.items() if mark in text), None)
    if suffix == ".xml":
        return _xml(text)
    if suffix in (".csv", ".tsv"):
        return _table(text)
    return _lines(text)


def _json(file: Path) -> str | None:
    kind = json_kind(file)
    if kind is not None:
        return f"{kind} of pictures that are not here" if kind in _READ else kind
    try:
        load_json(file, max_bytes=2**25)
    except LabelFileError as error:
        return str(error).partition(": ")[2]
    return None


def _xml(text: str) -> str | None:
    root = re.search(r"<([A-Za-z_][\w.-]*)[\s>/]", re.sub(r"<[?!][^>]*(>|\Z)", "", text[:4096]))
    tools = {"annotation": "Pascal VOC", "annotations": "CVAT", "dataset": "dlib's imglab"}
    return None if root is None else tools.get(root[1], f"XML of <{root[1]}>")


def _table(text: str) -> str | None:
    if _GOOGLE.match(text):
        return "Google's AutoML or Vertex AI; name its columns with --format csv:columns="
    header = {cell.strip() for cell in next(csv.reader(text.splitlines()[:1]), [])}
    if {"ImageID", "XMin", "YMin"} <= header:
        return "OpenImages"
    if {"filename", "region_shape_attributes"} <= header:
        return "VGG VIA's table; export it as JSON"
    if "pixels" in header:
        return "FER2013, which holds the pixels themselves; write them to picture files first"
    return None


def _lines(text: str) -> str | None:
    first = [
        line for line in text.splitlines()[:5] if line.strip() and not line.startswith(("image", "gsd"))
    ]
    if any(_KITTI.fullmatch(line[:500]) for line in first):
        return "KITTI"
    if any(_DOTA.fullmatch(line[:500]) for line in first):
        return "DOTA"
    if any(_PATH_AND_BOXES.fullmatch(line[:2000]) for line in first):
        return "a list of paths and boxes (keras-yolo3)"
    if _ELLIPSES.match(text):
        return "ellipses of FDDB"
    if any(_URLS.match(line) for line in first):
        return "a list of addresses, as of VGG-Face: the pictures are to be fetched first"
    if first and all(_TRACKS.fullmatch(line[:500]) for line in first):
        return "boxes by number of frame, as of DarkLabel or MOT"
    return "YOLO of pictures that are not here" if looks_like_labels(text) else None
