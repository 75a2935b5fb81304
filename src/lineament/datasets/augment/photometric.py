"""Steps that change grey levels and leave every pixel, box and landmark where it is."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from lineament.datasets.augment.view import FloatPixels, View
from lineament.errors import ConfigError
from lineament.types import Float64, UInt8

_LEVELS = np.arange(256) / 255


@dataclass(frozen=True, slots=True)
class Brightness:
    """Add up to +-``amount`` of full scale to every level."""

    amount: float = 0.15

    def __post_init__(self) -> None:
        _check("brightness", self.amount, 1)

    def __call__(self, view: View, rng: np.random.Generator) -> View:
        """Lighter or darker."""
        return _mapped(view, _LEVELS + rng.uniform(-self.amount, self.amount))


@dataclass(frozen=True, slots=True)
class Contrast:
    """Stretch the levels about the picture's mean by a factor in 1 +- ``amount``."""

    amount: float = 0.2

    def __post_init__(self) -> None:
        _check("contrast", self.amount, 1)

    def __call__(self, view: View, rng: np.random.Generator) -> View:
        """Harder or softer."""
        mean = float(view.pixels.mean()) / 255
        return _mapped(view, mean + (_LEVELS - mean) * (1 + rng.uniform(-self.amount, self.amount)))


@dataclass(frozen=True, slots=True)
class Gamma:
    """Raise the levels, in [0, 1], to a power between 1/``most`` and ``most``, 1 being the middle."""

    most: float = 1.3

    def __post_init__(self) -> None:
        if not 1 <= self.most <= 10:
            raise ConfigError(f"gamma: {self.most} is not in [1, 10]")

    def __call__(self, view: View, rng: np.random.Generator) -> View:
        """Mid-tones lighter or darker; black and white stay."""
        return _mapped(view, _LEVELS ** math.exp(rng.uniform(-1, 1) * math.log(self.most)))


@dataclass(frozen=True, slots=True)
class Exposure:
    """Multiply the *light* by a factor in 1 +- ``percent`` / 100, as a longer or shorter exposure does.

    Levels go through the transfer curve of sRGB (IEC 61966-2-1) to linear light and back.
    """

    percent: float = 16.0

    def __post_init__(self) -> None:
        _check("exposure", self.percent, 100)

    def __call__(self, view: View, rng: np.random.Generator) -> View:
        """More or less exposed."""
        linear = np.where(_LEVELS <= 0.04045, _LEVELS / 12.92, ((_LEVELS + 0.055) / 1.055) ** 2.4)
        light = np.clip(linear * (1 + rng.uniform(-self.percent, self.percent) / 100), 0, 1)
        return _mapped(
            view, np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
        )


@dataclass(frozen=True, slots=True)
class Blur:
    """Gaussian blur, its sigma uniform in [0, ``sigma``] pixels."""

    sigma: float = 1.0

    def __post_init__(self) -> None:
        _check("blur", self.sigma, 100)

    def __call__(self, view: View, rng: np.random.Generator) -> View:
        """Softer."""
        import cv2

        sigma = rng.uniform(0, self.sigma)
        # Below this the kernel is a single pixel.
        if sigma < 0.05:
            return view
        blurred = cv2.GaussianBlur(view.pixels, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
        return replace(view, pixels=np.asarray(blurred, np.uint8))


@dataclass(frozen=True, slots=True)
class Noise:
    """Gaussian noise on each pixel and channel, its sigma uniform in [0, ``sigma``] levels."""

    sigma: float = 6.0

    def __post_init__(self) -> None:
        _check("noise", self.sigma, 255)

    def __call__(self, view: View, rng: np.random.Generator) -> View:
        """Grainier."""
        sigma = np.float32(rng.uniform(0, self.sigma))
        noise = rng.standard_normal(view.pixels.shape, np.float32) * sigma
        noisy = np.clip(np.rint(view.pixels + noise), 0, 255).astype(np.uint8)
        return replace(view, pixels=noisy)


@dataclass(frozen=True, slots=True)
class Normalise:
    """``(level / 255 - mean) / std`` as float32: the last step before a network, never written to disk.

    The default takes [0, 255] to [-1, 1]. One number for all channels; a model's own mean and deviation a
    channel belong to its input contract.
    """

    mean: float = 0.5
    std: float = 0.5

    def __post_init__(self) -> None:
        if not self.std > 0:
            raise ConfigError(f"normalise: std {self.std} is not above 0")

    def __call__(self, pixels: UInt8) -> FloatPixels:
        """Float32 ``(H, W, 3)``."""
        return np.asarray((pixels / np.float32(255) - self.mean) / self.std, np.float32)


def _mapped(view: View, levels: Float64) -> View:
    table = np.rint(np.clip(levels, 0, 1) * 255).astype(np.uint8)
    return replace(view, pixels=table[view.pixels])


def _check(name: str, value: float, most: float) -> None:
    if not 0 <= value <= most:
        raise ConfigError(f"{name}: {value} is not in [0, {most}]")
