"""Time that passes only when nobody has anything left to do at the present moment.

One event loop without sockets, threads or waiting: where the selector of a real loop would sleep, this one sets its
time to the next timer. So hours pass in milliseconds, and a run depends on nothing but the order of its own steps.
"""

import asyncio
import selectors
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from contextvars import Context, ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, TypeVarTuple

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")

EPOCH = datetime(2025, 10, 10, 12, 0, tzinfo=UTC)
UNIX_EPOCH_SECONDS = 1_760_000_000.0
"""Real unix time at the start of every run: leases count in it."""


class NothingLeftToDo(Exception):
    """Every task waits for something that no timer will bring."""


@dataclass(eq=False)
class Standstill:
    """Something that can be stopped in mid-air: while it stands, no step of it runs; they run, in order, afterwards."""

    standing: bool = False
    parked: list[asyncio.Handle] = field(default_factory=list)


belongs_to: ContextVar[Standstill | None] = ContextVar("belongs_to", default=None)
"""Whose step is being run; tasks hand it on to the tasks that they start."""


class _JumpingSelector(selectors.BaseSelector):
    """Never waits: a timeout is slept through by setting the loop's time."""

    def __init__(self) -> None:
        self.time = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise NothingLeftToDo
        self.time += max(0.0, timeout)
        return []

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        raise AssertionError("nothing here does real input or output")

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        raise AssertionError("nothing here does real input or output")

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return {}


class VirtualLoop(asyncio.BaseEventLoop):
    """An event loop in virtual time; `time()` is in real seconds as the programs inside see them."""

    _ready: deque[asyncio.Handle]

    def __init__(self) -> None:
        super().__init__()
        self._selector = _JumpingSelector()
        self._clock_resolution = 1e-9
        self._standing = 0

    def time(self) -> float:
        return self._selector.time

    def call_soon(
        self, callback: Callable[[*Arguments], object], *args: *Arguments, context: Context | None = None
    ) -> asyncio.Handle:
        if self._standing:
            owner = context.get(belongs_to) if context is not None else belongs_to.get()
            if owner is not None and owner.standing:
                handle = asyncio.Handle(callback, args, self, context)
                owner.parked.append(handle)
                return handle
        return super().call_soon(callback, *args, context=context)

    def stand(self, what: Standstill) -> None:
        """Lets no step of `what` run from here on."""
        what.standing = True
        self._standing += 1

    def go_on(self, what: Standstill) -> None:
        """Runs what was parked, in order, and everything after it."""
        what.standing = False
        self._standing -= 1
        parked, what.parked = what.parked, []
        for handle in parked:
            if not handle.cancelled():
                self._ready.append(handle)

    def _process_events(self, event_list: list[Any]) -> None:
        return

    def _write_to_self(self) -> None:
        return


@dataclass(frozen=True)
class VirtualClock:
    """`common.runtime.clock.Clock` over a virtual loop: strategy time runs `speed` times as fast as real time."""

    loop: VirtualLoop
    speed: float = 1.0

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self.loop.time() * self.speed)

    def monotonic(self) -> float:
        return self.loop.time()

    def unix_seconds(self) -> float:
        return UNIX_EPOCH_SECONDS + self.loop.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self.speed)


def run_virtually(loop: VirtualLoop, work: Coroutine[Any, Any, Result]) -> Result:
    """Runs `work` to its end and closes the loop.

    Raises:
        NothingLeftToDo: it waits for what can never come.
    """
    try:
        return loop.run_until_complete(work)
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.close()


def run_now(work: Coroutine[Any, Any, Result]) -> Result:
    """The result of a coroutine that never waits."""
    try:
        work.send(None)
    except StopIteration as ended:
        return ended.value  # type: ignore[no-any-return]  # the coroutine's own result
    raise AssertionError(f"{work} waits")
