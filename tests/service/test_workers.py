"""The queue in front of the models: who goes together, who goes alone, and who does not go at all."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="not installed: fastapi (pip install 'lineament[serve]')")

from served import ADA, BOB, empty, photo

from lineament.analyzer import Analyzer
from lineament.errors import CorruptPicture
from lineament.io import images
from lineament.service.errors import Refused
from lineament.service.metrics import Metrics
from lineament.service.workers import PIXELS_A_BATCH, Workers
from lineament.settings import AnalyzerSettings
from lineament.types import Image, Outcome, Status

STEPS = AnalyzerSettings()
OTHER_STEPS = STEPS.changed(quality=False)


class Held:
    """An analyzer that waits for a sign, and remembers what it was given together."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.begun, self.go = threading.Semaphore(0), threading.Semaphore(0)

    def __call__(self, _settings: AnalyzerSettings) -> Any:
        return self

    def analyze(self, pictures: Iterator[Image], *, digests: bool) -> Iterator[Outcome]:
        batch = [picture.source for picture in pictures]
        self.batches.append(batch)
        self.begun.release()
        self.go.acquire()
        if "bug" in batch:
            raise RuntimeError("a bug of the program")
        for name in batch:
            yield Outcome(name, Status.NO_FACE)

    def analyze_one(self, picture: Image) -> Outcome:
        [outcome] = self.analyze(iter([picture]), digests=False)
        return outcome

    def close(self) -> None:
        """Nothing to end."""


def image(name: str, side: int = 8) -> Image:
    return Image(np.zeros((side, side, 3), np.uint8), source=name)


def same(outcome: Outcome) -> Outcome:
    return outcome


async def begun(held: Held, count: int = 1) -> None:
    for _ in range(count):
        await asyncio.to_thread(held.begun.acquire)


async def names(workers: Workers, *given: str, steps: AnalyzerSettings = STEPS) -> list[str]:
    return await workers.analyze([image(name) for name in given], steps, lambda one: one.source)


def asked(workers: Workers, *given: str, steps: AnalyzerSettings = STEPS) -> asyncio.Task[list[str]]:
    return asyncio.ensure_future(names(workers, *given, steps=steps))


def test_what_waits_goes_together_and_an_idle_worker_waits_for_nothing() -> None:
    """The first picture goes at once and alone; those that come meanwhile go in one batch, in their
    order."""
    held = Held()

    async def main() -> None:
        workers = Workers(workers=1, make=held)
        first = asked(workers, "a")
        await begun(held)
        rest = [asked(workers, name) for name in "bcd"]
        await asyncio.sleep(0)
        held.go.release(10)
        assert await first == ["a"]
        assert await asyncio.gather(*rest) == [["b"], ["c"], ["d"]]
        workers.close()

    asyncio.run(main())
    assert held.batches == [["a"], ["b", "c", "d"]]


def test_free_workers_share_what_waits() -> None:
    """Two workers that are free take half each, and none takes more than a batch."""
    held = Held()
    held.go.release(100)

    async def main() -> None:
        workers = Workers(workers=2, batch=3, make=held)
        assert await names(workers, *"abcdefgh") == list("abcdefgh")
        workers.close()

    asyncio.run(main())
    assert sorted(map(len, held.batches)) == [2, 3, 3] or sorted(map(len, held.batches)) == [1, 1, 3, 3]


def test_a_batch_holds_no_more_pixels_than_the_cap_and_one_kind_of_steps() -> None:
    """A large picture goes alone behind small ones, and pictures for other steps wait for the next
    batch."""
    held = Held()
    side = int(PIXELS_A_BATCH**0.5)

    async def main() -> None:
        workers = Workers(workers=1, make=held)
        first = asked(workers, "first")
        await begun(held)
        large = asyncio.ensure_future(workers.analyze([image("small"), image("large", side)], STEPS, bool))
        others = asked(workers, "other", steps=OTHER_STEPS)
        await asyncio.sleep(0)
        held.go.release(10)
        await asyncio.gather(first, large, others)
        workers.close()

    asyncio.run(main())
    assert held.batches == [["first"], ["small"], ["large"], ["other"]]


