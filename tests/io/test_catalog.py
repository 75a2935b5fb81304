"""The model cards: complete, pinned, honest about terms, and true of the files they pin."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from lineament.errors import InsufficientData, UnknownName
from lineament.io import catalog
from lineament.io.catalog import MeasuredThreshold, ModelCard
from weights import pinned_or_skip

CARDS = sorted(catalog.cards().values(), key=lambda card: card.name)
FREE = [card for card in CARDS if not card.accept_licence]
RUNNABLE = [card for card in FREE if card.file.endswith(".onnx")]
UPSTREAM_ONLY = {"regression0009", "reidentification0095", "yunet_n"}
"""No package of the index carries these."""


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_every_card_is_pinned_and_complete(card: ModelCard) -> None:
    """Digest, terms, origin and at least one pinned source, and no folder in the file's name."""
    assert re.fullmatch(r"[0-9a-f]{64}", card.sha256)
    assert card.licence and card.licence_url.startswith("https://") and card.origin and card.title
    assert card.sources and "/" not in card.file and "\\" not in card.file
    assert card.bytes > 0 or "size is not stated" in card.notes
    for source in card.sources:
        if source.kind == "wheel":
            assert source.package and source.version and source.member and source.url is None
        else:
            assert source.url and source.url.startswith("https://")
        if source.kind == "wheel" or source.member:
            assert source.sha256 and re.fullmatch(r"[0-9a-f]{64}", source.sha256) and source.bytes > 0
        assert str(source) not in ("None", "")


def test_names_are_unique_and_equal_their_files() -> None:
    """A card is found by its name alone."""
    files = {p.name for p in catalog.files("lineament.catalog").iterdir() if p.name.endswith(".toml")}
    assert files == {f"{card.name}.toml" for card in CARDS}


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_restricted_weights_ask_first(card: ModelCard) -> None:
    """Weights that forbid commercial use want their licence accepted; the others do not bother anyone."""
    assert card.accept_licence == (not card.commercial_use)


@pytest.mark.parametrize("card", FREE, ids=lambda card: card.name)
def test_free_models_come_from_the_package_index_first(card: ModelCard) -> None:
    """What works behind a mirror or proxy is tried before anything else, where there is such a package."""
    assert (card.sources[0].kind == "wheel") == (card.name not in UPSTREAM_ONLY)


@pytest.mark.parametrize("card", RUNNABLE, ids=lambda card: card.name)
def test_input_contracts_agree_with_the_files(card: ModelCard) -> None:
    """Channels and fixed sizes of the card are those of the pinned graph, and it was run once."""
    import onnx

    model = onnx.load(pinned_or_skip(card.name))
    weights = {i.name for i in model.graph.initializer} | {o for n in model.graph.node for o in n.output}
    data = next(i for i in model.graph.input if i.name not in weights)
    _, channels, *hw = (dim.dim_value for dim in data.type.tensor_type.shape.dim)
    assert channels == (1 if card.input.colour == "GREY" else 3)
    if card.input.size is not None:
        assert hw == [card.input.size, card.input.size]
    assert all(side % card.input.multiple_of == 0 for side in hw)
    assert len(card.input.mean) in (1, channels) and len(card.input.std) in (1, channels)
    assert card.golden is not None


@pytest.mark.parametrize("card", [card for card in CARDS if card.graph], ids=lambda card: card.name)
def test_models_of_two_files_pin_both(card: ModelCard) -> None:
    """Weights and layers have a digest, a size and sources each; the weights tell models apart."""
    weights, layers = card.files
    assert (weights.sha256, weights.file) == (card.sha256, card.file) and card.file.endswith(".bin")
    assert layers.name == f"{card.name}.graph" and layers.file.endswith(".xml") and layers.bytes > 0
    assert re.fullmatch(r"[0-9a-f]{64}", layers.sha256) and layers.sha256 != weights.sha256
    assert layers.sources and card.golden is not None


def test_unknown_models_get_a_hint() -> None:
    """A misspelt name is refused with the nearest one."""
    with pytest.raises(UnknownName, match="yunet"):
        catalog.card("yunnet")


def test_thresholds_are_looked_up_never_interpolated() -> None:
    """A measured rate keeps its provenance; any other is refused, naming those that were measured."""
    row = MeasuredThreshold(0.4, 1e-3, 9e-4, 8e-4, 1e-3, 400_000, 500, "a set")
    card = replace(catalog.card("sface"), thresholds=(row,))
    threshold = card.threshold(1e-3)
    assert (threshold.value, threshold.model, threshold.measured_on) == (0.4, card.model_id, "a set")
    with pytest.raises(InsufficientData, match=r"measured: 0\.001"):
        card.threshold(2e-3)
    with pytest.raises(InsufficientData, match="measured: none"):
        card.threshold(1e-3, "FPIR")
