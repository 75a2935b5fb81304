"""Detectors that Ultralytics exported to ONNX: their graph is taken as it is, under a card of ours."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lineament.counting import quantity
from lineament.errors import MissingExtra, WeightsMismatch
from lineament.io import golden
from lineament.io.catalog import Golden
from lineament.io.digests import sha256_of
from lineament.io.onnx import open_session
from lineament.io.trained import INPUT_NAME, MODEL_NAME, TrainedCard
from lineament.training.runs.export import GOLDEN_TOLERANCE

_POINTS = (0, 10, 15)
_MAX_FILE = 2 * 2**30


@dataclass(frozen=True, slots=True, eq=False)
class ExportedYolo:
    """An ONNX file and what it says of itself, named as in `lineament.training.ultralytics.file`."""

    path: Path
    model: Any
    classes: tuple[str, ...]
    size: int
    divisor: int
    architecture: str
    licence: str
    version: str

    def write(self, folder: Path, card: TrainedCard, chosen: Sequence[int]) -> TrainedCard:
        """Write the graph with our names and the ``chosen`` classes; returns the card with its answers.

        Raises `WeightsMismatch` for another size than the graph is for.
        """
        import onnx

        graph, size = self.model.graph, card.input.size
        if size != self.size:
            raise WeightsMismatch(f"{self.path}: exported for pictures of {self.size} px, not {size}")
        _rename(graph, graph.input[0].name, INPUT_NAME)
        _rename(graph, graph.output[0].name, card.heads[0].name)
        if len(chosen) != len(self.classes):
            _keep_rows(self.model, card.heads[0].name, len(self.classes), chosen)
        del self.model.metadata_props[:]
        onnx.checker.check_model(self.model)
        path = folder / MODEL_NAME
        path.write_bytes(self.model.SerializeToString())
        done = replace(card, sha256=sha256_of(path))
        name = f"waves-{size}x{size}"
        pixels = golden.tensor(done, golden.picture(name)[None])
        answer = golden.summary(open_session(path).run({INPUT_NAME: pixels}))
        rounded = tuple(float(f"{value:.6g}") for value in answer)
        done = replace(done, golden=Golden(name, rounded, GOLDEN_TOLERANCE))
        done.save(folder)
        return done


def read(path: Path) -> ExportedYolo:
    """An ONNX file that Ultralytics exported without suppression; raises `WeightsMismatch` for another."""
    try:
        import onnx
    except ImportError as error:
        raise MissingExtra("reading ONNX files", "train") from error
    from google.protobuf.message import DecodeError

    try:
        if path.stat().st_size > _MAX_FILE:
            raise WeightsMismatch(f"{path}: larger than {_MAX_FILE >> 30} GiB")
        model = onnx.load(path, load_external_data=False)
    except OSError as error:
        raise WeightsMismatch(f"{path}: cannot be read: {error.strerror or error}") from None
    except DecodeError:
        raise WeightsMismatch(f"{path}: not an ONNX file") from None
    if any(t.data_location == onnx.TensorProto.EXTERNAL for t in model.graph.initializer):
        raise WeightsMismatch(f"{path}: keeps its weights in other files; export it into one")
    told = {entry.key: entry.value for entry in model.metadata_props}
    classes = _classes(path, told)
    size = _size(path, model.graph)
    _require_answer(path, model.graph, len(classes))
    return ExportedYolo(
        path,
        model,
        classes,
        size,
        1,  # the graph is for one size
        "Ultralytics ONNX export",
        told.get("license", "")[:200],
        told.get("version", "")[:40],
    )


def _classes(path: Path, told: Mapping[str, str]) -> tuple[str, ...]:
    try:
        names = ast.literal_eval(told.get("names", "")[:100_000])
        return tuple(str(names[i])[:200] for i in range(len(names)))
    except (ValueError, SyntaxError, TypeError, KeyError, MemoryError, RecursionError):
        raise WeightsMismatch(
            f"{path}: names no classes, as an export of Ultralytics does; is it one?"
        ) from None


def _size(path: Path, graph: Any) -> int:
    shapes = [_shape(value) for value in graph.input]
    if len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][1] != 3 or shapes[0][2] != shapes[0][3]:
        raise WeightsMismatch(f"{path}: takes {shapes}, not one square picture (N, 3, S, S)")
    if not shapes[0][2]:
        raise WeightsMismatch(f"{path}: exported for pictures of any size; export it for one, such as 640")
    return int(shapes[0][2])


def _require_answer(path: Path, graph: Any, classes: int) -> None:
    shapes = [_shape(value) for value in graph.output]
    rows = shapes[0][1] if len(shapes) == 1 and len(shapes[0]) == 3 else -1
    if rows - 4 - classes not in _POINTS:
        raise WeightsMismatch(
            f"{path}: answers {shapes}, not (N, 4 + {quantity(classes, 'class')} + landmarks, anchors); "
            "export it without suppression (nms=False)"
        )


def _shape(value: Any) -> tuple[int, ...]:
    """Sides of an input or output; 0 stands for one that is free."""
    return tuple(side.dim_value for side in value.type.tensor_type.shape.dim)


def _rename(graph: Any, old: str, new: str) -> None:
    for value in (*graph.input, *graph.output):
        value.name = new if value.name == old else value.name
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [new if name == old else name for name in names]


def _keep_rows(model: Any, output: str, classes: int, chosen: Sequence[int]) -> None:
    """Let the graph end in a choice among its rows: the box, the chosen classes, the points."""
    import numpy as np
    from onnx import helper, numpy_helper

    graph = model.graph
    whole = f"{output}_of_all"
    total = _shape(graph.output[0])[1]
    for node in graph.node:
        for names in (node.input, node.output):
            names[:] = [whole if name == output else name for name in names]
    rows = [*range(4), *(4 + i for i in chosen), *range(4 + classes, total)]
    graph.initializer.append(numpy_helper.from_array(np.array(rows, np.int64), f"{output}_rows"))
    graph.node.append(helper.make_node("Gather", [whole, f"{output}_rows"], [output], axis=1))
    graph.output[0].type.tensor_type.shape.dim[1].dim_value = len(rows)