def test_a_cancelled_request_leaves_the_queue() -> None:
    """Pictures of a request that nobody waits for are not analysed, and their neighbours are."""
    held, metrics = Held(), Metrics()

    async def main() -> None:
        workers = Workers(workers=1, make=held, metrics=metrics)
        first = asked(workers, "a")
        await begun(held)
        gone, stays = asked(workers, "gone", "gone too"), asked(workers, "b")
        await asyncio.sleep(0)
        gone.cancel()
        held.go.release(10)
        await first
        assert await stays == ["b"]
        workers.close()

    asyncio.run(main())
    assert held.batches == [["a"], ["b"]]
    assert 'dropped_total{reason="cancelled"} 2' in metrics.text()


def test_too_many_or_too_late_is_refused_with_a_time_to_come_again() -> None:
    """A full queue refuses at once, and a picture that waits past its time is not analysed any more."""
    held = Held()

    async def main() -> None:
        workers = Workers(workers=1, waiting=2, seconds=0.05, make=held)
        first = asked(workers, "a")
        await begun(held)
        late = asked(workers, "b", "c")
        await asyncio.sleep(0)
        with pytest.raises(Refused) as full:
            await names(workers, "d")
        for waiting in (first, late):
            with pytest.raises(Refused) as slow:
                await waiting
            assert slow.value.status == 503 and int(slow.value.headers["Retry-After"]) >= 1
        assert full.value.status == 503 and int(full.value.headers["Retry-After"]) >= 1
        held.go.release(10)
        workers.close()

    asyncio.run(main())
    assert held.batches == [["a"]]


def test_a_bug_in_one_picture_ends_that_one_alone() -> None:
    """Where a batch raises, its pictures are tried one by one, and the others get their outcomes."""
    held = Held()
    held.go.release(100)

    async def main() -> None:
        workers = Workers(workers=1, make=held)
        done = await asyncio.gather(
            *(asked(workers, one) for one in ("a", "bug", "b")), return_exceptions=True
        )
        assert isinstance(done[1], RuntimeError)
        assert done[0] == ["a"] and done[2] == ["b"]
        workers.close()

    asyncio.run(main())


def test_an_answer_does_not_depend_on_its_batch_mates() -> None:
    """By the real models: together with a broken picture, an empty one and another person, each outcome is
    what it is alone."""
    given: Sequence[bytes] = [photo(ADA), b"no picture", empty(), photo(BOB), photo(ADA)[:5000]]
    with Analyzer(workers=1) as analyzer:
        alone = [analyzer.analyze_one(one) for one in given]

        async def main() -> list[Outcome]:
            workers = Workers(workers=1, make=lambda _: analyzer)
            first = asyncio.ensure_future(workers.analyze([empty()], STEPS, bool))
            await asyncio.sleep(0)
            rest = await asyncio.gather(*(workers.analyze([one], STEPS, same) for one in given))
            await first
            return [outcome for outcomes in rest for outcome in outcomes]

        together = asyncio.run(main())
    assert [one.status for one in together] == [one.status for one in alone]
    assert isinstance(together[4].error, CorruptPicture)
    for one, other in zip(together, alone, strict=True):
        assert type(one.error) is type(other.error) and len(one.faces) == len(other.faces)
        if len(one.faces):
            np.testing.assert_allclose(one.faces.boxes, other.faces.boxes, atol=1e-3)
            assert one.faces.embeddings is not None and other.faces.embeddings is not None
            np.testing.assert_allclose(one.faces.embeddings, other.faces.embeddings, atol=1e-4)


def test_what_follows_from_a_picture_fails_for_it_alone() -> None:
    """What is done with an outcome is done in the worker's thread; where it raises, its request hears
    it."""
    held = Held()
    held.go.release(100)
    threads: set[int] = set()

    def then(outcome: Outcome) -> str:
        threads.add(threading.get_ident())
        if outcome.source == "b":
            raise CorruptPicture("what follows")
        return outcome.source

    async def main() -> None:
        workers = Workers(workers=1, make=held)
        done = await asyncio.gather(
            *(workers.analyze([image(name)], STEPS, then) for name in "abc"), return_exceptions=True
        )
        assert done[0] == ["a"] and isinstance(done[1], CorruptPicture) and done[2] == ["c"]
        workers.close()

    asyncio.run(main())
    assert threading.get_ident() not in threads


def test_a_header_tells_the_pixels() -> None:
    """What is counted for a batch is the size in the header, decoded or not; what is no picture counts
    0."""
    from lineament.service.workers import _pixels

    assert _pixels(images.encode_png(np.zeros((10, 20, 3), np.uint8))) == 200
    assert _pixels(image("x", 9)) == 81 and _pixels(b"nothing") == 0
