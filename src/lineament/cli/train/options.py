"""Options that all trainers share, and settings from a file, flags and ``--set``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from lineament.cli.targets import Writes
from lineament.errors import ConfigError, MissingExtra

if TYPE_CHECKING:
    from lineament.cli.output import Report

C = TypeVar("C")

DataArgument = Annotated[
    Path, typer.Argument(metavar="DATA", help="A manifest with splits, or the folder of one.")
]
OutOption = Annotated[
    Path,
    typer.Option("--out", metavar="DIR", help="The run folder; an unfinished one is gone on with."),
    Writes(),
]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="Settings as TOML; see configs/.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="One setting, over the file: loop.epochs=5."),
]
RANDOM_WEIGHTS = "random weights"
WeightsOption = Annotated[
    str | None,
    typer.Option(
        "--weights",
        metavar="none|imagenet|FILE|RUN",
        help="Weights to start from; a .pth or .safetensors file.",
    ),
]


def settings_from(
    cls: type[C], config: Path | None, sets: list[str] | None, flags: Mapping[str, Any] | None = None
) -> C:
    """The settings dataclass of a trainer: the file, then flags that were given, then ``--set``.

    A key with dots goes into a table: ``loop.epochs``. Raises `ConfigError`.
    """
    from lineament.config import from_mapping
    from lineament.documents import read_toml

    values: dict[str, Any] = {}
    where = "settings"
    if config is not None:
        where = str(config)
        values = read_toml(config)
    for key, value in (flags or {}).items():
        if value is not None:
            _put(values, key, value)
    for item in sets or []:
        key, equals, value = item.partition("=")
        if not equals:
            raise ConfigError(f"--set {item!r}: expected KEY=VALUE")
        _put(values, key.strip(), value.strip())
    return from_mapping(cls, values, where=where)


def _put(values: dict[str, Any], key: str, value: Any) -> None:
    *tables, last = key.replace("-", "_").split(".")
    for table in tables:
        values = values.setdefault(table, {})
        if not isinstance(values, dict):
            raise ConfigError(f"{key}: {table} is no table")
    values[last] = value


def steps_of(text: str) -> list[str]:
    """Augmentation steps from ``--augment``: spaces between, or ``default``, or ``none``."""
    from lineament.datasets.augment.pipeline import DEFAULT

    return {"default": list(DEFAULT), "none": []}.get(text.strip(), text.split())


def rate_text(rate: Mapping[str, float | None], digits: int = 3) -> str:
    """A rate of a trainer's result with its interval, as a table shows it."""
    from lineament.scoring.rate import Rate

    one = Rate.from_json(rate)
    return f"{one.value:.{digits}f} ({one.span(f'.{digits}f')})"


def tell_exam(report: Report, result: Mapping[str, Any]) -> None:
    """Say of figures of val that they flatter."""
    if "note" in result:
        report.say(result["note"])


def require_torch() -> None:
    """Raise `MissingExtra` without the training libraries."""
    import importlib.util

    if any(importlib.util.find_spec(name) is None for name in ("torch", "torchvision", "safetensors")):
        raise MissingExtra("training", "train")
