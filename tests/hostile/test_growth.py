"""Twice the foreign data, at most two and a half times the processor time: labels, lists, texts, archives.

Robots.txt, README and archives are counted in `test_cost.py`, pictures timed in `test_picture_time.py`,
expressions in `test_expressions.py`.
"""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from growth import require_linear, seconds
from lineament.datasets import formats, tables
from lineament.datasets.archives import unpack
from lineament.datasets.collect import people, robots
from lineament.datasets.formats import FolderNames, LabelledPicture, Problems
from lineament.datasets.formats._foreign import looks_like
from lineament.datasets.formats._labelled import LabelledFace
from lineament.datasets.grouping import source_names
from lineament.datasets.importing import guessing
from lineament.errors import LineamentError, UsageError
from lineament.evaluation.pairs import read_pairs
from lineament.io.manifest import Manifest, ManifestRow, row_id
from lineament.registry import Registry


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Callable[[], Path]]:
    """A new empty folder at every call."""
    made = SimpleNamespace(count=0)

    def folder() -> Path:
        made.count += 1
        path = tmp_path / str(made.count)
        path.mkdir()
        return path

    yield folder


def face(number: int) -> LabelledFace:
    return LabelledFace((3.0 + number % 7, 4.0, 13.0 + number % 9, 20.0))


def labelled(pictures: int, faces: int) -> list[LabelledPicture]:
    found = []
    for i in range(pictures):
        path = f"images/{i:06d}.jpg"
        row = ManifestRow(
            row_id("0" * 64, path), path, "0" * 64, (40, 24), box=(3.0, 4.0, 13.0, 20.0), subject="Ann"
        )
        found.append(
            LabelledPicture(
                path, tuple(map(face, range(faces))), size_wh=(40, 24), subject="Ann", labels={"age": 3.0},
                rows=(row,) * max(faces, 1),
            )
        )  # fmt: skip
    return found


