"""The one place that opens ONNX files: OpenVINO on the CPU, onnxruntime elsewhere or as a fallback.

A session takes as many calls at once as there are cores, each on one thread: two workers with a thread
each beat one worker with two threads (benchmarks/pipeline.py).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from lineament.errors import ConfigError, InvalidArray, MissingExtra
from lineament.io.mixed import keep_sensitive_layers
from lineament.io.openvino import import_openvino

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
"""Held for a thread's first call of a session.

OpenVINO's bindings fill their table of types in the first call of the process, and let go of the
interpreter lock while they do: two threads that make first calls at once wait for each other for ever (seen
with 2026.4, about one start in ten).
"""


class _OpenVino:
    def __init__(self, path: Path, precision: Precision, streams: int) -> None:
        core = import_openvino().Core()
        model = core.read_model(path)
        reduced = precision != "exact" and "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        # Compiling gives tensors further names; the graph's own are those the caller knows.
        self.input_names = tuple(i.get_any_name() for i in model.inputs)
        self.output_names = tuple(o.get_any_name() for o in model.outputs)
        if reduced and precision == "balanced":
            model = keep_sensitive_layers(core, model)
        self._model = core.compile_model(
            model,
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": "bf16" if reduced else "f32",
                "NUM_STREAMS": streams,
                "INFERENCE_NUM_THREADS": streams,
                # Pinned, two processes were put on one core.
                "ENABLE_CPU_PINNING": False,
            },
        )
        self._local = threading.local()

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
        if not all(array.size for array in inputs.values()):
            # OpenVINO would return the previous call's answer.
            raise InvalidArray("an empty batch cannot be run")
        request = getattr(self._local, "request", None)
        if request is None:
            with _first_call:
                request = self._local.request = self._model.create_infer_request()
                return self._infer(request, inputs)
        return self._infer(request, inputs)

    def _infer(self, request: Any, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
        result = request.infer(dict(inputs), share_inputs=True, share_outputs=False)
        return {name: np.asarray(result[i], np.float32) for i, name in enumerate(self.output_names)}


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
