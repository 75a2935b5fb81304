"""A localizer small enough to write down: a face is where the middle of the picture is reddish."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from lineament.io import golden
from lineament.io.catalog import Golden, InputContract
from lineament.io.onnx import open_session
from lineament.io.trained import INPUT_NAME, Head, TrainedCard, TrainedData


def write(
    folder: Path, *, size: int = 32, box: tuple[float, ...] = (0.25, 0.2, 0.75, 0.9), above: float = 12.0
) -> TrainedCard:
    """A run folder; its network says face where red lies ``above`` levels above blue in the middle."""
    folder.mkdir(parents=True, exist_ok=True)
    weight = np.zeros((1, 3, size, size), np.float32)
    middle = slice(size // 4, 3 * size // 4)
    weight[:, 0, middle, middle] = 4 / size**2
    weight[:, 2, middle, middle] = -4 / size**2
    constants = {
        "weight": weight,
        "bias": np.array([-above], np.float32),
        "where": np.array([box], np.float32),
        "zero": np.zeros(1, np.float32),
        "one_each": np.array([-1, 1], np.int64),
    }
    nodes = [
        helper.make_node("Conv", [INPUT_NAME, "weight", "bias"], ["middle"]),
        helper.make_node("Reshape", ["middle", "one_each"], ["face"]),
        helper.make_node("Mul", ["face", "zero"], ["none"]),
        helper.make_node("Add", ["none", "where"], ["box"]),
    ]
    graph = helper.make_graph(
        nodes,
        "reddish",
        [helper.make_tensor_value_info(INPUT_NAME, TensorProto.FLOAT, ["N", 3, size, size])],
        [
            helper.make_tensor_value_info("face", TensorProto.FLOAT, ["N", 1]),
            helper.make_tensor_value_info("box", TensorProto.FLOAT, ["N", 4]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    path = folder / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    card = TrainedCard(
        name="reddish",
        job="localizer",
        architecture="handmade",
        file=path.name,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        input=InputContract("RGB", size, 1, (0.0,) * 3, (1.0,) * 3),
        heads=(Head("face", "face"), Head("box", "box")),
        data=TrainedData("0" * 64),
        fit="stretch",
    )
    name = f"waves-{size}x{size}"
    session = open_session(path)
    answer = golden.summary(session.run({INPUT_NAME: golden.tensor(card, golden.picture(name)[None])}))
    card = replace(card, golden=Golden(name, tuple(map(float, answer)), 0.02))
    card.save(folder)
    return card
