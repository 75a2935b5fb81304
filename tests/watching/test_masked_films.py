"""Videos with masked faces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from films import RATE, SAMPLES, Film, analyzer, av, gallery, passing, still
from typer.testing import CliRunner

from lineament.anonymizing import Keeping, MaskSettings, Method, Review, mask_film
from lineament.cli.main import app
from lineament.errors import WouldOverwrite
from lineament.io.video import frames, read
from lineament.watching.film import FilmWriter


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Film:
    """Biden and Obama side by side; Obama is blurred away for a while, and a stranger comes at the end."""
    made = Film().scene(1.6, {"Obama": still(120), "Biden": still(360)})
    # He cannot be found for a fifth of a second: the mask has to stay.
    for at in range(15, 20):
        made.frames[at][:, :240] = 90
    return made.scene(1.0, {"stranger": passing(100, 380, 1.0, 135)}, background=1)


@pytest.fixture(scope="module")
def source(film: Film, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = film.write(tmp_path_factory.mktemp("masked") / "street.mp4", sound="aac")
    tagged = path.with_name("tagged.mp4")
    with av.open(str(path)) as given, av.open(str(tagged), "w") as out:
        out.metadata.update({"title": "At Ann's house", "location": "+47.37+008.54/"})
        streams = {stream.index: out.add_stream_from_template(stream) for stream in given.streams}
        for packet in given.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                out.mux(packet)
    return tagged


def test_every_frame_with_a_face_is_masked(film: Film, source: Path, tmp_path: Path) -> None:
    """Also those where it was not found; frames, times and sound stay, and nothing else of the file."""
    review = Review()
    done = mask_film(source, tmp_path / "m.mp4", "yunet:score=0.4", review=review)
    assert done.frames == len(film.frames) and not done.blank and done.bridged >= 3
    for frame, truth in zip(frames(tmp_path / "m.mp4"), film.truth, strict=True):
        for name, box in truth.items():
            # The middle: the box that is known is that of the head pasted in. Black but for the encoder's
            # noise.
            x, y = ((box[:2] + box[2:]) / 2).astype(int)
            face = frame.pixels[y - 20 : y + 20, max(0, x - 20) : x + 20]
            assert face.max() < 40, (name, frame.timestamp)
    assert [f.seconds for f in read(tmp_path / "m.mp4")] == pytest.approx(
        [f.seconds for f in read(source)], abs=1e-3
    )
    with av.open(str(tmp_path / "m.mp4")) as written, av.open(str(source)) as before:
        told = str(written.metadata) + "".join(str(stream.metadata) for stream in written.streams)
        assert "At Ann" in str(before.metadata) and "Ann" not in told and "47.37" not in told
        assert len(written.streams) == 2
        packets = [
            [bytes(p) for p in one.demux(one.streams.audio[0]) if p.size] for one in (before, written)
        ]
        assert packets[0] == packets[1] and packets[0]
    assert any("not found" in one.why for one in review.doubts)
    with pytest.raises(WouldOverwrite):
        mask_film(source, tmp_path / "m.mp4", "yunet")


def test_the_named_stay_in_a_video(film: Film, source: Path, tmp_path: Path) -> None:
    """Biden's track is kept, where he is the only one who is; all others are masked."""
    keeping = Keeping(gallery(), ["Biden"])
    done = mask_film(source, tmp_path / "k.mp4", "yunet", MaskSettings(Method.PIXELATE), keeping=keeping)
    assert [one.subject for one in done.kept] == ["Biden"] and len(done.tracks) >= 2
    shots = list(frames(tmp_path / "k.mp4"))
    at = RATE // 2
    box, other = (film.truth[at][name].astype(int) for name in ("Biden", "Obama"))
    before, after = film.frames[at].astype(int), shots[at].pixels
    inside = [np.s_[b[1] : b[3], b[0] : b[2]] for b in (box, other)]
    assert np.abs(before[inside[0]] - after[inside[0]]).mean() < 6
    [found] = analyzer().detector.detect([shots[at]])
    assert len(found) == 1 and np.abs(found.boxes[0] - film.truth[at]["Biden"]).max() < 40


def test_the_command_masks_a_folder_of_both(source: Path, tmp_path: Path) -> None:
    """Photos and videos of one folder, each under its name; the summary tells of bridged gaps."""
    given = tmp_path / "given"
    given.mkdir()
    (given / "photo.png").write_bytes((SAMPLES / "collins_nasa.png").read_bytes())
    (given / "film.mp4").write_bytes(source.read_bytes())
    (given / "broken.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(100))
    out, lines = tmp_path / "out", tmp_path / "m.jsonl"
    options = [
        "--out",
        str(out),
        "--every",
        "2",
        "--json",
        str(lines),
        "--review",
        str(tmp_path / "r.html"),
    ]
    done = CliRunner().invoke(app, ["anonymize", str(given), *options])
    assert done.exit_code == 0, done.output
    assert sorted(path.name for path in out.iterdir()) == ["film.mp4", "photo.png"]
    assert "a gap bridged" in done.output and "BadAnswer" in done.output
    assert '"hold_s": 0.5' in lines.read_text()


def test_sound_whose_packets_share_a_time(film: Film, source: Path, tmp_path: Path) -> None:
    """As several in one chunk of an AVI file do: they follow each other in the copy, and none is lost."""
    target, count = tmp_path / "s.mp4", 0
    with av.open(str(source)) as given, FilmWriter(target, given.streams.audio[0]) as written:
        written.frame(film.frames[0], 0.0)
        for packet in given.demux(given.streams.audio[0]):
            if packet.dts is not None:
                packet.dts = packet.pts = packet.dts - packet.dts % (2 * packet.duration)
                written.sound(packet)
                count += 1
    with av.open(str(target)) as again:
        times = [packet.dts for packet in again.demux(again.streams.audio[0]) if packet.dts is not None]
    assert len(times) == count > 10 and (np.diff(times) > 0).all()
