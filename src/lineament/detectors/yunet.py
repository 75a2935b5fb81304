"""YuNet (Wu et al. 2023, "YuNet: a tiny millisecond-level face detector"): boxes and five landmarks.

At native size the answers equal those of OpenCV's ``FaceDetectorYN`` with the same weights, thresholds
and suppression. Our default thresholds are its 0.3 IoU and 5000 candidates, and a score of 0.6 instead of
0.9; docs/reference/detectors.md says what that costs. ``yunet_n`` is the same with larger
weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from lineament.detectors._looking import detect_views
from lineament.detectors._merging import Found
from lineament.detectors._views import ViewSettings
from lineament.io import assets, catalog
from lineament.io.derived import derived
from lineament.io.onnx import Precision, open_session
from lineament.io.pixel_input import take_rgb_bytes
from lineament.registry import detectors
from lineament.types import Faces, Float32, Image, UInt8

_STRIDES = (8, 16, 32)
_DIVISOR = 32


@dataclass(frozen=True, slots=True)
class YuNetConfig(ViewSettings):
    """Settings: see `ViewSettings`; ``precision`` fast is bfloat16 where the processor multiplies it."""

    precision: Precision = "exact"


@detectors.register("yunet", YuNetConfig)
class YuNet:
    """Finds faces of about 8 px and more, with landmarks. Safe to call from several threads."""

    gives_landmarks = True
    card = "yunet"
    settings = YuNetConfig

    def __init__(self, config: YuNetConfig | None = None) -> None:
        self.config = config or self.settings()
        self.score = self.config.score
        path = derived(assets.fetch(catalog.card(self.card)), "rgb8-joined-1", _open_dimensions)
        self._session = open_session(path, precision=self.config.precision, pinned=True)

    def detect(self, images: Sequence[Image]) -> list[Faces]:
        """Faces of each picture, best first; boxes may reach a little over the picture's edge."""
        return detect_views(
            images, self.config, self._run, multiple=_DIVISOR, opencv=not self.config.average
        )

    def _run(self, batch: UInt8) -> list[Found]:
        rows = self._session.run({"pixels": batch})["candidates"]
        cells, strides = _grid(batch.shape[1], batch.shape[2])
        scores = np.sqrt(np.clip(rows[..., 0], 0, 1) * np.clip(rows[..., 1], 0, 1))
        found = []
        for picture, score in zip(rows, scores, strict=True):
            kept = np.flatnonzero(score >= self.config.lowest)
            values, cell, stride = picture[kept], cells[kept], strides[kept]
            center = (cell + values[:, 2:4]) * stride
            # No face is wider than exp(12) cells; the bound keeps hostile pixels from making infinities.
            half = np.exp(np.minimum(values[:, 4:6], 12)) * stride / 2
            points = (values[:, 6:].reshape(-1, 5, 2) + cell[:, None]) * stride[:, None]
            found.append(Found(np.concatenate([center - half, center + half], axis=1), score[kept], points))
        return found


@lru_cache(maxsize=64)
def _grid(height: int, width: int) -> tuple[Float32, Float32]:
    """Column and row ``(K, 2)`` and stride ``(K, 1)`` of each cell that answers, level after level."""
    cells, strides = [], []
    for stride in _STRIDES:
        rows, columns = np.divmod(np.arange(height // stride * (width // stride)), width // stride)
        cells.append(np.stack([columns, rows], axis=1).astype(np.float32))
        strides.append(np.full((len(rows), 1), stride, np.float32))
    return np.concatenate(cells), np.concatenate(strides)


def _open_dimensions(source: Path, target: Path) -> None:
    """Open the input, keep the batch through the final reshapes, and join the twelve outputs into one.

    The result holds ``(N, K, 16)``: class and object score, box, points, for the cells of `_grid`.
    """
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load(source)
    graph = model.graph
    shapes = {node.input[1] for node in graph.node if node.op_type == "Reshape"}
    for tensor in graph.initializer:
        if tensor.name in shapes:
            shape = numpy_helper.to_array(tensor).copy()
            shape[0] = 0
            tensor.CopyFrom(numpy_helper.from_array(shape, tensor.name))
    levels = []
    for stride in _STRIDES:
        parts = [f"{name}_{stride}" for name in ("cls", "obj", "bbox", "kps")]
        levels.append(f"level_{stride}")
        graph.node.append(helper.make_node("Concat", parts, [levels[-1]], axis=2))
    graph.node.append(helper.make_node("Concat", levels, ["candidates"], axis=1))
    del graph.output[:]
    graph.output.append(
        helper.make_tensor_value_info("candidates", onnx.TensorProto.FLOAT, ["N", "K", "V"])
    )
    take_rgb_bytes(model, reverse_channels=True)
    onnx.checker.check_model(model)
    onnx.save(model, target)
