"""Detectors that somebody else trained, added under a name: a .pt of Ultralytics, or its ONNX export."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from lineament import added
from lineament.errors import ConfigError, UsageError, WeightsMismatch
from lineament.geometry.letterbox import letterbox
from lineament.io import golden, images
from lineament.io.catalog import InputContract
from lineament.io.digests import sha256_of
from lineament.io.onnx import open_session
from lineament.io.trained import INPUT_NAME, MODEL_NAME, Head, TrainedCard, TrainedData
from lineament.registry import detectors
from lineament.training.runs.export import export, require_equal
from lineament.training.runs.folder import RunFolder
from lineament.training.ultralytics import export as yolo_export
from lineament.training.ultralytics import file as yolo_file

HEAD = "detections"
AGPL = (
    "Ultralytics publishes its code and weights under AGPL-3.0, and holds that networks trained with them "
    "are under it too; an enterprise licence of theirs is the other way: https://ultralytics.com/license"
)
_LARGEST = 2_048
_FACE, _HEAD = {"face", "faces"}, {"head", "heads"}


@dataclass(frozen=True, slots=True)
class Added:
    """A model that was added: where, its card, and what should be told of it."""

    folder: Path
    card: TrainedCard
    told: tuple[str, ...]


def add_detector(
    file: Path,
    name: str,
    *,
    source: str,
    licence: str,
    classes: Sequence[str] = (),
    size: int | None = None,
    photos: Sequence[Path] = (),
    replace_it: bool = False,
) -> Added:
    """Convert a detector's file into an ONNX file with its card, for use by ``name`` in every spec.

    ``classes`` are those of the file's classes that are to be found; without them the faces, or where there
    are none the heads. ``size`` in pixels is that of training by default. ``source`` and ``licence`` are
    what the user says of the file. ONNX and the file's network must answer alike, on generated pictures and
    on ``photos``.

    Raises `UsageError` for a name that is taken or no name, `WeightsMismatch` for files that are no such
    detector or find no faces, and `ExportMismatch` when the answers differ by more than 1e-4.
    """
    added.require_name(name)
    taken = [other for other in detectors.names() if other not in added.names()]
    if name.lower() in taken:
        raise UsageError(f"{name!r} is the name of a detector that comes with lineament: take another")
    if not source.strip() or not licence.strip():
        raise UsageError("say where the file is from and under which licence it is: --source, --licence")
    brought = yolo_export.read(file) if file.suffix.lower() == ".onnx" else yolo_file.read(file)
    chosen, told = chosen_classes(brought.classes, classes, str(file))
    side = brought.size if size is None else size
    if not 0 < side <= _LARGEST or side % brought.divisor:
        raise ConfigError(
            f"{file}: pictures of {side} px: a multiple of {brought.divisor} up to {_LARGEST} is needed"
        )
    if "AGPL" in brought.licence and "AGPL" not in licence.upper():
        told = (*told, f"the file itself says: {brought.licence}")
    card = TrainedCard(
        name=name,
        job="detection",
        architecture=brought.architecture,
        file=MODEL_NAME,
        sha256="",
        input=InputContract("RGB", side, brought.divisor, (0.0,) * 3, (255.0,) * 3),
        heads=(Head(HEAD, "yolo", tuple(brought.classes[i] for i in chosen)),),
        data=TrainedData("unknown"),
        licence=licence.strip(),
        trained_from=f"{file.name}, sha256 {sha256_of(file)}, from {source.strip()}",
        fit="letterbox",
        notes=" ".join(
            filter(
                None, [f"Added, not trained here. The file names version {brought.version}.", *told, AGPL]
            )
        ),
    )
    with added.adding(name, replace=replace_it) as folder:
        if isinstance(brought, yolo_export.ExportedYolo):
            card = brought.write(folder, card, chosen)
        else:
            card = _converted(brought, chosen, folder, card, photos)
        detectors.create("yolo", model=str(folder))  # the runtime checks shape, digest and golden answer
    return Added(added.require_path_of(name), card, told)


def _converted(
    brought: yolo_file.YoloFile,
    chosen: Sequence[int],
    folder: Path,
    card: TrainedCard,
    photos: Sequence[Path],
) -> TrainedCard:
    network = brought.network(chosen)
    done = export(network, card, RunFolder(folder, "models add", ""))
    session = open_session(folder / MODEL_NAME)
    assert card.input.size is not None
    for photo in photos:
        square, _ = letterbox(images.load(photo).pixels, card.input.size)
        pixels = golden.tensor(card, square[None])
        with torch.no_grad():
            wanted = network(torch.from_numpy(pixels)).numpy()
        require_equal(
            session.run({INPUT_NAME: pixels}), {HEAD: np.asarray(wanted)}, f"{card.name}, {photo}"
        )
    return done


def chosen_classes(
    known: Sequence[str], wanted: Sequence[str], file: str
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Places of the classes to find, and what should be told of them; raises `WeightsMismatch`.

    Without ``wanted`` those whose name has the word face, else those with the word head.
    """
    listed = ", ".join(map(repr, known[:100]))
    if wanted:
        missing = [name for name in wanted if name not in known]
        if missing:
            raise WeightsMismatch(f"{file}: has no class {missing[0]!r}; its classes: {listed}")
        chosen = [i for i, name in enumerate(known) if name in wanted]
        strange = [known[i] for i in chosen if not _words(known[i]) & _FACE]
        told = (
            f"finds {', '.join(map(repr, strange))}, as you say, which it takes for faces"
            if strange
            else ""
        )
    elif chosen := [i for i, name in enumerate(known) if _words(name) & _FACE]:
        told = ""
    elif chosen := [i for i, name in enumerate(known) if _words(name) & _HEAD]:
        told = "finds heads, not faces: a box holds hair and hat too, and heads are found from behind"
    else:
        raise WeightsMismatch(
            f"{file}: has no class of faces or heads; its classes: {listed}. If one of them is what you "
            "want to find, say so: --classes NAME,NAME"
        )
    left = [name for i, name in enumerate(known) if i not in chosen]
    return tuple(chosen), tuple(
        filter(None, [told, f"leaves out the classes {', '.join(map(repr, left[:20]))}" if left else ""])
    )


def _words(name: str) -> set[str]:
    """The words of a class's name: ``HumanFace``, ``human_face`` and ``Human face`` have the same."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}
