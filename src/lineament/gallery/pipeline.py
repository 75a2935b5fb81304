"""Which pipeline a gallery belongs to: embeddings of two are never mixed, and how to move is said."""

from __future__ import annotations

from dataclasses import replace

from lineament import pipelines
from lineament.errors import ModelMismatch
from lineament.pipelines import OWN, PipelineCard, told
from lineament.settings import AnalyzerSettings
from lineament.types import ModelId


def following(settings: AnalyzerSettings, held: ModelId | None) -> AnalyzerSettings:
    """The settings with the pipeline that a gallery belongs to, where they name none and no parts."""
    one = None if held is None else pipelines.of(held)
    named = settings.pipeline is not None or (settings.embedder, settings.landmarks) != (OWN, OWN)
    if one is None or named or one.name == pipelines.default():
        return settings
    return replace(settings, pipeline=one.name)


def require(held: ModelId | None, asked: ModelId) -> None:
    """Raise `ModelMismatch`, saying how to go on, where a gallery holds embeddings of another model."""
    if held is None or held == asked:
        return
    one = pipelines.of(held)
    open_it = (
        "open it with what made it"
        if one is None
        else f"open it with --pipeline {one.name} (in Python: Analyzer(pipeline={one.name!r}))"
    )
    raise ModelMismatch(
        f"the gallery holds embeddings of {told(held)}, not of {told(asked)}, and similarities between the "
        f"two mean nothing: {open_it}, or {moving(asked)}"
    )


def moving(to: ModelId) -> str:
    """How people come into a gallery of another model: from their photos; none can be converted."""
    one = pipelines.of(to)
    option = "" if one is None else f" --pipeline {one.name}"
    return (
        "enrol the photos anew into another gallery: "
        f"lineament gallery enrol PHOTOS --gallery sqlite:NEW.db{option}"
    )


def belongs(held: ModelId | None) -> list[str]:
    """What to say of a gallery's pipeline: its name, and how to move from an older one to the default."""
    if held is None:
        return []
    return older(held) or [f"it belongs to {told(held)}"]


def older(held: ModelId | None) -> list[str]:
    """What to say where a gallery belongs to an older pipeline; nothing otherwise."""
    one = None if held is None else pipelines.of(held)
    if held is None or one is None or not _older(one):
        return []
    default = pipelines.card(pipelines.DEFAULT)
    return [
        f"the gallery belongs to {told(held)} and goes on as it is; {default.name} errs less "
        f"(lineament models list). To move, {moving(default.model_id)}"
    ]


def _older(one: PipelineCard) -> bool:
    """Whether it stands for what galleries held before there were pipelines, and another is the default."""
    return one.keeps is not None and one.name != pipelines.DEFAULT
