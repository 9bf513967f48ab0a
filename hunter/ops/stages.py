"""Where the processor's time goes: seconds by stage, counted step by step of a coroutine."""

from __future__ import annotations

from collections.abc import Awaitable, Generator, Iterable
from time import thread_time
from typing import Any, Generic, TypeVar

from hunter.ops.metrics import Metrics

T = TypeVar("T")

#: what a worker's processor does with a chunk, besides asking DNS
STAGES = ("claim", "judge", "encode", "commit")


class StageClock:
    """Processor seconds of one event loop by stage, as `hunter_scan_stage_cpu_seconds_total`.

    What a stage does while it waits costs it nothing. A stage inside another one is charged to
    itself alone.
    """

    def __init__(self, metrics: Metrics, stages: Iterable[str] = STAGES) -> None:
        self.seconds = dict.fromkeys(stages, 0.0)
        self._charged = 0.0
        self._counter = metrics.hunter_scan_stage_cpu_seconds_total
        metrics.on_render(self._publish)

    def charge(self, stage: str, seconds: float) -> None:
        """Count processor seconds that were spent just now."""
        self.seconds[stage] += seconds
        self._charged += seconds

    async def run(self, stage: str, work: Awaitable[T]) -> T:
        """Await `work` and charge every step of it."""
        return await _Steps(self, stage, work)

    def steps(self, stage: str, began: float, charged: float) -> None:
        """Charge the step that began then, less what was charged since."""
        self.charge(stage, thread_time() - began - (self._charged - charged))

    @property
    def charged(self) -> float:
        """Seconds charged to all stages so far."""
        return self._charged

    def _publish(self) -> None:
        for stage, seconds in self.seconds.items():
            self._counter.set({"stage": stage}, seconds)


class _Steps(Generic[T]):
    """An awaitable driven by hand, to look at the clock before and after each step."""

    def __init__(self, clock: StageClock, stage: str, work: Awaitable[T]) -> None:
        self._clock = clock
        self._stage = stage
        self._work = work

    def __await__(self) -> Generator[Any, None, T]:
        work, clock = self._work.__await__(), self._clock
        error: BaseException | None = None
        while True:
            charged, began = clock.charged, thread_time()
            try:
                waiting = next(work) if error is None else _throw(work, error)
            except StopIteration as done:
                result: T = done.value
                return result
            finally:
                clock.steps(self._stage, began, charged)
            error = None
            try:
                yield waiting
            except BaseException as raised:  # noqa: BLE001  # a cancellation is the work's to see
                error = raised


def _throw(work: Generator[Any, None, T], error: BaseException) -> Any:
    return work.throw(error)
