"""Archives: nothing lands outside, nothing is replaced, nothing explodes, nothing is lost unsaid."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from label_sets import picture_bytes

from lineament.datasets import archives
from lineament.datasets.archives import ArchiveLimits, is_archive, unpack
from lineament.datasets.importing.labels import import_dataset
from lineament.errors import ArchiveRefused, UsageError
from lineament.io.manifest import Manifest

Entries = list[tuple[str, bytes]]


def zipped(path: Path, entries: Entries) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in entries:
            packed.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return path


def tarred(path: Path, entries: Entries) -> Path:
    mode = {".gz": "w:gz", ".bz2": "w:bz2", ".xz": "w:xz"}.get(path.suffix, "w:")
    with tarfile.open(path, mode) as packed:  # type: ignore[call-overload]
        for name, data in entries:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            packed.addfile(info, io.BytesIO(data))
    return path


def special(path: Path, kind: bytes, name: str = "x", target: str = "/etc/passwd") -> Path:
    """A tar with one good file and one entry of a type that is no file."""
    with tarfile.open(path, "w:") as packed:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, target
        packed.addfile(info)
        good = tarfile.TarInfo("good.txt")
        good.size = 2
        packed.addfile(good, io.BytesIO(b"ok"))
    return path


MAKERS: dict[str, Callable[[Path, Entries], Path]] = {
    "a.zip": zipped,
    "a.tar": tarred,
    "a.tar.gz": tarred,
    "a.tar.bz2": tarred,
    "a.tar.xz": tarred,
}


def refused(
    archive: Path, folder: Path, match: str, limits: ArchiveLimits = archives.DEFAULT_LIMITS
) -> None:
    """The archive is refused by name and the surroundings are as they were."""
    before = sorted(p.relative_to(folder) for p in folder.rglob("*"))
    with pytest.raises(ArchiveRefused, match=match):
        unpack(archive, folder / "out", limits)
    assert sorted(p.relative_to(folder) for p in folder.rglob("*")) == before


@pytest.mark.parametrize("name", MAKERS)
def test_every_kind_unpacks(name: str, tmp_path: Path) -> None:
    """Names and bytes come out exactly, whatever the file is called."""
    entries = [("a/é b.txt", b"one"), ("a/日本/=x.txt", b"two" * 100_000), ("CON", b"three")]
    archive = MAKERS[name](tmp_path / name, entries).rename(tmp_path / "renamed.bin")
    done = unpack(archive, tmp_path / "out")
    assert {
        p.relative_to(done.folder).as_posix(): p.read_bytes() for p in done.folder.rglob("*") if p.is_file()
    } == dict(entries)
    assert (done.files, bool(done.problems)) == (3, False)


@pytest.mark.parametrize("maker", [zipped, tarred])
@pytest.mark.parametrize(
    "name", ["../x", "a/../../x", "/abs", "C:/x", "..\\x", "a\\..\\..\\x", "\\\\host\\x", ".."]
)
def test_a_path_that_leads_out_refuses_all(maker: Callable, name: str, tmp_path: Path) -> None:
    """One such entry refuses the archive: nothing lands outside, nothing stays inside."""
    refused(maker(tmp_path / "a", [("good.txt", b"ok"), (name, b"bad")]), tmp_path, "leads out")


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_are_left_out(kind: bytes, tmp_path: Path) -> None:
    """They are counted by name, and what is good is unpacked."""
    done = unpack(special(tmp_path / "a.tar", kind), tmp_path / "out")
    assert [p.name for p in done.folder.iterdir()] == ["good.txt"]
    assert done.problems.to_json() == {"link_or_device_left_out": {"count": 1, "examples": ["x"]}}


def test_a_file_through_a_link_stays_inside(tmp_path: Path) -> None:
    """A link to a folder outside, then a file below it: the file lands in the folder that we made."""
    with tarfile.open(tmp_path / "a.tar", "w:") as packed:
        link = tarfile.TarInfo("d")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path / "target")
        packed.addfile(link)
        info = tarfile.TarInfo("d/x")
        info.size = 1
        packed.addfile(info, io.BytesIO(b"x"))
    (tmp_path / "target").mkdir()
    done = unpack(tmp_path / "a.tar", tmp_path / "out")
    assert not list((tmp_path / "target").iterdir())
    assert (done.folder / "d" / "x").read_bytes() == b"x"


def test_a_link_in_a_zip_is_left_out(tmp_path: Path) -> None:
    """A zip marks a link by its mode; it is not written as a file holding the target."""
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        info = zipfile.ZipInfo("link")
        info.external_attr = 0o120777 << 16
        packed.writestr(info, "/etc/passwd")
        packed.writestr("good.txt", "ok")
    done = unpack(tmp_path / "a.zip", tmp_path / "out")
    assert [p.name for p in done.folder.iterdir()] == ["good.txt"]
    assert done.problems["link_or_device_left_out"] == 1


@pytest.mark.parametrize("maker", [zipped, tarred])
@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("names", [("a", "a"), ("a/b", "a"), ("a", "a/b"), ("a/./b", "a/b")])
def test_two_entries_for_one_file_refuse_all(
    maker: Callable, names: tuple[str, str], tmp_path: Path
) -> None:
    """Which of the two is meant cannot be known, so neither is taken."""
    refused(
        maker(tmp_path / "x", [(name, b"x") for name in names]),
        tmp_path,
        "would both become|into a folder|is both",
    )


def test_names_that_differ_by_case_or_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the disk tells them apart both are kept and counted, elsewhere the archive is refused."""
    archive = zipped(
        tmp_path / "a.zip", [("Bob/1", b"1"), ("bob/2", b"2"), ("José", b"3"), ("Jose\u0301", b"4")]
    )
    monkeypatch.setattr(archives, "folds_case", lambda _: True)
    refused(archive, tmp_path, "would become one file here")
    monkeypatch.setattr(archives, "folds_case", lambda _: False)
    done = unpack(archive, tmp_path / "out")
    assert done.files == 4
    assert done.problems["names_differ_by_case_or_unicode_form"] == 2


