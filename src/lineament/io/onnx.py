"""The one place that opens ONNX files: OpenVINO on the CPU, onnxruntime elsewhere or as a fallback.

A session takes as many calls at once as there are cores, each on its caller's thread: two workers with a
thread each beat one worker with two threads (benchmarks/pipeline.py).
"""

from __future__ import annotations

import importlib
import logging
import os
import threading
from collections import deque
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from lineament.config import did_you_mean
from lineament.errors import ConfigError, InvalidArray, LineamentError, MissingExtra, ModelRefused
from lineament.io import forks, graphs
from lineament.io.mixed import keep_sensitive_layers
from lineament.io.openvino import compile_model, core, first_call, import_openvino, never_let_go

_log = logging.getLogger("lineament")

Precision = Literal["exact", "balanced", "fast"]
Runtime = Literal["auto", "openvino", "onnxruntime"]


class Session(Protocol):
    """A loaded model."""

    input_names: tuple[str, ...]
    output_names: tuple[str, ...]

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
        """Named arrays in, named arrays out: fresh ones, safe to keep. A batch holds at least one item."""
        ...


def open_session(
    path: Path,
    *,
    precision: Precision = "exact",
    runtime: Runtime = "auto",
    streams: int | None = None,
    pinned: bool = False,
    graph: Path | None = None,
) -> Session:
    """Load an ONNX file, or a model in OpenVINO's format: ``path`` is its weights, ``graph`` its layers.

    The graph is looked at first (`lineament.io.graphs`), unless ``pinned`` says that a digest in this
    package is that of the file, or of what it was made from. Raises `ModelRefused` for one that no runtime
    is given, or that the runtime cannot open.

    ``precision`` exact is float32. Where the processor multiplies bfloat16 natively, balanced uses it for
    the layers of `lineament.io.mixed` and fast for all; elsewhere, and in onnxruntime, both are float32.
    ``streams`` is how many threads will call `run` at once, one a core by default. ``auto`` is OpenVINO, or
    onnxruntime, with one line of warning, where OpenVINO is not installed or does not load.

    A ``graph`` is pinned and runs in OpenVINO alone; its first dimension, the batch, is opened.

    A session works on in a forked child, and is pickled as the call that opened it.
    """
    if runtime not in get_args(Runtime):
        raise ConfigError(f"runtime {runtime!r}{did_you_mean(runtime, get_args(Runtime))}")
    if graph is None and not pinned:
        graphs.load(path)
    try:
        if runtime == "onnxruntime" or (runtime == "auto" and not _openvino_loads()):
            if graph is not None:
                raise ModelRefused(f"{path}: a model in OpenVINO's format, which no other runtime opens")
            return _OnnxRuntime(path)
        return _OpenVino(path, precision, streams or cores(), graph)
    except (LineamentError, ImportError, MemoryError):
        raise
    except Exception as error:  # each runtime has kinds of its own
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise ModelRefused(f"{path}: the runtime cannot open it: {lines[-1][:200]}") from error


@cache
def _openvino_loads() -> bool:
    try:
        import_openvino()
    except (ImportError, OSError) as error:  # OSError: a library of it that this machine cannot load
        _log.warning("OpenVINO cannot be used (%s); onnxruntime runs the models, more slowly", error)
        return False
    return True


def cores() -> int:
    """Cores this process may use, which in a container are fewer than the machine's."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _OpenVino:
    """One compiled model of a single stream for each call at once.

    A single stream computes in the thread that calls; several hand each call to threads of their own, and
    two callers then spent a third of their time waiting for a core while the other stood idle
    (docs/decisions/0009-inference-runtime.md). Compiled models of one graph share its weights.
    """

    def __init__(self, path: Path, precision: Precision, streams: int, graph: Path | None = None) -> None:
        self._opened_by = (path, precision, streams, graph)
        model = core().read_model(path) if graph is None else _of_two_files(graph, path)
        able = "BF16" in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        reduced = precision != "exact" and able
        # Compiling gives tensors further names; the graph's own are those the caller knows.
        self.input_names = tuple(i.get_any_name() for i in model.inputs)
        self.output_names = tuple(o.get_any_name() for o in model.outputs)
        if reduced and precision == "balanced":
            model = keep_sensitive_layers(core(), model)
        self._model = model
        self._hint = "bf16" if reduced else "f32"
        # The first is made here so that a faulty model shows when it is opened.
        with first_call:
            self._compiled = [self._compile()]
        self._spare = True
        self._idle: deque[Any] = deque()
        self._slots = threading.Semaphore(streams)
        forks.renew_in_children(self)

    def __reduce__(self) -> tuple[object, ...]:
        return _OpenVino, self._opened_by

    def renew_after_fork(self) -> None:
        """In a forked child: requests of its own, for the parent's may be in the middle of a call."""
        never_let_go(self._compiled, self._idle)
        self._compiled, self._spare, self._idle = [], False, deque()
        self._slots = threading.Semaphore(self._opened_by[2])

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
        if not all(array.size for array in inputs.values()):
            # OpenVINO would return the previous call's answer.
            raise InvalidArray("an empty batch cannot be run")
        with self._slots:
            try:
                request = self._idle.pop()
            except IndexError:
                return self._first(inputs)
            return self._infer(request, inputs)

    def _compile(self) -> Any:
        return compile_model(self._model, INFERENCE_PRECISION_HINT=self._hint)

    def _first(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
        with first_call:
            if self._spare:
                self._spare = False
            else:
                self._compiled.append(self._compile())
            return self._infer(self._compiled[-1].create_infer_request(), inputs)

    def _infer(self, request: Any, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
        try:
            result = request.infer(dict(inputs), share_inputs=True, share_outputs=False)
            return {name: np.asarray(result[i], np.float32) for i, name in enumerate(self.output_names)}
        finally:
            self._idle.append(request)


def _of_two_files(graph: Path, weights: Path) -> Any:
    """A model in OpenVINO's format that takes any number of items at once."""
    model = core().read_model(graph, weights)
    model.reshape({given: [-1, *given.partial_shape[1:]] for given in model.inputs})
    return model


def import_onnxruntime() -> Any:
    """The ``onnxruntime`` module; nothing is sent anywhere. All of lineament imports it through here.

    Since 1.29 its wheels report models, machine and errors to their vendor, on by default, and keep an
    identifier and a queue in ``~/.cache/Microsoft``. The variable is looked at once, when it starts.
    """
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    try:
        ort = importlib.import_module("onnxruntime")
    except ImportError as error:
        raise MissingExtra("the onnxruntime runtime", "onnxruntime") from error
    ort.disable_telemetry_events()  # what Windows collects does not look at the variable
    return ort


class _OnnxRuntime:
    def __init__(self, path: Path) -> None:
        ort = import_onnxruntime()
        self._path = path
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        self._session = ort.InferenceSession(str(path), options, providers=ort.get_available_providers())
        self.input_names = tuple(i.name for i in self._session.get_inputs())
        self.output_names = tuple(o.name for o in self._session.get_outputs())

    def __reduce__(self) -> tuple[object, ...]:
        return _OnnxRuntime, (self._path,)

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
        return dict(zip(self.output_names, self._session.run(None, dict(inputs)), strict=True))
