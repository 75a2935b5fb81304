"""Grad-CAM: which places of a picture speak for an answer (Selvaraju et al. 2017, ICCV).

The weight of a feature map's channel is the mean slope of the answer over its places, which is the slope
along adding a constant to the channel. That is measured here from both sides on the exported model, one
channel after another, instead of by backpropagation: it equals it up to rounding, and needs no training
libraries.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lineament.config import did_you_mean
from lineament.errors import ConfigError, UnknownName
from lineament.explain.graph import Graph
from lineament.io.trained import INPUT_NAME, Head
from lineament.shown import shown
from lineament.types import Float32, UInt8

_STEP = 0.05
"""Of a channel's largest value (or of the map's, where the channel is silent)."""
_BATCH = 64


@dataclass(frozen=True, slots=True, eq=False)
class Saliency:
    """``heat`` float32 ``(S, S)`` in 0..1 over the crop, 1 where most speaks for ``target`` of ``head``.

    ``map`` is the same at the resolution of the feature map, ``(h, w)``, before scaling; all 0 when nothing
    speaks for it. ``value`` is what the network answered: a logit, or a number in its units.
    """

    heat: Float32
    map: Float32
    head: str
    target: str
    value: float

    __repr__ = shown


def grad_cam(graph: Graph, crop: UInt8, *, head: str | None = None, target: str | None = None) -> Saliency:
    """Grad-CAM of a crop uint8 ``(S, S, 3)`` of the card's size.

    ``head`` is needed where the model has several; ``target`` names a class, the likeliest one by default;
    numbers and the logit of a face have none. Raises `ConfigError` for a model whose answer is neither
    classes, a number nor a face, and `UnknownName`.
    """
    import cv2

    chosen = _head(graph, head)
    value = graph.last_map()
    answers = graph.run([value, *graph.outputs], crop[None])
    maps, logits = answers[value][0], answers[chosen.name].reshape(-1)
    column = _column(chosen, target, logits)
    weights = _slopes(graph, value, maps, chosen.name, column) / maps[0].size
    cam = np.maximum(np.tensordot(weights, maps, axes=1), 0).astype(np.float32)
    size = len(crop)
    heat = np.asarray(cv2.resize(cam, (size, size), interpolation=cv2.INTER_LINEAR), np.float32)
    top = float(heat.max(initial=0))
    name = chosen.classes[column] if chosen.kind == "classes" else chosen.kind
    return Saliency(heat / top if top > 0 else heat, cam, chosen.name, name, float(logits[column]))


def _slopes(graph: Graph, value: str, maps: Float32, output: str, column: int) -> Float32:
    """The slope of an answer along a constant added to each channel, ``(channels,)``."""
    session = graph.head(value)
    tops = np.abs(maps).max(axis=(1, 2))
    steps = _STEP * np.where(tops > 0, tops, max(float(tops.max(initial=0)), 1.0)).astype(np.float32)
    slopes = np.empty(len(maps), np.float32)
    for start in range(0, len(maps), _BATCH):
        channels = np.arange(start, min(start + _BATCH, len(maps)))
        batch = np.repeat(maps[None], 2 * len(channels), axis=0)
        rows = np.arange(len(channels))
        batch[2 * rows, channels] += steps[channels, None, None]
        batch[2 * rows + 1, channels] -= steps[channels, None, None]
        inputs = {value: batch}
        if INPUT_NAME in session.input_names:
            size = graph.card.input.size if graph.card is not None else None
            inputs[INPUT_NAME] = np.zeros((len(batch), 3, size or 1, size or 1), np.float32)
        answers = session.run(inputs)[output].reshape(len(batch), -1)[:, column]
        slopes[channels] = (answers[0::2] - answers[1::2]) / (2 * steps[channels])
    return slopes


def _head(graph: Graph, name: str | None) -> Head:
    if graph.card is None:
        raise ConfigError("saliency needs a run folder, whose card says what the outputs mean")
    heads = [head for head in graph.card.heads if head.kind in ("classes", "number", "face")]
    names = [head.name for head in heads]
    if not heads:
        raise ConfigError(
            f"{graph.card.name}: a model for {graph.card.job} answers neither classes nor a number; "
            "for an embedder see: lineament explain match"
        )
    if name is None and len(heads) > 1:
        raise ConfigError(f"{graph.card.name} answers {', '.join(names)}: name one with --head")
    for head in heads:
        if name in (None, head.name):
            return head
    raise UnknownName(f"no output {name!r}{did_you_mean(str(name), names)}")


def _column(head: Head, target: str | None, logits: Float32) -> int:
    if head.kind != "classes":
        if target is not None:
            raise ConfigError(f"{head.name} has no classes to choose from")
        return 0
    if target is None:
        return int(logits.argmax())
    if target not in head.classes:
        raise UnknownName(f"no class {target!r} of {head.name}{did_you_mean(target, head.classes)}")
    return head.classes.index(target)
