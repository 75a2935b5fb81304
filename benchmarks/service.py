"""The service against the library on the same pictures: the figures of docs/howto/serve.md.

    python benchmarks/service.py [--side 640] [--pictures 64] [--rounds 5]

The service is a process of its own, its clients are threads of this one, over loopback: what they cost is
in the figures. Rounds of both alternate, so that a busy machine slows both; ratios are medians over rounds,
with their range. Processor seconds of a start say what it takes where nothing else runs.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import queue
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import psutil

from lineament.analyzer import Analyzer
from lineament.gallery.gallery import Gallery
from lineament.io import images

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
HOST = "127.0.0.1"


def pictures(side: int, count: int) -> list[bytes]:
    """Different JPEGs of that longer side, made of the samples: shifted by some pixels and of other
    quality."""
    found = []
    sources = [
        images.load(path).pixels for path in sorted(SAMPLES.iterdir()) if path.suffix in (".jpg", ".png")
    ]
    for number in range(count):
        pixels = sources[number % len(sources)][number % 7 :, number % 5 :]
        factor = side / max(pixels.shape[:2])
        size = (round(pixels.shape[1] * factor), round(pixels.shape[0] * factor))
        small = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
        found.append(images.encode_jpeg(small, quality=85 + number % 10))
    return found


class Service:
    """A service that runs, with its key."""

    def __init__(self, folder: Path, gallery: str) -> None:
        self.key_file = folder / "admin.key"
        began = time.perf_counter()
        words = ["--gallery", gallery, "--keys", str(folder / "keys.db"), "--port", "0", "--json", "-"]
        if not (folder / "keys.db").exists():
            words += ["--key-file", str(self.key_file)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "lineament", "serve", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        told = json.loads(self.process.stdout.readline())
        self.port = int(told["address"].rpartition(":")[2])
        self.key = self.key_file.read_text().strip()
        while self.ask(http.client.HTTPConnection(HOST, self.port), "GET", "/readyz")[0] != 200:
            time.sleep(0.005)
        self.seconds_to_ready = time.perf_counter() - began
        times = psutil.Process(self.process.pid).cpu_times()
        self.processor_seconds = times.user + times.system

    def ask(
        self, connection: http.client.HTTPConnection, method: str, path: str, body: bytes = b""
    ) -> tuple[int, bytes]:
        """Status and body of one request."""
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "image/jpeg"}
        connection.request(method, path, body or None, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()

    def identify(self, connection: http.client.HTTPConnection, picture: bytes) -> int:
        """The status of one picture's search."""
        return self.ask(connection, "POST", "/v1/identify", picture)[0]

    def end(self) -> None:
        """Stop it."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


def together(
    service: Service, given: Sequence[bytes], clients: int
) -> tuple[float, list[tuple[int, float]]]:
    """Seconds for all pictures by so many clients, and status and seconds of each."""
    waiting: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    for one in given:
        waiting.put(one)
    done: list[tuple[int, float]] = []

    def work() -> None:
        connection = http.client.HTTPConnection(HOST, service.port)
        while True:
            try:
                picture = waiting.get_nowait()
            except queue.Empty:
                return
            began = time.perf_counter()
            status = service.identify(connection, picture)
            done.append((status, time.perf_counter() - began))

    threads = [threading.Thread(target=work) for _ in range(clients)]
    began = time.perf_counter()
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return time.perf_counter() - began, done


def timed(work: Callable[[], object]) -> float:
    """Seconds of a call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def told(name: str, values: Sequence[float], form: str = ".2f") -> None:
    """Median and range on a line."""
    print(f"{name}: {statistics.median(values):{form}} ({min(values):{form}} to {max(values):{form}})")


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=640)
    parser.add_argument("--pictures", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--starts", type=int, default=5)
    asked = parser.parse_args()
    given = pictures(asked.side, asked.pictures)
    sizes = [len(one) for one in given]
    load = os.getloadavg()[0]
    print(
        f"{len(given)} pictures of {asked.side} px, {statistics.mean(sizes) / 1000:.0f} kB, load {load:.1f}"
    )
    with tempfile.TemporaryDirectory() as name, Analyzer() as analyzer:
        gallery = f"sqlite:{name}/people.db"
        with Gallery(gallery, analyzer) as opened:
            list(
                opened.enrol_all(
                    [(f"person {n}", one) for n, one in enumerate(given[:6])], allow=["low-quality"]
                )
            )
            starts, processor = [], []
            for _ in range(asked.starts):
                service = Service(Path(name), gallery)
                starts.append(service.seconds_to_ready)
                processor.append(service.processor_seconds)
                service.end()
            told("seconds from start to ready", starts)
            told("processor seconds of that", processor)
            service = Service(Path(name), gallery)
            try:
                compare(opened, service, given, asked.rounds)
            finally:
                service.end()


def compare(gallery: Gallery, service: Service, given: Sequence[bytes], rounds: int) -> None:
    """The library's throughput and time against the service's, and what happens when too much is asked."""
    connection = http.client.HTTPConnection(HOST, service.port)
    for one in given[:4]:
        list(gallery.identify([one]))
        service.identify(connection, one)
    shares, library, served = [], [], []
    for _ in range(rounds):
        library.append(len(given) / timed(lambda: list(gallery.identify(given))))
        seconds, done = together(service, given, 16)
        assert all(status == 200 for status, _ in done)
        served.append(len(given) / seconds)
        shares.append(served[-1] / library[-1])
    told("library, batched, pictures a second", library, ".1f")
    told("service, 16 clients, pictures a second", served, ".1f")
    told("service / library", shares)
    connection.close()  # the service has hung up meanwhile
    alone, asked = [], []
    for _ in range(max(1, rounds // 2)):
        for one in given:
            alone.append(1000 * timed(lambda one=one: list(gallery.identify([one]))))
            asked.append(1000 * timed(lambda one=one: service.identify(connection, one)))
    p50 = statistics.median(alone), statistics.median(asked)
    print(
        f"one picture alone, p50: library {p50[0]:.1f} ms, service {p50[1]:.1f} ms: {p50[1] / p50[0]:.2f}"
    )
    _, done = together(service, list(given) * 4, 128)
    taken = sorted(1000 * seconds for status, seconds in done if status == 200)
    refused = sum(status == 503 for status, _ in done)
    print(
        f"128 clients at once: {len(taken)} answered, {refused} refused (503); answered p50 "
        f"{statistics.median(taken):.0f} ms, p99 {taken[int(0.99 * (len(taken) - 1))]:.0f} ms"
    )


if __name__ == "__main__":
    main()
