"""Models folders: a file is found by its bytes, used where it lies, and nothing is written beside it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from local_sources import CONTENT, card_of, sha256

from lineament.errors import AssetUnavailable, ConfigError, DigestMismatch, LicenceRefused
from lineament.io import assets, catalog, digests, model_folders
from lineament.io.derived import derived


@pytest.fixture
def stick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of models of a machine without a network, whose cache is empty."""
    folder = tmp_path / "stick"
    folder.mkdir()
    monkeypatch.setenv("LINEAMENT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("LINEAMENT_MODELS", str(folder))
    monkeypatch.setenv("LINEAMENT_OFFLINE", "1")
    return folder


def put(path: Path, content: bytes = CONTENT) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_a_file_is_found_by_its_bytes_and_used_where_it_lies(stick: Path, tmp_path: Path) -> None:
    """Whatever it is called and however deep it lies; the cache stays empty and the folder as it was."""
    put(stick / "others" / "same_size.bin", CONTENT[::-1])
    there = put(stick / "deep" / "er" / "something.dat")
    assert assets.fetch(card_of()) == there
    assert assets.here(card_of()) == there
    assert not (tmp_path / "cache").exists()
    assert sorted(p.name for p in stick.rglob("*") if p.is_file()) == ["same_size.bin", "something.dat"]


def test_only_files_of_the_size_are_read_once(stick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A share of thousands of files costs a listing: what has another size is not opened."""
    for number in range(5):
        put(stick / f"large-{number}", bytes(number + 1))
    there = put(stick / "model")
    read: list[Path] = []

    def counted(path: Path) -> str:
        read.append(path)
        return digests.sha256_of(path)

    monkeypatch.setattr(model_folders, "sha256_of", counted)
    for _ in range(3):
        assert model_folders.find(sha256(CONTENT), len(CONTENT)) == there
    assert read == [there]
    put(there, CONTENT[::-1])
    assert model_folders.find(sha256(CONTENT), len(CONTENT)) is None


def test_a_file_that_came_later_is_found(stick: Path) -> None:
    """A stick may be filled while the program runs."""
    with pytest.raises(AssetUnavailable):
        assets.fetch(card_of())
    there = put(stick / "model.onnx")
    assert assets.fetch(card_of()) == there


def test_the_first_of_several_folders_answers(
    stick: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Folders are separated as in PATH, and asked in their order."""
    first = put(tmp_path / "first" / "a")
    put(stick / "b")
    monkeypatch.setenv("LINEAMENT_MODELS", f"{tmp_path / 'first'}{os.pathsep}{stick}")
    assert assets.fetch(card_of()) == first


def test_what_is_copied_was_asked_for(stick: Path, tmp_path: Path) -> None:
    """With ``copy`` the cache holds the file afterwards, and the folder may be gone."""
    there = put(stick / "model.onnx")
    kept = assets.fetch(card_of(), copy=True)
    assert kept == assets.cached_path(card_of())
    there.unlink()
    assert assets.fetch(card_of()).read_bytes() == CONTENT


def test_a_licence_is_asked_for_all_the_same(stick: Path) -> None:
    """Lying in a folder accepts nothing; accepted once, the copy in the cache remembers it."""
    put(stick / "model.onnx")
    card = card_of(accept_licence=True, commercial_use=False)
    with pytest.raises(LicenceRefused):
        assets.fetch(card)
    assert assets.fetch(card, accept_licence=True) == assets.cached_path(card) == assets.fetch(card)


def test_a_damaged_file_of_the_cache_is_replaced_from_the_folder(stick: Path) -> None:
    """`models pull` mends the cache by what the folder holds; without it the damage is told."""
    put(stick / "model.onnx")
    put(assets.cached_path(card_of()), b"damaged")
    with pytest.raises(DigestMismatch):
        assets.fetch(card_of())
    assert assets.fetch(card_of(), replace=True) == assets.cached_path(card_of())


def test_both_files_of_a_model_are_found(stick: Path) -> None:
    """Weights and graph may lie in different places; with one of them alone the model is not here."""
    graph = catalog.Graph("model.xml", sha256(b"graph"), 5, ())
    card = card_of(graph=graph)
    weights = put(stick / "a" / "model.bin")
    assert assets.here(card) is None
    with pytest.raises(AssetUnavailable, match=r"demo\.graph.*model\.xml serves.*--models-dir"):
        assets.fetch(card)
    put(stick / "b" / "model.xml", b"graph")
    assert assets.fetch(card) == assets.here(card) == weights


def test_what_is_made_of_a_file_lies_in_the_cache(stick: Path, tmp_path: Path) -> None:
    """Nothing is written into the user's folder."""
    there = put(stick / "model.onnx")
    made = derived(there, "upper-1", lambda source, target: put(target, source.read_bytes() * 2) and None)
    assert made.parent == tmp_path / "cache" and made.read_bytes() == CONTENT * 2
    assert list(stick.iterdir()) == [there]
    assert derived(there, "upper-1", lambda *_: pytest.fail("made again")) == made


def test_a_folder_that_is_not_there_is_told(stick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stick that is not plugged in is no reason to go and fetch from elsewhere in silence."""
    monkeypatch.setenv("LINEAMENT_MODELS", str(stick / "gone"))
    with pytest.raises(ConfigError, match="gone is no folder"):
        assets.fetch(card_of())


def test_an_unknown_size_is_looked_for_among_all(stick: Path) -> None:
    """A card may not know the size."""
    put(stick / "a", b"other")
    there = put(stick / "b")
    assert assets.fetch(replace(card_of(), bytes=0)) == there


def test_a_folder_of_everything_is_refused(stick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Naming the root of a disk is told, not listed for minutes."""
    monkeypatch.setattr(model_folders, "_MOST_FILES", 2)
    for number in range(3):
        put(stick / str(number), b"x")
    with pytest.raises(ConfigError, match="more than 2 files"):
        assets.fetch(card_of())
