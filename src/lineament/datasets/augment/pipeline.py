"""Steps in a row, drawn anew for each picture and epoch and yet the same every time.

Steps are written as text, ``flip rotate:deg=20 inside:blur:sigma=2``: a name, then settings as
``key=value,key=value``; a value alone sets the first one. ``inside:`` before a step keeps it to the box.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from lineament.config import did_you_mean, from_mapping
from lineament.datasets.augment import geometric, photometric
from lineament.datasets.augment.inside import Inside
from lineament.datasets.augment.sight import taken
from lineament.datasets.augment.view import FloatPixels, Step, View
from lineament.errors import ConfigError, UnknownName
from lineament.types import UInt8

STEPS: dict[str, type] = {
    "flip": geometric.Flip,
    "rotate": geometric.Rotate,
    "zoom": geometric.Zoom,
    "crop": geometric.Crop,
    "brightness": photometric.Brightness,
    "contrast": photometric.Contrast,
    "gamma": photometric.Gamma,
    "exposure": photometric.Exposure,
    "blur": photometric.Blur,
    "noise": photometric.Noise,
    "normalise": photometric.Normalise,
}
DEFAULT = ("flip", "rotate:20", "zoom:high=30", "exposure:16", "contrast", "gamma", "blur", "noise")
"""Moderate changes that leave a face recognisable."""


def parse(spec: str) -> Step | photometric.Normalise:
    """One step from text; raises `UnknownName` or `ConfigError`."""
    name, _, tail = spec.strip().partition(":")
    if name == "inside":
        inner = parse(tail)
        if isinstance(inner, photometric.Normalise):
            raise ConfigError("inside: normalise works on whole pictures only")
        return Inside(inner)
    if name not in STEPS:
        raise UnknownName(f"no augmentation named {name!r}{did_you_mean(name, [*STEPS, 'inside'])}")
    cls = STEPS[name]
    settings: dict[str, Any] = {}
    for part in filter(None, tail.split(",")):
        key, equals, value = part.partition("=")
        settings[key if equals else fields(cls)[0].name] = value if equals else key
    step: Step | photometric.Normalise = from_mapping(cls, settings, where=f"augmentation {name}")
    return step


class Pipeline:
    """Random steps with a seed; calling it changes one picture.

    The draw depends on the seed, the picture's ``key`` (its row id) and the ``epoch`` alone, not on order
    or worker, so that any picture of any run can be made again. Each step draws from its own stream:
    appending a step leaves what the earlier ones do. Faces leave the picture by one rule
    (`lineament.datasets.augment.sight`). Bits are the same for one version of NumPy and
    OpenCV. Raises `UnknownName` or `ConfigError` for steps that make no sense.
    """

    def __init__(self, steps: Sequence[str] = DEFAULT, *, seed: int = 0) -> None:
        self.specs = tuple(spec.strip() for spec in steps)
        self.seed = seed
        parsed = [parse(spec) for spec in self.specs]
        self.normalise: photometric.Normalise | None = None
        self._steps: list[Step] = []
        for step in parsed:
            if self.normalise is not None:
                raise ConfigError("normalise comes last: the other steps work on grey levels")
            if isinstance(step, photometric.Normalise):
                self.normalise = step
            else:
                self._steps.append(step)

    def __call__(
        self, pixels: UInt8, boxes: Any = None, landmarks: Any = None, *, key: str, epoch: int = 0
    ) -> View:
        """The picture, uint8 ``(H, W, 3)``, its boxes ``(N, 4)`` and landmarks ``(N, 5, 2)``, changed."""
        view = View.of(pixels, boxes, landmarks)
        for number, step in enumerate(self._steps):
            view = taken(step, view, self._stream(key, epoch, number))
        return view

    def floats(self, view: View) -> FloatPixels:
        """The view's pixels as the network reads them: float32 ``(H, W, 3)``, [0, 1] without normalise."""
        normalise = self.normalise or photometric.Normalise(0.0, 1.0)
        return normalise(view.pixels)

    def _stream(self, key: str, epoch: int, number: int) -> np.random.Generator:
        text = f"augment\0{self.seed}\0{key}\0{epoch}\0{number}"
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "big")))