@pytest.mark.parametrize("name", MAKERS)
def test_bombs_stop_at_the_budget(name: str, tmp_path: Path) -> None:
    """Bytes are counted as they come out; at the limit the archive is refused and what was written goes."""
    archive = MAKERS[name](tmp_path / name, [(f"{n}.bin", bytes(1 << 20)) for n in range(4)])
    refused(
        archive,
        tmp_path,
        "unpacks to more than",
        ArchiveLimits(ratio=2, free_bytes=1 << 20, max_bytes=2 << 20),
    )


def test_overlapping_entries_stop_at_the_budget(tmp_path: Path) -> None:
    """A zip whose entries share one body counts each time it is written, or is refused as damaged."""
    archive = zipped(tmp_path / "a.zip", [(f"{n}", b"") for n in range(50)] + [("body", bytes(1 << 20))])
    data = bytearray(archive.read_bytes())
    start = data.find(b"PK\x01\x02")
    body = data.rfind(b"PK\x01\x02")
    sizes, at = data[body + 16 : body + 28], start
    offset = data[body + 42 : body + 46]
    while at < body:
        data[at + 10 : at + 12], data[at + 16 : at + 28], data[at + 42 : at + 46] = (
            data[body + 10 : body + 12],
            sizes,
            offset,
        )
        at += 46 + sum(struct.unpack_from("<HHH", data, at + 28))
    archive.write_bytes(data)
    refused(archive, tmp_path, "unpacks to more|damaged", ArchiveLimits(free_bytes=1 << 21, ratio=1))


@pytest.mark.parametrize("maker", [zipped, tarred])
def test_too_many_entries_are_refused(maker: Callable, tmp_path: Path) -> None:
    """The count is checked before anything is unpacked (zip) or while it is (tar)."""
    archive = maker(tmp_path / "a", [(str(n), b"") for n in range(300)])
    refused(archive, tmp_path, "more than 200 entries", ArchiveLimits(max_entries=200))


@pytest.mark.parametrize("zip64", [False, True])
@pytest.mark.parametrize("before", [b"", b"#!/bin/sh\n"])
def test_a_million_entries_cost_no_memory(before: bytes, zip64: bool, tmp_path: Path) -> None:
    """A zip directory of a million entries is refused without being parsed into objects, also when
    something stands before the archive, or its length stands in the larger record."""
    entry = (
        struct.pack("<4s6H3I5H2I", b"PK\x01\x02", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"x"
    )
    directory = entry * 1_000_000
    size = 0xFFFFFFFF if zip64 else len(directory)
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 16_960, 16_960, size, 0, 0)
    if zip64:
        record = (b"PK\x06\x06", 44, 45, 45, 0, 0, 10**6, 10**6, len(directory), 0)
        locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, len(before) + len(directory), 1)
        end = struct.pack("<4sQ2H2L4Q", *record) + locator + end
    (tmp_path / "a.zip").write_bytes(before + directory + end)
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "sys.path.insert(0, sys.argv[2])\n"
        "from peak import peak_mb\n"
        "from lineament.datasets import archives\n"
        "before = peak_mb()\n"
        "try:\n    archives._unpack_zip(Path(sys.argv[1]), None, archives.DEFAULT_LIMITS)\n"
        "except Exception as error:\n    print(type(error).__name__, error)\n"
        "print(peak_mb() - before)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "a.zip"), str(Path(__file__).parents[2])],
        capture_output=True,
        text=True,
        check=True,
    )
    message, grown = done.stdout.splitlines()
    assert message == "ArchiveRefused more than 300,000 entries"
    assert float(grown) < 150  # the directory itself is 47 MB; a million parsed entries take over 500


def test_a_huge_tar_header_is_refused(tmp_path: Path) -> None:
    """A PAX header of a gigabyte of zeros would be read into memory by the tar library."""
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, 1 << 30
    (tmp_path / "a.tar").write_bytes(header.tobuf(tarfile.USTAR_FORMAT) + bytes(4096))
    refused(tmp_path / "a.tar", tmp_path, "headers have more than")


