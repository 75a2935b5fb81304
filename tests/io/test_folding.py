"""Folding changes the graph, never its answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from lineament.io.folding import fold

RNG = np.random.default_rng(3)
FLOAT = TensorProto.FLOAT


def normal(*shape: int) -> np.ndarray[Any, Any]:
    return RNG.normal(size=shape).astype(np.float32)


def norm(name: str, source: str, target: str, channels: int) -> tuple[Any, dict[str, np.ndarray[Any, Any]]]:
    keys = [f"{name}_{k}" for k in ("gamma", "beta", "mean", "var")]
    values = [normal(channels), normal(channels), normal(channels), np.abs(normal(channels)) + 0.1]
    node = helper.make_node("BatchNormalization", [source, *keys], [target], epsilon=1e-3)
    return node, dict(zip(keys, values, strict=True))


def folded(
    tmp_path: Path,
    nodes: list[Any],
    constants: dict[str, np.ndarray[Any, Any]],
    shapes: tuple[list[int], list[int]],
    outputs: tuple[str, ...] = ("y",),
) -> Any:
    """Fold a graph from x, check that three random inputs give the same outputs, return the result."""
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("x", FLOAT, shapes[0])],
        [helper.make_tensor_value_info(name, FLOAT, shapes[1]) for name in outputs],
        [numpy_helper.from_array(v, k) for k, v in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.checker.check_model(model)
    source, target = tmp_path / "source.onnx", tmp_path / "target.onnx"
    onnx.save(model, source)
    fold(source, target)
    result = onnx.load(target)
    for _ in range(3):
        x = normal(*shapes[0])
        before = ReferenceEvaluator(model).run(None, {"x": x})
        after = ReferenceEvaluator(result).run(None, {"x": x})
        for a, b in zip(before, after, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)
    return result


def kinds(model: Any) -> list[str]:
    return [node.op_type for node in model.graph.node]


@pytest.mark.parametrize("bias", [True, False])
def test_norm_after_conv(tmp_path: Path, bias: bool) -> None:
    """A batch norm goes into the Conv before it, with or without a bias there."""
    node, constants = norm("bn", "c", "y", 4)
    inputs = ["x", "w", "b"] if bias else ["x", "w"]
    constants |= {"w": normal(4, 3, 3, 3)} | ({"b": normal(4)} if bias else {})
    conv = helper.make_node("Conv", inputs, ["c"], pads=[1, 1, 1, 1])
    model = folded(tmp_path, [conv, node], constants, ([1, 3, 5, 5], [1, 4, 5, 5]))
    assert kinds(model) == ["Conv"]


@pytest.mark.parametrize("transposed", [0, 1])
def test_norms_around_gemm(tmp_path: Path, transposed: int) -> None:
    """Norms before (through Flatten) and after a Gemm both go into it, whichever way its weights lie."""
    first, constants = norm("in", "x", "n", 3)
    second, more = norm("out", "g", "y", 5)
    constants |= more | {"w": normal(5, 12) if transposed else normal(12, 5), "b": normal(5)}
    nodes = [
        first,
        helper.make_node("Flatten", ["n"], ["f"]),
        helper.make_node("Gemm", ["f", "w", "b"], ["g"], transB=transposed),
        second,
    ]
    assert kinds(folded(tmp_path, nodes, constants, ([1, 3, 2, 2], [1, 5]))) == ["Flatten", "Gemm"]


def test_norm_before_padded_conv_stays(tmp_path: Path) -> None:
    """Zero padding happens after the norm, so the norm must not move into the Conv behind it."""
    node, constants = norm("bn", "x", "n", 3)
    constants["w"] = normal(4, 3, 3, 3)
    nodes = [node, helper.make_node("Conv", ["n", "w"], ["y"], pads=[1, 1, 1, 1])]
    model = folded(tmp_path, nodes, constants, ([1, 3, 5, 5], [1, 4, 5, 5]))
    assert kinds(model) == ["BatchNormalization", "Conv"]


def test_shared_conv_keeps_its_norm(tmp_path: Path) -> None:
    """A Conv whose output is also read elsewhere must not be scaled for the norm alone."""
    node, constants = norm("bn", "c", "n", 3)
    constants["w"] = normal(3, 3, 1, 1)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"]),
        node,
        helper.make_node("Add", ["c", "n"], ["y"]),
    ]
    model = folded(tmp_path, nodes, constants, ([1, 3, 5, 5], [1, 3, 5, 5]))
    assert kinds(model) == ["Conv", "BatchNormalization", "Add"]


def test_output_before_norm_is_kept(tmp_path: Path) -> None:
    """A Conv whose output the graph also returns keeps that output as it was."""
    node, constants = norm("bn", "c", "y", 3)
    constants["w"] = normal(3, 3, 1, 1)
    nodes = [helper.make_node("Conv", ["x", "w"], ["c"]), node]
    folded(tmp_path, nodes, constants, ([1, 3, 5, 5], [1, 3, 5, 5]), outputs=("c", "y"))


def test_weights_shared_by_two_convs(tmp_path: Path) -> None:
    """Scaling the weights of one Conv leaves another that shares them alone."""
    node, constants = norm("bn", "a", "n", 3)
    constants["w"] = normal(3, 3, 1, 1)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"]),
        node,
        helper.make_node("Conv", ["n", "w"], ["y"]),
    ]
    assert kinds(folded(tmp_path, nodes, constants, ([1, 3, 5, 5], [1, 3, 5, 5]))) == ["Conv", "Conv"]


def test_quantised_blocks_dropout_and_stale_inputs(tmp_path: Path) -> None:
    """Block-wise DequantizeLinear (also with a last short block) and Dropout disappear."""
    constants = {
        "q": RNG.integers(-128, 127, (4, 9), dtype=np.int8),
        "scale": np.abs(normal(4, 2)) * 0.01 + 0.01,
        "zero": RNG.integers(-5, 5, (4, 2), dtype=np.int8),
        "shape": np.array([4, 1, 3, 3], np.int64),
    }
    nodes = [
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["flat"], axis=1, block_size=5),
        helper.make_node("Reshape", ["flat", "shape"], ["w"]),
        helper.make_node("Conv", ["x", "w"], ["c"]),
        helper.make_node("Dropout", ["c"], ["d"]),
        helper.make_node("Relu", ["d"], ["y"]),
    ]
    model = folded(tmp_path, nodes, constants, ([1, 1, 5, 5], [1, 4, 3, 3]))
    assert kinds(model) == ["Conv", "Relu"]
    assert [i.name for i in model.graph.initializer] == ["w"]


def test_any_batch(tmp_path: Path) -> None:
    """A graph exported for one picture takes several afterwards."""
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"])]
    model = folded(tmp_path, nodes, {"w": normal(2, 3, 1, 1)}, ([1, 3, 4, 4], [1, 2, 4, 4]))
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    assert session.run(None, {"x": normal(7, 3, 4, 4)})[0].shape == (7, 2, 4, 4)
