"""What a trained model's card says of its input and its data."""

from __future__ import annotations

from collections import Counter

from lineament.datasets.extraction.extract_photo import turning
from lineament.errors import ConfigError
from lineament.geometry.crop_style import CropStyle
from lineament.io.catalog import InputContract
from lineament.io.manifest import Manifest
from lineament.io.trained import TrainedData
from lineament.training.settings import Normalise

_IMAGENET = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
_UNIT = ((0.0, 0.0, 0.0), (255.0, 255.0, 255.0))


def contract(size: int, normalise: Normalise = "imagenet") -> InputContract:
    """RGB of a size, with ImageNet's mean and deviation, or scaled to 0..1."""
    mean, std = _IMAGENET if normalise == "imagenet" else _UNIT
    return InputContract("RGB", size=size, mean=mean, std=std)


def crop_of(manifest: Manifest) -> tuple[CropStyle | None, str]:
    """How the rows were cut from photos, and a note on it for the card.

    From the step ``extract``; None for rows that are whole pictures.
    """
    for step in reversed(manifest.steps):
        told = step.get("settings")
        if step.get("step") == "extract" and isinstance(told, dict) and "size" in told:
            try:
                style = CropStyle(int(told["size"]), told.get("margin"), bool(told.get("align", False)))
            except (TypeError, ValueError, ConfigError):
                break
            return style, "Trained on face crops; a face is cut from its photo in the same way."
    return None, (
        "Trained on whole pictures: nothing says how faces were cut. In a photo a square about the box is "
        "taken, a quarter of its longer side added on each side, which may not be what it was trained on."
    )


def data_of(manifest: Manifest) -> TrainedData:
    """The data of a training as a card tells them: digest, usable rows by split, subjects, steps."""
    usable = [row for row in manifest if row.outcome == "ok" and row.split is not None]
    return TrainedData(
        digest=manifest.digest(),
        rows=dict(sorted(Counter(str(row.split) for row in usable).items())),
        subjects=len({row.subject for row in usable if row.subject is not None}),
        steps=tuple(str(step.get("step")) for step in manifest.steps),
        detector=detector_of(manifest),
    )


def detector_of(manifest: Manifest) -> str | None:
    """The detector by whose boxes the rows were cut from photos, as the last step ``extract`` tells."""
    for step in reversed(manifest.steps):
        told = step.get("settings")
        if step.get("step") == "extract" and isinstance(told, dict):
            spec, rotate = told.get("detector"), told.get("rotate")
            if told.get("from_boxes") or not isinstance(spec, str):
                return None
            return spec if rotate is None else turning(spec, float(rotate))
    return None
