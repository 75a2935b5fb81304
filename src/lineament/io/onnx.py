"""The one place that opens ONNX files: OpenVINO on the CPU, onnxruntime elsewhere or as a fallback.

A session takes as many calls at once as there are cores, each on its caller's thread: two workers with a
thread each beat one worker with two threads (benchmarks/pipeline.py).
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from lineament.errors import ConfigError, InvalidArray, MissingExtra
from lineament.io.mixed import keep_sensitive_layers
from lineament.io.openvino import core

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
) -> Session:
    """Load an ONNX file.

    ``precision`` exact is float32. Where the processor multiplies bfloat16 natively, balanced uses it for
    the layers of `lineament.io.mixed` and fast for all; elsewhere, and in onnxruntime, both are float32.
    ``streams`` is how many threads will call `run` at once, one a core by default.
    """
    if runtime in ("auto", "openvino"):
        return _OpenVino(path, precision, streams or cores())
    if runtime == "onnxruntime":
        return _OnnxRuntime(path)
    raise ConfigError(f"unknown runtime {runtime!r}")


def cores() -> int:
    """Cores this process may use, which in a container are fewer than the machine's."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


_first_call = threading.Lock()
"""Held for the first call of each compiled model.

OpenVINO's bindings fill their table of types in the first call of the process, and let go of the
interpreter lock while they do: two threads that make first calls at once wait for each other for ever (seen
with 2026.4, about one start in ten).
"""


class _OpenVino:
    """One compiled model of a single stream for each call at once.

    A single stream computes in the thread that calls; several hand each call to threads of their own, and
    two callers then spent a third of their time waiting for a core while the other stood idle
    (docs/decisions/0009-inference-runtime.md). Compiled models of one graph share its weights.
    """

    def __init__(self, path: Path, precision: Precision, streams: int) -> None:
        self._core = core()
        model = self._core.read_model(path)
        able = "BF16" in self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        reduced = precision != "exact" and able
        # Compiling gives tensors further names; the graph's own are those the caller knows.
        self.input_names = tuple(i.get_any_name() for i in model.inputs)
        self.output_names = tuple(o.get_any_name() for o in model.outputs)
        if reduced and precision == "balanced":
            model = keep_sensitive_layers(self._core, model)
        self._model = model
        self._settings = {
            "INFERENCE_PRECISION_HINT": "bf16" if reduced else "f32",
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": 1,
            # Pinned, two processes were put on one core.
            "ENABLE_CPU_PINNING": False,
        }
        self._compiled = [self._compile()]
        """Not used yet; the first is made here so that a faulty model shows when it is opened."""
        self._idle: deque[Any] = deque()
        self._slots = threading.Semaphore(streams)

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
        return self._core.compile_model(self._model, "CPU", self._settings)

    def _first(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
        with _first_call:
            compiled = self._compiled.pop() if self._compiled else self._compile()
            return self._infer(compiled.create_infer_request(), inputs)

    def _infer(self, request: Any, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
        try:
            result = request.infer(dict(inputs), share_inputs=True, share_outputs=False)
            return {name: np.asarray(result[i], np.float32) for i, name in enumerate(self.output_names)}
        finally:
            self._idle.append(request)


class _OnnxRuntime:
    def __init__(self, path: Path) -> None:
        try:
            import onnxruntime as ort
        except ImportError as error:
            raise MissingExtra("the onnxruntime runtime", "onnxruntime") from error
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        self._session = ort.InferenceSession(str(path), options, providers=ort.get_available_providers())
        self.input_names = tuple(i.name for i in self._session.get_inputs())
        self.output_names = tuple(o.name for o in self._session.get_outputs())

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
        return dict(zip(self.output_names, self._session.run(None, dict(inputs)), strict=True))
