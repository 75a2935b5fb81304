"""Flags of the training commands: made of the settings, and each reaches its field."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from lineament.cli.main import app
from lineament.cli.train.options import given, options_of, settings_from
from lineament.errors import ConfigError
from lineament.training.attributes.settings import AttributesSettings, HeadSettings
from lineament.training.classification.settings import ClassifierSettings
from lineament.training.detection.settings import DetectorSettings, LocalizerSettings
from lineament.training.recognition.settings import EmbedderSettings
from lineament.training.sweeping.settings import SweepSettings

TRAINERS: dict[str, type] = {
    "attributes": AttributesSettings,
    "classifier": ClassifierSettings,
    "detector": DetectorSettings,
    "embedder": EmbedderSettings,
    "localizer": LocalizerSettings,
    "sweep": SweepSettings,
}
OWN = {"data", "out", "config", "sets", "json", "strict"}


@pytest.mark.parametrize("name", TRAINERS)
def test_a_command_has_a_flag_for_each_field_that_says_so(name: str) -> None:
    """The options of the command are those that all trainings have, and those of the fields."""
    command: Any = typer.main.get_command(app)
    found = {param.name for param in command.commands["train"].commands[name].params}
    fields = [option.parameter.name for option in options_of(TRAINERS[name])]
    assert len(set(fields)) == len(fields) and found == OWN | set(fields)


def told(cls: type, **flags: Any) -> Any:
    """The settings that flags make."""
    options = list(options_of(cls))
    unset = {option.parameter.name: option.parameter.default for option in options}
    assert flags.keys() <= unset.keys()
    return settings_from(cls, None, None, given(options, unset | flags))


def test_what_is_given_reaches_its_field_and_what_is_not_stays() -> None:
    """Also 0, which is given, and those of nested settings; lists and heads are read from words."""
    assert told(ClassifierSettings) == ClassifierSettings()
    one = told(ClassifierSettings, seed=0, epochs=3, augment="flip rotate:20", label="mood", size=64)
    assert (one.loop.seed, one.loop.epochs, one.augment) == (0, 3, ("flip", "rotate:20"))
    assert (one.label, one.size, one.weights) == ("mood", 64, "auto")
    assert told(AttributesSettings, augment="none").augment == ()
    attributes = told(AttributesSettings, head=["age:unit=years"], labels=Path("labels.csv"))
    assert attributes.heads == (HeadSettings("age", unit="years"),) and attributes.labels == Path(
        "labels.csv"
    )
    assert told(EmbedderSettings, centres_share=0.1, fmr=0.01).centres.share == 0.1
    assert told(DetectorSettings, one_class=True).one_class and not told(DetectorSettings).one_class
    grid = told(SweepSettings, seeds="0,7", weights=["a=b.pth", "c=d.pth"], architectures="vgg16")
    assert grid.seeds == (0, 7) and grid.weights == ("a=b.pth", "c=d.pth")
    with pytest.raises(ConfigError, match="cosine"):
        told(EmbedderSettings, loss="cosine")


def test_help_needs_no_torch() -> None:
    """The flags are known without the extra of training, which takes seconds to import."""
    program = (
        "import sys; sys.modules['torch'] = None\n"
        "from lineament.cli.main import app\n"
        "assert not {'torchvision', 'numpy', 'cv2'} & sys.modules.keys()\n"
        "app(['train', 'embedder', '--help'])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "--centres-share" in done.stdout and "--learning-rate RATE" in done.stdout


def test_flags_come_over_the_file_and_set_over_flags(tmp_path: Path) -> None:
    """Of a setting given thrice ``--set`` counts, then the flag, then the file."""
    file = tmp_path / "told.toml"
    file.write_text("size = 32\nvariants = 3\n[loop]\nepochs = 2\n")
    one = settings_from(ClassifierSettings, file, ["loop.epochs=9"], {"size": 64, "loop.epochs": 5})
    assert (one.size, one.variants, one.loop.epochs) == (64, 3, 9)


def test_a_wrong_flag_is_an_error_before_anything_is_read(tmp_path: Path) -> None:
    """A word where a number is due, and a name nobody knows, are told with the flag or the choices."""
    run = CliRunner().invoke(
        app, ["train", "classifier", "x", "--out", str(tmp_path / "o"), "--size", "big"]
    )
    assert run.exit_code == 2 and "--size" in run.output
    run = CliRunner().invoke(
        app, ["train", "classifier", "x", "--out", str(tmp_path / "o"), "--method", "y"]
    )
    assert isinstance(run.exception, ConfigError) and "fine-tuning" in str(run.exception)
    assert not (tmp_path / "o").exists()