def test_encrypted_damaged_and_cut_archives_are_refused(tmp_path: Path) -> None:
    """Flags, checksums and truncation each end in ArchiveRefused."""
    whole = zipped(tmp_path / "a.zip", [("a.txt", b"hello" * 1000), ("b.txt", b"x")]).read_bytes()
    flagged = bytearray(whole)
    flagged[flagged.find(b"PK\x01\x02") + 8] |= 1
    damaged = bytearray(whole)
    damaged[45] ^= 0xFF
    tar = tarred(tmp_path / "b.tar.gz", [("a.txt", b"hello" * 1000)]).read_bytes()
    cases = {
        "encrypted": bytes(flagged),
        "a.zip: damaged": bytes(damaged),
        "no directory": whole[:60],
        "damaged|cut|end": tar[:-20],
    }
    for match, data in cases.items():
        (tmp_path / "a.zip").write_bytes(data)
        refused(tmp_path / "a.zip", tmp_path, match)


def test_only_archives_are_archives(tmp_path: Path) -> None:
    """A picture or text is none, whatever it is called; a folder in use is refused."""
    (tmp_path / "a.zip").write_bytes(picture_bytes(0))
    assert not is_archive(tmp_path / "a.zip")
    with pytest.raises(UsageError, match="neither"):
        unpack(tmp_path / "a.zip", tmp_path / "out")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("x")
    with pytest.raises(UsageError, match="exists already"):
        unpack(zipped(tmp_path / "b.zip", [("mine", b"y")]), tmp_path / "out")
    assert (tmp_path / "out" / "mine").read_text() == "x"


def run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lineament", "dataset", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_from_an_archive_to_a_manifest_and_back(tmp_path: Path) -> None:
    """import unpacks, finds the folder inside, counts and reports as JSON; export tells what is lost."""
    document = {
        "images": [
            {"id": 0, "file_name": "a.jpg", "width": 40, "height": 24},
            {"id": 1, "file_name": "gone.jpg"},
        ],
        "annotations": [{"id": 0, "image_id": 0, "category_id": 1, "bbox": [1, 2, 10, 10]}],
        "categories": [{"id": 1, "name": "mask"}],
    }
    entries = [("set/images/a.jpg", picture_bytes(0)), ("set/coco.json", json.dumps(document).encode())]
    zipped(tmp_path / "set.zip", entries)
    done = run("import", "set.zip", "--json", "-", folder=tmp_path)
    assert (done.returncode, "--out" in done.stderr) == (2, True)
    done = run("import", "set.zip", "--out", "in", "--json", "-", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["format"], answer["pictures"], answer["faces"]) == ("coco", 1, 1)
    assert answer["problems"] == {"missing_picture": {"count": 1, "examples": ["set/coco.json: gone.jpg"]}}
    assert Manifest.load(tmp_path / "in" / "manifest.jsonl").steps[0]["problems"] == {"missing_picture": 1}
    done = run("export", "in", "out", "--format", "wider", "--json", "-", "--strict", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    losses = json.loads(done.stdout)["losses"]
    assert {"labels.class", "path", "steps", "id"} <= set(losses)
    done = run("export", "in", "out2", "--format", "imagefolder", folder=tmp_path)
    assert (done.returncode, "has a place" in done.stderr) == (1, True)
    done = run("import", "in", folder=tmp_path)
    assert (done.returncode, "--replace" in done.stderr) == (2, True)


def test_an_archive_without_labels_leaves_nothing(tmp_path: Path) -> None:
    """When nothing in it can be imported, the folder is not left half made."""
    zipped(tmp_path / "x.zip", [("readme.txt", b"hi")])
    done = run("import", "x.zip", "--out", "in", folder=tmp_path)
    assert done.returncode == 2
    assert not (tmp_path / "in").exists()


@pytest.mark.parametrize("name", MAKERS)
def test_what_macos_adds_is_left_out_and_counted(name: str, tmp_path: Path) -> None:
    """Resource forks and Finder's files never reach the disk: no folder of theirs becomes a person."""
    entries = []
    for number, path in enumerate(["train/ann/1.jpg", "train/bob/1.jpg", "test/ann/2.jpg"]):
        entries.append((path, picture_bytes(number)))
        entries.append((f"__MACOSX/{path.replace('/1', '/._1').replace('/2', '/._2')}", b"\0\5\26\7"))
    entries.append(("train/.DS_Store", b"Bud1"))
    archive = MAKERS[name](tmp_path / name, entries)
    path, found = import_dataset(archive, out=tmp_path / "out")
    assert {(row.subject, row.split) for row in found.manifest} == {
        ("ann", "train"),
        ("bob", "train"),
        ("ann", "test"),
    }
    assert found.problems.counts() == {"added_by_a_system": 4}
    assert sorted(p.name for p in path.parent.iterdir()) == ["manifest.jsonl", "test", "train"]
