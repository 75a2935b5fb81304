"""An edit that lets a stored graph take pictures as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from onnx import ModelProto


def take_rgb_bytes(model: ModelProto, *, reverse_channels: bool) -> None:
    """Replace the float ``(1, 3, H0, W0)`` input by uint8 ``(N, H, W, 3)`` RGB, any N, H and W.

    ``reverse_channels`` for a network trained on BGR: its first convolution's input channels are swapped
    once instead of every picture's. Output sizes are left open.
    """
    import onnx
    from onnx import helper, numpy_helper

    graph = model.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    name = next(i.name for i in graph.input if i.name not in weights)
    first = next(node for node in graph.node if name in node.input)
    if reverse_channels:
        kernel = numpy_helper.to_array(weights[first.input[1]])
        swapped = np.ascontiguousarray(kernel[:, ::-1])
        weights[first.input[1]].CopyFrom(numpy_helper.from_array(swapped, first.input[1]))
    graph.node.insert(0, helper.make_node("Transpose", ["floats"], [name], perm=[0, 3, 1, 2]))
    graph.node.insert(0, helper.make_node("Cast", ["pixels"], ["floats"], to=onnx.TensorProto.FLOAT))
    # Weights listed as inputs could be overridden by a caller, which keeps runtimes from folding them.
    del graph.input[:]
    graph.input.append(helper.make_tensor_value_info("pixels", onnx.TensorProto.UINT8, ["N", "H", "W", 3]))
    del graph.value_info[:]
    for output in graph.output:
        for i, dim in enumerate(output.type.tensor_type.shape.dim):
            dim.dim_param = "N" if i == 0 else f"{output.name}_{i}"
