"""What a match rests on, where it is known, and who else is near."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from lineament.cli.main import app
from lineament.errors import ConfigError, InsufficientData, ModelMismatch
from lineament.explain.impostors import Crowd, nearest, nearest_enrolled
from lineament.explain.match import occlude
from lineament.io import images
from lineament.records import Bound, Changes, Record
from lineament.scoring.similarity import normalise
from lineament.stores import open_store
from lineament.types import Float32, ModelId, UInt8

SAMPLES = Path(__file__).parents[2] / "samples"


class Quadrant:
    """An embedder that looks at the upper left quadrant alone, in cells of 4 pixels."""

    model = ModelId("quadrant", "a" * 64)
    dimension = 48
    crop_size = 32

    def embed(self, crops: UInt8) -> Float32:
        cells = crops[:, :16, :16].astype(np.float32).reshape(-1, 4, 4, 4, 4, 3).mean(axis=(2, 4))
        return np.asarray(cells.reshape(len(crops), -1) - 100, np.float32)


def noise(seed: int) -> UInt8:
    return np.random.default_rng(seed).integers(0, 256, (32, 32, 3), np.uint8)


def test_points_at_the_only_place_looked_at() -> None:
    """Hiding what the embedder does not see changes nothing, to the bit; hiding what it sees lowers the
    similarity of two equal faces, in both of them."""
    face = noise(1)
    found = occlude(Quadrant(), face, face.copy(), patch=4, stride=2)
    assert found.similarity == pytest.approx(1, abs=1e-6)
    for heat in (found.first, found.second):
        assert heat.shape == (32, 32)
        assert (heat[:16, :16] > 0).all()
        # A patch that begins inside reaches 3 pixels beyond.
        assert not heat[20:].any() and not heat[:, 20:].any()
        assert heat[:16, :16].mean() > 20 * heat[16:, 16:].mean()


def test_what_speaks_against_is_below_zero() -> None:
    """Two faces that agree but for one cell: hiding that cell in the first brings it nearer the second."""
    first = np.full((32, 32, 3), 150, np.uint8)
    first[:16, :8] = 220
    second = first.copy()
    first[4:8, 12:16] = 0
    found = occlude(Quadrant(), first, second, patch=4, stride=4)
    y, x = np.unravel_index(found.first.argmin(), found.first.shape)
    assert found.first.min() < 0
    assert 4 <= y < 8 and 12 <= x < 16


def test_occlusion_equals_a_slow_oracle() -> None:
    """Each place's value is the mean fall over the patches that hid it."""
    a, b = noise(1), noise(2)
    embedder = Quadrant()
    found = occlude(embedder, a, b, patch=10, stride=5)
    va, vb = normalise(embedder.embed(np.stack([a, b])))
    falls: list[list[list[float]]] = [[[] for _ in range(32)] for _ in range(32)]
    mean = a.reshape(-1, 3).mean(axis=0).round()
    for y in range(-5, 32, 5):
        for x in range(-5, 32, 5):
            hidden = a.copy()
            rows, columns = range(max(y, 0), min(y + 10, 32)), range(max(x, 0), min(x + 10, 32))
            for i in rows:
                for j in columns:
                    hidden[i, j] = mean
            fall = float(va @ vb - normalise(embedder.embed(hidden[None]))[0] @ vb)
            for i in rows:
                for j in columns:
                    falls[i][j].append(fall)
    wanted = np.array([[np.mean(cell) for cell in row] for row in falls])
    np.testing.assert_allclose(found.first, wanted, atol=1e-6)


@pytest.mark.parametrize(("patch", "stride"), [(0, None), (40, None), (4, 5), (4, 0)])
def test_patches_that_make_no_sense(patch: int, stride: int | None) -> None:
    """Larger than the crop, smaller than a pixel, or with gaps between."""
    with pytest.raises(ConfigError):
        occlude(Quadrant(), noise(1), noise(2), patch=patch, stride=stride)


def vectors(count: int) -> Float32:
    return normalise(np.random.default_rng(5).standard_normal((count, 8)).astype(np.float32))


