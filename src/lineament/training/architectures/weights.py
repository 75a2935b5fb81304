"""Weights to start from: ImageNet's, a file, or an earlier training's.

MobileNetV2's come from the catalogue. Those of torchvision's other models come from where torchvision
publishes them (its default weights of each model), through torch's own cache.
"""

from __future__ import annotations

import re
import urllib.error
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from lineament.counting import quantity
from lineament.errors import (
    AssetError,
    CardMismatch,
    ConfigError,
    DigestMismatch,
    WeightsMismatch,
    WeightsUnavailable,
)
from lineament.io import assets, catalog
from lineament.io.digests import sha256_of
from lineament.io.trained import CARD_NAME, TrainedCard
from lineament.training.architectures import torchvision_models
from lineament.training.architectures.backbone import Backbone
from lineament.training.settings import RANDOM

State = Mapping[str, torch.Tensor]
_WRAPPINGS = ("", "body.", "backbone.body.", "module.", "module.body.", "module.backbone.body.", "model.")
_TABLES = ("state_dict", "model", "model_state_dict")
_CATALOGUE = {"mobilenet_v2": "mobilenet_v2"}


def load(backbone: Backbone, weights: str | Path, *, offline: bool | None = None) -> str | None:
    """Put weights into a backbone; returns what a card says of them as ``trained_from``, None for none.

    ``weights``: ``none`` and ``random`` leave the random ones; ``imagenet``; else a .pth or .safetensors
    file, or the folder of a training. A class layer in the file is left out. ``offline`` None follows
    ``LINEAMENT_OFFLINE``. Raises `WeightsUnavailable`, naming the file to get, `DigestMismatch` when a
    published file is damaged, and `WeightsMismatch` when the tensors are not those of this network.
    """
    if str(weights) in RANDOM:
        return None
    if str(weights) == "imagenet":
        path, said = published(backbone.name, offline=offline)
    else:
        path, said = _given(Path(weights), backbone.name)
    put(backbone, read(path), path.name)
    return said


def published(architecture: str, *, offline: bool | None = None) -> tuple[Path, str]:
    """The file of an architecture's ImageNet weights, and what to say of it; see `load`."""
    if architecture in _CATALOGUE:
        card = catalog.card(_CATALOGUE[architecture])
        try:
            path = assets.fetch(card, offline=offline)
        except DigestMismatch:
            raise
        except AssetError as error:
            raise _unavailable(architecture, card.file, str(error)) from error
        return path, f"{card.title}; {card.licence}; sha256 {card.sha256}"
    if architecture not in torchvision_models.names():
        raise WeightsUnavailable(
            f"{architecture} has no published weights: train it with the method scratch, or give a file "
            "with --weights"
        )
    from torchvision import models

    found = models.get_model_weights(architecture).DEFAULT
    url = found.url
    name = url.rsplit("/", 1)[-1]
    path = hub_file(url, offline=assets.offline_by_environment() if offline is None else offline)
    return path, f"torchvision {architecture} {found.name} ({name}), trained on ImageNet-1k; BSD-3-Clause"


def published_name(architecture: str) -> str | None:
    """The name of the file that `published` would give; None where none is published."""
    if architecture in _CATALOGUE:
        return catalog.card(_CATALOGUE[architecture]).file
    if architecture not in torchvision_models.names():
        return None
    from torchvision import models

    return str(models.get_model_weights(architecture).DEFAULT.url.rsplit("/", 1)[-1])


def hub_file(url: str, *, offline: bool) -> Path:
    """A file of torch's cache, downloaded when it is not there; its name holds the head of its SHA-256.

    Raises `WeightsUnavailable` and `DigestMismatch`.
    """
    name = url.rsplit("/", 1)[-1]
    path = Path(torch.hub.get_dir()) / "checkpoints" / name
    digest = re.search(r"-([0-9a-f]{8,64})\.", name)
    if not path.is_file():
        if offline:
            raise _unavailable(
                name, name, "it is not in torch's cache, and offline mode forbids the network"
            )
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(
                url, str(path), hash_prefix=digest[1] if digest else None, progress=False
            )
        except (urllib.error.URLError, OSError, RuntimeError) as error:
            reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
            raise _unavailable(name, name, f"it could not be downloaded: {reason}") from error
    if digest is not None and not (actual := sha256_of(path)).startswith(digest[1]):
        raise DigestMismatch(str(path), f"{digest[1]}...", actual, "remove it to download it again")
    return path


