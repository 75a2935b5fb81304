"""Golden outputs: every pinned file answers as its card says, and what is wrong does not pass."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lineament.errors import CardMismatch, InsufficientData
from lineament.io import assets, catalog, golden
from lineament.io.catalog import ModelCard
from lineament.types import UInt8
from weights import pinned_or_skip

CHECKED = [card for card in catalog.cards().values() if card.golden is not None]


def _with_input(card: ModelCard, **changes: Any) -> ModelCard:
    return replace(card, input=replace(card.input, **changes))


def test_the_picture_is_the_same_everywhere() -> None:
    """Integer arithmetic only: the bytes of the picture are fixed."""
    pixels = golden.picture("waves-64x48")
    assert pixels.shape == (48, 64, 3) and pixels.dtype == np.uint8
    assert pixels.std(axis=(0, 1)).min() > 20
    digest = hashlib.sha256(pixels.tobytes()).hexdigest()
    assert digest == "17a0b2b7ea845b8b886b37cf2e9f05212608d8ccaaf70a29591354bcf2b848e6"


@pytest.mark.parametrize("name", ["", "photo", "waves-0", "waves-99999x1", "waves-٣x٤", "waves-1x1; rm"])
def test_unknown_pictures_are_refused(name: str) -> None:
    """A card cannot name a picture that nobody can make."""
    with pytest.raises(CardMismatch, match="no generator"):
        golden.picture(name)


@pytest.mark.parametrize("card", CHECKED, ids=lambda card: card.name)
def test_pinned_files_answer_as_their_cards_say(card: ModelCard) -> None:
    """Run with our runtime and folded weights, every file is within a hundredth of the tolerance."""
    assert card.golden is not None
    assert golden.check_file(card, pinned_or_skip(card.name)) < card.golden.tolerance / 100


@pytest.mark.parametrize("card", CHECKED, ids=lambda card: card.name)
def test_a_wrong_colour_order_fails(card: ModelCard) -> None:
    """The same weights fed with red and blue swapped are not what the card describes."""
    run = golden.run_file(card, pinned_or_skip(card.name))
    with pytest.raises(CardMismatch, match="colour order"):
        golden.check(card, lambda pixels: run(np.ascontiguousarray(pixels[..., ::-1])))


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("yunet", {"mean": (127.5,)}),
        ("centerface", {"mean": (127.5,)}),
        ("sface", {"mean": (127.5,), "std": (128.0,)}),
        ("age", {"mean": (104.298, 117.001, 122.782)}),
        ("age", {"std": (1.0,)}),
        ("gender", {"mean": (104.298, 117.001, 122.782)}),
        ("gender", {"std": (1.0,)}),
    ],
)
def test_a_wrong_normalisation_fails(name: str, changes: dict[str, Any]) -> None:
    """A mean where there is none, a scaling applied twice, channels swapped, no scaling: none passes."""
    card = catalog.card(name)
    run = golden.run_file(_with_input(card, **changes), assets.fetch(card))
    with pytest.raises(CardMismatch):
        golden.check(card, run)


def test_swapped_weights_fail(tmp_path: Path) -> None:
    """Two filters of one layer exchanged, which any loader accepts, changes the answer beyond tolerance."""
    import onnx
    from onnx import numpy_helper

    card = catalog.card("gender")
    model = onnx.load(assets.fetch(card))
    tensor = next(t for t in model.graph.initializer if len(t.dims) == 4)
    values = numpy_helper.to_array(tensor)[::-1].copy()
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    onnx.save(model, tmp_path / "swapped.onnx")
    with pytest.raises(CardMismatch):
        golden.check_file(card, tmp_path / "swapped.onnx")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_answers_that_are_no_numbers_fail(value: float) -> None:
    """A model that answers NaN or infinity never passes."""
    card = catalog.card("gender")

    def run(pixels: UInt8) -> Mapping[str, NDArray[Any]]:
        return {"probabilities": np.array([[value, 0.5]])}

    with pytest.raises(CardMismatch):
        golden.check(card, run)


def test_answers_of_another_shape_fail() -> None:
    """Missing outputs cannot be compared, so they do not pass."""
    with pytest.raises(CardMismatch):
        golden.check(catalog.card("yunet"), lambda pixels: {"cls_8": np.zeros(4)})


def test_a_card_without_golden_output_says_so() -> None:
    """Nothing to compare with is an error of its own, not a pass."""
    with pytest.raises(InsufficientData, match="no golden output"):
        golden.check(catalog.card("buffalo_l"), lambda pixels: {"x": np.zeros(1)})
