"""A trained model's ONNX graph: its layers by name, what they hold, and what they answer to a picture.

Everything is read from the exported file, so it shows the model that runs, and needs no training libraries.
Batch normalisation is folded into the convolutions there.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lineament.config import did_you_mean
from lineament.errors import ConfigError, UnknownName
from lineament.io import graphs
from lineament.io.golden import tensor
from lineament.io.onnx import Session, open_session
from lineament.io.trained import INPUT_NAME, TrainedCard, open_trained
from lineament.shown import shown
from lineament.types import Float32, UInt8

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

_ACTIVATIONS = ("Relu", "Clip", "PRelu", "LeakyRelu", "Sigmoid", "HardSwish", "HardSigmoid", "Elu", "Gelu")
_PREFIXES = ("backbone.body.", "backbone.", "body.")


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """A convolution: its name, the value after its activation, and weights ``(out, in, h, w)``."""

    name: str
    value: str
    weights: Float32

    __repr__ = shown


class Graph:
    """A model's graph; open it with `Graph.of_run` or `Graph.of_file`."""

    def __init__(self, model: ModelProto, card: TrainedCard | None = None) -> None:
        from onnx import numpy_helper

        self.model, self.card = model, card
        self._weights = {t.name: t for t in model.graph.initializer}
        self._array = numpy_helper.to_array
        self.inputs = [i.name for i in model.graph.input if i.name not in self._weights]
        self.outputs = [o.name for o in model.graph.output]

    @classmethod
    def of_run(cls, folder: Path) -> Graph:
        """The model of a run folder, checked against its card; see `open_trained` for what it raises."""
        card = open_trained(folder).card
        return cls(graphs.load(folder / card.file), card)

    @classmethod
    def of_file(cls, path: Path) -> Graph:
        """Any ONNX file; raises `ModelRefused` as `graphs.load`."""
        return cls(graphs.load(path))

    def layers(self) -> list[Layer]:
        """The convolutions in the order of the graph; raises `ConfigError` when there is none."""
        readers: dict[str, list[NodeProto]] = {}
        for node in self.model.graph.node:
            for name in node.input:
                readers.setdefault(name, []).append(node)
        found = []
        for node in self.model.graph.node:
            if node.op_type != "Conv" or node.input[1] not in self._weights:
                continue
            value = node.output[0]
            after = readers.get(value, [])
            if len(after) == 1 and after[0].op_type in _ACTIVATIONS:
                value = after[0].output[0]
            weights = np.asarray(self._array(self._weights[node.input[1]]), np.float32)
            found.append(Layer(_readable(node.input[1]), value, weights))
        if not found:
            raise ConfigError("the model has no convolution with weights of its own")
        return found

    def layer(self, name: str) -> Layer:
        """One of `layers`; raises `UnknownName`."""
        layers = self.layers()
        for layer in layers:
            if layer.name == name:
                return layer
        raise UnknownName(f"no layer named {name!r}{did_you_mean(name, [one.name for one in layers])}")

    def run(self, values: list[str], crops: UInt8) -> dict[str, NDArray[np.float32]]:
        """What values inside the graph are for uint8 crops ``(N, S, S, 3)`` of the card's size."""
        return self._session(self._exposing(values)).run({INPUT_NAME: self.input(crops)})

    def input(self, crops: UInt8) -> Float32:
        """The network's input by its card; raises `ConfigError` without one."""
        if self.card is None:
            raise ConfigError("only a run folder tells how pictures go into its network")
        return tensor(self.card, crops)

    def last_map(self) -> str:
        """The last value that all outputs depend on and that comes from a convolution or what follows it.

        A later value is a better one, as long as nothing reaches the outputs past it. Raises `ConfigError`
        when there is none.
        """
        spatial = self._spatial()
        for node in reversed(self.model.graph.node):
            value = str(node.output[0])
            if value in spatial and not self._reaches_past(value):
                return value
        raise ConfigError("the model has no feature map that all its outputs come from")

    def head(self, value: str) -> Session:
        """The part of the model from a value on; it takes that value and the (unused) picture."""
        return self._session(self._from(value))

    def _spatial(self) -> set[str]:
        """Values with rows and columns: convolutions of the picture, and what keeps their places."""
        keep = {
            *_ACTIVATIONS,
            "Conv",
            "MaxPool",
            "Add",
            "Mul",
            "Concat",
            "BatchNormalization",
            "AveragePool",
        }
        found: set[str] = set()
        for node in self.model.graph.node:
            inputs = [name for name in node.input if name and name not in self._weights]
            if node.op_type == "Conv" or (
                node.op_type in keep and inputs and all(name in found for name in inputs[:1])
            ):
                found.add(node.output[0])
        return found

    def _reaches_past(self, value: str) -> bool:
        """Whether an output depends on the picture's pixels (not its shape) otherwise than by ``value``."""
        makers = {name: node for node in self.model.graph.node for name in node.output}
        todo, seen = list(self.outputs), {value}
        while todo:
            name = todo.pop()
            if name in seen:
                continue
            seen.add(name)
            if name in self.inputs:
                return True
            node = makers.get(name)
            if node is not None and node.op_type != "Shape":
                todo += [one for one in node.input if one]
        return False

    def _exposing(self, values: list[str]) -> ModelProto:
        import onnx

        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        known = set(self.outputs)
        for value in values:
            if value not in known:
                model.graph.output.append(onnx.helper.make_empty_tensor_value_info(value))
        return model

    def _from(self, value: str) -> ModelProto:
        import onnx

        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        makers = {name: node for node in self.model.graph.node for name in node.output}
        needed: set[str] = set()
        todo = list(self.outputs)
        while todo:
            name = todo.pop()
            if name == value or name in needed:
                continue
            needed.add(name)
            if name in makers:
                todo += list(makers[name].input)
        kept = [n for n in self.model.graph.node if any(o in needed for o in n.output)]
        del model.graph.node[:]
        model.graph.node.extend(kept)
        del model.graph.value_info[:]
        model.graph.input.append(
            onnx.helper.make_tensor_value_info(value, onnx.TensorProto.FLOAT, ["n", "c", "h", "w"])
        )
        return model

    def _session(self, model: ModelProto) -> Session:
        import onnx

        with tempfile.TemporaryDirectory(prefix="lineament-explain-") as folder:
            path = Path(folder) / "graph.onnx"
            onnx.save(model, path)
            return open_session(path, streams=1)


def _readable(weight: str) -> str:
    name = weight.removesuffix(".weight")
    for prefix in _PREFIXES:
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    return name


def spread(items: list[Any], most: int) -> list[Any]:
    """At most so many of the items, evenly spread, first and last among them."""
    if len(items) <= most:
        return list(items)
    return [items[round(i * (len(items) - 1) / max(most - 1, 1))] for i in range(most)]
