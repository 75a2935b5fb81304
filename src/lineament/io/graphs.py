"""What an ONNX file of somebody else may hold: one flat graph of standard operators, its weights inside.

A loop need not end, a file beside the graph is covered by no digest, and what a custom operator does
is in no file. So none of them comes before a runtime.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lineament.errors import ModelRefused

if TYPE_CHECKING:
    from onnx import ModelProto, TensorProto

MAX_BYTES = (1 << 31) - 1
"""What a file without weights beside it can have."""
_MAX_ELEMENTS = 1 << 30
_STANDARD = ("", "ai.onnx")
_RANDOM = (
    "RandomNormal",
    "RandomUniform",
    "RandomNormalLike",
    "RandomUniformLike",
    "Multinomial",
    "Bernoulli",
)


def load(path: Path) -> ModelProto:
    """Read an ONNX file, checked; raises `ModelRefused` naming the file and what is wrong."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        if not path.is_file():
            raise ModelRefused(f"{path}: not a regular file")
        if path.stat().st_size > MAX_BYTES:
            raise ModelRefused(f"{path}: more bytes than an ONNX file can have")
        model = onnx.load_model_from_string(path.read_bytes())
    except OSError as error:
        raise ModelRefused(f"{path}: cannot be read: {error.strerror or error}") from error
    except (DecodeError, ValueError, TypeError) as error:
        raise ModelRefused(f"{path}: not an ONNX file") from error
    require_plain(model, path)
    return model


def require_plain(model: ModelProto, path: Path) -> None:
    """Raise `ModelRefused` for a graph that could run on, read other files, or do what no file says."""
    from onnx import defs

    def refuse(why: str) -> ModelRefused:
        return ModelRefused(f"{path}: {why}; export it as one flat graph of standard ONNX operators")

    if not model.graph.node:
        raise ModelRefused(f"{path}: not an ONNX file, or one without a graph")
    if model.functions:
        raise refuse(f"defines functions of its own ({model.functions[0].name[:60]!r})")
    if model.training_info:
        raise refuse("holds a training graph")
    for node in model.graph.node:
        if node.domain not in _STANDARD:
            raise refuse(f"the operator {node.op_type[:60]!r} is of the domain {node.domain[:60]!r}")
        if not defs.has(node.op_type):
            raise refuse(f"the operator {node.op_type[:60]!r} is none of ONNX")
        if node.op_type in _RANDOM:
            raise refuse(f"the operator {node.op_type!r} answers otherwise each time")
        for attribute in node.attribute:
            if attribute.HasField("g") or attribute.graphs:
                raise refuse(f"the operator {node.op_type[:60]!r} holds a graph of its own, as loops do")
            if attribute.ref_attr_name:
                raise refuse(f"the operator {node.op_type[:60]!r} takes an attribute from a function")
    for tensor in _tensors(model):
        if tensor.external_data or tensor.data_location:
            raise refuse(f"the weights {tensor.name[:60]!r} lie in another file")
        _require_whole(tensor, refuse)
    _require_shapes(model, refuse)


def _require_shapes(model: ModelProto, refuse: Any) -> None:
    """Sides that fit each other, for one picture: OpenVINO reads beyond its memory where they do not."""
    from onnx import shape_inference

    one = type(model)()
    one.CopyFrom(model)
    for given in one.graph.input:
        sides = given.type.tensor_type.shape.dim
        if len(sides) and not sides[0].HasField("dim_value"):
            sides[0].dim_value = 1
    try:
        shape_inference.infer_shapes(one, check_type=True, strict_mode=True, data_prop=True)
    except (shape_inference.InferenceError, ValueError, RuntimeError) as error:
        told = " ".join(str(error).split())[:200]
        raise refuse(f"sides or kinds of numbers do not fit each other ({told})") from error


def _tensors(model: ModelProto) -> Iterator[TensorProto]:
    yield from model.graph.initializer
    sparse = list(model.graph.sparse_initializer)
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            if attribute.HasField("sparse_tensor"):
                sparse.append(attribute.sparse_tensor)
            sparse.extend(attribute.sparse_tensors)
    for pair in sparse:
        yield pair.values
        yield pair.indices


def _require_whole(tensor: TensorProto, refuse: Any) -> None:
    """Weights as many as they say: a runtime makes room for what is said."""
    elements = 1
    for side in tensor.dims:
        elements *= max(side, 0)
        if side < 0 or elements > _MAX_ELEMENTS:
            raise refuse(f"the weights {tensor.name[:60]!r} have sides {list(tensor.dims)[:6]}")
