"""YuNet_n is read as YuNet is: it answers as OpenCV's own implementation does with the same weights."""

from __future__ import annotations

import numpy as np
import pytest
from test_yunet import PICTURES, crowd, opencv

from lineament.detectors.yunet_n import YuNetN, YuNetNConfig
from lineament.io import images
from lineament.types import Image, UInt8
from weights import pinned_or_skip

SIDE = 640


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A copy of the file with fixed sides: OpenCV opens no other."""
    import onnx

    model = onnx.load(pinned_or_skip("yunet_n"))
    for dim, value in zip(model.graph.input[0].type.tensor_type.shape.dim, (1, 3, SIDE, SIDE), strict=True):
        dim.dim_value = value
    for output in model.graph.output:
        batch, cells, _ = output.type.tensor_type.shape.dim
        batch.dim_value, cells.dim_value = 1, (SIDE // int(output.name.rpartition("_")[2])) ** 2
    path = tmp_path_factory.mktemp("weights") / "fixed.onnx"
    onnx.save(model, path)
    return str(path)


def square(pixels: UInt8) -> UInt8:
    """The top left corner, on black where the picture is smaller."""
    canvas = np.zeros((SIDE, SIDE, 3), np.uint8)
    part = pixels[:SIDE, :SIDE]
    canvas[: part.shape[0], : part.shape[1]] = part
    return canvas


@pytest.mark.parametrize("name", [*PICTURES, "crowd"])
def test_equals_opencv(name: str, weights: str) -> None:
    """In one native view the faces, boxes, points and scores are OpenCV's, near misses included."""
    pixels = square(crowd() if name == "crowd" else images.load(PICTURES[name]).pixels)
    wanted = opencv(pixels, 0.1, weights)
    plain = YuNetNConfig(score=0.1, large_score=0.99, nms=0.3, enlarge=1, half=False, average=False)
    detector = YuNetN(plain)
    got = detector.detect([Image(pixels)])[0]
    assert len(got) == len(wanted) > 0
    np.testing.assert_allclose(got.boxes[:, :2], wanted[:, :2], atol=1e-2)
    np.testing.assert_allclose(got.boxes[:, 2:] - got.boxes[:, :2], wanted[:, 2:4], atol=1e-2)
    assert got.landmarks is not None
    np.testing.assert_allclose(got.landmarks.reshape(-1, 10), wanted[:, 4:14], atol=1e-2)
    np.testing.assert_allclose(got.scores, wanted[:, 14], atol=1e-3)
