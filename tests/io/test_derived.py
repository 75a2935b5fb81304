"""Derived files are made once, kept whole, and rebuilt when they or their source change."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lineament.io.derived import derive

SHA = "ab" * 32


def shout(source: Path, target: Path) -> None:
    target.write_bytes(source.read_bytes().upper())


def forbidden(source: Path, target: Path) -> None:
    raise AssertionError("built again")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"weights")
    return path


def test_built_once(source: Path) -> None:
    """A second call returns the first call's file without building."""
    first = derive(source, SHA, "loud-1", shout)
    assert first.read_bytes() == b"WEIGHTS"
    assert derive(source, SHA, "loud-1", forbidden) == first


def test_new_version_and_new_source_are_built_anew(source: Path) -> None:
    """The build's name and the source's digest both key the file."""
    first = derive(source, SHA, "loud-1", shout)
    assert derive(source, SHA, "loud-2", shout) != first
    assert derive(source, "cd" * 32, "loud-1", shout) != first


def test_damaged_copy_is_rebuilt(source: Path) -> None:
    """A flipped byte in the cache is noticed and mended, never used."""
    first = derive(source, SHA, "loud-1", shout)
    first.write_bytes(b"WEIGHTZ")
    assert derive(source, SHA, "loud-1", shout).read_bytes() == b"WEIGHTS"


def test_failed_build_leaves_nothing(source: Path) -> None:
    """An exception in the build leaves no half-written file behind."""

    def half(source: Path, target: Path) -> None:
        target.write_bytes(b"WEI")
        raise OSError("disc full")

    with pytest.raises(OSError, match="disc full"):
        derive(source, SHA, "loud-1", half)
    assert [p.name for p in source.parent.iterdir()] == ["model.onnx"]


def test_builders_at_the_same_time_agree(source: Path) -> None:
    """Concurrent first calls all get a whole file, and one file remains."""
    with ThreadPoolExecutor(8) as pool:
        paths = set(pool.map(lambda _: derive(source, SHA, "loud-1", shout), range(16)))
    assert len(paths) == 1
    assert len(list(source.parent.iterdir())) == 2
