"""A trained network as an ONNX file with its card; refused when the two answer differently."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from lineament.errors import ExportMismatch
from lineament.io import golden
from lineament.io.catalog import Golden
from lineament.io.digests import sha256_of
from lineament.io.onnx import open_session
from lineament.io.trained import INPUT_NAME, MODEL_NAME, TrainedCard
from lineament.training.runs.folder import RunFolder
from lineament.training.telling import log

TOLERANCE = 1e-4
"""Largest difference between ONNX and torch, times the largest value of an output where that is above 1."""
GOLDEN_TOLERANCE = 0.02
"""Another processor's float32 differs by under 1e-4; a wrong mean or colour order by far more."""


def export(
    model: nn.Module,
    card: TrainedCard,
    run: RunFolder,
    *,
    any_size: bool = False,
    check_size: int | None = None,
) -> TrainedCard:
    """Write ``model.onnx`` and ``card.json`` into the run folder; returns the card with digest and answers.

    ``model`` takes float32 ``(N, C, S, S)`` as the card's input contract makes it and returns one tensor,
    or a tuple in the order of the card's heads. The batch is free; ``any_size`` frees height and width too.
    Raises `ExportMismatch` when ONNX and torch differ by more than 1e-4.
    """
    log.info("exporting to ONNX, and comparing")
    size = check_size or card.input.size
    assert size is not None, "a model for any size needs check_size"
    model = model.to("cpu").eval()
    pixels = np.stack([golden.picture(f"waves-{size}x{size}")] * 2)
    pixels[1] = 255 - pixels[1][:, ::-1]
    example = torch.from_numpy(golden.tensor(card, pixels))
    run.replace(
        MODEL_NAME, lambda path: _write(model, example, [h.name for h in card.heads], path, any_size)
    )
    path = run.path / MODEL_NAME
    session = open_session(path)
    noise = np.random.default_rng(0).standard_normal(example.shape).astype(np.float32)
    for tensor in (example.numpy(), noise, example.numpy()[:1]):
        with torch.no_grad():
            wanted = _named(model(torch.from_numpy(tensor)), [h.name for h in card.heads])
        require_equal(session.run({INPUT_NAME: tensor}), wanted, card.name)
    done = replace(card, file=MODEL_NAME, sha256=sha256_of(path), golden=None)
    name = f"waves-{size}x{size}"
    answer = golden.summary(session.run({INPUT_NAME: golden.tensor(card, golden.picture(name)[None])}))
    rounded = tuple(float(f"{value:.6g}") for value in answer)
    done = replace(done, golden=Golden(name, rounded, GOLDEN_TOLERANCE))
    done.save(run.path)
    return done


def require_equal(
    got: Mapping[str, np.ndarray[Any, Any]], wanted: Mapping[str, np.ndarray[Any, Any]], name: str
) -> None:
    """Raise `ExportMismatch` unless every output agrees to 1e-4, relative for values above 1."""
    for output, expected in wanted.items():
        actual = got.get(output)
        if actual is None or actual.shape != expected.shape:
            raise ExportMismatch(f"{name}: the ONNX file's output {output} is missing or of another shape")
        scale = max(1.0, float(np.abs(expected).max(initial=0)))
        gap = float(np.abs(actual - expected).max(initial=0))
        if not gap <= TOLERANCE * scale:
            raise ExportMismatch(
                f"{name}: ONNX and torch differ by {gap:.2g} in {output} (allowed: {TOLERANCE * scale:.2g})"
            )


def _write(
    model: nn.Module, example: torch.Tensor, outputs: Sequence[str], path: Path, any_size: bool
) -> None:
    shape: dict[int, Any] = {0: torch.export.Dim.DYNAMIC}
    if any_size:
        shape |= {2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                model,
                (example,),
                str(path),
                input_names=[INPUT_NAME],
                output_names=list(outputs),
                dynamic_shapes=(shape,),
                dynamo=True,
                external_data=False,
                verbose=False,
            )
    finally:
        logger.setLevel(before)


def _named(outputs: Any, names: Sequence[str]) -> dict[str, np.ndarray[Any, Any]]:
    tensors = outputs if isinstance(outputs, (tuple, list)) else (outputs,)
    return {name: tensor.numpy() for name, tensor in zip(names, tensors, strict=True)}
