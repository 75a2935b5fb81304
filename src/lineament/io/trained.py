"""Models trained here: a run folder's ONNX file with its card, opened without the training libraries.

The card (``card.json``) says what the file takes, how a face is cut for it, what its outputs mean, what it
was trained on, and how it answers a picture anyone can rebuild. A file whose answer differs from its card
is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from lineament import added
from lineament.config import from_mapping
from lineament.documents import read_object
from lineament.errors import CardMismatch, ConfigError, DigestMismatch, LineamentError, ModelRefused
from lineament.geometry.crop_style import CropStyle
from lineament.io import golden
from lineament.io.catalog import Golden, InputContract
from lineament.io.digests import sha256_of
from lineament.io.onnx import Precision, Session, open_session
from lineament.io.own_files import OWN
from lineament.io.writing import replacing
from lineament.types import ModelId, UInt8

CARD_NAME = added.CARD
MODEL_NAME = "model.onnx"
INPUT_NAME = "pixels"
Job = Literal["classifier", "attributes", "detection", "localizer", "embedding"]


@dataclass(frozen=True, slots=True)
class Head:
    """One output of the network.

    ``classes``: logits over ``classes``. ``number``: a value in the units of ``unit``. ``face``: one logit,
    above 0 for a face, or for what the one of ``classes`` says (a head). ``box``: xyxy as shares of the
    input's sides. ``embedding``: a vector, not of unit length. ``yolo``: ``(N, 4 + classes, anchors)``,
    centre x, centre y, width, height in input pixels, then class probabilities. ``boxes``: ``(M, 4)`` xyxy
    in input pixels, beside the outputs ``scores`` and ``labels``.
    """

    name: str
    kind: Literal["classes", "number", "face", "box", "embedding", "yolo", "boxes"]
    classes: tuple[str, ...] = ()
    unit: str = ""


@dataclass(frozen=True, slots=True)
class TrainedData:
    """What a model was trained on: the manifest's digest, rows by split, and the digest of its file.

    ``detector`` is the spec of the detector by whose boxes the faces were cut out, None where none was, or
    where a card older than this field does not say.
    """

    digest: str
    rows: Mapping[str, int] = field(default_factory=dict)
    subjects: int = 0
    steps: tuple[str, ...] = ()
    detector: str | None = None


@dataclass(frozen=True, slots=True)
class TrainedCard:
    """What must be known of a trained model; ``crop`` None takes whole pictures.

    ``measured`` holds the figures of the held-out split by name; ``trained_from`` names the weights the
    training started from, whose licence goes on to hold.
    """

    name: str
    job: Job
    architecture: str
    file: str
    sha256: str
    input: InputContract
    heads: tuple[Head, ...]
    data: TrainedData
    licence: str = "that of the training data"
    trained_from: str | None = None
    crop: CropStyle | None = None
    fit: Literal["cover", "stretch", "letterbox"] = "cover"
    measured: Mapping[str, Any] = field(default_factory=dict)
    golden: Golden | None = None
    notes: str = ""

    def __post_init__(self) -> None:
        if self.job not in get_args(Job):
            raise ConfigError(f"card: unknown job {self.job!r}")

    @property
    def model_id(self) -> ModelId:
        """Name and digest of the ONNX file."""
        return ModelId(self.name, self.sha256)

    def head(self, name: str) -> Head:
        """One head by name; raises `CardMismatch`."""
        for head in self.heads:
            if head.name == name:
                return head
        raise CardMismatch(f"{self.name}: its card has no output {name!r}")

    def save(self, folder: Path) -> None:
        """Write ``card.json``."""
        with replacing(folder / CARD_NAME, OWN) as file:
            json.dump(
                {"lineament_card": 1, **asdict(self)}, file, indent=1, sort_keys=True, allow_nan=False
            )
            file.write("\n")

    @classmethod
    def load(cls, folder: Path) -> TrainedCard:
        """Read a run folder's card; raises `ConfigError` when there is none or it is not one."""
        path = folder / CARD_NAME
        if not path.exists():
            raise ConfigError(added.without_card(folder))
        values = read_object(path)
        if values.pop("lineament_card", None) != 1:
            raise ConfigError(f"{path}: not a model card of lineament, or of a newer one")
        return from_mapping(cls, values, where=str(path))


@dataclass(frozen=True, slots=True, eq=False)
class TrainedModel:
    """An opened model: card and session."""

    card: TrainedCard
    session: Session

    def run(self, pixels: UInt8) -> dict[str, NDArray[np.float32]]:
        """uint8 RGB ``(N, H, W, 3)`` of the card's size -> its outputs by name."""
        return self.session.run({INPUT_NAME: golden.tensor(self.card, pixels)})


def _check(path: Path, model: TrainedModel) -> None:
    try:
        golden.check(model.card, model.run)
    except LineamentError:
        raise
    except Exception as error:  # each runtime has kinds of its own
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise ModelRefused(f"{path}: fails at the picture of its card: {lines[-1][:200]}") from error


def open_trained(folder: str | Path, *jobs: Job, precision: Precision = "exact") -> TrainedModel:
    """Open a run folder's model after checking it against its card.

    Raises `ConfigError` when there is no card or its job is none of ``jobs``, `DigestMismatch` when the
    file is another than the card's, `ModelRefused` for a graph that no runtime is given, and `CardMismatch`
    when it answers otherwise than the card says.
    """
    folder = Path(folder)
    card = TrainedCard.load(folder)
    if jobs and card.job not in jobs:
        raise ConfigError(f"{folder}: a model for {card.job}, not for {' or '.join(jobs)}")
    path = folder / card.file
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ConfigError(f"{folder}: its card names a file outside the folder")
    try:
        digest = sha256_of(path)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    if digest != card.sha256:
        raise DigestMismatch(str(path), card.sha256, digest, "train again, or restore the file")
    if card.golden is None:
        raise CardMismatch(
            f"{folder}: its card has no golden output, so nothing shows that the model is right"
        )
    model = TrainedModel(card, open_session(path, precision="exact"))
    _check(path, model)
    return model if precision == "exact" else TrainedModel(card, open_session(path, precision=precision))