def test_nearest_impostors_by_an_oracle(tmp_path: Path) -> None:
    """Of every other subject the nearest sample, best first; the person is left out; a gallery of the same
    samples gives the same, and one of another model is refused."""
    rows = vectors(60)
    names = [f"s{i % 12:02d}" for i in range(60)]
    among = Crowd(rows, tuple(names), tuple(f"{i}.jpg" for i in range(60)), {})
    best: dict[str, float] = {}
    for row, name in zip(rows[1:], names[1:], strict=True):
        best[name] = max(best.get(name, -2), float(row @ rows[0]))
    wanted = sorted(((-score, name) for name, score in best.items() if name != "s00"))[:4]
    found = nearest(rows[0], among, leave_out={"s00"}, most=4)
    assert [i.subject for i in found] == [name for _, name in wanted]
    assert [i.similarity for i in found] == pytest.approx([-score for score, _ in wanted])
    assert all(names[int(str(i.picture).removesuffix(".jpg"))] == i.subject for i in found)
    url = f"sqlite:{tmp_path / 'people.db'}"
    store = open_store(url)
    store.commit(Changes(bind=Bound(Quadrant.model, 8)))
    store.commit(Changes(put=[Record(f"r{i}", name, rows[i]) for i, name in enumerate(names)]))
    store.close()
    enrolled = nearest_enrolled(rows[0], Quadrant.model, url, leave_out={"s00"}, most=4)
    assert [i.subject for i in enrolled] == [i.subject for i in found]
    assert [i.similarity for i in enrolled] == pytest.approx([i.similarity for i in found], abs=1e-5)
    with pytest.raises(ModelMismatch):
        nearest_enrolled(rows[0], ModelId("other", "b" * 64), url)


def test_from_the_command_line(tmp_path: Path) -> None:
    """Two photos of one man rest on the face, not on the room behind; the nearest impostor is another man;
    a picture without a face is told of."""
    people = tmp_path / "people"
    for subject, files in {
        "obama": ["obama_2009_congress.jpg"],
        "biden": ["biden_2013_portrait.jpg", "biden_2010_white_house.jpg"],
        "collins": ["collins_nasa.png"],
    }.items():
        (people / subject).mkdir(parents=True)
        for file in files:
            shutil.copy(SAMPLES / file, people / subject)
    images.save(people / "collins" / "grey.png", np.full((80, 80, 3), 120, np.uint8))
    out, told = tmp_path / "out", tmp_path / "told.json"
    arguments = ["explain", "match", str(SAMPLES / "obama_2012_portrait.jpg")]
    arguments += [str(SAMPLES / "obama_2010_white_house.jpg"), "--out", str(out), "--json", str(told)]
    arguments += ["--people", str(people), "--leave-out", "obama", "--stride", "11"]
    answer = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert answer.exit_code == 0, answer.output
    record = json.loads(told.read_text())
    assert record["similarity"] > 0.6
    for name in ("a", "b"):
        heat = np.load(out / f"match-{name}.npy")
        assert heat[30:90, 25:87].mean() > 3 * np.abs(heat[:15]).mean()
        assert {i["subject"] for i in record["impostors"][name]} == {"biden", "collins"}
        assert record["impostors"][name][0]["similarity"] < 0.45
    assert [Path(p).name for p in record["left_out"]] == ["grey.png"]
    assert "grey.png" in answer.output
    assert images.load(out / "match.png").pixels.std() > 5
    assert images.load(out / "impostors.png").pixels.std() > 5


def test_a_folder_without_faces_is_an_error(tmp_path: Path) -> None:
    """Nobody to compare with is said, not an empty figure."""
    (tmp_path / "people" / "x").mkdir(parents=True)
    images.save(tmp_path / "people" / "x" / "grey.png", np.full((80, 80, 3), 120, np.uint8))
    photo = str(SAMPLES / "obama_2012_portrait.jpg")
    arguments = ["explain", "match", photo, photo, "--out", str(tmp_path / "out"), "--stride", "22"]
    answer = CliRunner().invoke(app, [*arguments, "--people", str(tmp_path / "people")])
    assert isinstance(answer.exception, InsufficientData)
