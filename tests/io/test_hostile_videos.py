"""Files given as videos that name other files and addresses: none of those is opened."""

from __future__ import annotations

import re
import shutil
import socket
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

av = pytest.importorskip("av", reason="not installed: av (pip install 'lineament[video]')")

from lineament.errors import CollectError  # noqa: E402
from lineament.io import video  # noqa: E402

LISTS = {
    "playlist": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{bait}\n"
    "#EXTINF:1,\n{url}/a.ts\n#EXT-X-ENDLIST\n",
    "key of a playlist": '#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="{url}/key"\n#EXTINF:1,\n{bait}\n',
    "script that joins films": "ffconcat version 1.0\nfile {bait}\nfile {url}/a.mp4\n",
    "script with options": "ffconcat version 1.0\nfile {bait}\noption safe 0\n",
    "session description": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
    "m=video 47114 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
    "manifest of a stream": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static">'
    "<Period><AdaptationSet><BaseURL>{url}/</BaseURL></AdaptationSet></Period></MPD>\n",
    "list of Windows": "[playlist]\nFile1={bait}\nNumberOfEntries=1\n",
    "redirection of RealMedia": "{url}/stream.rm\n",
    "list of cuts": "# mpv EDL v0\n{bait}\n",
    "script of AviSynth": 'AviSource("{bait}")\n',
}


def film(path: Path, codec: str = "mpeg4", count: int = 5) -> Path:
    """A small film with the wanted container."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for shade in range(count):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 40 * shade, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def with_media_elsewhere(path: Path, bait: Path) -> Path:
    """A QuickTime film whose data reference (``dref``) is an alias of another file."""
    data = bytearray(film(path).read_bytes())
    name = bait.name.encode()
    alias = struct.pack(">HH", 0, 0).ljust(10, b"\0") + bytes(28) + bytes(12) + bytes([len(name)])
    alias += name.ljust(63, b"\0") + bytes(16) + struct.pack(">hh", 1, 1) + bytes(16)
    text = str(bait).encode()
    alias += struct.pack(">HH", 2, len(text)) + text + b"\0" * (len(text) % 2)
    alias += struct.pack(">HH", 18, len(text)) + text + b"\0" * (len(text) % 2) + struct.pack(">hH", -1, 0)
    entry = struct.pack(">I4sI", 12 + len(alias), b"alis", 0) + alias
    at = data.index(b"dref") + 12
    grown = len(entry) - 12
    data[at : at + 12] = entry
    for kind in (b"dref", b"dinf", b"minf", b"mdia", b"trak", b"moov"):
        start = data.index(kind) - 4
        struct.pack_into(">I", data, start, struct.unpack_from(">I", data, start)[0] + grown)
    path.write_bytes(data)
    return path


def with_a_link(path: Path, url: str) -> Path:
    """A Matroska film that says its other segments and an attachment lie elsewhere."""
    film(path)
    data = path.read_bytes()
    at = data.index(b"\x15\x49\xa9\x66")
    name = url.encode()
    # PrevFilename and NextFilename: 3C 83 AB and 3E 83 BB.
    fields = b"".join(
        mark + bytes([0x40 | len(name) >> 8, len(name) & 255]) + name
        for mark in (b"\x3c\x83\xab", b"\x3e\x83\xbb")
    )
    size_at = at + 4
    length = 8 if data[size_at] == 1 else 1
    old = int.from_bytes(data[size_at : size_at + length], "big") & ((1 << 7 * length) - 1)
    head = (old + len(fields) | 1 << 56).to_bytes(8, "big")
    path.write_bytes(data[:size_at] + head + fields + data[size_at + length :])
    return path


def hostile(folder: Path, url: str) -> tuple[Path, dict[str, Path]]:
    """The file that must stay closed, and everything that leads to it or to ``url``."""
    bait = film(folder / "bait.mp4")
    made = {}
    for number, (kind, text) in enumerate(LISTS.items()):
        for suffix in (".mp4", ".m3u8"):
            made[f"{kind}{suffix}"] = folder / f"{number}{suffix}"
            made[f"{kind}{suffix}"].write_text(text.format(bait=bait, url=url), encoding="utf-8")
    made["media elsewhere"] = with_media_elsewhere(folder / "elsewhere.mov", bait)
    made["segments elsewhere"] = with_a_link(folder / "elsewhere.mkv", f"{url}/next.mkv")
    for name in (f"concat:{bait}|{bait}", f"subfile,,start,0,end,0,,:{bait}", f"file:{bait}", url,
                 f"hls+{url}", f"async:{url}", "udp://127.0.0.1:47115", "rtsp://127.0.0.1/x",
                 "bait%d.mp4"):  # fmt: skip
        made[f"the name {name}"] = Path(name)
    return bait, made


READ = """
import sys
from pathlib import Path
from lineament.io import video
from lineament.errors import CollectError
import numpy, av, av.video.reformatter
list(video.frames(Path(sys.argv[1])))
Path("/begin").exists()
for name in sys.argv[2:]:
    try:
        print(len(list(video.frames(Path(name)))))
    except CollectError as error:
        print(type(error).__name__)
