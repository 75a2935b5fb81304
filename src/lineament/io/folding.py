"""Make a stored ONNX graph ready to run: constants computed, batch norms folded, any batch size.

Quantised files shrink the download, not the work: DequantizeLinear on weights runs before every inference,
and some runtimes cannot fuse across it. Folding once gives plain float32 weights with the same outputs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lineament.errors import CardMismatch
from lineament.io import graphs

Array = NDArray[Any]


def fold(source: Path, target: Path) -> None:
    """Rewrite ``source`` as ``target``; a build for `lineament.io.derived.derived`.

    Evaluates what depends on constants only (blocks of DequantizeLinear, Reshape of weights), drops Dropout
    and inputs nobody reads, folds BatchNormalization into the Conv or Gemm before it or into the Gemm after
    it (also through Flatten), and frees the first axis of every input and output. What cannot be folded
    stays as it is.
    Raises `ModelRefused` as `graphs.load`, and `CardMismatch` when the result is not a valid graph.
    """
    import onnx

    model = graphs.load(source)
    graph = _Graph(model)
    graph.evaluate_constants()
    graph.drop_dropout()
    graph.fold_batch_norms()
    graph.store(model.graph)
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise CardMismatch(f"{source.name}: folding made an invalid graph: {error}") from error
    onnx.save(model, target)


class _Graph:
    """Nodes in topological order and the constants they read."""

    def __init__(self, model: Any) -> None:
        from onnx import numpy_helper

        self._opsets = list(model.opset_import)
        self.nodes: list[Any] = list(model.graph.node)
        self.constants: dict[str, Array] = {
            i.name: numpy_helper.to_array(i) for i in model.graph.initializer
        }
        # Old exporters list weights as inputs too, which would let a caller replace them.
        self.inputs = [i for i in model.graph.input if i.name not in self.constants]
        self.outputs = list(model.graph.output)

    def evaluate_constants(self) -> None:
        """Compute every node that reads constants only, with ONNX's own reference implementation."""
        from onnx import helper
        from onnx.reference import ReferenceEvaluator

        known = set(self.constants)
        fixed: list[Any] = []
        rest: list[Any] = []
        for node in self.nodes:
            pure = node.op_type == "Constant" or (node.input and all(i in known for i in node.input if i))
            (fixed if pure else rest).append(node)
            known.update(node.output if pure else ())
        # Only what the rest reads: intermediate steps such as unshaped weights would be dead weight.
        read = {i for node in rest for i in node.input} | {o.name for o in self.outputs}
        wanted = [o for node in fixed for o in node.output if o in read]
        if wanted:
            graph = helper.make_graph(
                fixed, "constants", [], [helper.make_empty_tensor_value_info(w) for w in wanted]
            )
            evaluator = ReferenceEvaluator(helper.make_model(graph, opset_imports=self._opsets))
            # The graph declares no inputs; its constants are fed as if they were.
            values = evaluator.run(wanted, self.constants)
            self.constants.update(zip(wanted, map(np.asarray, values), strict=True))
        self.nodes = rest

    def drop_dropout(self) -> None:
        """Dropout does nothing outside training."""
        for node in [n for n in self.nodes if n.op_type == "Dropout"]:
            if node.output[0] not in {o.name for o in self.outputs}:
                self._bypass(node)

    def fold_batch_norms(self) -> None:
        """Fold each batch norm whose neighbour can take its scale and shift."""
        for norm in [n for n in self.nodes if n.op_type == "BatchNormalization"]:
            if not all(i in self.constants for i in norm.input[1:]) or _attribute(norm, "training_mode", 0):
                continue
            gamma, beta, mean, variance = (self.constants[i].astype(np.float64) for i in norm.input[1:])
            scale = gamma / np.sqrt(variance + _attribute(norm, "epsilon", 1e-5))
            shift = beta - mean * scale
            before = self._producer(norm.input[0])
            after = self._reader_through_flatten(norm.output[0])
            if (
                before is not None
                and self._single_use(norm.input[0])
                and self._scale_outputs(before, scale, shift)
            ):
                before.output[0] = norm.output[0]
                self.nodes.remove(norm)
            elif after is not None and self._scale_inputs(after, scale, shift):
                self._bypass(norm)

    def store(self, graph: Any) -> None:
        """Write nodes, the constants still read, and inputs and outputs of any batch size."""
        from onnx import numpy_helper

        read = {i for node in self.nodes for i in node.input} | {o.name for o in self.outputs}
        for field, values in (
            (graph.node, self.nodes),
            (
                graph.initializer,
                [numpy_helper.from_array(v, k) for k, v in self.constants.items() if k in read],
            ),
            (graph.input, [i for i in self.inputs if i.name in read]),
            (graph.output, self.outputs),
            (graph.value_info, []),
        ):
            kept = list(values)
            del field[:]
            field.extend(kept)
        for value in (*graph.input, *graph.output):
            if value.type.tensor_type.shape.dim:
                value.type.tensor_type.shape.dim[0].dim_param = "N"

    def _producer(self, name: str) -> Any | None:
        return next((n for n in self.nodes if name in n.output), None)

    def _readers(self, name: str) -> list[Any]:
        return [n for n in self.nodes if name in n.input]

    def _single_use(self, name: str) -> bool:
        return len(self._readers(name)) == 1 and name not in {o.name for o in self.outputs}

    def _reader_through_flatten(self, name: str) -> Any | None:
        while self._single_use(name):
            (node,) = self._readers(name)
            if node.op_type != "Flatten" or _attribute(node, "axis", 1) != 1:
                return node
            name = node.output[0]
        return None

    def _bypass(self, node: Any) -> None:
        for reader in self._readers(node.output[0]):
            for k, name in enumerate(reader.input):
                if name == node.output[0]:
                    reader.input[k] = node.input[0]
        self.nodes.remove(node)

    def _weights(self, node: Any) -> tuple[NDArray[np.float64], NDArray[np.float64] | float] | None:
        """Weights and bias of a plain Conv or Gemm with constant weights, else None."""
        plain = node.op_type == "Conv" or (
            node.op_type == "Gemm"
            and _attribute(node, "alpha", 1.0) == _attribute(node, "beta", 1.0) == 1.0
            and not _attribute(node, "transA", 0)
        )
        if not plain or not all(i in self.constants for i in node.input[1:] if i):
            return None
        bias = (
            self.constants[node.input[2]].astype(np.float64)
            if len(node.input) > 2 and node.input[2]
            else 0.0
        )
        return self.constants[node.input[1]].astype(np.float64), bias

    def _replace_weights(self, node: Any, weights: Array, bias: Array) -> None:
        names = [node.input[0], f"{node.output[0]}/weights", f"{node.output[0]}/bias"]
        self.constants[names[1]] = weights.astype(np.float32)
        self.constants[names[2]] = bias.astype(np.float32)
        del node.input[:]
        node.input.extend(names)

    def _scale_outputs(self, node: Any, scale: Array, shift: Array) -> bool:
        found = self._weights(node)
        if found is None:
            return False
        weights, bias = found
        by_row = node.op_type == "Conv" or bool(_attribute(node, "transB", 0))
        weights = weights * (scale.reshape(-1, *[1] * (weights.ndim - 1)) if by_row else scale)
        self._replace_weights(node, weights, np.broadcast_to(bias * scale + shift, scale.shape))
        return True

    def _scale_inputs(self, node: Any, scale: Array, shift: Array) -> bool:
        # Not a Conv: with zero padding the shift would be missing at the border.
        found = self._weights(node) if node.op_type == "Gemm" else None
        if found is None:
            return False
        weights, bias = found
        transposed = bool(_attribute(node, "transB", 0))
        rows = weights if transposed else weights.T
        repeat, rest = divmod(rows.shape[1], len(scale))
        if rest:
            return False
        bias = bias + rows @ np.repeat(shift, repeat)
        rows = rows * np.repeat(scale, repeat)
        self._replace_weights(node, rows if transposed else rows.T, bias)
        return True


def _attribute(node: Any, name: str, default: Any) -> Any:
    from onnx import helper

    return next((helper.get_attribute_value(a) for a in node.attribute if a.name == name), default)
