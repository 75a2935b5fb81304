"""An analyzer and the processes around it: forked, spawned, pickled, and without some packages."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from lineament import Analyzer
from lineament.detectors.haar import Haar, HaarConfig
from lineament.errors import UsageError
from lineament.registry import attributes, detectors, embedders

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
PHOTO = str(SAMPLES / "obama_2012_portrait.jpg")
SECONDS = 60
"""Far longer than any child takes; one that hangs is ended and told of."""

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
_shared: list[Analyzer] = []


def _faces(path: str) -> list[int]:
    return [len(outcome.faces) for outcome in _shared[0].analyze([path, path])]


def _faces_by(analyzer: Analyzer, path: str) -> list[int]:
    return [len(outcome.faces) for outcome in analyzer.analyze([path, path])]


@pytest.fixture
def used() -> Analyzer:
    analyzer = Analyzer(workers=2)
    _shared[:] = [analyzer]
    assert _faces(PHOTO) == [1, 1]
    return analyzer


@needs_fork
@pytest.mark.parametrize("again", range(3))
def test_forked_children_answer(used: Analyzer, again: int) -> None:
    """Children of a pool forked after the analyzer was used answer as their parent does."""
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map_async(_faces, [PHOTO] * 4).get(SECONDS) == [[1, 1]] * 4
    assert _faces(PHOTO) == [1, 1]


@needs_fork
def test_forked_while_at_work(used: Analyzer) -> None:
    """A child forked while the parent's threads hold locks, in the middle of calls, answers as well."""
    stop = threading.Event()

    def keep_busy() -> None:
        while not stop.is_set():
            _faces(PHOTO)

    busy = threading.Thread(target=keep_busy)
    busy.start()
    try:
        for _ in range(8):
            child = multiprocessing.get_context("fork").Process(target=_faces, args=(PHOTO,))
            child.start()
            child.join(SECONDS)
            hangs = child.is_alive()
            child.kill()
            assert not hangs
            assert child.exitcode == 0
    finally:
        stop.set()
        busy.join()