"""
PLAIN = """
import sys, av
Path = __import__("pathlib").Path
Path("/begin").exists()
for name in sys.argv[2:]:
    try:
        options = {"safe": "0", "enable_drefs": "1", "use_absolute_path": "1",
                   "protocol_whitelist": "file,http,tcp,udp,rtp,crypto,data", "allowed_extensions": "ALL",
                   "extension_picky": "0", "allowed_segment_extensions": "ALL"}
        with av.open(name, container_options=options, timeout=2) as container:
            print(len(list(container.decode(video=0))))
    except Exception as error:
        print(type(error).__name__, error)
"""


def traced(program: str, folder: Path, *names: str) -> tuple[str, str]:
    """What the program printed, and the system calls that open files or sockets once it has begun."""
    log = folder / "trace"
    done = subprocess.run(
        ["strace", "-f", "-qq", "-s", "300", "-o", log, "-e",
         "trace=open,openat,openat2,socket,connect,bind,stat,newfstatat",
         sys.executable, "-c", program, *names],
        capture_output=True, text=True, check=False, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    _, _, calls = log.read_text(errors="replace").partition('"/begin"')
    assert calls
    return done.stdout, calls


needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="not installed: strace")


@needs_strace
def test_nothing_but_the_file_itself_is_opened(tmp_path: Path) -> None:
    """Playlists, scripts, session descriptions, manifests, films with their media elsewhere, and names that
    are addresses: traced, no other file is opened and no socket made. Plain FFmpeg does both."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        bait, made = hostile(tmp_path, url)
        good = film(tmp_path / "good.mp4")
        names = [str(path) for path in made.values()]
        printed, calls = traced(READ, tmp_path, str(good), *names)
        opened = re.findall(r'open(?:at2?)?\([^"]*"([^"]*)"', calls)
        assert str(bait) not in opened and not re.search(r"\b(socket|connect|bind)\(", calls)
        assert {Path(name).name for name in opened if str(tmp_path) in name} == {
            path.name for path in made.values() if path.suffix and path.is_file()
        }  # fmt: skip
        with pytest.raises(BlockingIOError):
            server.accept()
        # A film whose media lie elsewhere gives what it holds itself: nothing, or a named error.
        assert set(printed.split()) <= {"BadAnswer", "Unreachable", "0", "5"}, printed
        control = [
            str(made[k])
            for k in ("script that joins films.mp4", "session description.mp4", "media elsewhere")
        ]
        _, calls = traced(PLAIN, tmp_path, str(good), *control)
        assert calls.count(f'"{bait}"') >= 2 and re.search(r"\bsocket\(", calls)


@pytest.mark.parametrize("kind", LISTS)
def test_lists_of_other_files_are_no_videos(kind: str, tmp_path: Path) -> None:
    """Also behind blanks or a byte order mark: BadAnswer, before FFmpeg sees them."""
    text = LISTS[kind].format(bait=film(tmp_path / "bait.mp4"), url="http://127.0.0.1:9")
    for before in ("", "\ufeff", "\n\n  ", "#\n"):
        path = tmp_path / "film.mp4"
        path.write_text(before + text, encoding="utf-8")
        with pytest.raises(CollectError, match="does not begin like"):
            list(video.frames(path))


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "mpeg4"), ("a.mov", "mpeg4"), ("a.mkv", "mpeg4"), ("a.avi", "mpeg4")]
)
def test_the_kinds_that_are_allowed_are_read_whatever_they_are_called(
    name: str, codec: str, tmp_path: Path
) -> None:
    """The first bytes choose the reader, not the name."""
    path = film(tmp_path / name, codec).rename(tmp_path / "film.m3u8")
    frames = list(video.frames(path))
    assert [round(float(frame.pixels.mean()) / 40) for frame in frames] == [0, 1, 2, 3, 4]
    assert [frame.timestamp for frame in frames] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])


def test_a_film_of_one_kind_that_begins_like_another_is_refused(tmp_path: Path) -> None:
    """Only the demuxer that the first bytes call for is tried."""
    path = tmp_path / "a.mp4"
    for head in (b"\0\0\0\x18ftypmp42", b"\x1a\x45\xdf\xa3", b"RIFF\0\0\0\0AVI "):
        path.write_bytes(head + b"\n#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n" * 50)
        with pytest.raises(CollectError):
            list(video.frames(path))
