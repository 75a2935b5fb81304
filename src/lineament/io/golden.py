"""Does a loaded model do what its card says? Its answer to a generated picture, against the card's.

The picture is made with integer arithmetic, so it is the same on every machine and needs no photo. A wrong
file, swapped weights, a wrong colour order or a wrong normalisation all answer differently by far more than
float32 folding or bfloat16 does; docs/decisions/0003-assets-from-pinned-wheels.md has the measured gaps.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lineament.errors import CardMismatch, InsufficientData
from lineament.io.catalog import MAX_SIDE, Golden, InputContract, ModelCard
from lineament.types import Float32, Float64, UInt8

Run = Callable[[UInt8], Mapping[str, NDArray[Any]]]

_SAMPLES = 96


class Card(Protocol):
    """What both kinds of card have: those of the catalogue and those of models trained here."""

    @property
    def name(self) -> str:
        """Of the model."""

    @property
    def input(self) -> InputContract:
        """What it takes."""

    @property
    def golden(self) -> Golden | None:
        """What it answers."""


def picture(name: str) -> UInt8:
    """The picture a card's ``golden.input`` names: ``waves-WxH`` -> uint8 ``(H, W, 3)`` RGB.

    Raises `CardMismatch` for another name, and for a side of 0 or of more than 2,048 pixels.
    """
    parts = re.fullmatch(r"waves-([0-9]{1,4})x([0-9]{1,4})", name)
    if parts is None:
        raise CardMismatch(f"no generator of golden pictures makes {name[:80]!r}")
    width, height = int(parts[1]), int(parts[2])
    if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE):
        raise CardMismatch(f"the golden picture {name} has a side of 0 or over {MAX_SIDE:,} pixels")
    y, x = np.mgrid[:height, :width].astype(np.int64)
    channels = []
    # Soft waves and hard blocks, different in each channel, so that both colour and place matter.
    for a, b, period in ((3, 1, 97), (-1, 4, 149), (2, -3, 61)):
        wave = np.abs((a * x + b * y) % (2 * period) - period) * 160 // period
        block = ((x // 13) * 7919 + (y // 11) * 104729 + period) * 2654435761 % (1 << 32) // (1 << 26)
        channels.append((wave + block + period // 5).clip(0, 255).astype(np.uint8))
    return np.stack(channels, axis=-1)


def tensor(card: Card, pixels: UInt8) -> Float32:
    """What the pinned file takes for uint8 RGB ``(N, H, W, 3)``: float32 ``(N, C, H, W)`` by the card."""
    contract = card.input
    if contract.colour == "GREY":
        raise InsufficientData(f"{card.name}: no rule for grey input")
    values = pixels[..., ::-1] if contract.colour == "BGR" else pixels
    mean, std = np.array(contract.mean, np.float32), np.array(contract.std, np.float32)
    scaled = (values.astype(np.float32) - mean) / std
    return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2), np.float32)


def summary(outputs: Mapping[str, NDArray[Any]]) -> Float64:
    """At most 96 values: evenly spaced ones of every output, by the outputs' names."""
    each = max(1, _SAMPLES // len(outputs))
    taken = []
    for name in sorted(outputs):
        flat = np.asarray(outputs[name], np.float64).ravel()
        taken.append(flat[np.linspace(0, flat.size - 1, min(each, flat.size)).astype(int)])
    return np.concatenate(taken)


def difference(card: Card, run: Run) -> float:
    """How far the model is from its card: root mean square difference over that of the card's values.

    ``run`` takes uint8 RGB ``(1, H, W, 3)`` and gives the pinned file's outputs by name. Raises
    `InsufficientData` when the card has no golden output.
    """
    if card.golden is None:
        raise InsufficientData(f"{card.name}: its card has no golden output to check against")
    expected = np.array(card.golden.output)
    actual = summary(run(picture(card.golden.input)[None]))
    if actual.shape != expected.shape or not np.isfinite(actual).all():
        return float("inf")
    return float(np.sqrt(np.mean((actual - expected) ** 2) / np.mean(expected**2)))


def check(card: Card, run: Run) -> float:
    """Raise `CardMismatch` unless the model answers the golden picture as its card says.

    ``run`` and the answer are those of `difference`.
    """
    gap = difference(card, run)
    if card.golden is not None and not gap <= card.golden.tolerance:
        raise CardMismatch(
            f"{card.name}: its answer to the picture {card.golden.input} differs from the card's by "
            f"{gap:.2g} (allowed: {card.golden.tolerance:g}): wrong weights, colour order or normalisation"
        )
    return gap


def check_file(card: ModelCard, path: Path) -> float:
    """`check` a card's file as pinned, fed by the card's input contract."""
    return check(card, run_file(card, path))


def run_file(card: ModelCard, path: Path) -> Run:
    """A `Run` over a card's ONNX file: inputs made free, quantised weights folded, nothing else changed.

    A model of two files is taken as it is, with the graph that its card pins.
    """
    import onnx

    from lineament.io import assets
    from lineament.io.folding import fold
    from lineament.io.onnx import open_session

    if card.graph is not None:
        described = open_session(path, graph=assets.fetch(card.files[1]))
        (given,) = described.input_names
        return lambda pixels: described.run({given: tensor(card, pixels)})
    with tempfile.TemporaryDirectory(prefix="lineament-golden-") as folder:
        ready = Path(folder) / path.name
        fold(path, ready)
        model = onnx.load(ready)
        for value in (*model.graph.input, *model.graph.output):
            for axis, dim in enumerate(value.type.tensor_type.shape.dim[2:], start=2):
                dim.dim_param = f"{value.name}_{axis}"
        del model.graph.value_info[:]
        onnx.save(model, ready)
        session = open_session(ready)
    (name,) = session.input_names
    return lambda pixels: session.run({name: tensor(card, pixels)})
