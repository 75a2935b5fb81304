"""YuNet (Wu et al. 2023, "YuNet: a tiny millisecond-level face detector"): boxes and five landmarks.

At native size the answers equal those of OpenCV's ``FaceDetectorYN`` with the same weights, thresholds
and suppression. Our default thresholds are its 0.3 IoU and 5000 candidates, and a score of 0.6 instead of
0.9; docs/reference/detectors.md says what that costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from lineament.detectors._views import Found, joined, merge, plan, run_views
from lineament.errors import ConfigError
from lineament.io import assets, catalog
from lineament.io.derived import derived
from lineament.io.onnx import open_session
from lineament.registry import detectors
from lineament.types import Faces, Float32, Image, UInt8

_STRIDES = (8, 16, 32)
_DIVISOR = 32


@dataclass(frozen=True, slots=True)
class YuNetConfig:
    """Settings.

    ``score`` is the least score kept and ``nms`` the IoU above which the worse of two boxes goes.
    Pictures longer than ``long_side`` are seen shrunk and, with ``tiles``, in tiles that share ``overlap``
    pixels. ``batch`` pictures of one shape run together: 1 is fastest on a CPU.
    """

    score: float = 0.6
    nms: float = 0.3
    top_k: int = 5000
    long_side: int = 1280
    tiles: bool = True
    overlap: int = 192
    batch: int = 1
    precision: Literal["exact", "fast"] = "exact"

    def __post_init__(self) -> None:
        if not 0 < self.score < 1 or not 0 < self.nms <= 1:
            raise ConfigError("yunet: score and nms lie between 0 and 1")
        if self.long_side < 64 or not 0 <= self.overlap <= self.long_side // 2:
            raise ConfigError("yunet: long_side is at least 64 and overlap at most half of it")
        if self.top_k < 1 or self.batch < 1:
            raise ConfigError("yunet: top_k and batch are at least 1")


@detectors.register("yunet", YuNetConfig)
class YuNet:
    """Finds faces of about 8 px and more, with landmarks. Safe to call from several threads."""

    gives_landmarks = True

    def __init__(self, config: YuNetConfig | None = None) -> None:
        self.config = config or YuNetConfig()
        path = derived(assets.fetch(catalog.card("yunet")), "rgb8-dynamic-1", _open_dimensions)
        self._session = open_session(path, precision=self.config.precision)

    def detect(self, images: Sequence[Image]) -> list[Faces]:
        """Faces of each picture, best first; boxes may reach a little over the picture's edge."""
        c = self.config
        views = [plan(i.size_wh, c.long_side, tiles=c.tiles, overlap=c.overlap) for i in images]
        found = run_views([i.pixels for i in images], views, self._run, multiple=_DIVISOR, batch=c.batch)
        return [merge(parts, c.nms, c.top_k, whole_pixels=True) for parts in found]

    def _run(self, batch: UInt8) -> list[Found]:
        outputs = self._session.run({"pixels": batch})
        levels = [
            _decode_level(
                *(outputs[f"{name}_{stride}"] for name in ("cls", "obj", "bbox", "kps")),
                stride=stride,
                columns=batch.shape[2] // stride,
                least=self.config.score,
            )
            for stride in _STRIDES
        ]
        return [joined([level[n] for level in levels]) for n in range(len(batch))]


def _decode_level(
    cls: Float32, obj: Float32, bbox: Float32, kps: Float32, *, stride: int, columns: int, least: float
) -> list[Found]:
    """Candidates of one level, for each picture of the batch, in the order of the grid."""
    scores = np.sqrt(np.clip(cls[..., 0], 0, 1) * np.clip(obj[..., 0], 0, 1))
    found = []
    for n in range(len(scores)):
        rows = np.flatnonzero(scores[n] >= least)
        cell = np.stack([rows % columns, rows // columns], axis=1).astype(np.float32)
        center = (cell + bbox[n, rows, :2]) * stride
        # No face is wider than exp(12) cells; the bound keeps hostile pixels from making infinities.
        half = np.exp(np.minimum(bbox[n, rows, 2:], 12)) * stride / 2
        points = (kps[n, rows].reshape(-1, 5, 2) + cell[:, None]) * stride
        boxes = np.concatenate([center - half, center + half], axis=1)
        found.append(Found(boxes, scores[n, rows], points))
    return found


def _open_dimensions(source: Path, target: Path) -> None:
    """Let the graph take uint8 ``(N, H, W, 3)`` RGB of any batch and size instead of one 640 x 640 BGR.

    The first convolution's input channels are reversed in place of every picture's, and the reshapes copy
    the batch dimension instead of fixing it to 1.
    """
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load(source)
    graph = model.graph
    first = next(node for node in graph.node if graph.input[0].name in node.input)
    reshape_shapes = {node.input[1] for node in graph.node if node.op_type == "Reshape"}
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if tensor.name in reshape_shapes:
            values = np.concatenate([np.zeros(1, np.int64), values[1:]])
        elif tensor.name == first.input[1]:
            values = np.ascontiguousarray(values[:, ::-1])
        else:
            continue
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    name = graph.input[0].name
    graph.node.insert(0, helper.make_node("Transpose", ["floats"], [name], perm=[0, 3, 1, 2]))
    graph.node.insert(0, helper.make_node("Cast", ["pixels"], ["floats"], to=onnx.TensorProto.FLOAT))
    pixels = helper.make_tensor_value_info("pixels", onnx.TensorProto.UINT8, ["N", "H", "W", 3])
    graph.input[0].CopyFrom(pixels)
    del graph.value_info[:]
    for output in graph.output:
        dims = output.type.tensor_type.shape.dim
        dims[0].dim_param, dims[1].dim_param = "N", f"cells_{output.name}"
    onnx.checker.check_model(model)
    onnx.save(model, target)
