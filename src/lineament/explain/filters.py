"""The filters of the first layer: what a network looks for in pixels."""

from __future__ import annotations

from pathlib import Path

from lineament.errors import ConfigError
from lineament.explain.graph import Graph, Layer


def first_filters(model: Path) -> Layer:
    """The first convolution of a run folder's model, or of an ONNX file: ``(out, in, h, w)``.

    Batch normalisation that follows it is folded into its weights. Raises `ConfigError` when there is no
    convolution, or the path is neither.
    """
    if not model.exists():
        raise ConfigError(
            f"{model}: there is nothing; give the folder of a finished training or an ONNX file"
        )
    graph = Graph.of_run(model) if model.is_dir() else Graph.of_file(model)
    return graph.layers()[0]
