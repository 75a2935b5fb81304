"""What a small foreign file may cost: twice the file is at most two and a half times the work.

Work is counted, not timed: lines of Python executed, folders made, bytes held. Where one call into C
does the work, a size is taken at which the square of it would not end within the test's own limit.
"""

from __future__ import annotations

import io
import sys
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from lineament.datasets.archives import ArchiveLimits, unpack
from lineament.datasets.collect import robots
from lineament.datasets.formats import roboflow
from lineament.errors import ArchiveRefused, CardMismatch
from lineament.io import golden


def lines(act: Callable[[], Any]) -> int:
    """How many lines of Python the call executes."""
    count = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        act()
    finally:
        sys.settrace(before)
    return count


def peak(act: Callable[[], Any]) -> int:
    """The most bytes that Python held at once meanwhile."""
    tracemalloc.start()
    try:
        act()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def agents_and_rules(n: int) -> str:
    return "User-agent: a\n" * n + "Disallow: /x\n" * n


ROBOTS: dict[str, Callable[[int], str]] = {
    "agents of one group": agents_and_rules,
    "different agents of one group": lambda n: (
        "".join(f"User-agent: a{i}\n" for i in range(n)) + "Allow: /\n" * n
    ),
    "our own name again and again": lambda n: "User-agent: lineament\n" * n + "Disallow: /x\n" * n,
    "all and us": lambda n: "User-agent: *\nUser-agent: lineament\n" * n + "Disallow: /x\n" * n,
    "groups": lambda n: "User-agent: lineament\nDisallow: /x\n" * n,
    "delays": lambda n: "User-agent: *\n" + "Crawl-delay: 1\n" * n,
    "rules of stars": lambda n: "User-agent: *\n" + f"Disallow: {'*a' * 20}$\n" * n,
    "one long rule": lambda n: "User-agent: *\nDisallow: /" + "*" * n,
    "empty lines": lambda n: "\r\n" * n,
    "comments": lambda n: "#" * n + "\n" + "# a\n" * n,
    "colons": lambda n: ":" * n + "\n" + ":\n" * n,
    "blanks": lambda n: "User-agent:" + " " * n + "\nDisallow:" + "\t" * n,
}  # fmt: skip


@pytest.mark.parametrize("kind", ROBOTS)
def test_robots_files_cost_by_their_size(kind: str) -> None:
    """However agents and rules are spread: parsing and asking, in lines and in memory."""

    def work(n: int) -> tuple[int, int]:
        body = ROBOTS[kind](n).encode()

        def act() -> None:
            robots.parse(body, "lineament").allows("/" + "a" * 200)

        return lines(act), peak(act)

    (once, held), (twice, held_twice) = work(600), work(1200)
    assert twice <= 2.5 * once + 100
    assert held_twice <= 2.5 * held + 10_000


def test_no_robots_rule_is_dropped_unsaid() -> None:
    """The bound is that of the file's bytes: the last rule of a file at that bound still holds."""
    rules = "User-agent: *\n" + "Disallow: /a\n" * 30_000 + "Disallow: /last\n"
    assert len(rules) < robots.MAX_BYTES
    assert not robots.parse(rules.encode(), "lineament").allows("/last")


READMES: dict[str, Callable[[int], str]] = {
    "blanks behind a licence": lambda n: "License: a" + " " * n + "b",
    "tabs and blanks": lambda n: "License: a" + " \t" * n + "b",
    "nothing but blanks": lambda n: "License:" + " " * n,
    "many licences": lambda n: "License: \n" * n,
    "an address without an end": lambda n: "https://" * n,
    "letters without an end": lambda n: "https://" + "a" * n,
    "nearly the name": lambda n: "https://" + "roboflo" * n,
    "carriage returns": lambda n: "License: a" + "\r" * n + "b",
}  # fmt: skip


@pytest.mark.parametrize("kind", READMES)
def test_readmes_cost_by_their_size(kind: str, tmp_path: Path) -> None:
    """Licence and address of an export are found in a text of a hundred thousand of anything."""

    def work(n: int) -> int:
        (tmp_path / "README.dataset.txt").write_text(READMES[kind](n), encoding="utf-8")
        return lines(lambda: roboflow._provenance(tmp_path))

    once, twice = work(50_000), work(100_000)
    assert twice <= 2.5 * once + 100


def test_what_a_readme_says_is_still_found(tmp_path: Path) -> None:
    """The first licence that is one, and the first address of the site."""
    text = (
        "License:\nLicense:  CC BY 4.0 \t\r\nsee (https://a.example/x https://universe.roboflow.com/a/b)\n"
    )
    (tmp_path / "README.dataset.txt").write_text(text, encoding="utf-8")
    found = roboflow._provenance(tmp_path)
    assert (found.licence, found.page) == ("CC BY 4.0", "https://universe.roboflow.com/a/b)")


