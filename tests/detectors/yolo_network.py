"""A network small enough to write down whose answer has YOLOv8's shape: it finds what is reddish."""

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

CELL = 32


def write(
    folder: Path,
    *,
    size: int = 128,
    classes: tuple[str, ...] = ("face",),
    keypoints: bool = False,
    side: float = 1.5,
    **card: object,
) -> TrainedCard:
    """A run folder whose network gives each cell of 32 px a box of ``side`` cells.

    The probability of the first class is above one half where red lies 40 grey levels above blue, that of
    the second where it is 60, and so on.
    """
    folder.mkdir(parents=True, exist_ok=True)
    cells = size // CELL
    rows, columns = np.divmod(np.arange(cells * cells), cells)
    middle = np.stack([columns, rows]).astype(np.float32) * CELL + CELL / 2
    fixed = [middle, np.full_like(middle, side * CELL)]
    if keypoints:
        places = np.array([[-6, -6], [6, -6], [0, 0], [-5, 6], [5, 6]], np.float32)
        points = [np.stack([middle[0] + x, middle[1] + y, np.ones(cells * cells)]) for x, y in places]
        tail = np.concatenate(points).astype(np.float32)
    else:
        tail = np.zeros((0, cells * cells), np.float32)
    redness = np.zeros((len(classes), 3, CELL, CELL), np.float32)
    redness[:, 0], redness[:, 2] = 255 / CELL**2, -255 / CELL**2
    bias = np.array([-40.0 - 20 * i for i in range(len(classes))], np.float32)
    constants = {
        "redness": redness,
        "bias": bias,
        "boxes": np.concatenate(fixed)[None],
        "points": tail[None],
        "zero": np.zeros(1, np.float32),
        "classes_cells": np.array([0, len(classes), -1], np.int64),
    }
    nodes = [
        helper.make_node("Conv", [INPUT_NAME, "redness", "bias"], ["maps"], strides=[CELL, CELL]),
        helper.make_node("Reshape", ["maps", "classes_cells"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["scores"]),
        # The fixed boxes once a picture: their shape follows from the scores'.
        helper.make_node("ReduceMax", ["scores"], ["one"], axes=[1], keepdims=1),
        helper.make_node("Mul", ["one", "zero"], ["none"]),
        helper.make_node("Add", ["none", "boxes"], ["boxes_each"]),
        helper.make_node("Add", ["none", "points"], ["points_each"]),
        helper.make_node("Concat", ["boxes_each", "scores", "points_each"], ["detections"], axis=1),
    ]
    if not keypoints:
        nodes[-1] = helper.make_node("Concat", ["boxes_each", "scores"], ["detections"], axis=1)
        del nodes[-2], constants["points"]
    graph = helper.make_graph(
        nodes,
        "reddish",
        [helper.make_tensor_value_info(INPUT_NAME, TensorProto.FLOAT, ["N", 3, size, size])],
        [helper.make_tensor_value_info("detections", TensorProto.FLOAT, ["N", None, cells * cells])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = folder / "model.onnx"
    onnx.save(model, path)
    made = TrainedCard(
        name="reddish",
        job="detection",
        architecture="handmade",
        file=path.name,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        input=InputContract("RGB", size, 32, (0.0,) * 3, (255.0,) * 3),
        heads=(Head("detections", "yolo", classes),),
        data=TrainedData("0" * 64),
        fit="letterbox",
        **card,  # type: ignore[arg-type]
    )
    name = f"waves-{size}x{size}"
    session = open_session(path)
    answer = golden.summary(session.run({INPUT_NAME: golden.tensor(made, golden.picture(name)[None])}))
    made = replace(made, golden=Golden(name, tuple(map(float, answer)), 0.02))
    made.save(folder)
    return made
