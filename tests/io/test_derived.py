"""Derived files are made once, kept whole, and rebuilt when they or their source change."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lineament.io.derived import derived


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
    first = derived(source, "loud-1", shout)
    assert first.read_bytes() == b"WEIGHTS"
    assert derived(source, "loud-1", forbidden) == first


def test_new_version_and_new_source_are_built_anew(source: Path) -> None:
    """The build's version and the source's content both key the file."""
    first = derived(source, "loud-1", shout)
    assert derived(source, "loud-2", shout) != first
    source.write_bytes(b"other weights")
    assert derived(source, "loud-1", shout).read_bytes() == b"OTHER WEIGHTS"


def test_damaged_copy_is_rebuilt(source: Path) -> None:
    """A flipped byte in the cache is noticed and mended, never used."""
    first = derived(source, "loud-1", shout)
    first.write_bytes(b"WEIGHTZ")
    assert derived(source, "loud-1", shout).read_bytes() == b"WEIGHTS"


def test_failed_build_leaves_nothing(source: Path) -> None:
    """An exception in the build leaves no half-written file behind."""

    def half(source: Path, target: Path) -> None:
        target.write_bytes(b"WEI")
        raise OSError("disc full")

    with pytest.raises(OSError, match="disc full"):
        derived(source, "loud-1", half)
    assert [p.name for p in source.parent.iterdir()] == ["model.onnx"]


def test_builders_at_the_same_time_agree(source: Path) -> None:
    """Concurrent first calls all get a whole file, and one file remains."""
    with ThreadPoolExecutor(8) as pool:
        paths = set(pool.map(lambda _: derived(source, "loud-1", shout), range(16)))
    assert len(paths) == 1
    assert len(list(source.parent.iterdir())) == 2


def test_others_may_read_what_the_umask_lets_them(source: Path) -> None:
    """A shared cache stays shared: the derived file is as readable as any file of this process."""
    ordinary = source.with_name("ordinary")
    ordinary.touch()
    assert derived(source, "loud-1", shout).stat().st_mode == ordinary.stat().st_mode


def test_folder_that_cannot_be_written_to(source: Path) -> None:
    """A cache mounted read-only still works: the file lives elsewhere for the life of the process."""
    source.parent.chmod(0o555)
    try:
        if os.access(source.parent, os.W_OK):
            pytest.skip("this user may write to read-only folders (root)")
        path = derived(source, "loud-1", shout)
    finally:
        source.parent.chmod(0o755)
    assert path.read_bytes() == b"WEIGHTS"
    assert path.parent != source.parent