def packed(path: Path, names: list[str]) -> Path:
    """Empty files of these names, as zip or tar.gz."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in names:
                archive.writestr(name, b"")
    else:
        with tarfile.open(path, "w:gz") as tar:
            for name in names:
                tar.addfile(tarfile.TarInfo(name))
    return path


DEEP: dict[str, tuple[list[str], str]] = {
    "folders 500 deep": ([f"{i}/" + "a/" * 499 + "f" for i in range(800)], "499|500 folders deep"),
    "one deep path": (["a/" * 40 + "f"], "40 folders deep; the limit is 32"),
    "deep empty folders": (["a/" * 40], "folders deep; the limit is 32"),
    "deep behind dots": (["./a/./" * 40 + "f"], "folders deep; the limit is 32"),
    "deep system folders": (["__MACOSX/" + "a/" * 40 + "f"], "folders deep; the limit is 32"),
    "wide and as deep as allowed": ([f"{i}/" + "a/" * 31 + "f" for i in range(200)],
                                    "folders included"),
}  # fmt: skip


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz"])
@pytest.mark.parametrize("kind", DEEP)
def test_folders_that_paths_imply_are_paid_for(
    kind: str, suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They count as entries and as bytes, and lie only so deep; the bound that was hit is named, and few of
    them were made by then."""
    made: list[object] = []
    mkdir = Path.mkdir
    monkeypatch.setattr(Path, "mkdir", lambda *a, **k: (made.append(a), mkdir(*a, **k))[1])
    names, bound = DEEP[kind]
    archive = packed(tmp_path / f"a{suffix}", names)
    limits = ArchiveLimits(free_bytes=1 << 20, ratio=1)
    with pytest.raises(ArchiveRefused, match=bound):
        unpack(archive, tmp_path / "out", limits)
    assert not (tmp_path / "out").exists()
    assert len(made) <= 2 + limits.budget(archive.stat().st_size) // 4096


def test_an_honest_deep_archive_unpacks(tmp_path: Path) -> None:
    """Thirty-two folders are deeper than any data set that was seen."""
    name = "a/" * 32 + "f"
    assert (unpack(packed(tmp_path / "a.zip", [name]), tmp_path / "out").folder / name).is_file()


def chained(kind: bytes, count: int) -> bytes:
    """So many headers of this type in a row, each of which is small."""
    out = io.BytesIO()
    for _ in range(count):
        info = tarfile.TarInfo("x")
        info.type, info.size = kind, 512
        out.write(info.tobuf(tarfile.GNU_FORMAT) + b"20 a=bbbbbbbbbbbbbb\n".ljust(512, b"\0"))
    return out.getvalue()


def with_shared_headers(count: int) -> bytes:
    """A global PAX header with so many keys, which the library copies for every entry."""
    text = b"".join(b"%d k%06d=v\n" % (len(b"00 k000000=v\n"), i) for i in range(count))
    info = tarfile.TarInfo("g")
    info.type, info.size = tarfile.XGLTYPE, len(text)
    plain = tarfile.TarInfo("f").tobuf(tarfile.USTAR_FORMAT)
    return info.tobuf(tarfile.USTAR_FORMAT) + text + bytes(-len(text) % 512) + plain + bytes(1024)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (chained(tarfile.GNUTYPE_LONGNAME, 5_000), "headers|cannot be read|damaged"),
        (chained(tarfile.GNUTYPE_LONGLINK, 5_000), "headers|cannot be read|damaged"),
        (chained(tarfile.XHDTYPE, 5_000), "headers|cannot be read|damaged"),
        (with_shared_headers(20_000), "headers for all entries"),
        (with_shared_headers(90_000), "headers have more than"),
    ],
)
def test_headers_of_a_tar_are_paid_for(data: bytes, reason: str, tmp_path: Path) -> None:
    """Many small ones are as bad as a large one: counted by entry, and those for all entries by number."""
    (tmp_path / "a.tar").write_bytes(data)
    with pytest.raises(ArchiveRefused, match=reason):
        unpack(tmp_path / "a.tar", tmp_path / "out")


@pytest.mark.parametrize(
    "name", ["waves-9999x9999", "waves-2049x1", "waves-1x2049", "waves-0x5", "waves-5x0", "waves-9999x1"]
)
def test_golden_pictures_have_a_size_that_models_take(name: str) -> None:
    """A run folder is foreign: what its card names is refused before a byte of the picture is made."""

    def act() -> None:
        with pytest.raises(CardMismatch, match="2,048"):
            golden.picture(name)

    assert peak(act) < 1 << 20


def test_golden_pictures_cost_by_their_pixels() -> None:
    """Twice the pixels, twice the memory; the largest stays below 100 bytes a pixel."""
    once, twice = (
        peak(lambda: golden.picture("waves-256x256")),
        peak(lambda: golden.picture("waves-256x512")),
    )
    assert twice <= 2.5 * once and twice <= 100 * 256 * 512
