"""Counts and times for Prometheus, in base units, by the template of a route: no label holds a name."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_BATCHES = (1, 2, 4, 8, 16, 32)


class Histogram:
    """How often a value fell at or below each bound."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * len(bounds)
        self._sum, self._all = 0.0, 0

    def add(self, value: float) -> None:
        """Count one value."""
        self._sum, self._all = self._sum + value, self._all + 1
        for i, bound in enumerate(self._bounds):
            self._counts[i] += value <= bound

    def lines(self, name: str, labels: str) -> Iterator[str]:
        """As Prometheus reads it."""
        inside = f"{labels}," if labels else ""
        for bound, count in zip(self._bounds, self._counts, strict=True):
            yield f'{name}_bucket{{{inside}le="{bound:g}"}} {count}'
        yield f'{name}_bucket{{{inside}le="+Inf"}} {self._all}'
        around = f"{{{labels}}}" if labels else ""
        yield f"{name}_sum{around} {self._sum:.6f}"
        yield f"{name}_count{around} {self._all}"


class Metrics:
    """What the service did since it began; used from one thread only."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._seconds: defaultdict[tuple[str, str], Histogram] = defaultdict(lambda: Histogram(_BUCKETS))
        self._pictures: Counter[str] = Counter()
        self._batches = Histogram(_BATCHES)
        self._dropped: Counter[str] = Counter()
        self.gauges: dict[str, tuple[str, Callable[[], float]]] = {}
        """What is asked when the figures are: a name, what it says, and the value."""

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests[method, route, status] += 1
        self._seconds[method, route].add(seconds)

    def analysed(self, outcome: str) -> None:
        """Count a picture by its outcome."""
        self._pictures[outcome] += 1

    def batch(self, size: int) -> None:
        """Count a batch of pictures that went through the networks together."""
        self._batches.add(size)

    def dropped(self, reason: str, count: int = 1) -> None:
        """Count pictures that left the queue without an answer."""
        self._dropped[reason] += count

    def text(self) -> str:
        """All of it, in the text format of Prometheus."""
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        yield from _head("lineament_requests_total", "counter", "Requests by route and status.")
        for (method, route, status), count in sorted(self._requests.items()):
            yield f'lineament_requests_total{{method="{method}",route="{route}",status="{status}"}} {count}'
        name = "lineament_request_duration_seconds"
        yield from _head(name, "histogram", "Time from a request's header to its answer.")
        for (method, route), seconds in sorted(self._seconds.items()):
            yield from seconds.lines(name, f'method="{method}",route="{route}"')
        yield from _head("lineament_pictures_total", "counter", "Pictures analysed, by outcome.")
        for outcome, count in sorted(self._pictures.items()):
            yield f'lineament_pictures_total{{outcome="{outcome}"}} {count}'
        yield from _head(
            "lineament_pictures_dropped_total", "counter", "Pictures that left the queue unanswered."
        )
        for reason, count in sorted(self._dropped.items()):
            yield f'lineament_pictures_dropped_total{{reason="{reason}"}} {count}'
        yield from _head(
            "lineament_batch_pictures", "histogram", "Pictures that went through the networks together."
        )
        yield from self._batches.lines("lineament_batch_pictures", "")
        for name, (told, value) in sorted(self.gauges.items()):
            yield from _head(name, "gauge", told)
            yield f"{name} {value():g}"


def _head(name: str, kind: str, told: str) -> Iterator[str]:
    yield f"# HELP {name} {told}"
    yield f"# TYPE {name} {kind}"
