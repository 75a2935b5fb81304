"""Pipelines: detector, landmarks, alignment and embedder as one system, with one id, thresholds and a cost.

A threshold holds for all of them together: other points move the similarities of the same embedder. So a
pipeline is named, its card says what was measured of it as a whole, and its embeddings carry its own id.
One TOML file a pipeline lies in ``lineament/catalog/pipelines``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from typing import Any, Final, Literal

from lineament import registry
from lineament.config import did_you_mean, from_mapping
from lineament.documents import toml_of
from lineament.errors import InsufficientData, LineamentError, ModelMismatch, UnknownName
from lineament.io import catalog
from lineament.io.catalog import MeasuredThreshold, ModelCard
from lineament.types import ModelId, Threshold

DEFAULT: Final = "light"
"""The pipeline where none is named."""

_WITHOUT_OPENVINO: Final = "classic"

OWN: Final = "pipeline"
"""Instead of an embedder's or a landmarker's name: that of the pipeline."""


NONE: Final = "none"
"""Instead of a landmarker's name: the detector's points stay."""


@dataclass(frozen=True, slots=True)
class PipelineCard:
    """What a pipeline is made of and what was measured of it as a whole.

    ``models`` are the cards of the files it needs. ``landmarks`` None aligns by the detector's own points.
    ``keeps`` names the model whose id and thresholds it has, for galleries older than pipelines; all others
    have ids of their own, which ``recipe`` changes when the way to the points does. ``cost`` holds the time
    that each stage takes of a photo with one face, as a multiple of SFace's time for a face.
    """

    name: str
    title: str
    detector: str
    embedder: str
    models: tuple[str, ...]
    landmarks: str | None = None
    keeps: str | None = None
    recipe: int = 1
    notes: str = ""
    measured: Mapping[str, float | str] = field(default_factory=dict)
    cost: Mapping[str, float | str] = field(default_factory=dict)
    thresholds: tuple[MeasuredThreshold, ...] = ()

    @property
    def model_id(self) -> ModelId:
        """The pipeline's name, and a digest of the way to the points, of the embedder, and of their files.

        The detector is no part of it: a face of a photo is one person's, whichever detector found it.
        """
        if self.keeps is not None:
            return catalog.card(self.keeps).model_id
        parts = [f"{self.landmarks} {self.embedder} {self.recipe}"]
        behind = [card for card in self.cards if card.job != "detection"]
        parts += [f"{file.name} {file.sha256}" for card in behind for file in card.files]
        return ModelId(self.name, hashlib.sha256("\n".join(parts).encode()).hexdigest())

    @property
    def cards(self) -> tuple[ModelCard, ...]:
        """The cards of its models."""
        return tuple(catalog.card(name) for name in self.models)

    @property
    def rows(self) -> tuple[MeasuredThreshold, ...]:
        """The measured thresholds."""
        return self.thresholds if self.keeps is None else catalog.card(self.keeps).thresholds

    @property
    def figures(self) -> Mapping[str, float | str]:
        """What was measured, by name."""
        return self.measured if self.keeps is None else catalog.card(self.keeps).measured

    @property
    def from_index(self) -> bool:
        """Whether the package index alone has every file."""
        return all(file.sources[0].kind == "wheel" for card in self.cards for file in card.files)

    def embeds_by(self, landmarks: object, embedder: object) -> bool:
        """Whether points and embedder are the pipeline's."""
        return landmarks == self.landmarks and _kernel(registry.embedders, embedder) == self.embedder

    def finds_by(self, detector: object) -> bool:
        """Whether a detector is the pipeline's, however it is set or wrapped."""
        return _kernel(registry.detectors, detector) == _kernel(registry.detectors, self.detector)


@dataclass(frozen=True, slots=True)
class Measured:
    """What decides for the embeddings of ``model``: measured thresholds."""

    model: ModelId
    rows: tuple[MeasuredThreshold, ...]

    def threshold(self, target_rate: float, kind: Literal["FMR", "FPIR"] = "FMR") -> Threshold:
        """The measured threshold for a target rate; raises as `catalog.threshold` does."""
        return catalog.threshold(self.model, self.rows, target_rate, kind)


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """What an analyzer is to be made of: a pipeline's parts, but for those given.

    ``detector`` None is the pipeline's, or that of a training (`lineament.attributes._finding`).
    """

    card: PipelineCard
    detector: Any
    landmarks: Any
    embedder: Any

    @property
    def of(self) -> PipelineCard | None:
        """The pipeline that embeddings are of: that with these points and this embedder, if any."""
        known = (self.card, *cards().values())
        return next((one for one in known if one.embeds_by(self.landmarks, self.embedder)), None)


def default() -> str:
    """The pipeline where none is named; without OpenVINO, in whose format the mesh is, one without."""
    return DEFAULT if find_spec("openvino") is not None else _WITHOUT_OPENVINO


