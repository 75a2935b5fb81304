"""Files as Ultralytics saves them, with networks of its own, small and of random weights."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch

from lineament.training.detection.yolo import quietly_imported

SMALL = {
    "nc": 1,
    "backbone": [
        [-1, 1, "Conv", [16, 3, 2]],
        [-1, 1, "Conv", [16, 3, 2]],
        [-1, 1, "C2f", [16, True]],
        [-1, 1, "Conv", [32, 3, 2]],
        [-1, 1, "SPPF", [32, 5]],
        [-1, 1, "nn.Upsample", ["None", 2, "nearest"]],
        [[-1, 2], 1, "Concat", [1]],
    ],
    "head": [[[6, 4], 1, "Detect", ["nc"]]],
}
"""Somebody's own arrangement of the layers, quick to convert."""


def network(name: str, classes: tuple[str, ...] = ("face",), *, size: int = 128, points: int = 5) -> Any:
    """A network of Ultralytics' description ``name``, or of `SMALL`, that has seen something."""
    quietly_imported()
    from ultralytics.nn import tasks

    torch.manual_seed(0)
    kinds = {"-pose": "PoseModel", "-seg": "SegmentationModel", "-obb": "OBBModel"}
    kind = next((made for ending, made in kinds.items() if name.endswith(ending)), "DetectionModel")
    more = {"data_kpt_shape": (points, 3)} if kind == "PoseModel" else {}
    description: Any = copy.deepcopy(SMALL) if name == "small" else f"{name}.yaml"
    model = getattr(tasks, kind)(description, ch=3, nc=len(classes), verbose=False, **more)
    for what, values in model.named_buffers():
        if what.endswith("running_mean"):
            values.normal_(0, 0.1)
        elif what.endswith("running_var"):
            values.uniform_(0.5, 1.5)
    model.names, model.args = dict(enumerate(classes)), {"imgsz": size}
    # Half precision, as it is kept: the network has the numbers that the file will have.
    return model.half().float().eval()


def save(path: Path, model: Any, /, *, where: str = "model", **told: Any) -> Path:
    """Save a network as Ultralytics' trainer does: half precision, pickled whole, in a checkpoint."""
    kept = {
        "epoch": -1,
        "best_fitness": None,
        "model": None,
        "ema": None,
        "updates": None,
        "optimizer": None,
    }
    kept |= {"train_args": {"task": "detect", "imgsz": 128, "model": "yolov8n.yaml"}, "version": "8.3.0"}
    kept |= {"license": "AGPL-3.0 (https://ultralytics.com/license)", **told}
    torch.save({**kept, where: copy.deepcopy(model).half()}, path)
    return path
