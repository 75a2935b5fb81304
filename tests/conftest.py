"""Being here puts this folder on the import path, so that every test can use ``hostile``."""

import os
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# Trainings are compared bit for bit, which holds for one number of threads only.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Tests that call onnxruntime themselves report to nobody either.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
# Weights that the package index does not have lie beside the checkout on some machines (tests/weights.py).
for _above in Path(__file__).parents:
    if (_above / "shared" / "models").is_dir():
        os.environ.setdefault("LINEAMENT_MODELS", str(_above / "shared" / "models"))
# No test waits on a clock: a busy machine is no failure.
settings.register_profile("no clock", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("no clock")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fuzz-rounds", type=int, default=8, help="mutated files of each kind")


# Whole trainings, real signals, many processes, and files that take twenty seconds and more: `make test`
# leaves them out, `make check` runs them.
_LONG = (
    "cli/test_calibrate.py",
    "cli/test_first_imports.py",
    "cli/test_gallery_commands.py",
    "cli/test_refusals.py",
    "cli/test_saved_evaluations.py",
    "cli/test_stopping.py",
    "cli/test_streams.py",
    "cli/test_verify.py",
    "datasets/collect/test_collect_browser.py",
    "datasets/collect/test_collect_film.py",
    "datasets/formats/test_hostile_labels.py",
    "datasets/test_clean_own_face.py",
    "datasets/test_extract.py",
    "datasets/test_next_steps.py",
    "datasets/test_worker_processes.py",
    "detectors/test_retry.py",
    "detectors/test_views.py",
    "engines/test_process_engine.py",
    "evaluation/test_detection_protocol.py",
    "evaluation/test_near_copies.py",
    "explain/test_match.py",
    "gallery/test_erasing.py",
    "hostile/test_documents.py",
    "hostile/test_expressions.py",
    "hostile/test_growth.py",
    "hostile/test_shown_everywhere.py",
    "hostile/test_time_fuzz.py",
    "stores/test_erasure.py",
    "stores/test_forks.py",
    "test_processes.py",
    *(
        f"training/test_{name}.py"
        for name in (
            "added_detectors",
            "attributes",
            "brought",
            "centres",
            "classifier",
            "data",
            "detector",
            "distributed",
            "embedder",
            "every_trainer",
            "export",
            "face_networks",
            "localizer",
            "loop",
            "run_folder",
            "starts",
            "sweep",
            "telling",
            "transfer",
            "whole_pictures",
            "without_an_exam",
        )
    ),
)


_LONGEST = (
    "journeys/test_pages.py",
    "engines/test_process_engine.py",
    "training/test_detector.py",
    "training/test_without_an_exam.py",
    "training/test_classifier.py",
)
"""Begun first: whoever takes one of these last keeps all others waiting."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of long files, and begin with these."""
    here = Path(__file__).parent
    order = {name: i for i, name in enumerate(_LONGEST)}
    places = {}
    for item in items:
        name = item.path.relative_to(here).as_posix() if item.path.is_relative_to(here) else ""
        slow = name.startswith(_LONG)
        if slow:
            item.add_marker(pytest.mark.slow)
        places[item] = order.get(name, len(order) + (not slow))
    items.sort(key=places.__getitem__)


# What only the extra `train` brings. Where torch is not installed, a test file that cannot be imported for
# want of one of these is not collected, and the summary counts it; with torch, that is an error.
_TRAINING = (
    "onnxscript",
    "pytorch_metric_learning",
    "safetensors",
    "tensorboard",
    "tomli_w",
    "torch",
    "torchvision",
    "ultralytics",
)
_LEFT_OUT = pytest.StashKey[set[str]]()


class _WithoutTraining(pytest.Module):
    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        try:
            return super().collect()
        except self.CollectError as error:
            cause = error.__cause__
            if isinstance(cause, ModuleNotFoundError) and (cause.name or "").split(".")[0] in _TRAINING:
                self.config.stash[_LEFT_OUT].add(self.path.relative_to(self.config.rootpath).as_posix())
                return []
            raise


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_LEFT_OUT] = set()


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    if find_spec("torch") is not None:
        return None
    module: pytest.Module = _WithoutTraining.from_parent(parent, path=module_path)
    return module


def pytest_sessionfinish(session: pytest.Session) -> None:
    """With several processes, those that collected tell the one that prints."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left out"] = sorted(session.config.stash[_LEFT_OUT])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    node.config.stash[_LEFT_OUT].update(getattr(node, "workeroutput", {}).get("left out", ()))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    files = sorted(config.stash[_LEFT_OUT])
    if files:
        elsewhere = [file for file in files if not file.startswith("tests/training/")]
        terminalreporter.write_line(
            f"not collected, because torch is not installed: {len(files)} files, "
            f"{len(files) - len(elsewhere)} of tests/training and {', '.join(elsewhere) or 'no other'}"
        )
