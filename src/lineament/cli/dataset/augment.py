"""``lineament dataset augment``: changed copies of training pictures, or a look at them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lineament.cli.dataset.app import app
from lineament.cli.options import JsonOption
from lineament.cli.targets import Writes
from lineament.counting import quantity
from lineament.io.own_files import MANIFEST, SHEET

if TYPE_CHECKING:
    from lineament.cli.output import Report
    from lineament.datasets.augment.materialise import Materialised
    from lineament.io.manifest import Manifest


@app.command("augment")
def augment(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="A split manifest, or a folder a person.")],
    factor: Annotated[
        int | None, typer.Option("--factor", help="Pictures afterwards for one before: 10 makes 50 to 500.")
    ] = None,
    preview: Annotated[
        Path | None,
        typer.Option("--preview", metavar="PNG", help="Draw a sheet; alone, nothing else is done."),
        Writes(SHEET),
    ] = None,
    step: Annotated[
        list[str] | None,
        typer.Option(
            "--step", help="flip, rotate:20, inside:blur:2 ... in order; default: a moderate set."
        ),
    ] = None,
    split: Annotated[
        str, typer.Option("--split", help="Only train is accepted; any other is refused.")
    ] = "train",
    unsplit: Annotated[
        bool, typer.Option("--unsplit", help="The data has no splits: all of it is for training.")
    ] = False,
    suffix: Annotated[str, typer.Option("--format", metavar="jpg|png", help="Of the copies.")] = "jpg",
    seed: Annotated[int, typer.Option("--seed", help="The same seed makes the same copies.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="PATH", help="To write; default: augmented.jsonl."),
        Writes(MANIFEST),
    ] = None,
    json: JsonOption = None,
) -> None:
    """Augment the training split, deterministic for a seed; boxes and landmarks follow."""
    from lineament.cli.output import Report, progress
    from lineament.cli.refusals import Refusals
    from lineament.datasets.augment.materialise import faces_of, materialise, training_rows
    from lineament.datasets.augment.pipeline import DEFAULT, Pipeline
    from lineament.datasets.augment.sheet import sheet
    from lineament.datasets.opening import open_dataset
    from lineament.datasets.placing import save_step
    from lineament.errors import ConfigError, PictureError
    from lineament.io import images
    from lineament.io.own_files import SHEET
    from lineament.io.writing import require

    if factor is None and preview is None:
        raise ConfigError("say --factor, to write copies, or --preview, to look at some")
    if suffix not in ("jpg", "png"):
        raise ConfigError(f"--format: {suffix!r} is neither jpg nor png")
    manifest = open_dataset(data)
    pipeline = Pipeline(step or DEFAULT, seed=seed)
    pictures = training_rows(manifest, split=split, unsplit=unsplit)
    with Report(json) as report:
        if preview is not None:
            photos = []
            for _, faces in sorted(pictures.items(), key=lambda item: item[1][0].id):
                try:
                    pixels = images.load(manifest.file(faces[0])).pixels
                except PictureError as error:
                    report.say(f"not on the sheet: {faces[0].path}: {type(error).__name__}: {error}")
                    continue
                photos.append((faces[0].id, faces_of(pixels, faces)))
                if len(photos) == 6:
                    break
            if not photos:
                raise PictureError("none of the pictures can be read")
            images.save(preview, sheet(pipeline, photos), kind=SHEET)
            report.say(f"written: {preview}")
        if factor is None:
            report.line({"preview": str(preview)})
            return
        target = out or manifest.folder / "augmented.jsonl"
        require(target, MANIFEST)
        journal = target.with_name(f".{target.name}.journal")
        with progress(len(pictures), "augmenting") as advance:
            result = materialise(
                manifest,
                pipeline,
                factor,
                suffix=".png" if suffix == "png" else ".jpg",
                unsplit=unsplit,
                journal=journal,
                advance=advance,
            )
        path = save_step(result.manifest, target)
        journal.unlink(missing_ok=True)
        report.line({"manifest": str(path), "preview": preview and str(preview), **result.to_json()})
        report.say(
            f"{quantity(result.made, 'copy')} of {quantity(len(pictures), 'picture')}, {result.resumed} "
            "of them from before"
        )
        _tell(report, manifest, result)
        report.say(f"written: {path}")
        refusals = Refusals()
        for name, reason in result.refused.items():
            refusals.add(reason, name)
        refusals.tell(report)


def _told(balance: Mapping[str, int]) -> str:
    with_face, without = balance["with_face"], balance["without_face"]
    return f"{with_face:,} : {without:,}" + (f" ({with_face / without:.2g} to 1)" if without else "")


def _tell(report: Report, manifest: Manifest, result: Materialised) -> None:
    from lineament.datasets.importing.labels import boxes_of
    from lineament.kinds import noun

    kinds = boxes_of(manifest)
    report.say(
        f"training pictures with and without a {noun(kinds, 1)}: {_told(result.before)} before, "
        f"{_told(result.after)} now"
    )
    if result.out_of_view:
        things = noun(kinds, result.out_of_view)
        report.say(f"{result.out_of_view} {things} left their copy's picture and have no row there")
