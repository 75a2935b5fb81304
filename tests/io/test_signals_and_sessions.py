"""Signals reach a process that has opened and closed models."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

CLOSE_THEN_SIGNAL = """
import gc, os, signal, sys
from pathlib import Path
import numpy as np
from lineament.io.onnx import open_session

sessions = [open_session(Path(sys.argv[1])) for _ in range(3)]
for session in sessions:
    session.run({"x": np.ones((1, 4), np.float32)})
del session
while sessions:
    del sessions[int(sys.argv[2])]
    gc.collect()
handled = []
signal.signal(signal.SIGTERM, lambda *_: handled.append(True))
os.kill(os.getpid(), signal.SIGTERM)
assert handled == [True]
"""


@pytest.mark.parametrize("first_closed", ["0", "-1"])
def test_a_signal_is_handled_after_models_were_closed(tmp_path: Path, first_closed: str) -> None:
    """Whichever of several models is closed first, a signal afterwards runs its handler; with a core of
    OpenVINO for each model, closing the oldest first left a freed signal stack, and the process died."""
    vectors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 4]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "relu", vectors[:1], vectors[1:])
    path = tmp_path / "relu.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    subprocess.run(
        [sys.executable, "-c", CLOSE_THEN_SIGNAL, str(path), first_closed], check=True, timeout=120
    )