@needs_fork
def test_a_run_begun_before_the_fork_is_refused(used: Analyzer) -> None:
    """Reading on, in a child, from outcomes that the parent's threads were making is a named error."""
    run = used.analyze([PHOTO] * 40)
    next(run)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            list(run)
        except UsageError as error:
            os.write(writing, str(error).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as said:
        assert b"call analyze again in the child" in said.read()
    os.waitpid(child, 0)
    assert len(list(run)) == 39


def test_spawned_children_answer(used: Analyzer) -> None:
    """An analyzer is handed to spawned processes as an argument: its settings travel."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply_async(_faces_by, (used, PHOTO)).get(SECONDS) == [1, 1]


def test_pickled_analyzers_are_small_and_alike() -> None:
    """All settings come back, no network is in the bytes, and the answers are the same."""
    analyzer = Analyzer(
        "retry:yunet",
        attributes=["age"],
        quality=False,
        workers=1,
        precision="exact",
        batch_size=3,
        keep_images=True,
    )
    data = pickle.dumps(analyzer)
    assert len(data) < 1000
    again = pickle.loads(data)
    assert (again.workers, again.batch_size, again.keep_images, again.quality) == (1, 3, True, False)
    first, second = analyzer.analyze_one(PHOTO).faces, again.analyze_one(PHOTO).faces
    assert np.array_equal(first.boxes, second.boxes)
    assert np.array_equal(first.embeddings, second.embeddings)
    assert first.attributes["age"].values == second.attributes["age"].values


def test_pickled_analyzers_of_objects() -> None:
    """An analyzer of objects travels with them."""
    analyzer = Analyzer(Haar(HaarConfig(min_size=40)), None, quality=False)
    again = pickle.loads(pickle.dumps(analyzer))
    assert np.array_equal(analyzer.analyze_one(PHOTO).faces.boxes, again.analyze_one(PHOTO).faces.boxes)


@pytest.mark.parametrize(
    ("registry", "spec"),
    [
        (detectors, "yunet:score=0.7"),
        (detectors, "centerface"),
        (detectors, "haar"),
        (detectors, "retry:yunet"),
        (embedders, "sface"),
        (attributes, "age"),
        (attributes, "gender"),
    ],
)
def test_every_part_is_pickled(registry: object, spec: str) -> None:
    """Each detector, embedder and attribute classifier comes back with its settings, not its weights."""
    part = registry.create(spec)  # type: ignore[attr-defined]
    data = pickle.dumps(part)
    assert len(data) < 5000
    again = pickle.loads(data)
    assert getattr(again, "config", None) == getattr(part, "config", None)


@pytest.mark.parametrize("threads", [1, 3])
def test_opencvs_setting_is_left_as_found(used: Analyzer, threads: int) -> None:
    """After a run, and between two outcomes of one, OpenCV has as many threads as the program gave it."""
    import cv2

    before = cv2.getNumThreads()
    try:
        cv2.setNumThreads(threads)
        _faces(PHOTO)
        used.analyze_one(PHOTO)
        assert cv2.getNumThreads() == threads
        with pytest.raises(AttributeError):
            list(Analyzer(_Broken(), None, quality=False).analyze([PHOTO]))  # type: ignore[arg-type]
        assert cv2.getNumThreads() == threads
    finally:
        cv2.setNumThreads(before)


class _Broken:
    gives_landmarks = True

    def detect(self, images: object) -> object:
        raise AttributeError("broken")


def _run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=SECONDS
    )


def test_without_openvino() -> None:
    """Where OpenVINO is missing onnxruntime answers as the pipeline that needs none does, and one line of
    warning says so once."""
    program = f"""
import sys
sys.modules["openvino"] = None
from lineament import Analyzer
for analyzer in (Analyzer(), Analyzer("centerface")):
    [outcome] = analyzer.analyze([{PHOTO!r}])
    print(*outcome.faces.embeddings[0])
"""
    run = _run(program)
    assert run.returncode == 0, run.stderr
    lines = [line for line in run.stderr.splitlines() if line]
    assert len(lines) == 1 and "onnxruntime" in lines[0]
    vector = np.array(run.stdout.splitlines()[0].split(), float)
    with Analyzer(pipeline="classic") as analyzer:
        [outcome] = analyzer.analyze([PHOTO])
    assert outcome.faces.embeddings is not None
    assert float(vector @ outcome.faces.embeddings[0]) > 0.999


def test_without_any_runtime() -> None:
    """With neither runtime the error names what to install."""
    run = _run(
        "import sys\nsys.modules['openvino'] = sys.modules['onnxruntime'] = None\n"
        "from lineament import Analyzer\nAnalyzer()"
    )
    assert "MissingExtra" in run.stderr and "lineament[onnxruntime]" in run.stderr


@pytest.mark.parametrize("missing", ["lineament", "openvino", "numpy", "all of them"])
def test_metadata_may_be_missing(missing: str) -> None:
    """Versions of copies without metadata are recorded as unknown; recognition goes on."""
    program = f"""
import importlib.metadata as m
real = m.Distribution.from_name.__func__
def from_name(cls, name):
    if {missing!r} in (name, "all of them"):
        raise m.PackageNotFoundError(name)
    return real(cls, name)
m.Distribution.from_name = classmethod(from_name)
from lineament.io.environment import environment
print(sum(v == "unknown" for v in environment().values()))
from lineament import Analyzer
print(len(Analyzer().analyze_one({PHOTO!r}).faces))
"""
    run = _run(program)
    assert run.returncode == 0, run.stderr
    unknown, faces = run.stdout.split()
    assert faces == "1" and int(unknown) == (7 if missing == "all of them" else 1)


_FORKS = f"""
import gc, os, sys, time
from lineament import Analyzer
def faces(analyzer):
    return [len(o.faces) for o in analyzer.analyze([{PHOTO!r}] * 4)]
def in_child(work):
    child = os.fork()
    if child == 0:
        work()
        sys.exit(0)  # the whole way out, as servers end their workers
    for _ in range({SECONDS * 5}):
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return print("ended", status, flush=True)
        time.sleep(0.2)
    os.kill(child, 9)
    print("hangs", flush=True)
used = Analyzer(workers=2)
faces(used)
in_child(lambda: None)
in_child(lambda: print(faces(used)))
in_child(lambda: print(faces(Analyzer(workers=2))))
in_child(lambda: in_child(lambda: print(faces(used))))
used = Analyzer(workers=2)  # the first goes, and leaves what it was run by
faces(used)
del used
gc.collect()
in_child(lambda: print(faces(Analyzer(workers=2))))
print(faces(Analyzer(workers=2)))
"""


@needs_fork
def test_children_end(used: Analyzer) -> None:
    """Forked children also end: unused, after use, with an analyzer or children of their own."""
    run = subprocess.run(
        [sys.executable, "-c", _FORKS], capture_output=True, text=True, check=False, timeout=280
    )
    assert run.returncode == 0, run.stderr
    assert "hangs" not in run.stdout
    assert run.stdout.count("[1, 1, 1, 1]") == 5 and run.stdout.count("ended 0") == 6


OPENCV_FORKS = """
import os, signal, sys, time
import cv2, numpy as np
from lineament.io.opencv import one_thread_each
picture = np.zeros((3000, 3000, 3), np.uint8)
cv2.setNumThreads(2)
cv2.GaussianBlur(picture, (31, 31), 5)
time.sleep(0.5)  # its threads have gone to sleep
child = os.fork()
if child == 0:
    signal.alarm(SECONDS)  # ends it unless it ends itself
    assert cv2.getNumThreads() == 2
    with one_thread_each():
        cv2.resize(picture, (64, 64))
    cv2.GaussianBlur(picture, (31, 31), 5)
    os._exit(0)
assert cv2.getNumThreads() == 2
cv2.GaussianBlur(picture, (31, 31), 5)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@needs_fork
def test_opencv_works_in_a_child_whose_parent_used_its_threads() -> None:
    """OpenCV's threads, asleep in the parent, are not there in the child: to set another number of them
    there would wait for them for ever."""
    code = OPENCV_FORKS.replace("SECONDS", str(SECONDS // 2))
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, (run.returncode, run.stderr[-2000:])
