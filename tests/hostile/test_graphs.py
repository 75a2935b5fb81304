"""A model file of somebody else: one flat graph of standard operators, or refused before any runtime."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from typer.testing import CliRunner

from lineament.errors import LineamentError, ModelRefused
from lineament.explain.graph import Graph
from lineament.io import assets, catalog, graphs
from lineament.io.folding import fold
from lineament.io.onnx import open_session
from lineament.io.trained import open_trained

FLOAT = TensorProto.FLOAT
SHAPE = ["N", 3, 8, 8]
PIXELS = helper.make_tensor_value_info("pixels", FLOAT, SHAPE)
OUT = helper.make_tensor_value_info("out", FLOAT, SHAPE)


def model(nodes: Sequence[Any], weights: Sequence[Any] = (), **more: Any) -> onnx.ModelProto:
    graph = helper.make_graph(nodes, "g", [PIXELS], [OUT], list(weights))
    return helper.make_model(graph, **{"opset_imports": [helper.make_opsetid("", 17)], **more})


def add(other: str = "pixels") -> Any:
    return helper.make_node("Add", ["pixels", other], ["out"])


def _scalar(name: str, value: Any) -> Any:
    return numpy_helper.from_array(np.array(value), name)


def _inner(*outputs: str) -> Any:
    infos = [helper.make_tensor_value_info(name, FLOAT, None) for name in outputs]
    nodes = [helper.make_node("Identity", ["pixels"], [name]) for name in outputs]
    return helper.make_graph(nodes, "inner", [], infos)


def loop() -> onnx.ModelProto:
    """A loop whose condition stays true."""
    counts = [
        helper.make_tensor_value_info("i", TensorProto.INT64, []),
        helper.make_tensor_value_info("on", TensorProto.BOOL, []),
        helper.make_tensor_value_info("x", FLOAT, SHAPE),
    ]
    done = [
        helper.make_tensor_value_info("on_out", TensorProto.BOOL, []),
        helper.make_tensor_value_info("x_out", FLOAT, SHAPE),
    ]
    nodes = [helper.make_node("Identity", [a], [b]) for a, b in (("on", "on_out"), ("x", "x_out"))]
    body = helper.make_graph(nodes, "body", counts, done)
    return model(
        [helper.make_node("Loop", ["", "go", "pixels"], ["out"], body=body)], [_scalar("go", True)]
    )


def branch() -> onnx.ModelProto:
    node = helper.make_node("If", ["go"], ["out"], then_branch=_inner("a"), else_branch=_inner("b"))
    return model([node], [_scalar("go", True)])


def scan() -> onnx.ModelProto:
    body = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])],
        "body",
        [helper.make_tensor_value_info("x", FLOAT, SHAPE[1:])],
        [helper.make_tensor_value_info("y", FLOAT, SHAPE[1:])],
    )
    return model([helper.make_node("Scan", ["pixels"], ["out"], body=body, num_scan_inputs=1)])


def sequence_map() -> onnx.ModelProto:
    nodes = [
        helper.make_node("SequenceConstruct", ["pixels"], ["s"]),
        helper.make_node("SequenceMap", ["s"], ["t"], body=_inner("a")),
        helper.make_node("SequenceAt", ["t", "at"], ["out"]),
    ]
    return model(nodes, [_scalar("at", 0)])


def function() -> onnx.ModelProto:
    opset = [helper.make_opsetid("", 17), helper.make_opsetid("mine", 1)]
    made = helper.make_function(
        "mine", "Twice", ["x"], ["y"], [helper.make_node("Add", ["x", "x"], ["y"])], opset
    )
    node = helper.make_node("Twice", ["pixels"], ["out"], domain="mine")
    return model([node], opset_imports=opset, functions=[made])


def elsewhere(location: str, **more: str) -> onnx.ModelProto:
    tensor = TensorProto(name="w", data_type=FLOAT, dims=[3, 8, 8], data_location=TensorProto.EXTERNAL)
    for key, value in {"location": location, **more}.items():
        tensor.external_data.add(key=key, value=value)
    return model([add("w")], [tensor])


def constant_elsewhere() -> onnx.ModelProto:
    tensor = elsewhere("weights.bin").graph.initializer[0]
    return model([helper.make_node("Constant", [], ["w"], value=tensor), add("w")])


def sparse_elsewhere() -> onnx.ModelProto:
    made = model([add("w")])
    pair = made.graph.sparse_initializer.add(dims=[3, 8, 8])
    pair.values.CopyFrom(elsewhere("weights.bin").graph.initializer[0])
    pair.indices.CopyFrom(_scalar("at", np.zeros(1, np.int64)))
    return made


def custom(domain: str, kind: str = "Custom") -> onnx.ModelProto:
    node = helper.make_node(kind, ["pixels"], ["out"], domain=domain)
    return model([node], opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid(domain or "x", 1)])


def training() -> onnx.ModelProto:
    made = model([add()])
    made.training_info.add().algorithm.CopyFrom(_inner("a"))
    return made


def deep() -> onnx.ModelProto:
    """Branches in branches."""
    inner = _inner("a")
    for number in range(20):
        node = helper.make_node("If", ["go"], [f"b{number}"], then_branch=inner, else_branch=_inner("c"))
        info = helper.make_tensor_value_info(f"b{number}", FLOAT, None)
        inner = helper.make_graph([node], "inner", [], [info])
    node = helper.make_node("If", ["go"], ["out"], then_branch=inner, else_branch=_inner("c"))
    return model([node], [_scalar("go", True)])


def huge() -> onnx.ModelProto:
    return model([add("w")], [TensorProto(name="w", data_type=FLOAT, dims=[1 << 20, 1 << 20])])


HOSTILE: dict[str, Callable[[], onnx.ModelProto]] = {
    "a loop without end": loop,
    "a branch": branch,
    "branches in branches": deep,
    "a scan": scan,
    "a map over a sequence": sequence_map,
    "a function of its own": function,
    "weights beside it": lambda: elsewhere("weights.bin"),
    "weights above it": lambda: elsewhere("../../weights.bin"),
    "weights anywhere": lambda: elsewhere("/etc/passwd", offset="0", length="768"),
    "a constant beside it": constant_elsewhere,
    "sparse weights beside it": sparse_elsewhere,
    "an operator of Microsoft": lambda: custom("com.microsoft", "FusedConv"),
    "an operator of nobody": lambda: custom("evil"),
    "an unknown operator": lambda: custom(""),
    "trees": lambda: custom("ai.onnx.ml", "TreeEnsembleRegressor"),
    "a training graph": training,
    "weights of 4 TB": huge,
    "weights of less than nothing": lambda: model(
        [add("w")], [TensorProto(name="w", data_type=FLOAT, dims=[-1])]
    ),
    "chance": lambda: model([helper.make_node("RandomNormalLike", ["pixels"], ["out"])]),
    "no graph": lambda: onnx.ModelProto(ir_version=8),
    "an input that is missing": lambda: model([add("nothing")]),
    "weights shorter than they say": lambda: model(
        [add("w")], [TensorProto(name="w", data_type=FLOAT, dims=[3, 8, 8], raw_data=b"123")]
    ),
}

BYTES = {
    "empty": b"",
    "text": b"nonsense" * 99,
    "a pickle": b"\x80\x04\x95" + b"\0" * 99,
    "nested 1,000 deep": b"".join((b"\x3a", b"\xff\x7f")) * 1000,
    "cut off": b"",
}


@pytest.fixture
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    path.write_bytes(HOSTILE[request.param]().SerializeToString())
    (tmp_path / "weights.bin").write_bytes(np.zeros(192, np.float32).tobytes())
    return path


@pytest.mark.parametrize("file", HOSTILE, indirect=True)
def test_no_runtime_gets_it(file: Path, tmp_path: Path) -> None:
    """A graph that is not flat, not whole or not standard is refused by name, wherever it is opened."""
    for runtime in ("openvino", "onnxruntime"):
        with pytest.raises(ModelRefused, match=r"model\.onnx"):
            open_session(file, runtime=runtime)  # type: ignore[arg-type]


FLAT = ("an input that is missing", "weights shorter than they say")
"""Of these only a runtime says what is wrong."""


@pytest.mark.parametrize("file", [name for name in HOSTILE if name not in FLAT], indirect=True)
def test_run_folders_and_drawings(file: Path, tmp_path: Path) -> None:
    """As the model of a run folder, to be folded and to be looked into it is refused as well."""
    card = {
        "lineament_card": 1,
        **{"name": "theirs", "job": "classifier", "architecture": "x", "file": file.name},
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "input": {"colour": "RGB", "size": 8},
        "heads": [{"name": "out", "kind": "number"}],
        "data": {"digest": ""},
        "golden": {"input": "waves-8x8", "output": [0.0], "tolerance": 1e300},
    }
    (tmp_path / "card.json").write_text(json.dumps(card))
    for opened in (
        lambda: open_trained(tmp_path),
        lambda: Graph.of_file(file),
        lambda: Graph.of_run(tmp_path),
        lambda: fold(file, tmp_path / "folded.onnx"),
    ):
        with pytest.raises(ModelRefused, match=r"model\.onnx"):
            opened()
    from lineament.cli.commands import app

    for words in (["explain", "filters", str(file)], ["explain", "filters", str(tmp_path)]):
        ended = CliRunner().invoke(app, [*words, "--out", str(tmp_path / "f.png")]).exception
        assert isinstance(ended, LineamentError), ended


@pytest.mark.parametrize("what", BYTES)
def test_what_is_no_onnx_file(what: str, tmp_path: Path) -> None:
    """Other bytes, and a file that was cut off, are refused by name."""
    path = tmp_path / "model.onnx"
    path.write_bytes(BYTES[what] or (b"" if what == "empty" else model([add()]).SerializeToString()[:-20]))
    with pytest.raises(ModelRefused, match=r"model\.onnx"):
        open_session(path)


@pytest.mark.parametrize("sides", [[7, 5], [192], [-1, 5], [1, 3, 8, 9], [2, -1, 3]])
def test_sides_that_do_not_fit_are_seen_before_a_runtime(sides: list[int], tmp_path: Path) -> None:
    """A graph whose sides cannot be is refused: run, it would read memory that is not its own."""
    nodes = [helper.make_node("Reshape", ["pixels", "shape"], ["out"])]
    path = tmp_path / "model.onnx"
    path.write_bytes(model(nodes, [_scalar("shape", np.array(sides, np.int64))]).SerializeToString())
    with pytest.raises(ModelRefused, match="do not fit"):
        open_session(path)


def test_plain_graphs_pass(tmp_path: Path) -> None:
    """A flat graph with its weights inside opens and answers."""
    path = tmp_path / "model.onnx"
    weights = numpy_helper.from_array(np.ones((3, 8, 8), np.float32), "w")
    path.write_bytes(model([add("w")], [weights]).SerializeToString())
    answer = open_session(path).run({"pixels": np.zeros((1, 3, 8, 8), np.float32)})
    assert answer["out"].min() == 1


def test_the_models_of_the_catalogue_pass() -> None:
    """Every model file that is there is one that would be taken from a stranger, too."""
    there = [path for card in catalog.cards().values() if (path := assets.cached_path(card)).exists()]
    for path in there:
        if path.suffix == ".onnx":
            graphs.load(path)
    assert there or not assets.cached_path(catalog.card("yunet")).parent.exists()