def read(path: Path) -> State:
    """The tensors of a .pth or .safetensors file by name; code in a .pth is never run.

    Raises `WeightsUnavailable` when the file cannot be opened, and `WeightsMismatch` when it holds no
    tensors.
    """
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise WeightsUnavailable(f"{path}: cannot be read: {error.strerror}") from error
    values: Any
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            values = load_file(path)
        else:
            values = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # both libraries raise many kinds for damaged and hostile files
        # What the libraries say advises what is unsafe, or speaks of their insides.
        raise WeightsMismatch(
            f"{path}: no file of weights that can be read safely, or a damaged one: give a .safetensors "
            "file, a .pth of torch.save(model.state_dict()), or a run folder"
        ) from error
    for table in _TABLES:
        if isinstance(values, Mapping) and isinstance(values.get(table), Mapping):
            values = values[table]
    if not isinstance(values, Mapping):
        raise WeightsMismatch(f"{path}: holds no tensors by name")
    state = {str(k): v for k, v in values.items() if isinstance(v, torch.Tensor)}
    if not state:
        raise WeightsMismatch(f"{path}: holds no tensors by name")
    return state


def put(backbone: Backbone, state: State, source: str) -> None:
    """Put the tensors of a state dictionary into a backbone; what it has no place for is left out.

    Keys may carry the prefix of a classifier trained here, or of a parallel training. Raises
    `WeightsMismatch`, naming the tensors that are missing or of another shape; then nothing was changed.
    """
    own = backbone.body.state_dict()
    needed = [name for name in own if not name.endswith("num_batches_tracked")]
    # Densenet's published files name its layers in an older way: norm.1 for norm1.
    state = {_modern(key): value for key, value in state.items()}
    wrapping = max(_WRAPPINGS, key=lambda prefix: sum(prefix + name in state for name in needed))
    missing = [name for name in needed if wrapping + name not in state]
    if missing:
        raise WeightsMismatch(
            f"{source}: not weights of {backbone.name}: {len(missing)} of "
            f"{quantity(len(needed), 'tensor')} "
            f"missing, among them {', '.join(missing[:3])}"
        )
    other = [name for name in needed if state[wrapping + name].shape != own[name].shape]
    if other:
        shapes = "; ".join(
            f"{name} is {tuple(state[wrapping + name].shape)}, not {tuple(own[name].shape)}"
            for name in other[:3]
        )
        raise WeightsMismatch(
            f"{source}: not weights of {backbone.name}: {quantity(len(other), 'tensor has')} another "
            f"shape: {shapes}"
        )
    bad = [name for name in needed if not torch.isfinite(state[wrapping + name]).all()]
    if bad:
        raise WeightsMismatch(f"{source}: NaN or infinity in {', '.join(bad[:3])}")
    backbone.body.load_state_dict({name: state.get(wrapping + name, own[name]) for name in own})


def _modern(key: str) -> str:
    return re.sub(r"(denselayer\d+\.(?:norm|relu|conv))\.(?=[12]\.)", r"\1", key)


def _given(path: Path, architecture: str) -> tuple[Path, str]:
    """The file that a path means, and what to say of it."""
    from lineament.training.runs.folder import BEST

    if not path.exists():
        raise WeightsUnavailable(f"{path}: there is no such file or run folder")
    if not path.is_dir():
        return path, f"{path.name}, sha256 {sha256_of(path)}"
    best = path / BEST
    if not best.is_file():
        raise WeightsUnavailable(f"{path}: no {BEST} in it; is it the folder of a training?")
    said = f"the training {path.name}"
    if (path / CARD_NAME).is_file():
        try:
            card = TrainedCard.load(path)
        except (ConfigError, CardMismatch) as error:
            raise WeightsMismatch(str(error)) from error
        if card.architecture != architecture:
            raise WeightsMismatch(f"{path}: a {card.architecture}, not a {architecture}")
        # Terms of what it was trained from go on to hold.
        said += (
            f", itself from {card.trained_from}" if card.trained_from else ", itself from random weights"
        )
    return best, f"{said}; sha256 {sha256_of(best)}"


def _unavailable(what: str, file: str, why: str) -> WeightsUnavailable:
    return WeightsUnavailable(
        f"{what}: its ImageNet weights cannot be had: {why}. Bring the file {file} here and give it with "
        f"--weights PATH/{file}, or begin with random weights: --weights none, and --method scratch where "
        "there are methods"
    )
