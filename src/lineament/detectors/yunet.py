"""YuNet (Wu et al. 2023, "YuNet: a tiny millisecond-level face detector"): boxes and five landmarks.

At native size the answers equal those of OpenCV's ``FaceDetectorYN`` with the same weights, thresholds
and suppression. Our default thresholds are its 0.3 IoU and 5000 candidates, and a score of 0.6 instead of
0.9; docs/reference/detectors.md says what that costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lineament.detectors._views import Found, ViewSettings, detect_views, joined
from lineament.io import assets, catalog
from lineament.io.derived import derived
from lineament.io.onnx import open_session
from lineament.io.pixel_input import take_rgb_bytes
from lineament.registry import detectors
from lineament.types import Faces, Float32, Image, UInt8

_STRIDES = (8, 16, 32)
_DIVISOR = 32


@dataclass(frozen=True, slots=True)
class YuNetConfig(ViewSettings):
    """Settings: see `ViewSettings`."""


@detectors.register("yunet", YuNetConfig)
class YuNet:
    """Finds faces of about 8 px and more, with landmarks. Safe to call from several threads."""

    gives_landmarks = True

    def __init__(self, config: YuNetConfig | None = None) -> None:
        self.config = config or YuNetConfig()
        path = derived(assets.fetch(catalog.card("yunet")), "rgb8-dynamic-1", _open_dimensions)
        self._session = open_session(path)

    def detect(self, images: Sequence[Image]) -> list[Faces]:
        """Faces of each picture, best first; boxes may reach a little over the picture's edge."""
        return detect_views(images, self.config, self._run, multiple=_DIVISOR, opencv=True)

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
    """Besides opening the input, let the final reshapes copy the batch size instead of fixing it to 1."""
    import onnx
    from onnx import numpy_helper

    model = onnx.load(source)
    shapes = {node.input[1] for node in model.graph.node if node.op_type == "Reshape"}
    for tensor in model.graph.initializer:
        if tensor.name in shapes:
            shape = numpy_helper.to_array(tensor).copy()
            shape[0] = 0
            tensor.CopyFrom(numpy_helper.from_array(shape, tensor.name))
    take_rgb_bytes(model, reverse_channels=True)
    onnx.checker.check_model(model)
    onnx.save(model, target)
