"""``lineament analyze``: faces with landmarks, quality and attributes, by shipped or trained models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from lineament.cli.drawing import ScoresOption, SheetOption
from lineament.cli.options import (
    DEFAULT_PRECISION,
    AttributesOption,
    ClassifierOption,
    DrawOption,
    JsonOption,
    ModelsDetectorOption,
    PicturesArgument,
    PrecisionOption,
    RejectBelowOption,
    StrictOption,
    WorkersOption,
)
from lineament.counting import quantity

if TYPE_CHECKING:
    from lineament.attributes.trained import Trained


def analyze(
    paths: PicturesArgument,
    detector: ModelsDetectorOption = None,
    attributes: AttributesOption = None,
    classifier: ClassifierOption = None,
    reject_below: RejectBelowOption = None,
    age: Annotated[bool, typer.Option("--age", help="Estimate age in years.")] = False,
    gender: Annotated[bool, typer.Option("--gender", help="Estimate gender.")] = False,
    draw: DrawOption = None,
    scores: ScoresOption = False,
    sheet: SheetOption = None,
    json: JsonOption = None,
    strict: StrictOption = False,
    precision: PrecisionOption = DEFAULT_PRECISION,
    workers: WorkersOption = None,
) -> None:
    """Find faces and measure them: landmarks, pose, quality; attributes and who it is where asked.

    A model trained here is given by the folder of its training. Faces are found by the detector that cut
    its training pictures, unless another is named.
    """
    from lineament.analyzer import Analyzer
    from lineament.attributes.trained import open_classifiers
    from lineament.cli.pictures import run
    from lineament.errors import UsageError

    named = [name for name, wanted in (("age", age), ("gender", gender)) if wanted]
    if reject_below is not None and not classifier:
        raise UsageError("--reject-below is of a classifier; give its folder: --classifier DIR")
    people = open_classifiers(classifier or (), reject_below)
    asked = list(dict.fromkeys([*named, *(attributes or ())]))
    analyzer = Analyzer(
        detector=detector,
        attributes=[*asked, *people],
        precision=precision,
        workers=workers,
        keep_images=draw is not None or sheet is not None,
    )
    answers = [name for one in analyzer.attributes for name in one.names]
    columns = ("score", "box", "quality", "size", "yaw", "sharpness")
    run(
        analyzer,
        paths,
        json=json,
        strict=strict,
        draw=draw,
        columns=columns,
        attributes=answers,
        scores=scores,
        sheet=sheet,
        notes=[*analyzer.told, *(line for one in people for line in _of_strangers(one))],
    )


def _of_strangers(people: Trained) -> Iterator[str]:
    """What a classifier says of somebody it does not know."""
    name, count = people.card.name, len(people.card.heads[0].classes)
    if people.rejection is not None:
        named = people.rejection.record["named"]
        yield (
            f"{name} names nobody below {people.reject_below:.4f}; of {quantity(named['n'], 'face')} of "
            f"strangers it then named {named['value']:.1%} ({named['low']:.1%} to {named['high']:.1%})"
        )
        if (why := people.rejection.record.get("shortfall")) is not None:
            yield f"warning: {why}"
    elif people.reject_below:
        yield f"{name} names nobody below {people.reject_below:g}; how many strangers pass was not measured"
    elif people.card.heads[0].name == "subject":
        yield (
            f"{name} takes every face for one of its {quantity(count, 'person')}, a stranger's too; with "
            f"strangers about: `lineament evaluate strangers {name} PHOTOS` and --reject-below measured, "
            "or a gallery"
        )
