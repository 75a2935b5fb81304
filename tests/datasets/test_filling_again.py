"""An import into a folder of copies, and into it again with ``--replace``."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lineament.datasets.filling import Filled
from lineament.datasets.importing.labels import import_dataset
from lineament.errors import LineamentError, OutputError, UsageError, WouldOverwrite
from lineament.io.manifest import Manifest


def drawn(path: Path, seed: int) -> None:
    """A picture of noise that no other seed gives."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (24, 40, 3), np.uint8)).save(path)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two people with a picture each."""
    drawn(tmp_path / "data" / "Ann" / "1.png", 1)
    drawn(tmp_path / "data" / "Bob" / "1.png", 2)
    return tmp_path / "data"


def state(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Bytes and time of change of every file."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def test_only_what_is_missing_is_copied(data: Path, tmp_path: Path) -> None:
    """Files that are there stay untouched, new ones come, changed ones take the place of the earlier copy,
    and what the user put beside them, or what the data no longer holds, stays."""
    out = tmp_path / "out"
    import_dataset(data, out=out)
    (out / "notes.txt").write_text("mine")
    drawn(out / "Ann" / "mine.png", 9)
    before = state(out)
    drawn(data / "Cleo" / "1.png", 3)
    drawn(data / "Bob" / "1.png", 4)
    shutil.rmtree(data / "Ann")
    drawn(data / "Dan" / "1.png", 5)
    _, found = import_dataset(data, out=out, replace=True)
    after = state(out)
    assert found.filled == Filled(copied=2, kept=0, replaced=1, left=1)
    assert {name for name in before if after[name] == before[name]} == {
        "notes.txt",
        "Ann/mine.png",
        "Ann/1.png",
    }
    assert after["Bob/1.png"][0] == (data / "Bob" / "1.png").read_bytes()
    assert {row.path for row in Manifest.load(out / "manifest.jsonl")} == {
        "Bob/1.png",
        "Cleo/1.png",
        "Dan/1.png",
    }
    _, again = import_dataset(data, out=out, replace=True)
    assert again.filled is not None and again.filled.kept == 3
    assert {k: v for k, v in state(out).items() if k != "manifest.jsonl"} == {
        k: v for k, v in after.items() if k != "manifest.jsonl"
    }


def _changed(out: Path, data: Path) -> None:
    drawn(out / "Bob" / "1.png", 77)


def _folder(out: Path, data: Path) -> None:
    (out / "Bob" / "1.png").unlink()
    (out / "Bob" / "1.png").mkdir()


def _other_file(out: Path, data: Path) -> None:
    drawn(data / "Cleo" / "1.png", 3)
    (out / "Cleo").mkdir()
    (out / "Cleo" / "1.png").write_text("a letter of mine")


def _file_for_a_folder(out: Path, data: Path) -> None:
    drawn(data / "Cleo" / "1.png", 3)
    (out / "Cleo").write_text("mine")


def _link_out(out: Path, data: Path) -> None:
    precious = out.parent / "precious.png"
    (out / "Bob" / "1.png").rename(precious)
    (out / "Bob" / "1.png").symlink_to(precious)
    drawn(data / "Bob" / "1.png", 4)


def _folder_out(out: Path, data: Path) -> None:
    (out / "Bob").rename(out.parent / "elsewhere")
    (out / "Bob").symlink_to(out.parent / "elsewhere")
    drawn(data / "Bob" / "1.png", 4)


def _other_manifest(out: Path, data: Path) -> None:
    (out / "manifest.jsonl").write_text("my list of things\n")


def _no_manifest(out: Path, data: Path) -> None:
    (out / "manifest.jsonl").unlink()


def _later_work(out: Path, data: Path) -> None:
    manifest = Manifest.load(out / "manifest.jsonl")
    manifest.with_rows(manifest.rows, "review", removed=1).save(out / "manifest.jsonl")


@pytest.mark.parametrize(
    "meddle",
    [
        *(_changed, _folder, _other_file, _file_for_a_folder, _link_out, _folder_out),
        *(_other_manifest, _no_manifest, _later_work),
    ],
)
def test_nothing_of_the_users_is_replaced(meddle: object, data: Path, tmp_path: Path) -> None:
    """What is not as an import wrote it refuses the whole command by name, and not one byte is changed:
    a picture that was worked on, other files and folders, links, somebody's manifest, a later step's."""
    out = tmp_path / "out"
    import_dataset(data, out=out)
    meddle(out, data)  # type: ignore[operator]
    before = state(tmp_path)
    with pytest.raises(LineamentError) as refusal:
        import_dataset(data, out=out, replace=True)
    assert isinstance(refusal.value, WouldOverwrite | UsageError | OutputError)
    assert str(out) in str(refusal.value)
    assert state(tmp_path) == before


def test_without_the_word_a_folder_in_use_is_refused(data: Path, tmp_path: Path) -> None:
    """The refusal names ``--replace`` where that would work."""
    out = tmp_path / "out"
    import_dataset(data, out=out)
    with pytest.raises(UsageError, match="--replace fills it again"):
        import_dataset(data, out=out)
    (out / "manifest.jsonl").unlink()
    with pytest.raises(UsageError, match=r"--replace needs an import's manifest.jsonl"):
        import_dataset(data, out=out, replace=True)


def test_an_archive_fills_its_folder_again(data: Path, tmp_path: Path) -> None:
    """As a folder does: only what is missing is copied, and nothing unpacked is left beside it."""
    out = tmp_path / "out"
    archive = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", data))
    import_dataset(archive, out=out)
    before = state(out)
    drawn(data / "Cleo" / "1.png", 3)
    shutil.make_archive(str(tmp_path / "packed"), "zip", data)
    _, found = import_dataset(archive, out=out, replace=True)
    assert found.filled is not None and (found.filled.copied, found.filled.kept) == (1, 2)
    assert {name: state(out)[name] for name in before if name != "manifest.jsonl"} == {
        name: kept for name, kept in before.items() if name != "manifest.jsonl"
    }
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "out", "packed.zip"]


def test_a_manifest_beside_the_pictures_gives_way_to_an_import_only(data: Path) -> None:
    """In place: an import's manifest is written over with the word, a reviewed one is not."""
    path, _ = import_dataset(data)
    with pytest.raises(UsageError, match="--replace writes over it"):
        import_dataset(data)
    import_dataset(data, replace=True)
    manifest = Manifest.load(path)
    manifest.with_rows(manifest.rows[:1], "review", removed=1).save(path)
    before = path.read_bytes()
    with pytest.raises(WouldOverwrite, match="holds what `dataset review` made"):
        import_dataset(data, replace=True)
    assert path.read_bytes() == before
    # Cut off half-way, it holds no work that could be lost.
    path.write_bytes(before[: before.index(b"\n") + 20])
    import_dataset(data, replace=True)
    assert len(Manifest.load(path)) == 2