WRITTEN = {"many pictures": lambda n: (n // 8, 1), "many faces": lambda n: (1, n)}


@pytest.mark.parametrize("shape", WRITTEN)
@pytest.mark.parametrize("name", formats.formats.names())
def test_labels_cost_by_their_number(name: str, shape: str, fresh: Callable[[], Path]) -> None:
    """What a format wrote is read in time by its size, pictures and faces alike."""

    def make(n: int) -> Callable[[], object]:
        folder = fresh()
        pictures, faces = WRITTEN[shape](n)
        entries = labelled(pictures, faces)
        writer = formats.formats.create(name)
        try:
            placed = writer.destinations([entry.rows[0] for entry in entries], FolderNames())
        except UsageError:
            pytest.skip("it is read only")
        entries = [replace(entry, path=path) for entry, path in zip(entries, placed, strict=True) if path]
        for entry in entries:
            (folder / entry.path).parent.mkdir(parents=True, exist_ok=True)
            (folder / entry.path).write_bytes(b"")
        writer.write(entries, folder)
        return lambda: (
            writer.matches(folder),
            list(formats.formats.create(name).read(folder, folder, Problems())),
        )

    require_linear(make, 64, 2_048)


LINES: dict[str, Callable[[int], str]] = {
    "letters": lambda n: "a" * n,
    "blanks": lambda n: " " * n,
    "digits": lambda n: "0" * n,
    "digits and blanks": lambda n: "0 " * n,
    "dots": lambda n: "1." * n,
    "minus signs": lambda n: "-" * n,
    "numbers of a line": lambda n: "a.jpg" + " 1,2,3,4" * n + "x",
    "commas": lambda n: "a.jpg" + "," * n,
    "lines": lambda n: "a b\n" * n,
    "empty lines": lambda n: "\n" * n,
    "carriage returns": lambda n: "\r" * n,
    "brackets": lambda n: "[" * n,
    "braces": lambda n: '{"a":' * n,
    "tags": lambda n: "<a>" * n,
    "declarations": lambda n: "<?a" * n,
    "an encoding": lambda n: "<?xml " + "encoding " * n,
    "quotes": lambda n: '"' * n,
    "names of YOLO": lambda n: "names:\n" + "- a\n" * n,
    "lines of YOLO": lambda n: "0 0.5 0.5 0.1 0.1\n" * n,
    "nearly WIDER": lambda n: "a.jpg\n" + "1\n" * n,
    "WIDER": lambda n: "a.jpg\n1\n3 4 10 10 0 0 0 0 0 0\n" * n,
    "RetinaFace": lambda n: "# a.jpg\n3 4 10 10\n" * n,
    "nearly KITTI": lambda n: "Car" + " 0.0" * n + "x",
    "nearly FDDB": lambda n: "a/img_1\n" + "1\n" * n,
    "nearly COCO": lambda n: '{"images":' + " " * n,
    "deep COCO": lambda n: '{"images": ' + "[" * n,
    "COCO": lambda n: json.dumps({
        "images": [{"id": i, "file_name": f"{i}.jpg", "width": 40, "height": 24} for i in range(n // 16)],
        "annotations": [{"id": i, "image_id": i, "category_id": 1, "bbox": [1, 2, 9, 9]}
                        for i in range(n // 16)],
        "categories": [{"id": 1, "name": "face"}],
    }),
    "COCO of one picture": lambda n: json.dumps({
        "images": [{"id": 0, "file_name": "a.jpg", "width": 40, "height": 24}] * (n // 16),
        "annotations": [{"id": 0, "image_id": 0, "category_id": 1, "bbox": [1, 2, 9, 9]}] * (n // 16),
        "categories": [{"id": 1, "name": "face"}],
    }),
    "VOC": lambda n: "<annotation><filename>a.jpg</filename>" + (
        "<object><name>face</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></object>"
        * (n // 32)) + "</annotation>",
    "a table": lambda n: "path,age\n" + "a.jpg,3\n" * n,
    "a table of one line": lambda n: ",".join(f"c{i}" for i in range(n)),
    "a cell of digits": lambda n: "path,age\na.jpg," + "0" * n + "x\n",
    "a quoted cell": lambda n: 'path,age\n"' + "a,\n" * n,
}  # fmt: skip


GUESSED = [formats.formats.create(name) for name in formats.formats.names()]


def test_a_large_text_is_guessed_at_once(tmp_path: Path) -> None:
    """A megabyte of anything, through the whole guess."""
    for kind in ("digits and blanks", "letters", "numbers of a line", "nearly KITTI", "blanks"):
        (tmp_path / "labels.txt").write_text(LINES[kind](1 << 20)[: 1 << 20], encoding="utf-8")
        assert min(seconds(lambda: guessing.detect(tmp_path)) for _ in range(2)) < 3


@pytest.mark.parametrize("suffix", [".txt", ".json", ".xml", ".csv", ".yaml"])
@pytest.mark.parametrize("kind", LINES)
def test_guessing_costs_by_the_size(kind: str, suffix: str, fresh: Callable[[], Path]) -> None:
    """Whatever stands in a file of whatever suffix, it is guessed and read in time by its size;
    beside it lies the one picture it may name."""

    def make(n: int) -> Callable[[], object]:
        folder = fresh()
        (folder / "a.jpg").write_bytes(b"")
        (folder / f"labels{suffix}").write_text(LINES[kind](n), encoding="utf-8")

        def act() -> None:
            looks_like(folder / f"labels{suffix}")
            for reader in GUESSED:
                if reader.matches(folder) or suffix == ".txt":
                    with suppress(LineamentError):
                        list(reader.read(folder, folder, Problems()))

        return act

    require_linear(make, 1 << 9, 1 << 15)


def written(fresh: Callable[[], Path], text: str, name: str = "a.txt") -> Path:
    path = fresh() / name
    path.write_text(text, encoding="utf-8")
    return path


def manifest(n: int) -> str:
    """A manifest as we write it, of so many rows."""
    rows = [
        ManifestRow(
            row_id("0" * 64, f"{i}.jpg"), f"{i}.jpg", "0" * 64, (40, 24), subject="A" + "n" * (i % 9)
        )
        for i in range(n // 16)
    ]
    return "".join(row.to_json() + "\n" for row in rows)


READERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "pairs": (read_pairs, "a.txt"),
    "pairs as a table": (read_pairs, "a.csv"),
    "names of people": (people.read_names, "a.txt"),
    "a table": (tables.read_table, "a.csv"),
    "a table of any kind": (tables.sniffed, "a.tsv"),
    "a manifest": (Manifest.load, "a.jsonl"),
}
LISTS: dict[str, Callable[[int], str]] = LINES | {
    "rows of a manifest": manifest,
    "people": lambda n: "".join(f"Ann Lee {i}\n" for i in range(n)),
    "one person": lambda n: "Ann Lee\n" * n,
    "pairs of LFW": lambda n: f"10\t{n}\n" + "Ann_Lee\t1\t2\n" * n,
    "pairs of two": lambda n: f"{n}\n" + "".join(f"Ann_{i}\t1\tBen_{i}\t2\n" for i in range(n)),
    "pairs by path": lambda n: (
        "first,second,same\n" + "".join(f"{i}.jpg,{i + 1}.jpg,1\n" for i in range(n))
    ),
    "brackets in rows": lambda n: '{"id": "a"}\n' * n,
}


@pytest.mark.parametrize("kind", LISTS)
@pytest.mark.parametrize("reader", READERS)
def test_lists_cost_by_their_size(reader: str, kind: str, fresh: Callable[[], Path]) -> None:
    """Pairs, names, tables, manifests: of what they hold, and of what they do not."""
    read, name = READERS[reader]

    def make(n: int) -> Callable[[], object]:
        path = written(fresh, LISTS[kind](n), name)
        return lambda: read(path)

    require_linear(make, 1 << 9, 1 << 15)


SPECS: dict[str, Callable[[int], str]] = {
    "colons": lambda n: "coco" + ":" * n,
    "settings": lambda n: "coco:" + ",".join(f"frame{i}=1" for i in range(n // 8)),
    "one setting again and again": lambda n: "coco:" + "frame=auto," * n,
    "a long value": lambda n: "coco:frame=" + "a" * n,
    "equals signs": lambda n: "coco:frame" + "=" * n,
    "blanks": lambda n: "coco:" + " " * n + "frame=auto",
    "slashes": lambda n: "coco" + "/" * n,
    "an unknown name": lambda n: "a" * n,
    "names within names": lambda n: "retry:" * n + "yunet",
}


@pytest.mark.parametrize("kind", SPECS)
def test_specs_cost_by_their_length(kind: str) -> None:
    """Of formats and of detectors, which may stand within each other."""
    from lineament.registry import detectors

    registries: list[Registry[object]] = [formats.formats, detectors]  # type: ignore[list-item]

    def make(n: int) -> Callable[[], object]:
        spec = SPECS[kind](n)

        def act() -> None:
            for registry in registries:
                try:
                    registry.create(spec)
                except UsageError as error:
                    str(error)

        return act

    require_linear(make, 1 << 7, 1 << 13)


ENTRIES: dict[str, Callable[[int], list[str]]] = {
    "files of a folder": lambda n: [f"{i}.txt" for i in range(n)],
    "folders": lambda n: [f"{i}/a.txt" for i in range(n)],
    "deep": lambda n: [f"a/b/c/d/e/{i}/f.txt" for i in range(n)],
    "names that differ in case": lambda n: [f"{'aA'[i % 2]}{i // 2}.txt" for i in range(n)],
    "long names": lambda n: [f"{i}{'n' * 150}.txt" for i in range(n)],
}


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
@pytest.mark.parametrize("kind", ENTRIES)
def test_archives_cost_by_their_entries(kind: str, suffix: str, fresh: Callable[[], Path]) -> None:
    """Unpacked or refused."""

    def make(n: int) -> Callable[[], object]:
        folder = fresh()
        path = folder / f"a{suffix}"
        if suffix == ".zip":
            with zipfile.ZipFile(path, "w") as archive:
                for name in ENTRIES[kind](n):
                    archive.writestr(name, b"")
        else:
            out = io.BytesIO()
            with tarfile.open(fileobj=out, mode="w:gz") as tar:
                for name in ENTRIES[kind](n):
                    tar.addfile(tarfile.TarInfo(name))
            path.write_bytes(out.getvalue())
        count = iter(range(1000))
        return lambda: unpack(path, folder / f"out{next(count)}")

    require_linear(make, 64, 1_024)


@pytest.mark.parametrize(
    "kind", ["User-agent: a\n", "Disallow: /*a\n", "\n", ":", "# ", "Allow: /" + "*" * 40 + "\n"]
)
def test_robots_files_are_parsed_by_their_size(kind: str) -> None:
    """Parsed and asked once, timed besides counted."""

    def make(n: int) -> Callable[[], object]:
        body = ("User-agent: *\n" + kind * (n // len(kind))).encode()
        return lambda: robots.parse(body, "lineament").allows("/a/b")

    require_linear(make, 1 << 13, 1 << 17)


def test_source_names_are_grouped_by_their_number() -> None:
    """Every name of a data set is looked at once."""

    def make(n: int) -> Callable[[], object]:
        names = [f"ann_{i}_jpg.rf.{i:032x}" for i in range(n)]
        return lambda: [source_names.source_of(name) for name in names]

    require_linear(make, 1 << 9, 1 << 13)
