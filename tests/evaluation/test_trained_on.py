"""No trained model is judged on what it was trained on."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from lineament.errors import SplitError
from lineament.evaluation.people import LabelledPictures
from lineament.evaluation.trained_on import require_people_unseen
from lineament.io.catalog import InputContract
from lineament.io.manifest import Manifest, ManifestRow
from lineament.io.trained import Head, TrainedCard, TrainedData


def _run(folder: Path, job: str, trained: dict[str, tuple[str, bytes]]) -> Path:
    """A run folder as far as the check looks: its card, and the manifest with splits and digests."""
    folder.mkdir()
    rows = [
        ManifestRow(name, f"{name}.jpg", hashlib.sha256(data).hexdigest(), subject=name, split=split)
        for name, (split, data) in trained.items()
    ]
    Manifest(tuple(rows)).save(folder / "manifest.jsonl")
    head = Head("embedding", "embedding")
    card = TrainedCard(
        "m", job, "tiny", "model.onnx", "0", InputContract("RGB", 32), (head,), TrainedData("0")
    )  # type: ignore[arg-type]
    card.save(folder)
    return folder


def _people(folder: Path, pictures: dict[str, bytes]) -> LabelledPictures:
    paths = []
    for name, data in pictures.items():
        path = folder / f"photo of {name}.jpg"
        path.write_bytes(data)
        paths.append(path)
    n = len(paths)
    return LabelledPictures(
        tuple(paths), tuple(p.name for p in paths), tuple(pictures), (None,) * n, "people"
    )


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_picture_of_the_training_is_refused(tmp_path: Path, split: str) -> None:
    """The same bytes under another name and person: found, whether they trained the model or chose it."""
    run = _run(tmp_path / "run", "classifier", {"ann": (split, b"one"), "bob": ("test", b"two")})
    people = _people(tmp_path, {"somebody": b"one", "else": b"three"})
    with pytest.raises(SplitError, match="1 of these pictures"):
        require_people_unseen(people, "yunet", f"retry:{run}")


def test_a_person_of_the_training_is_no_stranger_to_an_embedder(tmp_path: Path) -> None:
    """New pictures of a trained person are refused for an embedder; for a classifier they are the task."""
    people = _people(tmp_path, {"ann": b"new"})
    embedder = _run(tmp_path / "emb", "embedding", {"ann": ("train", b"one")})
    with pytest.raises(SplitError, match="1 of these people"):
        require_people_unseen(people, str(embedder))
    classifier = _run(tmp_path / "cls", "classifier", {"ann": ("train", b"one")})
    assert require_people_unseen(people, str(classifier)) == {"cls": 1}


def test_the_test_split_may_be_judged(tmp_path: Path) -> None:
    """What the training held back is what figures are for, and shipped models have nothing to compare."""
    run = _run(tmp_path / "run", "embedding", {"ann": ("train", b"one"), "bob": ("test", b"two")})
    people = _people(tmp_path, {"bob": b"two"})
    assert require_people_unseen(people, str(run)) == {"run": 1}
    assert require_people_unseen(people, "yunet", "sface") == {}
