"""First calls of a session from several threads at once come back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

START = """
import sys, threading
from pathlib import Path
import numpy as np
from lineament.io.onnx import open_session

session = open_session(Path(sys.argv[1]))
start = threading.Barrier(4)
answers = []

def call():
    start.wait()
    answers.append(session.run({"x": np.ones((1, 4), np.float32)})["y"].sum())

sys.setswitchinterval(1e-6)
threads = [threading.Thread(target=call) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert answers == [4.0] * 4, answers
"""


@pytest.mark.slow
def test_simultaneous_first_calls(tmp_path: Path) -> None:
    """Ten fresh processes whose four threads call at once all end (one in twelve hung without the lock)."""
    vectors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 4]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "relu", vectors[:1], vectors[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = tmp_path / "relu.onnx"
    onnx.save(model, path)
    for _ in range(10):
        subprocess.run([sys.executable, "-c", START, str(path)], check=True, timeout=120)
