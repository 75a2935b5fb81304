"""Files as Ultralytics saves them, with networks of its own, small and of random weights."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch

from lineament.training.detector_yolo import quietly_imported


def network(name: str, classes: tuple[str, ...] = ("face",), *, size: int = 128, points: int = 5) -> Any:
    """A network of Ultralytics' description ``name``, whose normalisations have seen something."""
    quietly_imported()
    from ultralytics.nn import tasks

    torch.manual_seed(0)
    kinds = {"-pose": "PoseModel", "-seg": "SegmentationModel", "-obb": "OBBModel"}
    kind = next((made for ending, made in kinds.items() if name.endswith(ending)), "DetectionModel")
    more = {"data_kpt_shape": (points, 3)} if kind == "PoseModel" else {}
    model = getattr(tasks, kind)(f"{name}.yaml", ch=3, nc=len(classes), verbose=False, **more)
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
