"""Somebody else's JSON, TOML and YAML: read by one reader, within bounds, each failure a named error."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as PillowImage
from tests.hostile.documents import BROKEN, altered
from typer.testing import CliRunner

from lineament import documents, registry
from lineament.cli.train.options import settings_from
from lineament.config import from_toml
from lineament.datasets.audit.page import render
from lineament.datasets.audit.run import audit
from lineament.datasets.cleaning import proposals
from lineament.datasets.exporting import classes_of
from lineament.datasets.formats._problems import Problems
from lineament.datasets.formats._yolo_data import class_names, keypoints, load_settings
from lineament.datasets.given import given_splits
from lineament.datasets.importing.labels import import_labels
from lineament.datasets.reviewing.decisions import DecisionLog
from lineament.errors import LineamentError, ManifestError
from lineament.evaluation.record import EvaluationRecord
from lineament.io import calibration_file, rejection
from lineament.io.manifest import Journal, Manifest
from lineament.io.trained import TrainedCard
from lineament.training.runs import identity as run_identity

SOURCE = Path(documents.__file__).resolve().parents[1]
DIGEST = "0" * 64

ROW = {
    "id": "1",
    "path": "a.jpg",
    "sha256": DIGEST,
    "size_wh": [8, 8],
    "subject": "Ann",
    "split": "train",
    "box": [1.0, 1.0, 5.0, 5.0],
    "landmarks": [[1.0, 2.0]] * 5,
    "labels": {"age": 30.0, "mood": "calm"},
    "parent": "p",
    "step": "import",
    "quality": 0.5,
    "repeats": 2,
    "provenance": {"url": "https://example.org/a.jpg", "licence": "CC0"},
}
HEADER = {
    "lineament_manifest": 1,
    "rows": 1,
    "steps": [
        {"step": "import", "format": "coco", "classes": {"0": "face"}, "follow_links": False},
        {"step": "extract", "settings": {"size": 112, "margin": 0.2, "align": True}, "photos": 1},
        {"step": "split", "shares": [["train", 0.8], ["test", 0.2]], "by": "subject", "given": []},
        {"step": "review", "removed": 0},
    ],
}
THRESHOLD = {
    "value": 0.4,
    "model": {"name": "sface", "sha256": DIGEST},
    "target_rate": 0.001,
    "measured_on": "people",
    "rate": 0.001,
    "interval": {"low": 0.0, "high": 0.1, "level": 0.95},
    "comparisons": 100,
    "subjects": 10,
    "kind": "FMR",
    "enrolled": None,
}
RATE = {"value": 0.1, "low": 0.0, "high": 0.2, "n": 50}
CARD = {
    "lineament_card": 1,
    "name": "mine",
    "job": "classifier",
    "architecture": "reference",
    "file": "model.onnx",
    "sha256": DIGEST,
    "input": {"colour": "RGB", "size": 64, "mean": [0.0], "std": [1.0]},
    "heads": [{"name": "subject", "kind": "classes", "classes": ["a", "b"]}],
    "data": {"digest": DIGEST, "rows": {"train": 5}, "subjects": 2, "steps": ["import"]},
    "crop": {"size": 64, "margin": 0.2, "align": False},
    "measured": {"accuracy": RATE},
    "golden": {"input": "waves-64x64", "output": [0.1, 0.2], "tolerance": 0.02},
}


def _manifest(path: Path) -> None:
    PillowImage.new("RGB", (8, 8)).save(path.with_name("a.jpg"))
    manifest = Manifest.load(path)
    manifest.save(path.with_name("again.jsonl"))
    assert Manifest.load(path.with_name("again.jsonl")).digest() == manifest.digest()
    given_splits(manifest, {"train": 0.8, "test": 0.2})
    classes_of(manifest)
    render(audit(manifest, None, experiment=False), "t")


def _rejection(path: Path) -> None:
    card = path.with_name("card")
    card.mkdir(exist_ok=True)
    (card / TrainedCard.__name__).touch()
    (path.with_name("card.json")).write_text(json.dumps(CARD))
    rejection.load(path.parent, TrainedCard.load(path.parent))


def _record(path: Path) -> None:
    record = EvaluationRecord.load(path)
    assert all(figure.better for figure in record.figures.values())
    record.save(path.with_name("again.json"))


READERS: dict[str, tuple[str, Callable[[Path], Any], Any]] = {
    "manifest": ("manifest.jsonl", _manifest, [HEADER, ROW]),
    "proposals": (
        "proposals.jsonl",
        proposals.load,
        [
            {
                "path": "a.jpg",
                "subject": "Ann",
                "action": "move",
                "reason": "wrong person",
                "score": 1,
                "to": "B",
            }
        ],
    ),
    "decisions": (
        "review.jsonl",
        DecisionLog,
        [{"sha256": DIGEST, "path": "a.jpg", "id": "1", "choice": "move", "to": "B", "at": "now"}],
    ),
    "journal": ("step.journal", Journal, [{"key": "a", "value": 1}]),
    "threshold": (
        "threshold.json",
        calibration_file.load,
        {
            "lineament_calibration": 1,
            "threshold": THRESHOLD,
            "probability": {"method": "logistic", "slope": 1.0, "offset": 0.0},
            "record": {},
        },
    ),
    "rejection": (
        rejection.FILE,
        _rejection,
        {"lineament_rejection": 1, "below": 0.5, "model": DIGEST, "record": {"named": RATE}},
    ),
    "evaluation": (
        "evaluation.json",
        _record,
        {
            "lineament_evaluation": 1,
            "kind": "verification",
            "title": "t",
            "protocol": {"kind": "verification"},
            "system": {"model": "sface"},
            "answer": {"fnmr": RATE},
            "clusters": {"fnmr": {"a": [1.0, 2.0]}},
            "charts": {"roc": "<svg/>"},
            "environment": {"numpy": "2"},
        },
    ),
    "card": ("card.json", lambda path: TrainedCard.load(path.parent), CARD),
    "run folder as a detector": (
        "card.json",
        lambda path: registry.embedders.settings(str(path.parent)),
        {**CARD, "job": "embedding"},
    ),
    "whose run it is": (
        run_identity.IDENTITY,
        lambda path: run_identity.known(path.parent),
        {"trainer": "classifier", "settings": {"loop": {"epochs": 3}}, "data": DIGEST},
    ),
}


def _written(path: Path, document: Any) -> None:
    lines = document if isinstance(document, list) and path.suffix in (".jsonl", ".journal") else [document]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def _ends_well(read: Callable[[Path], Any], path: Path) -> str:
    """What it ends in: nothing, or a named error that names the file; anything else is a traceback."""
    try:
        read(path)
    except LineamentError as error:
        assert path.name in str(error) or str(path.parent) in str(error) or "row" in str(error), error
        assert len(str(error)) < 1500
        return type(error).__name__
    return ""


@pytest.mark.parametrize("kind", READERS)
def test_what_is_no_such_document(kind: str, tmp_path: Path) -> None:
    """Whatever bytes stand where a document is wanted, the error is named and names the file."""
    name, read, valid = READERS[kind]
    path = tmp_path / name
    _written(path, valid)
    assert _ends_well(read, path) == "", "the valid one is read"
    for what, data in BROKEN.items():
        # Of a log the last line counts only once it has its end.
        path.write_bytes(data + b"\n" if kind in ("decisions", "journal") else data)
        valid_too = (kind == "proposals" and not data) or (kind == "whose run it is" and data[:1] == b"{")
        assert _ends_well(read, path) or valid_too, (kind, what)


@pytest.mark.parametrize("kind", READERS)
def test_wrong_types_at_each_key(kind: str, tmp_path: Path) -> None:
    """A value of another type at any key, or a key that is missing, never ends in a traceback."""
    name, read, valid = READERS[kind]
    path, refused = tmp_path / name, 0
    lines = valid if isinstance(valid, list) else [valid]
    for number, line in enumerate(lines):
        for what, document in altered(line):
            changed = [document if i == number else one for i, one in enumerate(lines)]
            _written(path, changed if isinstance(valid, list) else document)
            try:
                refused += bool(_ends_well(read, path))
            except Exception as error:
                raise AssertionError(f"{kind}: {what}: {type(error).__name__}: {error}") from error
            finally:
                path.unlink()
    assert refused > 10


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e400", "9" * 41])
@pytest.mark.parametrize("key", ["box", "quality", "labels", "landmarks"])
def test_a_row_that_loads_can_be_saved(key: str, number: str, tmp_path: Path) -> None:
    """A number that is none is refused while loading, by the line it stands in."""
    path = tmp_path / "manifest.jsonl"
    places = {
        "box": f'"box":[1.0,{number},5.0,5.0]',
        "quality": f'"quality":{number}',
        "labels": f'"labels":{{"age":{number}}}',
        "landmarks": f'"landmarks":[[{number},2.0]]',
    }
    path.write_text(f'{json.dumps(HEADER)}\n{{"id":"1","path":"a.jpg","sha256":"",{places[key]}}}\n')
    with pytest.raises(ManifestError, match="line 2"):
        Manifest.load(path)


TOML = {
    "lists": "a = " + "[" * 100_000,
    "tables": "a = " + "{a=" * 80_000,
    "a long key": ".".join("a" * 100_000) + " = 1",
    "a long quoted key": ".".join(['"a"'] * 60_000) + " = 1",
    "a long header": "[" + " . ".join("a" * 60_000) + "]",
    "digits": "a = " + "7" * 5000,
    "hexadecimal digits": "a = 0x" + "f" * 5000,
    "infinite": "a = inf",
    "no number": "a = nan",
    "too large": "a = 1e999",
    "twice": "a = 1\na = 2",
    "nul": "a = \0",
    "quotes": '"' * 200_000,
    "apostrophes": "'" * 200_000,
    "large": "a = 1\n" + "#" * (1 << 20),
    "not toml": "{}",
    "unknown": "a = 1",
    "wrong type": 'epochs = "many"\nloop = 5',
    "utf-16": "a = 1".encode("utf-16"),
    "latin-1": b'a = "\xe9"',
}


@pytest.mark.parametrize("what", TOML)
def test_settings(what: str, tmp_path: Path) -> None:
    """Settings of a trainer, pages to search: TOML that is too much or no settings is refused by name."""
    from lineament.datasets.collect.search_pages import SearchPage
    from lineament.training.classification.trainer import ClassifierSettings

    path = tmp_path / "settings.toml"
    data = TOML[what]
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    for read in (
        lambda: settings_from(ClassifierSettings, path, None),
        lambda: from_toml(SearchPage, path),
    ):
        with pytest.raises(LineamentError, match=r"settings\.toml") as refused:
            read()
        assert len(str(refused.value)) < 500


YAML = {
    "lists": "[" * 100_000,
    "dashes": "- " * 100_000,
    "mappings": "names: " + "{a: " * 100_000,
    "an alias": "a: &a [x, x]\nnames: *a",
    "laughter": "a: &a [x, x]\n" + "".join(f"{k}: &{k} [*{p}, *{p}]\n" for p, k in pairwise("abcdefghi")),
    "a list in itself": "names: &a [*a]",
    "a tag of Python": "names: !!python/object/apply:os.system [x]",
    "a tag of one's own": "names: !face [x]",
    "digits": "nc: " + "7" * 5000,
    "hexadecimal digits": "nc: 0x" + "f" * 5000,
    "infinite": "nc: .inf",
    "no number": "nc: .nan",
    "twice": "nc: 1\nnc: 2",
    "a list as a key": "names: {[a]: b}",
    "two documents": "nc: 1\n---\nnc: 2",
    "a list": "[a, b]",
    "a text": "x",
    "empty": "",
    "no yaml": "names: [a",
    "escape": 'path: "C:\\Users"',
    "large": "#" * (1 << 21),
}


@pytest.mark.parametrize("what", YAML)
def test_data_files(what: str, tmp_path: Path) -> None:
    """A YOLO data file that is too much, or no settings, is refused by name."""
    path = tmp_path / "data.yaml"
    path.write_bytes(YAML[what].encode())

    def read() -> None:
        settings = load_settings(path, Problems())
        class_names(settings, path, tmp_path, Problems())
        keypoints(settings, path.name)

    with pytest.raises(LineamentError, match=r"data\.yaml"):
        read()


def test_usual_yaml_is_read() -> None:
    """What data files hold comes out as before: numbers, words of YAML 1.1, blocks, quoted text."""
    text = "path: ../x\nnames:\n  0: face\n  1: 'yes'\nnc: 0x2\nkpt_shape: [5, 3]\n"
    text += "long: |\n  a\n  b\nz: !!str 5\nn: ~\n"
    assert documents.yaml_of(text) == {
        **{"path": "../x", "names": {0: "face", 1: "yes"}, "nc": 2, "kpt_shape": [5, 3]},
        **{"long": "a\nb\n", "z": "5", "n": None},
    }


COMMANDS: dict[str, tuple[str, list[str]]] = {
    "audit": ("manifest.jsonl", ["dataset", "audit", "{}", "--out", "{dir}/a.html"]),
    "split": ("manifest.jsonl", ["dataset", "split", "{}", "--out", "{dir}/s.jsonl"]),
    "export": ("manifest.jsonl", ["dataset", "export", "{}", "--format", "coco", "--out", "{dir}/out"]),
    "report": ("e.json", ["evaluate", "report", "{}", "--out", "{dir}/r.html"]),
    "compare": ("e.json", ["evaluate", "compare", "{}", "{}"]),
    "gate": ("e.json", ["evaluate", "gate", "{}", "{}"]),
    "import coco": ("labels.json", ["dataset", "import", "{}", "--format", "coco"]),
    "import anything": ("labels.json", ["dataset", "import", "{dir}", "--dry-run"]),
    "a run as detector": ("card.json", ["detect", "{dir}", "--detector", "{dir}"]),
    "filters of a run": ("card.json", ["explain", "filters", "{dir}", "--out", "{dir}/f.png"]),
    "train": ("settings.toml", ["train", "classifier", "{dir}", "--out", "{dir}/run", "--config", "{}"]),
    "sweep": ("settings.toml", ["train", "sweep", "{dir}", "--out", "{dir}/run", "--config", "{}"]),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_end_in_named_errors(command: str, tmp_path: Path) -> None:
    """Every command that opens such a file ends in a named error, or in an answer, never in a traceback."""
    from lineament.cli.commands import app

    name, words = COMMANDS[command]
    path = tmp_path / name
    for what, data in BROKEN.items():
        path.write_bytes(data)
        told = [word.replace("{dir}", str(tmp_path)).replace("{}", str(path)) for word in words]
        ended = CliRunner().invoke(app, told).exception
        assert ended is None or isinstance(ended, LineamentError | SystemExit), (command, what, ended)


@pytest.mark.parametrize("what", BROKEN)
def test_label_files_of_every_format(what: str, tmp_path: Path) -> None:
    """As labels, too: the file is refused or counted, whatever format it is taken for."""
    (tmp_path / "labels.json").write_bytes(BROKEN[what])
    for name in (None, "coco", "labelme", "createml", "via", "datumaro", "supervisely"):
        try:
            import_labels(tmp_path, format=name)
        except LineamentError:
            continue


def test_no_module_parses_by_itself() -> None:
    """JSON, TOML and YAML are parsed by `lineament.documents` only."""
    found = []
    for file in sorted(SOURCE.rglob("*.py")):
        if file.parent.name == "documents":
            continue
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                names = [f"{node.value.id}.{node.attr}"]
            banned = ("json.load", "json.JSONDecoder", "tomllib", "yaml.load", "yaml.safe_load", "tomli.")
            more = ("json.loads", "yaml.full_load", "yaml.unsafe_load", "json.decoder", "ruamel", "orjson")
            found += [f"{file.name}:{node.lineno}: {n}" for n in names if n.startswith((*banned, *more))]
    assert not found
