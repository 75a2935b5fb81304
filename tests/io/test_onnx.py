"""Sessions: the graph's own names, fresh arrays, any thread, named errors."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from lineament.errors import ConfigError, InvalidArray
from lineament.io.onnx import Session, open_session


@pytest.fixture
def doubler(tmp_path: Path) -> Path:
    """A graph of open size whose one output is also used inside: what was given, doubled twice."""
    graph = helper.make_graph(
        [
            helper.make_node("Add", ["x", "x"], ["twice"]),
            helper.make_node("Add", ["twice", "twice"], ["fourfold"]),
        ],
        "doubler",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", "D"])],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", "D"]) for n in ("twice", "fourfold")],
    )
    path = tmp_path / "doubler.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


@pytest.fixture(params=["openvino", "onnxruntime"])
def session(request: pytest.FixtureRequest, doubler: Path) -> Session:
    pytest.importorskip(request.param, reason=f"{request.param} is not installed")
    return open_session(doubler, runtime=request.param)


def test_names_are_the_graphs(session: Session) -> None:
    """Inputs and outputs go by the names in the file, in its order."""
    assert session.input_names == ("x",)
    assert session.output_names == ("twice", "fourfold")


def test_any_size_in_turn(session: Session) -> None:
    """One session answers to changing sizes; earlier answers are not overwritten by later runs."""
    rng = np.random.default_rng(1)
    inputs = [rng.random((n, d), np.float32) for n, d in ((1, 3), (4, 2), (1, 3), (2, 50))]
    answers = [session.run({"x": x}) for x in inputs]
    for x, answer in zip(inputs, answers, strict=True):
        np.testing.assert_allclose(answer["twice"], 2 * x, rtol=1e-6)
        np.testing.assert_allclose(answer["fourfold"], 4 * x, rtol=1e-6)


def test_threads(session: Session) -> None:
    """Eight threads at once each get the answer to their own question."""
    inputs = [np.full((3, 5), float(i), np.float32) for i in range(64)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda x: session.run({"x": x})["fourfold"], inputs))
    for x, answer in zip(inputs, answers, strict=True):
        np.testing.assert_array_equal(answer, 4 * x)


def test_an_empty_batch_is_refused(doubler: Path) -> None:
    """OpenVINO answers an empty batch with the previous call's numbers, so it is never asked."""
    session = open_session(doubler)
    session.run({"x": np.ones((1, 3), np.float32)})
    with pytest.raises(InvalidArray, match="empty"):
        session.run({"x": np.ones((0, 3), np.float32)})


def test_unknown_runtime(doubler: Path) -> None:
    """A runtime nobody knows is refused by name."""
    with pytest.raises(ConfigError, match="tensorflow"):
        open_session(doubler, runtime="tensorflow")  # type: ignore[arg-type]
