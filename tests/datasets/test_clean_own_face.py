"""Cleaning judges the row's own face, and is never sure where two faces may be meant."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sample_people import empty, photo, varied

from lineament.analyzer import Analyzer
from lineament.datasets.cleaning.clean import Cleaning, CleanSettings, clean
from lineament.datasets.cleaning.proposals import Proposal
from lineament.datasets.opening import open_dataset
from lineament.io import images
from lineament.io.manifest import Manifest, ManifestRow
from lineament.types import Faces, Image, UInt8

SETTINGS = CleanSettings(checks=("face", "identity"))


@pytest.fixture(scope="module")
def found() -> Faces:
    """The faces of `pair`, Obama's first."""
    faces = Analyzer("yunet").analyze_one(Image(pair())).faces
    assert len(faces) == 2
    return faces[np.argsort(faces.boxes[:, 0])]


def pair() -> UInt8:
    """Two faces cheek by cheek, Obama on the left."""
    analyzer = Analyzer("yunet", None, quality=False)
    cut = []
    for name in ("obama_2012_portrait", "biden_2013_portrait"):
        whole = photo(name, 600)
        x0, y0, x1, y1 = analyzer.analyze_one(Image(whole)).faces.boxes[0]
        w, h = x1 - x0, y1 - y0
        part = whole[max(0, int(y0 - h / 2)) : int(y1 + h / 2), int(x0 - 0.15 * w) : int(x1 + 0.15 * w)]
        cut.append(images_resized(part))
    return np.concatenate(cut, axis=1)


def images_resized(part: UInt8) -> UInt8:
    import cv2

    return np.asarray(cv2.resize(part, (220, 420), interpolation=cv2.INTER_AREA), np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    root = tmp_path_factory.mktemp("people")
    for who, names in (
        ("Obama", ("obama_2012_portrait", "obama_2009_congress")),
        ("Biden", ("biden_2013_portrait",)),
    ):
        (root / who).mkdir()
        for name in names:
            for k in range(3):
                images.save(root / who / f"{name}{k}.jpg", varied(photo(name), k), quality=95)
    images.save(root / "Obama" / "pair.jpg", pair(), quality=95)
    return open_dataset(root)


def with_pair(folder: Manifest, **fields: Any) -> Manifest:
    rows = [replace(row, **fields) if row.path.endswith("pair.jpg") else row for row in folder]
    return replace(folder, rows=tuple(rows))


def about_pair(found: Cleaning) -> list[Proposal]:
    return [p for p in found.proposals if p.path.endswith("pair.jpg")]


def box_of_both(found: Faces, toward: float) -> tuple[float, float, float, float]:
    """A box about both faces, a little nearer to one."""
    x0, y0 = found.boxes[:, :2].min(axis=0)
    x1, y1 = found.boxes[:, 2:].max(axis=0)
    return float(x0 + toward), float(y0), float(x1 + toward), float(y1)


def points_of(found: Faces, face: int) -> tuple[tuple[float, float], ...]:
    assert found.landmarks is not None
    return tuple((float(x), float(y)) for x, y in found.landmarks[face])


def test_the_rows_own_landmarks_are_judged(folder: Manifest, found: Faces) -> None:
    """However loose the box and whoever is beside: with landmarks the face is known, right or wrong."""
    loose = box_of_both(found, 3)
    right = with_pair(folder, box=loose, landmarks=points_of(found, 0))
    assert about_pair(clean(right, SETTINGS)) == []
    wrong = with_pair(folder, box=loose, landmarks=points_of(found, 1))
    [told] = about_pair(clean(wrong, SETTINGS))
    assert (told.action, told.reason, told.to) == ("move", "wrong person", "Biden")


def test_two_faces_in_one_box_are_for_review(folder: Manifest, found: Faces) -> None:
    """Where the detector has to be asked and two faces fit the row's box alike, nothing is proposed but a
    look; where one fits better, that one is judged."""
    [told] = about_pair(clean(with_pair(folder, box=box_of_both(found, 4)), SETTINGS))
    assert told.action == "review" and "nearly alike" in told.detail
    for face, action in ((0, []), (1, ["move"])):
        own = tuple(float(v) for v in found.boxes[face])
        proposals = about_pair(clean(with_pair(folder, box=own), SETTINGS))
        assert [p.action for p in proposals] == action


def test_two_rows_never_share_a_face(folder: Manifest, found: Faces) -> None:
    """Two people labelled generously in one picture are two faces of it, each judged by its own."""
    (a,) = (row for row in folder if row.path.endswith("pair.jpg"))
    x0, y0, x1, y1 = box_of_both(found, 0)
    third = (x1 - x0) / 3
    rows = [row for row in folder if row is not a]
    rows.append(replace(a, box=(x0, y0, x1 - third, y1)))
    rows.append(replace(a, id="other", subject="Biden", box=(x0 + third, y0, x1, y1)))
    assert about_pair(clean(replace(folder, rows=tuple(rows)), SETTINGS)) == []


def test_a_box_without_a_face_is_for_review(folder: Manifest, tmp_path: Path) -> None:
    """A row whose box holds no face is not judged by somebody else in the picture."""
    picture = np.concatenate([pair(), np.pad(empty(420), ((0, 0), (0, 0), (0, 0)))], axis=1)
    (tmp_path / "Obama").mkdir()
    for row in folder:
        target = tmp_path / row.path
        target.parent.mkdir(exist_ok=True)
        target.write_bytes((folder.folder / row.path).read_bytes())
    images.save(tmp_path / "Obama" / "pair.jpg", picture, quality=95)
    manifest = replace(folder, folder=tmp_path)
    [told] = about_pair(clean(with_pair(manifest, box=(500.0, 60.0, 800.0, 400.0)), SETTINGS))
    assert (told.action, told.reason) == ("review", "not a face") and "box" in told.detail


def test_a_resumed_run_knows_rows_that_changed(folder: Manifest, found: Faces, tmp_path: Path) -> None:
    """A journal's picture is looked at again when its rows tell other faces since."""
    from lineament.datasets.cleaning.clean_photo import Looking, is_done

    box = tuple(float(v) for v in found.boxes[0])
    own = with_pair(folder, box=box, landmarks=points_of(found, 0))
    rows: list[ManifestRow] = [row for row in own if row.path.endswith("pair.jpg")]
    record = Looking(Analyzer("yunet", keep_images=True), folder.folder).look(rows)
    assert is_done(record, rows)
    assert not is_done(record, [replace(rows[0], box=tuple(float(v) for v in found.boxes[1]))])
