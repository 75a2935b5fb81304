"""Mixed precision for OpenVINO: bfloat16 only where it costs no accuracy that matters.

bfloat16 multiplies fast where the processor has units for it, and keeps 8 bits of mantissa. Nearly all the
error of an embedder comes from its first layers and its depthwise convolutions, and nearly all its time
from wide 1x1 convolutions, so only those, and matrix products, are let down to bfloat16.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from lineament.errors import OutputError
from lineament.io.openvino import import_openvino
from lineament.io.writing import unwritable

_WIDE = 64
"""Input channels from which on a 1x1 convolution is dear enough and averages its rounding away."""

_FLOAT32 = '<rt_info><attribute name="precise" version="0"/></rt_info>'
_LAYER = re.compile(r'(<layer id="\d+" name="([^"<]*)" type="([^"<]*)"[^<>]*>(?:\s*<data [^<>]*/>)?)')


def keep_sensitive_layers(core: Any, model: Any) -> Any:
    """The model with everything but its wide 1x1 convolutions and matrix products marked to stay float32.

    To be compiled with the hint bf16. The marks can only be set in the text of the intermediate format, so
    the model passes through it; preprocessing must have been added before, because fusing drops marks.
    """
    ov = import_openvino()
    reduced = {op.get_friendly_name() for op in model.get_ops() if _may_be_reduced(op)}
    with tempfile.TemporaryDirectory(prefix="lineament-") as folder:
        text_path = Path(folder) / "model.xml"
        try:
            ov.save_model(model, text_path, compress_to_fp16=False)
        except Exception as error:  # it has no kind of its own
            raise OutputError(
                unwritable(folder, error, "make room there, or name another by TMPDIR")
            ) from error
        text = text_path.read_text(encoding="utf-8")
        weights = np.fromfile(text_path.with_suffix(".bin"), np.uint8)

    def mark(layer: re.Match[str]) -> str:
        if layer[2] in reduced or layer[3] in ("Const", "Parameter", "Result"):
            return layer[1]
        return layer[1] + _FLOAT32

    return core.read_model(_LAYER.sub(mark, text).encode(), ov.Tensor(weights))


def _may_be_reduced(op: Any) -> bool:
    kind = op.get_type_name()
    if kind == "Convolution":
        _, inputs, *kernel = op.input(1).get_shape()
        return inputs >= _WIDE and all(side == 1 for side in kernel)
    return str(kind) == "MatMul"
