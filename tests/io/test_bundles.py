"""Offline bundles: a round trip, and everything hostile refused before anything is kept."""

from __future__ import annotations

import json
import os
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from local_sources import CONTENT, card_of, sha256

from lineament.errors import AssetUnavailable, BundleError, DigestMismatch, LicenceRefused
from lineament.io import assets, bundles
from lineament.io.catalog import ModelCard

SECOND = CONTENT[::-1]
CARDS = {
    "demo": card_of(name="demo"),
    "second": card_of(SECOND, name="second", accept_licence=True, commercial_use=False),
}
DEMO = "models/demo/model.onnx"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LINEAMENT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def _fill(tmp_path: Path) -> None:
    for card, content in ((CARDS["demo"], CONTENT), (CARDS["second"], SECOND)):
        (tmp_path / "content").write_bytes(content)
        assets.adopt(card, tmp_path / "content", accept_licence=True)


def _files(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.glob("*") if not p.name.startswith(".")}


def _manifest(*rows: dict[str, object]) -> bytes:
    return json.dumps({"format": "lineament-models/1", "models": rows}).encode()


def _row(name: str = "demo", member: str = DEMO, digest: str = sha256(CONTENT)) -> dict[str, object]:
    return {"name": name, "member": member, "sha256": digest}


def _write(path: Path, *members: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as bundle:
        for name, content in members:
            bundle.writestr(name, content)
    return path


def test_a_bundle_carries_models_to_another_machine(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written here, read into an empty cache there, without a network: the same bytes."""
    _fill(tmp_path)
    bundles.export(tmp_path / "models.zip", CARDS.values(), offline=True)
    monkeypatch.setenv("LINEAMENT_CACHE", str(tmp_path / "there"))
    done = bundles.load(tmp_path / "models.zip", CARDS, accept_licence=True)
    assert [(d.card.name, d.error) for d in done] == [("demo", None), ("second", None)]
    assert assets.fetch(CARDS["demo"], offline=True).read_bytes() == CONTENT
    assert assets.fetch(CARDS["second"], offline=True).read_bytes() == SECOND


def test_the_same_models_give_the_same_bundle(cache: Path, tmp_path: Path) -> None:
    """Two bundles of the same models are equal byte for byte, so that they can be pinned themselves."""
    _fill(tmp_path)
    for name in ("a.zip", "b.zip"):
        bundles.export(tmp_path / name, CARDS.values(), offline=True)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_licences_hold_for_bundles_too(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model whose licence was not accepted is reported and left out; the others are kept."""
    _fill(tmp_path)
    bundles.export(tmp_path / "models.zip", CARDS.values(), offline=True)
    monkeypatch.setenv("LINEAMENT_CACHE", str(tmp_path / "there"))
    demo, second = bundles.load(tmp_path / "models.zip", CARDS)
    assert demo.path is not None and isinstance(second.error, LicenceRefused)
    assert list(_files(tmp_path / "there")) == [demo.path.name]


def test_only_the_named_models_are_taken(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names choose among the bundle's models; one it lacks is refused by name."""
    _fill(tmp_path)
    bundles.export(tmp_path / "models.zip", [CARDS["demo"]], offline=True)
    monkeypatch.setenv("LINEAMENT_CACHE", str(tmp_path / "there"))
    with pytest.raises(BundleError, match=r"holds no second; it holds demo"):
        bundles.load(tmp_path / "models.zip", CARDS, ["second"])
    assert [d.card.name for d in bundles.load(tmp_path / "models.zip", CARDS, ["demo"])] == ["demo"]


def test_a_bundle_needs_what_is_missing(cache: Path, tmp_path: Path) -> None:
    """Exporting a model that cannot be had fails by name and leaves no file."""
    with pytest.raises(AssetUnavailable, match="demo"):
        bundles.export(tmp_path / "models.zip", [CARDS["demo"]], offline=True)
    assert not list(tmp_path.glob("*models.zip*"))


def _linked() -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(DEMO)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def _compressed() -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(DEMO)
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


GOOD = ("manifest.json", _manifest(_row()))
HOSTILE: dict[str, list[tuple[str | zipfile.ZipInfo, bytes]]] = {
    "no manifest": [(DEMO, CONTENT)],
    "manifest is not JSON": [("manifest.json", b"{"), (DEMO, CONTENT)],
    "manifest is not text": [("manifest.json", b"\xff\xfe"), (DEMO, CONTENT)],
    "manifest is a list": [("manifest.json", b"[]")],
    "manifest nests deep": [("manifest.json", b"[" * 100_000), (DEMO, CONTENT)],
    "manifest is huge": [("manifest.json", b" " * (2 << 20))],
    "another format": [("manifest.json", b'{"format": "x", "models": []}')],
    "names that are numbers": [("manifest.json", _manifest({"name": 1, "member": 2, "sha256": 3}))],
    "an unknown model": [("manifest.json", _manifest(_row("unknown"))), (DEMO, CONTENT)],
    "a digest of its own": [("manifest.json", _manifest(_row(digest=sha256(b"x")))), (DEMO, b"x")],
    "a member above the folder": [("manifest.json", _manifest(_row(member="../x"))), ("../x", CONTENT)],
    "an absolute member": [("manifest.json", _manifest(_row(member="/tmp/x"))), ("/tmp/x", CONTENT)],
    "a drive": [("manifest.json", _manifest(_row(member="C:\\x"))), ("C:\\x", CONTENT)],
    "a stowaway": [GOOD, (DEMO, CONTENT), ("../evil", b"x")],
    "a folder": [GOOD, (DEMO, CONTENT), ("models/", b"")],
    "a missing member": [GOOD],
    "a model named twice": [("manifest.json", _manifest(_row(), _row())), (DEMO, CONTENT)],
    "a repeated member": [GOOD, (DEMO, CONTENT), (DEMO, CONTENT)],
    "a link": [GOOD, (_linked(), CONTENT)],
    "compressed, perhaps a bomb": [GOOD, (_compressed(), b"\0" * len(CONTENT))],
    "too long": [GOOD, (DEMO, CONTENT + b"x")],
    "too short": [GOOD, (DEMO, CONTENT[:-1])],
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bundles_are_refused_whole(cache: Path, tmp_path: Path, name: str) -> None:
    """Nothing but a manifest and its plain, pinned members is accepted; the cache keeps what it had."""
    _fill(tmp_path)
    before = _files(cache)
    bundle = _write(tmp_path / "b.zip", *HOSTILE[name])
    outside = sorted(p for p in tmp_path.rglob("*") if cache not in p.parents)
    with pytest.raises(BundleError):
        bundles.load(bundle, CARDS, accept_licence=True)
    assert _files(cache) == before
    assert sorted(p for p in tmp_path.rglob("*") if cache not in p.parents) == outside


def test_changed_bytes_are_refused_with_both_hashes(cache: Path, tmp_path: Path) -> None:
    """A member of the right size with one byte changed, and a matching checksum, is not the pinned one."""
    changed = b"\1" + CONTENT[1:]
    bundle = _write(tmp_path / "b.zip", GOOD, (DEMO, changed))
    with pytest.raises(DigestMismatch) as caught:
        bundles.load(bundle, CARDS)
    assert sha256(CONTENT) in str(caught.value) and sha256(changed) in str(caught.value)
    assert not cache.exists()


def _edit_claims(data: bytes) -> bytes:
    """Say in the central directory that the member has no bytes to unpack but as many as it should."""
    return data.replace(struct.pack("<II", len(CONTENT), len(CONTENT)), struct.pack("<II", 4, len(CONTENT)))


def _edit_name(data: bytes) -> bytes:
    """Hide an ending behind a NUL, which zipfile cuts off."""
    return data.replace(DEMO.encode(), DEMO[:-5].encode() + b"\0nnx.")


@pytest.mark.parametrize(
    "edit", [_edit_claims, _edit_name, lambda d: d[:-9], lambda d: d[:100], lambda d: b""]
)
def test_damaged_archives_are_named_errors(
    cache: Path, tmp_path: Path, edit: Callable[[bytes], bytes]
) -> None:
    """Lying sizes, disguised names and truncation end in a named error, never a crash."""
    bundle = _write(tmp_path / "b.zip", GOOD, (DEMO, CONTENT))
    bundle.write_bytes(edit(bundle.read_bytes()))
    with pytest.raises((BundleError, DigestMismatch)):
        bundles.load(bundle, CARDS)
    assert not cache.exists()


def test_a_million_members_are_refused_before_they_are_listed(cache: Path, tmp_path: Path) -> None:
    """A directory too long for any bundle is refused by its stated length, before it is read."""
    bundle = _write(tmp_path / "b.zip", GOOD, (DEMO, CONTENT))
    data = bytearray(bundle.read_bytes())
    end = data.rfind(b"PK\x05\x06")
    data[end + 12 : end + 16] = struct.pack("<I", 60_000_000)
    bundle.write_bytes(bytes(data))
    with pytest.raises(BundleError, match="far more members"):
        bundles.load(bundle, CARDS)


@pytest.mark.parametrize("kind", ["folder", "absent", "fifo"])
def test_things_that_are_no_file(cache: Path, tmp_path: Path, kind: str) -> None:
    """A folder, nothing, or a pipe that would block for ever is refused by name."""
    path = tmp_path / "b.zip"
    if kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        if not hasattr(os, "mkfifo"):
            pytest.skip("this system has no FIFOs")
        os.mkfifo(path)
    with pytest.raises(BundleError, match="not a file"):
        bundles.load(path, CARDS)


def test_cards_are_the_only_authority(cache: Path, tmp_path: Path) -> None:
    """A bundle of a newer release, with a digest this installation does not pin, is not accepted."""
    _fill(tmp_path)
    bundles.export(tmp_path / "b.zip", [CARDS["demo"]], offline=True)
    newer: dict[str, ModelCard] = {"demo": card_of(SECOND, name="demo")}
    with pytest.raises(BundleError, match="no card here pins"):
        bundles.load(tmp_path / "b.zip", newer)
