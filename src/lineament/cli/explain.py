"""``lineament explain``: seeing inside trained models and inside a match."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lineament.cli.options import (
    DEFAULT_PRECISION,
    DetectorOption,
    EmbedderOption,
    FirstArgument,
    JsonOption,
    ModelsDetectorOption,
    PrecisionOption,
    SecondArgument,
)
from lineament.cli.targets import Writes
from lineament.counting import quantity

if TYPE_CHECKING:
    from lineament.explain.impostors import Impostor
    from lineament.protocols import Detector
    from lineament.types import UInt8

app = typer.Typer(no_args_is_help=True, help="See inside trained models and inside a match.")

OutOption = Annotated[
    Path,
    typer.Option("--out", metavar="DIR", help="Where the pictures and arrays (.npy) go."),
    Writes(apart=True),
]
RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a finished training.")]
PictureArgument = Annotated[str, typer.Argument(metavar="PICTURE", help="A photo.")]
WholeOption = Annotated[
    bool, typer.Option("--whole", help="The picture is a crop already: find no face, cut nothing.")
]


@app.command("filters")
def filters(
    model: Annotated[Path, typer.Argument(metavar="RUN|FILE", help="A run folder, or an ONNX file.")],
    *,
    out: OutOption,
    json: JsonOption = None,
) -> None:
    """Draw the filters of the first layer: filters.png, filters.npy."""
    from lineament.cli.output import Report
    from lineament.explain.filters import first_filters
    from lineament.plots import canvas
    from lineament.plots.maps import filters_figure

    layer = first_filters(model)
    shape = "x".join(map(str, layer.weights.shape))
    with Report(json) as report:
        _save(out, "filters", layer.weights)
        path = canvas.save(filters_figure(layer.weights, f"{layer.name}  {shape}"), out / "filters.png")
        report.line({"layer": layer.name, "shape": list(layer.weights.shape), "figure": str(path)})
        report.say(f"layer {layer.name}, {shape}: {path} and {out / 'filters.npy'}")


@app.command("activations")
def activations(
    run: RunArgument,
    picture: PictureArgument,
    *,
    out: OutOption,
    layer: Annotated[
        list[str] | None,
        typer.Option("--layer", metavar="NAME", help="Which; may be repeated. Default: spread over depth."),
    ] = None,
    layers: Annotated[int, typer.Option("--layers", min=1, help="How many, where none is named.")] = 6,
    detector: ModelsDetectorOption = None,
    whole: WholeOption = False,
    json: JsonOption = None,
) -> None:
    """Draw the feature maps of a face layer by layer: activations.png, and one .npy a layer."""
    from lineament.cli.output import Report
    from lineament.explain.activations import feature_maps
    from lineament.explain.crops import seen_by
    from lineament.explain.graph import Graph
    from lineament.plots import canvas
    from lineament.plots.maps import feature_maps_figure

    graph = Graph.of_run(run)
    assert graph.card is not None
    crop = seen_by(graph.card, picture, detector=detector, whole=whole)
    found = feature_maps(graph, crop, layer or (), most=layers)
    with Report(json) as report:
        names = [f"activations-{number:02d}" for number in range(len(found))]
        for name, one in zip(names, found, strict=True):
            _save(out, name, one.maps)
        figure = feature_maps_figure(crop, [(one.layer, one.maps) for one in found])
        path = canvas.save(figure, out / "activations.png")
        told = [
            {"layer": one.layer, "shape": list(one.maps.shape), "file": f"{name}.npy"}
            for name, one in zip(names, found, strict=True)
        ]
        every = [one.name for one in graph.layers()]
        report.line({"layers": told, "figure": str(path), "all_layers": every})
        rows = [(one["layer"], "x".join(map(str, one["shape"])), one["file"]) for one in told]
        report.table(None, ("layer", "channels x rows x columns", "array"), rows)
        report.say(f"figure: {path}")
        report.listing(f"{quantity(len(every), 'layer')} to choose from with --layer", every)


@app.command("saliency")
def saliency(
    run: RunArgument,
    picture: PictureArgument,
    *,
    out: OutOption,
    head: Annotated[
        str | None, typer.Option("--head", metavar="NAME", help="Which output, where there are several.")
    ] = None,
    target: Annotated[
        str | None,
        typer.Option("--class", metavar="NAME", help="What speaks for this class; default: the likeliest."),
    ] = None,
    detector: ModelsDetectorOption = None,
    whole: WholeOption = False,
    json: JsonOption = None,
) -> None:
    """Show where a classifier or attribute model looks (Grad-CAM): saliency.png, saliency.npy."""
    from lineament.cli.output import Report
    from lineament.explain.crops import seen_by
    from lineament.explain.graph import Graph
    from lineament.explain.saliency import grad_cam
    from lineament.plots import canvas
    from lineament.plots.heat import heat_figure

    graph = Graph.of_run(run)
    assert graph.card is not None
    crop = seen_by(graph.card, picture, detector=detector, whole=whole)
    found = grad_cam(graph, crop, head=head, target=target)
    with Report(json) as report:
        _save(out, "saliency", found.heat)
        title = f"{found.head}: {found.target} ({found.value:.2f})"
        path = canvas.save(heat_figure(crop, found.heat, title, "speaks for it"), out / "saliency.png")
        report.line({"head": found.head, "target": found.target, "value": found.value, "figure": str(path)})
        report.say(f"{title}: {path} and {out / 'saliency.npy'}")
        if not found.heat.any():
            report.say("no place speaks for this answer: the map is empty")


@app.command("match")
def match(
    a: FirstArgument,
    b: SecondArgument,
    *,
    out: OutOption,
    embedder: EmbedderOption = "sface",
    patch: Annotated[
        int | None, typer.Option("--patch", metavar="PIXELS", help="Side of what is hidden at a time.")
    ] = None,
    stride: Annotated[int | None, typer.Option("--stride", metavar="PIXELS")] = None,
    people: Annotated[
        Path | None,
        typer.Option("--people", metavar="DIR", help="A folder a person: show the nearest impostors."),
    ] = None,
    gallery: Annotated[
        str | None,
        typer.Option("--gallery", metavar="URL", help="The same from a gallery, without pictures."),
    ] = None,
    leave_out: Annotated[
        list[str] | None,
        typer.Option("--leave-out", metavar="SUBJECT", help="No impostor: this is the person; repeatable."),
    ] = None,
    most: Annotated[int, typer.Option("--impostors", min=1, help="How many of each face.")] = 5,
    detector: DetectorOption = "yunet",
    precision: PrecisionOption = DEFAULT_PRECISION,
    json: JsonOption = None,
) -> None:
    """Show what a similarity rests on: match.png, match-a.npy, match-b.npy; impostors.png.

    One patch after another is hidden. Red places carry the similarity, blue ones speak against it. No
    threshold is applied and nothing is decided.
    """
    from lineament.analyzer import Analyzer
    from lineament.cli.output import Report, progress
    from lineament.errors import UsageError
    from lineament.explain import impostors
    from lineament.explain.crops import aligned
    from lineament.explain.match import occlude
    from lineament.io import sources
    from lineament.plots import canvas
    from lineament.plots.heat import pair_figure

    if people is not None and gallery is not None:
        raise UsageError("give --people or --gallery, not both")
    with (
        Report(json) as report,
        Analyzer(detector, embedder, precision=precision, quality=False) as analyzer,
    ):
        assert analyzer.embedder is not None
        model = analyzer.embedder
        crops = [aligned(name, model.crop_size, detector=analyzer.detector) for name in (a, b)]
        found = occlude(model, *crops, patch=patch, stride=stride)
        for name, heat in (("match-a", found.first), ("match-b", found.second)):
            _save(out, name, heat)
        title = f"similarity {found.similarity:.3f} ({model.model.name})"
        heats = (found.first, found.second)
        path = canvas.save(
            pair_figure(crops, heats, (Path(a).name, Path(b).name), title), out / "match.png"
        )
        report.say(f"{title}: {path}, {out / 'match-a.npy'} and {out / 'match-b.npy'}")
        answer: dict[str, Any] = {
            "similarity": found.similarity,
            "patch": found.patch,
            "stride": found.stride,
        }
        answer |= {"model": str(model.model), "figure": str(path)}
        if people is None and gallery is None:
            report.line(answer)
            return
        out_of = set(leave_out or ())
        probes = impostors.unit(analyzer, crops)
        if gallery is not None:
            near = [
                impostors.nearest_enrolled(probe, model.model, gallery, leave_out=out_of, most=most)
                for probe in probes
            ]
        else:
            assert people is not None
            count = sum(len(files) for _, files in sources.people(people))
            with progress(count, "pictures") as advance:
                others = impostors.crowd(people, analyzer, advance=advance)
            near = [impostors.nearest(probe, others, leave_out=out_of, most=most) for probe in probes]
            for failure, reason in others.failures.items():
                report.say(f"left out: {failure}: {reason}")
            answer["left_out"] = others.failures
            _draw_impostors(out, (a, b), crops, near, analyzer.detector)
            report.say(f"figure: {out / 'impostors.png'}")
        answer["impostors"] = {
            name: [{"subject": i.subject, "similarity": i.similarity, "picture": i.picture} for i in found_]
            for name, found_ in zip(("a", "b"), near, strict=True)
        }
        report.line(answer)
        rows = [
            (name, rank, i.subject, i.similarity, i.picture)
            for name, found_ in zip(("A", "B"), near, strict=True)
            for rank, i in enumerate(found_, 1)
        ]
        report.table("Nearest impostors", ("of", "rank", "subject", "similarity", "picture"), rows)


def _draw_impostors(
    out: Path,
    names: Sequence[str],
    crops: Sequence[UInt8],
    near: Sequence[Sequence[Impostor]],
    detector: Detector,
) -> None:
    from lineament.explain.crops import aligned
    from lineament.plots import canvas
    from lineament.plots.lookalikes import lookalikes_figure

    size = len(crops[0])
    rows = [
        (
            Path(name).name,
            crop,
            [
                (
                    i.subject,
                    i.similarity,
                    aligned(i.picture, size, detector=detector) if i.picture else None,
                )
                for i in found
            ],
        )
        for name, crop, found in zip(names, crops, near, strict=True)
    ]
    canvas.save(lookalikes_figure(rows), out / "impostors.png")


def _save(out: Path, name: str, array: Any) -> None:
    import numpy as np

    from lineament.io.own_files import ARRAY, ARRAY_END
    from lineament.io.writing import replacing

    with replacing(out / f"{name}.npy", ARRAY, binary=True) as file:
        np.save(file, array)
        file.write(ARRAY_END)