def parts(pipeline: str | None, detector: Any, landmarks: Any, embedder: Any) -> Parts:
    """The parts of a pipeline (None: `default`) with those given in place of its own.

    Its points go with its embedder: another one is given the detector's, unless ``landmarks`` says which.
    Raises `UnknownName`.
    """
    chosen = card(default() if pipeline is None else pipeline)
    embedder = chosen.embedder if _says(embedder, OWN) else embedder
    if _says(landmarks, OWN):
        own = _kernel(registry.embedders, embedder) == chosen.embedder
        landmarks = chosen.landmarks if own else None
    elif _says(landmarks, NONE):
        landmarks = None
    return Parts(chosen, None if _says(detector, OWN) else detector, landmarks, embedder)


def _says(part: object, word: str) -> bool:
    return isinstance(part, str) and part == word


def detector_of(pipeline: str | None, detector: str | None) -> str | None:
    """The detector of a command that takes faces from one alone.

    What was named, else that of the pipeline that was; `OWN` is also that of the default pipeline. Raises
    `UnknownName`.
    """
    if detector == OWN or (detector is None and pipeline is not None):
        return card(default() if pipeline is None else pipeline).detector
    return detector


@cache
def cards() -> Mapping[str, PipelineCard]:
    """Every pipeline by name, as listed: the default first, then by cost."""
    entries = (files("lineament.catalog") / "pipelines").iterdir()
    found = [
        from_mapping(PipelineCard, toml_of(entry.read_text("utf-8")), where=entry.name)
        for entry in entries
        if entry.name.endswith(".toml")
    ]
    found.sort(key=lambda one: (one.name != DEFAULT, float(one.cost.get("total", 0))))
    return {one.name: one for one in found}


def card(name: str) -> PipelineCard:
    """One pipeline; raises `UnknownName` with the nearest name."""
    known = cards()
    if name not in known:
        raise UnknownName(
            f"no pipeline named {name!r}{did_you_mean(name, known)}; pipelines: {', '.join(known)}"
        )
    return known[name]


def model_cards(names: Iterable[str]) -> list[ModelCard]:
    """The cards of models, and of all that pipelines are made of, each once; raises `UnknownName`."""
    found: dict[str, ModelCard] = {}
    for name in names:
        if name in cards():
            found |= {one.name: one for one in cards()[name].cards}
        elif name in catalog.cards():
            found[name] = catalog.card(name)
        else:
            hint = did_you_mean(name, [*cards(), *catalog.cards()])
            raise UnknownName(f"no model or pipeline named {name!r}{hint}")
    return list(found.values())


def of(model: ModelId) -> PipelineCard | None:
    """The pipeline that embeddings of ``model`` are of, None where they are of no named one."""
    return next((one for one in cards().values() if one.model_id == model), None)


def measured(model: ModelId) -> Measured:
    """The thresholds measured for a model: its pipeline's, with the detector that each of them states.

    Raises `InsufficientData` for a model that nothing was measured for, such as an embedder trained here,
    and `ModelMismatch` for one whose name is known with other weights.
    """
    one = of(model)
    if one is not None:
        return Measured(model, one.rows)
    known = catalog.cards().get(model.name)
    if known is not None and known.model_id == model:
        return Measured(model, known.thresholds)
    if known is not None or model.name in cards():
        raise ModelMismatch(
            f"{model}: no threshold was measured for these weights, which are not those of this version of "
            "lineament: enrol anew, or measure one with: lineament calibrate"
        )
    raise InsufficientData(
        f"{model.name}: no threshold was measured for this model, so it decides nothing; measure one "
        "on your own people with: lineament calibrate"
    )


def require_threshold(threshold: Threshold, model: ModelId) -> None:
    """Raise `ModelMismatch`, saying how to go on, for a threshold that was measured for another model."""
    if threshold.model != model:
        one = of(threshold.model)
        use = "" if one is None else f"use it with --pipeline {one.name}, or "
        raise ModelMismatch(
            f"the threshold was measured for {told(threshold.model)}, the embeddings are of {told(model)}; "
            f"{use}measure one for these with: lineament calibrate"
        )


def told(model: ModelId) -> str:
    """A model by its pipeline's name, where it has one."""
    one = of(model)
    if one is None:
        return str(model)
    older = "older " if one.keeps is not None and one.name != DEFAULT else ""
    return f"the {older}pipeline {one.name} ({model})"


def unnamed(embedder: ModelId, points: str | None) -> ModelId:
    """The id of parts that are no named pipeline: the embedder's, and whose points aligned its faces."""
    return embedder if points is None else ModelId(f"{embedder.name}+{points}", embedder.sha256)


def _kernel(parts_of: registry.Registry[Any], spec: object) -> str | None:
    """The name that a spec's settings and wrappers are around; None for an object, or what is no spec."""
    if not isinstance(spec, str):
        return None
    try:
        return parts_of.innermost(spec)
    except LineamentError:
        return None
